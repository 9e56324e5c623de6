//! The customer.

use jiff::Timestamp;

use crate::id::UserId;
use crate::people::phone::PhoneNumber;
use crate::plan::Subscription;

/// One customer account, found by its verified phone number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// The verified number.
    pub phone: PhoneNumber,
    /// Signed up.
    pub created_at: Timestamp,
    /// The running plan.
    pub subscription: Option<Subscription>,
    /// Raised with each stored change; the condition of every write.
    pub rev: u64,
}
