//! The customer.

use jiff::Timestamp;

use crate::billing::{OpenCheckout, PaidSubscriptions};
use crate::entitlement::{Entitlements, Timeline};
use crate::id::UserId;
use crate::ledger::Cycle;
use crate::people::phone::PhoneNumber;

/// One customer account, found by its verified phone number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// The verified number.
    pub phone: PhoneNumber,
    /// Signed up.
    pub created_at: Timestamp,
    /// What they may use, and when.
    pub entitled: Entitlements,
    /// What is paid for at the payment provider, by its newest words.
    pub paid: PaidSubscriptions,
    /// Where they may be paying at this moment.
    pub checkout: Option<OpenCheckout>,
    /// Raised with each stored change; the condition of every write.
    pub rev: u64,
}

impl User {
    /// Somebody who has just signed up: without a plan.
    pub fn new(id: UserId, phone: PhoneNumber, created_at: Timestamp) -> Self {
        Self { id, phone, created_at, entitled: Entitlements::default(), paid: PaidSubscriptions::default(), checkout: None, rev: 1 }
    }

    /// Which cycle holds which time, as it looks at `now`.
    pub fn timeline(&self, now: Timestamp) -> Timeline {
        Timeline::of(&self.entitled, &self.paid, now)
    }

    /// The cycle that holds `now`, out of those that are `stored`; one that nobody has touched is not stored yet. `None`: nothing is had.
    pub fn running_cycle(&self, stored: &[Cycle], now: Timestamp) -> Option<Cycle> {
        let fresh = self.timeline(now).cycle_at(&self.id, now, now)?;
        let stands = stored.iter().find(|cycle| cycle.span.start == fresh.span.start).cloned();
        Some(stands.unwrap_or(fresh))
    }
}
