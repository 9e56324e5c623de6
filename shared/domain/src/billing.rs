//! What the payment provider tells us of subscriptions.
//!
//! Events come late, twice, and in any order. Each holds the whole subscription as it was at one moment, so what is kept is the newest
//! word on each, and every order of the events ends with the same: the highest plan that one of them gives.
//!
//! A refund is no word on a subscription: the provider tells of it (`charge.refunded`, `refund.created`, `charge.dispute.created`), the
//! subscription runs on, and so does the plan. Whoever gives money back *and* wants the plan to end ends the subscription there; the
//! running cycle then stays to its end, as with any other lapse. Places that shall go as well are taken by an operator's adjustment,
//! which states its reason.
//!
//! Sources: <https://docs.stripe.com/webhooks#verify-manually>, <https://docs.stripe.com/refunds>, <https://docs.stripe.com/billing/subscriptions/webhooks>,
//! <https://docs.stripe.com/api/subscriptions/object>.

mod follow;
mod known;
mod period;
pub mod signature;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::entitlement::PAYMENT_GRACE;
use crate::plan::Plan;
use crate::planted::Bug;

pub use follow::follow;
pub use known::{KNOWN_MAX, PaidSubscriptions};
pub use period::Period;

/// Whether a subscription gives its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Not paid for the first time yet, or never: nothing is given, nothing is taken.
    Pending,
    /// Paid, or on trial.
    Live,
    /// A payment failed and is being tried again: what was paid before is had to its end, and nothing after it.
    Overdue,
    /// Over, or given up on.
    Ended,
}

impl Standing {
    /// By a subscription's `status`; `None`: one that this code does not know.
    pub fn from_status(status: &str) -> Option<Self> {
        Some(match status {
            "incomplete" | "incomplete_expired" => Self::Pending,
            "active" | "trialing" => Self::Live,
            "past_due" => Self::Overdue,
            "canceled" | "unpaid" | "paused" => Self::Ended,
            _ => return None,
        })
    }

    /// Whether the plan runs.
    pub fn gives_plan(self) -> bool {
        matches!(self, Self::Live | Self::Overdue)
    }
}

/// What an event told of a subscription, in the order of its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// It is there.
    Created,
    /// It is other than it was.
    Updated,
    /// It is over.
    Deleted,
}

/// Which word on a subscription is the newest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsOf {
    /// When the event was made, by the provider's clock, which counts whole seconds.
    pub at: Timestamp,
    /// What it told.
    pub told: Told,
    /// Whether it told that the plan or the standing is another than before. Absent in what earlier versions wrote.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changed: bool,
    /// The event.
    pub event_id: String,
}

/// A subscription, by the newest word on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// Who pays, at the provider.
    pub customer_id: String,
    /// The subscription, at the provider.
    pub subscription_id: String,
    /// What was bought.
    pub plan: Plan,
    /// Whether it gives its plan.
    pub standing: Standing,
    /// When it began, by the provider's clock.
    pub started_at: Timestamp,
    /// The period that runs by this word, paid or about to be paid.
    pub period: Period,
    /// Until when it is surely paid: the end of the last period for which a payment came, of a trial, or of the first period of one that
    /// runs. It never falls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_until: Option<Timestamp>,
    /// The word that told so.
    pub as_of: AsOf,
}

impl Paid {
    /// Until when its cycles are paid for, as far as is known.
    pub(crate) fn paid_through(&self) -> Timestamp {
        match (self.standing, self.paid_until) {
            (Standing::Live, paid) => paid.map_or(self.period.end, |paid| paid.max(self.period.end)),
            (_, Some(paid)) => paid,
            (_, None) => self.period.start,
        }
    }

    /// When its plan is over; `None`: it goes on as far as anybody knows. What is paid is had; what is about to be paid is had until word of
    /// the payment can come no more.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        let goes_on = self.standing == Standing::Live && now < self.paid_through() + PAYMENT_GRACE;
        (!goes_on).then(|| self.paid_through())
    }

    /// Whether this is a newer word on the same subscription than `known`.
    fn is_newer_than(&self, known: &Self) -> bool {
        // It never waits for its first payment again; within one second it is created, then changed, then over. Of two updates of which
        // one tells of a change, the other holds what was before it, or what is since. Where both do, an end stands. Beyond that nobody
        // knows which came first: the id decides, so that it ends the same whichever arrives first.
        let age = |paid: &Self| {
            let AsOf { at, told, changed, event_id } = &paid.as_of;
            (paid.standing != Standing::Pending, *at, *told, *changed, paid.standing == Standing::Ended, event_id.clone())
        };
        age(self) > age(known) || Bug::OldWordFollowed.is_planted()
    }

    /// The subscription after a payment at `at` came, by which it is paid until then, or failed. `None`: nothing new. A payment says
    /// nothing of the plan, so the newest word on it stays the newest; and it brings nothing back that has ended.
    fn after_payment(&self, came: Option<Timestamp>, at: Timestamp) -> Option<Self> {
        let standing = match (self.standing, came) {
            // An earlier month's may be paid late, and this one not.
            (Standing::Pending | Standing::Overdue, Some(until)) if at >= self.as_of.at && until >= self.period.end => Standing::Live,
            (Standing::Live, None) if at >= self.as_of.at => Standing::Overdue,
            (standing, _) => standing,
        };
        let paid = Self { standing, paid_until: self.paid_until.max(came), ..self.clone() };
        (paid != *self).then_some(paid)
    }

    /// The word, with what is known of payments from before it.
    fn with_payments_of(&self, known: &Self) -> Self {
        Self { paid_until: self.paid_until.max(known.paid_until), ..self.clone() }
    }
}

/// A page of the provider's on which somebody may pay. One person has one at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenCheckout {
    /// At the provider.
    pub session_id: String,
    /// What is sold there.
    pub plan: Plan,
    /// Where it is.
    pub url: String,
    /// When the provider closes it by itself.
    pub expires_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_that_the_provider_names_is_known() {
        // https://docs.stripe.com/api/subscriptions/object#subscription_object-status
        for status in ["incomplete", "incomplete_expired", "trialing", "active", "past_due", "canceled", "unpaid", "paused"] {
            assert!(Standing::from_status(status).is_some(), "{status}");
        }
        assert_eq!(Standing::from_status("blooming"), None);
        assert_eq!(Standing::from_status("incomplete_expired"), Some(Standing::Pending), "it never gave anything that could end");
    }
}
