//! The customer.

use jiff::Timestamp;

use crate::billing::PaidSubscriptions;
use crate::id::UserId;
use crate::ledger::Cycle;
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
    /// What is paid for at the payment provider, by its newest words.
    pub paid: PaidSubscriptions,
    /// Raised with each stored change; the condition of every write.
    pub rev: u64,
}

impl User {
    /// Somebody who has just signed up: without a plan.
    pub fn new(id: UserId, phone: PhoneNumber, created_at: Timestamp) -> Self {
        Self { id, phone, created_at, subscription: None, paid: PaidSubscriptions::default(), rev: 1 }
    }

    /// The cycle of the active plan that holds `now`, out of those that are `stored`; one that nobody has touched is not stored yet.
    /// `None`: no plan.
    pub fn running_cycle(&self, stored: &[Cycle], now: Timestamp) -> Option<Cycle> {
        let plan = self.subscription.filter(|plan| plan.active)?;
        let span = plan.cycle_at(now);
        let stands = stored.iter().find(|cycle| cycle.span == span).cloned();
        Some(stands.unwrap_or_else(|| Cycle::open(self.id.clone(), span, plan.plan, span.start)))
    }
}
