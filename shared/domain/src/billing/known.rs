//! What is known of the subscriptions of one person.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Paid;

/// How many subscriptions of one person are remembered, over all their time: they stand in the user's item, which every request reads.
pub const KNOWN_MAX: usize = 6;

/// The newest word on each of a person's subscriptions, the one that counts first: one that gives a plan before one that does not, then
/// the higher plan, then the one that began last. Beyond [`KNOWN_MAX`], what counts least is forgotten.
///
/// All of them are kept, because a word may come days late: one on a subscription that another has replaced must not bring it back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PaidSubscriptions(Vec<Paid>);

impl PaidSubscriptions {
    /// The one that counts.
    pub fn foremost(&self) -> Option<&Paid> {
        self.0.first()
    }

    /// The one whose plan is had.
    pub fn giving(&self) -> Option<&Paid> {
        self.foremost().filter(|paid| paid.standing.gives_plan())
    }

    /// The one whose plan is had at `now`: before one that is not paid for any more, one that is.
    pub(crate) fn giving_at(&self, now: Timestamp) -> Option<&Paid> {
        let is_had = |paid: &&Paid| paid.standing.gives_plan() && paid.until(now).is_none_or(|until| until > now);
        self.0.iter().find(is_had).or_else(|| self.giving())
    }

    /// Another that gives a plan: money that somebody will want back.
    pub fn beside(&self) -> Option<&Paid> {
        self.0.get(1).filter(|paid| paid.standing.gives_plan())
    }

    /// All of it after all of `other`.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        other.0.iter().fold(self, |known, word| known.after(word).unwrap_or(known))
    }

    /// The newest word on one.
    pub fn of(&self, subscription_id: &str) -> Option<&Paid> {
        self.0.iter().find(|paid| paid.subscription_id == subscription_id)
    }

    /// All of it after `word`. `None`: it says nothing new.
    #[must_use]
    pub fn after(&self, word: &Paid) -> Option<Self> {
        match self.of(&word.subscription_id) {
            Some(known) if word.is_newer_than(known) => self.with(&word.with_payments_of(known)),
            // An old word may tell of a payment all the same.
            Some(known) => Some(known.with_payments_of(word)).filter(|told| told != known).and_then(|told| self.with(&told)),
            // One that was forgotten must not come back.
            None => {
                let has_room = self.0.len() < KNOWN_MAX || self.0.last().is_some_and(|least| least.started_at <= word.started_at);
                if has_room { self.with(word) } else { None }
            }
        }
    }

    /// All of it after a payment at `at` came, by which it is paid until then, or failed. `None`: nothing new; a subscription that is not
    /// known will tell of itself.
    #[must_use]
    pub fn after_payment(&self, subscription_id: &str, came: Option<Timestamp>, at: Timestamp) -> Option<Self> {
        self.with(&self.of(subscription_id)?.after_payment(came, at)?)
    }

    fn with(&self, word: &Paid) -> Option<Self> {
        let others = self.0.iter().filter(|paid| paid.subscription_id != word.subscription_id);
        let mut all: Vec<_> = others.chain([word]).cloned().collect();
        all.sort_by(|one, other| rank(other).cmp(&rank(one)));
        all.truncate(KNOWN_MAX);
        let known = Self(all);
        known.of(&word.subscription_id).is_some().then_some(known)
    }
}

fn rank(paid: &Paid) -> impl Ord {
    let plan = Some(paid.plan).filter(|_| paid.standing.gives_plan());
    (plan, paid.started_at, paid.subscription_id.clone())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{AsOf, Period, Standing, Told};
    use super::*;
    use crate::plan::Plan;

    fn word(subscription: &str, started: i64, at: i64, standing: Standing, plan: Plan, event: &str) -> Paid {
        let time = |second| Timestamp::from_second(second).unwrap();
        let told = if standing == Standing::Ended { Told::Deleted } else { Told::Updated };
        let as_of = AsOf { at: time(at), told, changed: false, event_id: event.to_owned() };
        let (customer_id, subscription_id) = ("cus_1".to_owned(), subscription.to_owned());
        let period = Period { start: time(started), end: time(started + 2_592_000), anchor: time(started), days: None };
        Paid { customer_id, subscription_id, plan, standing, started_at: time(started), period, paid_until: None, as_of }
    }

    fn after<'a>(words: impl IntoIterator<Item = &'a Paid>) -> PaidSubscriptions {
        words.into_iter().fold(PaidSubscriptions::default(), |known, word| known.after(word).unwrap_or(known))
    }

    proptest! {
        #[test]
        fn any_order_and_any_repetition_of_one_subscriptions_events_ends_the_same(
            order in Just((0..5_usize).collect::<Vec<_>>()).prop_shuffle(),
            repeated in proptest::collection::vec(0..5_usize, 0..6),
        ) {
            let words = [
                // However late it was told that it waits for its payment.
                word("sub_1", 10, 12, Standing::Pending, Plan::Starter, "evt_a"),
                word("sub_1", 10, 11, Standing::Live, Plan::Starter, "evt_b"),
                word("sub_1", 10, 12, Standing::Live, Plan::Professional, "evt_d"),
                // Both in one second: the end stands.
                word("sub_1", 10, 13, Standing::Ended, Plan::Professional, "evt_c"),
                word("sub_1", 10, 13, Standing::Overdue, Plan::Professional, "evt_z"),
            ];
            let known = after(order.iter().chain(&repeated).map(|index| &words[*index]));
            prop_assert_eq!(known.foremost(), Some(&words[3]));
        }

        #[test]
        fn words_of_one_second_end_the_same_in_any_order(
            order in Just((0..4_usize).collect::<Vec<_>>()).prop_shuffle(),
            changes in proptest::collection::vec(any::<bool>(), 4),
            standings in proptest::collection::vec(0..3_usize, 4),
        ) {
            let standing = |nth: usize| [Standing::Live, Standing::Overdue, Standing::Ended][standings[nth]];
            let words: Vec<_> = (0..4).map(|nth| {
                let plan = Plan::ALL[nth % 2];
                let word = word("sub_1", 10, 11, standing(nth), plan, &format!("evt_{nth}"));
                Paid { as_of: AsOf { told: Told::Updated, changed: changes[nth], ..word.as_of }, ..word }
            }).collect();
            let newest = (0..4).max_by_key(|nth| (changes[*nth], standing(*nth) == Standing::Ended, *nth));
            let known = after(order.iter().map(|index| &words[*index]));
            prop_assert_eq!(known.foremost(), newest.map(|nth| &words[nth]));
        }

        #[test]
        fn an_old_subscriptions_end_does_not_end_the_new_one(order in Just((0..4_usize).collect::<Vec<_>>()).prop_shuffle()) {
            let words = [
                word("sub_1", 10, 11, Standing::Live, Plan::Starter, "evt_a"),
                word("sub_1", 10, 40, Standing::Ended, Plan::Starter, "evt_b"),
                word("sub_2", 30, 31, Standing::Live, Plan::Professional, "evt_c"),
                word("sub_2", 30, 50, Standing::Overdue, Plan::Professional, "evt_d"),
            ];
            let known = after(order.iter().map(|index| &words[*index]));
            prop_assert_eq!((known.foremost(), known.beside()), (Some(&words[3]), None));
        }

        #[test]
        fn no_late_word_on_any_of_several_brings_back_what_has_ended(
            order in Just((0..6_usize).collect::<Vec<_>>()).prop_shuffle(),
            repeated in proptest::collection::vec(0..6_usize, 0..6),
        ) {
            let words = [
                word("sub_1", 10, 11, Standing::Live, Plan::Starter, "evt_a"),
                word("sub_1", 10, 40, Standing::Ended, Plan::Starter, "evt_b"),
                word("sub_2", 30, 31, Standing::Live, Plan::Professional, "evt_c"),
                word("sub_2", 30, 60, Standing::Ended, Plan::Professional, "evt_d"),
                // Somebody thinks of buying again, and does not: it gives nothing, and what has ended stays ended.
                word("sub_3", 70, 71, Standing::Pending, Plan::Starter, "evt_e"),
                word("sub_3", 70, 70, Standing::Pending, Plan::Professional, "evt_f"),
            ];
            let known = after(order.iter().chain(&repeated).map(|index| &words[*index]));
            prop_assert_eq!((known.giving(), known.of("sub_1")), (None, Some(&words[1])));
            prop_assert_eq!((known.of("sub_2"), known.of("sub_3")), (Some(&words[3]), Some(&words[4])));
        }
    }

    #[test]
    fn one_that_was_forgotten_does_not_come_back_though_an_older_one_runs() {
        let ended = |nth: i64| word(&format!("sub_{nth}"), 10 * nth, 10 * nth + 5, Standing::Ended, Plan::Starter, &format!("evt_{nth}"));
        let oldest = word("sub_1", 10, 11, Standing::Live, Plan::Professional, "evt_1");
        let words: Vec<_> = std::iter::once(oldest.clone()).chain((2..=i64::try_from(KNOWN_MAX).unwrap() + 1).map(ended)).collect();
        let known = after(&words);
        assert_eq!((known.of("sub_2"), known.foremost()), (None, Some(&oldest)), "the first that ended is forgotten");
        assert_eq!(known.after(&word("sub_2", 20, 21, Standing::Live, Plan::Professional, "evt_late")), None);
    }

    #[test]
    fn of_two_that_give_a_plan_the_higher_counts_then_the_later_and_when_it_ends_the_other_does() {
        let live = |name, started, plan, event| word(name, started, started + 1, Standing::Live, plan, event);
        let (low, high) = (live("sub_1", 10, Plan::Starter, "evt_a"), live("sub_2", 30, Plan::Professional, "evt_b"));
        let lower_later = live("sub_3", 40, Plan::Starter, "evt_c");
        let all = after([&lower_later, &high, &low]);
        assert_eq!((all.giving(), all.beside()), (Some(&high), Some(&lower_later)));
        let end = word("sub_2", 30, 50, Standing::Ended, Plan::Professional, "evt_d");
        let left = all.after(&end).unwrap();
        assert_eq!((left.giving(), left.beside()), (Some(&lower_later), Some(&low)));
    }

    #[test]
    fn so_many_are_remembered_and_those_that_give_a_plan_last_of_all_forgotten() {
        let live = word("sub_live", 1, 1, Standing::Live, Plan::Starter, "evt_live");
        let ended: Vec<_> =
            (10..40).map(|at| word(&format!("sub_{at}"), at, at, Standing::Ended, Plan::Starter, &format!("evt_{at}"))).collect();
        let known = after([&live].into_iter().chain(&ended));
        assert_eq!((known.0.len(), known.foremost()), (KNOWN_MAX, Some(&live)));
        assert_eq!(known.after(&ended[0]), None, "older than what is known: nothing new");
        let late = word("sub_10", 10, 10, Standing::Live, Plan::Starter, "evt_late");
        assert_eq!(after(&ended).after(&late), None, "it was forgotten, and does not come back");
        let json = serde_json::to_string(&known).unwrap();
        assert!(json.len() < 3_000, "a profile is read by every request, and a read of 4 KB is the smallest: {}", json.len());
    }

    proptest! {
        #[test]
        fn payments_and_words_in_any_order_end_with_the_same_time_paid(order in Just((0..4_usize).collect::<Vec<_>>()).prop_shuffle()) {
            let time = |second| Timestamp::from_second(second).unwrap();
            let created = Paid { paid_until: Some(time(2_592_010)), ..word("sub_1", 10, 11, Standing::Live, Plan::Starter, "evt_a") };
            let renewed = word("sub_1", 10, 2_592_011, Standing::Live, Plan::Starter, "evt_b");
            let overdue = word("sub_1", 10, 2_592_020, Standing::Overdue, Plan::Starter, "evt_c");
            // The subscription is known, as it is whenever a second period is paid for.
            let known = order.iter().fold(after([&created]), |known, step| {
                let next = match step {
                    0 => known.after(&renewed),
                    1 => known.after(&overdue),
                    2 => known.after_payment("sub_1", Some(time(5_184_010)), time(2_592_030)),
                    _ => known.after(&created),
                };
                next.unwrap_or(known)
            });
            prop_assert_eq!(known.of("sub_1").unwrap().paid_through(), time(5_184_010));
        }
    }
}
