//! What the payment provider tells us of subscriptions.
//!
//! Events come late, twice, and in any order. Each holds the whole subscription as it was at one moment, so what is kept is the newest
//! word on the newest subscription that gives a plan, and every order of one subscription's events ends with the same. Of a subscription
//! that another replaced nothing is kept: a late word that it was live, heard after the other has ended, brings its plan back.
//!
//! A refund is no word on a subscription: the provider tells of it (`charge.refunded`, `refund.created`, `charge.dispute.created`), the
//! subscription runs on, and so does the plan. Whoever gives money back *and* wants the plan to end ends the subscription there; the
//! running cycle then stays to its end, as with any other lapse. Places that shall go as well are taken by an operator's adjustment,
//! which states its reason.
//!
//! Sources: <https://docs.stripe.com/webhooks#verify-manually>, <https://docs.stripe.com/refunds>, <https://docs.stripe.com/billing/subscriptions/webhooks>,
//! <https://docs.stripe.com/api/subscriptions/object>.

mod follow;
pub mod signature;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::plan::Plan;

pub use follow::follow;

/// Whether a subscription gives its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Not paid for the first time yet: nothing is given, nothing is taken.
    Pending,
    /// Paid, or on trial.
    Live,
    /// A payment failed and is being tried again: the plan runs on meanwhile.
    Overdue,
    /// Over, or given up on.
    Ended,
}

impl Standing {
    /// By a subscription's `status`; `None`: one that this code does not know.
    pub fn from_status(status: &str) -> Option<Self> {
        Some(match status {
            "incomplete" => Self::Pending,
            "active" | "trialing" => Self::Live,
            "past_due" => Self::Overdue,
            "canceled" | "unpaid" | "paused" | "incomplete_expired" => Self::Ended,
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
    /// The word that told so.
    pub as_of: AsOf,
}

impl Paid {
    /// Whether this is to be kept in the place of `known`: a newer word on the same subscription, or a subscription that began later
    /// and gives a plan. Of a subscription that was replaced nothing is heard any more.
    pub fn supersedes(&self, known: Option<&Self>) -> bool {
        let Some(known) = known else { return true };
        if self.subscription_id == known.subscription_id {
            // Within one second a subscription is created, then changed, then over; it begins to wait for its payment, and then has it.
            // What is the same in all of that counts as it arrives: nothing else tells which came first.
            let age = |paid: &Self| (paid.as_of.at, paid.as_of.told, paid.standing != Standing::Pending);
            return self.as_of.event_id != known.as_of.event_id && age(self) >= age(known);
        }
        let rank = |paid: &Self| (paid.standing.gives_plan(), paid.started_at, paid.subscription_id.clone());
        rank(self) > rank(known)
    }

    /// Whether both are paid for at the same time: money that somebody will want back.
    pub fn is_beside(&self, other: &Self) -> bool {
        self.subscription_id != other.subscription_id && self.standing.gives_plan() && other.standing.gives_plan()
    }

    /// The subscription after a payment at `at` came or failed. `None`: nothing new. A payment says nothing of the plan, so the newest
    /// word on it stays the newest; and it brings nothing back that has ended.
    #[must_use]
    pub fn after_payment(&self, came: bool, at: Timestamp) -> Option<Self> {
        let standing = match (self.standing, came) {
            (Standing::Pending | Standing::Overdue, true) => Standing::Live,
            (Standing::Live, false) => Standing::Overdue,
            _ => return None,
        };
        (at >= self.as_of.at).then(|| Self { standing, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn word(subscription: &str, started: i64, at: i64, standing: Standing, plan: Plan, event: &str) -> Paid {
        let time = |second| Timestamp::from_second(second).unwrap();
        let told = if standing == Standing::Ended { Told::Deleted } else { Told::Updated };
        let as_of = AsOf { at: time(at), told, event_id: event.to_owned() };
        let (customer_id, subscription_id) = ("cus_1".to_owned(), subscription.to_owned());
        Paid { customer_id, subscription_id, plan, standing, started_at: time(started), as_of }
    }

    fn after<'a>(words: impl IntoIterator<Item = &'a Paid>) -> Option<Paid> {
        words.into_iter().fold(None, |known, word| if word.supersedes(known.as_ref()) { Some(word.clone()) } else { known })
    }

    #[test]
    fn every_status_that_the_provider_names_is_known() {
        // https://docs.stripe.com/api/subscriptions/object#subscription_object-status
        for status in ["incomplete", "incomplete_expired", "trialing", "active", "past_due", "canceled", "unpaid", "paused"] {
            assert!(Standing::from_status(status).is_some(), "{status}");
        }
        assert_eq!(Standing::from_status("blooming"), None);
    }

    proptest! {
        #[test]
        fn any_order_and_any_repetition_of_one_subscriptions_events_ends_the_same(
            order in Just((0..5_usize).collect::<Vec<_>>()).prop_shuffle(),
            repeated in proptest::collection::vec(0..5_usize, 0..6),
        ) {
            let words = [
                word("sub_1", 10, 10, Standing::Pending, Plan::Starter, "evt_a"),
                word("sub_1", 10, 11, Standing::Live, Plan::Starter, "evt_b"),
                word("sub_1", 10, 12, Standing::Live, Plan::Professional, "evt_d"),
                // Both in one second: the end stands.
                word("sub_1", 10, 13, Standing::Ended, Plan::Professional, "evt_c"),
                word("sub_1", 10, 13, Standing::Overdue, Plan::Professional, "evt_z"),
            ];
            let ended = after(order.iter().chain(&repeated).map(|index| &words[*index]));
            prop_assert_eq!(ended.as_ref(), Some(&words[3]));
        }

        #[test]
        fn an_old_subscriptions_end_does_not_end_the_new_one(order in Just((0..4_usize).collect::<Vec<_>>()).prop_shuffle()) {
            let words = [
                word("sub_1", 10, 11, Standing::Live, Plan::Starter, "evt_a"),
                word("sub_1", 10, 40, Standing::Ended, Plan::Starter, "evt_b"),
                word("sub_2", 30, 31, Standing::Live, Plan::Professional, "evt_c"),
                word("sub_2", 30, 50, Standing::Overdue, Plan::Professional, "evt_d"),
            ];
            let ended = after(order.iter().map(|index| &words[*index]));
            prop_assert_eq!(ended.as_ref(), Some(&words[3]));
        }
    }
}
