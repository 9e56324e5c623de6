//! What the provider's words do to the plan of whoever pays.
//!
//! | what is known now | what runs | what happens |
//! |---|---|---|
//! | a subscription gives its plan | nothing, or a certificate of no higher plan | its first cycle begins; the certificate waits for its end |
//! | the same | its own cycles | they go on, by the provider's months |
//! | the same | a higher plan of another subscription or of an operator | that cycle is had to its end, and then its own begin |
//! | the same | a certificate of a higher plan | that one goes on, and then its own cycles begin: nobody pays to have less |
//! | it has ended, or its payment fails | its own cycles | what is paid is had to its end, and nothing after it; then certificates go on |
//!
//! While what is given stays as it was, an operator's word stands. Which subscription counts, and that an old word does nothing at all:
//! [`PaidSubscriptions`].

use jiff::Timestamp;

use super::{Paid, PaidSubscriptions};
use crate::entitlement::{Bought, ByOperator, Entitlements, Kept, Slot};
use crate::id::IdEntropy;
use crate::ledger::{Actor, ChangeReason, Cycle};
use crate::plan::Source;
use crate::plan_change::{NotChanged, PlanChange, changed, counts_from};
use crate::user::User;

/// What has to be stored when `paid` is what is known from now on: the user with it, and with the cycles that it leads to. `cycles`: as
/// [`change_plan`](crate::plan_change::change_plan) needs them.
pub fn follow(
    paid: PaidSubscriptions,
    before: &User,
    cycles: &[Cycle],
    now: Timestamp,
    entropy: impl FnMut() -> IdEntropy,
) -> Result<PlanChange, NotChanged> {
    let now = counts_from(now, before, cycles);
    let running = before.timeline(now).at(now).filter(|slot| slot.span.start <= now);
    let mut facts = before.entitled.as_of(&before.paid, now);
    let given = |paid: &PaidSubscriptions| paid.giving_at(now).map(|paid| (paid.subscription_id.clone(), paid.plan));
    if given(&paid) != given(&before.paid) {
        facts.operator = ByOperator::default();
    }
    if let Some(giving) = paid.giving_at(now) {
        counts(&mut facts, giving, running, now);
    }
    facts.seat(&paid, now);
    // One that an operator has made the last is used up already.
    let cut = running.filter(|slot| before.entitled.kept.is_none_or(|kept| kept.span != slot.span));
    used_up(&mut facts, cut, cycles);
    let mut user = User { entitled: facts, paid, ..before.clone() };
    after_what_stands(&mut user, cycles, now);
    changed(user, before, cycles, (now, Actor::Billing, ChangeReason::PlanStarted), entropy)
}

/// The subscription is the one that counts from now on. Its cycles go on, or begin where what runs leaves off.
fn counts(facts: &mut Entitlements, giving: &Paid, running: Option<Slot>, now: Timestamp) {
    let is_same = facts.bought.as_ref().is_some_and(|bought| bought.subscription_id == giving.subscription_id);
    // What is not paid for any more takes nothing over.
    if giving.until(now).is_some_and(|until| until <= now) && facts.bought.is_some() {
        return;
    }
    // What is paid is had to its end: also where certificates of a higher plan would begin now.
    let outlasts = |slot: &Slot| slot.source != Source::Gift && slot.plan > giving.plan && slot.pay_by.is_none();
    let outlasting = running.filter(outlasts).filter(|_| facts.operator == ByOperator::default());
    if facts.operator == ByOperator::default() {
        facts.kept = outlasting.map(Kept::from);
    }
    if is_same && running.is_none_or(|slot| slot.source == Source::Subscription) {
        return;
    }
    let since = outlasting.map_or(now, |slot| slot.span.end);
    facts.bought = Some(Bought { subscription_id: giving.subscription_id.clone(), since });
}

/// A cycle of a certificate that what is bought has cut short is had again later, unless something of it was used.
fn used_up(facts: &mut Entitlements, running: Option<Slot>, cycles: &[Cycle]) {
    let Some(slot) = running.filter(|slot| slot.source == Source::Gift && facts.certificates.anchor.is_none()) else { return };
    if cycles.iter().any(|cycle| cycle.span.start == slot.span.start && cycle.used + cycle.reserved > 0) {
        facts.certificates = std::mem::take(&mut facts.certificates).without_one();
    }
}

/// The provider's month may have begun before a cycle that runs already, or within one that is closed: then that one keeps its key.
fn after_what_stands(user: &mut User, cycles: &[Cycle], now: Timestamp) {
    let Some(slot) = user.timeline(now).at(now).filter(|slot| slot.source == Source::Subscription) else { return };
    let stands = |cycle: &Cycle| match cycle.closed_at {
        Some(_) => cycle.span.end,
        None if cycle.span.end <= now => cycle.span.end,
        None => cycle.span.start,
    };
    // What grants nothing stands in nobody's way.
    let last = cycles.iter().filter(|cycle| cycle.granted > 0).map(stands).filter(|at| *at <= now).max();
    if let (Some(last), Some(bought)) = (last.filter(|last| *last > slot.span.start), &mut user.entitled.bought) {
        bought.since = bought.since.max(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::billing::{AsOf, Period, Standing, Told};
    use crate::id::UserId;
    use crate::people::gift::{self, GiftCertificate};
    use crate::people::phone::PhoneNumber;
    use crate::plan::{CYCLE, Plan};
    use crate::plan_change::{Wish, change_plan};
    use jiff::SignedDuration;

    const DAY: i64 = 86_400;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn began() -> Timestamp {
        at("2027-01-31T10:00:00Z")
    }

    fn days(days: i64) -> Timestamp {
        began() + SignedDuration::from_secs(days * DAY)
    }

    /// The `month`-th month of what began on 31 January.
    fn period(month: i32) -> Period {
        let first = Period { start: began(), end: began(), anchor: began(), days: None };
        let span = (0..month).fold(first.cycle_at(began()), |span, _| first.cycle_at(span.end));
        Period { start: span.start, end: span.end, ..first }
    }

    fn word(subscription: &str, when: Timestamp, standing: Standing, plan: Plan, period: Period) -> Paid {
        let as_of = AsOf { at: when, told: Told::Updated, changed: false, event_id: format!("evt_{subscription}_{when}") };
        let (customer_id, subscription_id) = ("cus_1".to_owned(), subscription.to_owned());
        let is_first = standing == Standing::Live && period.start == began();
        let paid_until = is_first.then_some(period.end);
        Paid { customer_id, subscription_id, plan, standing, started_at: began(), period, paid_until, as_of }
    }

    /// Somebody with their cycles, as they would be stored.
    struct World {
        user: User,
        cycles: std::collections::BTreeMap<Timestamp, Cycle>,
    }

    impl World {
        fn new() -> Self {
            let user = User::new(UserId::new(began(), [1; 10]), PhoneNumber::parse("+61412345678").unwrap(), began());
            Self { user, cycles: std::collections::BTreeMap::new() }
        }

        fn stored(&self) -> Vec<Cycle> {
            self.cycles.values().cloned().collect()
        }

        fn store(&mut self, change: PlanChange) {
            self.cycles.extend(change.changes.into_iter().map(|change| (change.cycle.span.start, change.cycle)));
            self.user = change.user;
        }

        fn hear(&mut self, paid: Option<PaidSubscriptions>, when: Timestamp) {
            let Some(paid) = paid else { return };
            self.store(follow(paid, &self.user, &self.stored(), when, || [7; 10]).unwrap());
        }

        fn told(&mut self, word: &Paid) {
            self.hear(self.user.paid.after(word), word.as_of.at);
        }

        fn paid(&mut self, month: i32, when: Timestamp) {
            self.hear(self.user.paid.after_payment("sub_1", Some(period(month).end), when), when);
        }

        fn redeem(&mut self, plan: Plan, cycles: u32, when: Timestamp) {
            let gift = GiftCertificate::issue(plan, cycles, None, when);
            let gift::Grant { user, changes, .. } = gift::grant(gift, &self.user, &self.stored(), when, || [7; 10]).unwrap();
            self.store(PlanChange { user, changes });
        }

        /// Start, end, plan and what is granted of what runs then, as of then.
        fn runs(&self, when: Timestamp) -> Option<(Timestamp, Timestamp, Plan, u32)> {
            let cycle = self.user.running_cycle(&self.stored(), when)?;
            Some((cycle.span.start, cycle.span.end, cycle.plan, cycle.remaining()))
        }

        fn plan(&self, when: Timestamp) -> Option<(Plan, Source)> {
            self.user.timeline(when).at(when).map(|slot| (slot.plan, slot.source))
        }
    }

    const LOW: Plan = Plan::Starter;
    const HIGH: Plan = Plan::Professional;

    #[test]
    fn the_cycles_of_what_is_bought_are_the_providers_months() {
        let mut world = World::new();
        world.told(&word("sub_1", began(), Standing::Live, LOW, period(0)));
        assert_eq!(world.runs(days(20)), Some((began(), at("2027-02-28T10:00:00Z"), LOW, 12)));
        world.told(&word("sub_1", days(28), Standing::Live, LOW, period(1)));
        assert_eq!(world.runs(days(58)), Some((at("2027-02-28T10:00:00Z"), at("2027-03-31T10:00:00Z"), LOW, 12)), "a month of 31 days");
        let ahead = world.user.timeline(days(58)).at(days(100)).unwrap();
        assert_eq!(ahead.span.start, at("2027-04-30T10:00:00Z"), "months ahead are known");
    }

    #[test]
    fn a_month_that_is_not_paid_for_grants_nothing_once_that_is_known() {
        let mut world = World::new();
        world.told(&word("sub_1", began(), Standing::Live, LOW, period(0)));
        world.told(&word("sub_1", days(28), Standing::Live, LOW, period(1)));
        assert!(world.runs(days(28)).is_some(), "it is about to be paid");
        world.told(&word("sub_1", days(29), Standing::Overdue, LOW, period(1)));
        assert_eq!(world.runs(days(29)), None);
        assert_eq!(world.cycles[&period(1).start].quota(), 0, "no place that nobody paid for");
        world.paid(1, days(33));
        assert_eq!(world.runs(days(33)), Some((period(1).start, period(1).end, LOW, 12)));
        world.told(&word("sub_1", days(34), Standing::Ended, LOW, period(1)));
        assert!(world.runs(days(50)).is_some(), "what is paid is had");
        assert_eq!(world.runs(period(1).end), None);
    }

    #[test]
    fn a_month_of_whose_payment_no_word_comes_ends_after_three_days() {
        let mut world = World::new();
        world.told(&word("sub_1", began(), Standing::Live, LOW, period(0)));
        let ends = period(0).end;
        let slot = world.user.timeline(ends).at(ends).unwrap();
        assert_eq!(slot.pay_by, Some(ends + SignedDuration::from_hours(72)));
        assert!(world.runs(ends + SignedDuration::from_hours(71)).is_some());
        assert_eq!(world.runs(ends + SignedDuration::from_hours(72)), None);
    }

    #[test]
    fn a_lower_plan_begins_with_the_next_month_and_a_higher_one_at_once() {
        let mut world = World::new();
        world.told(&word("sub_1", began(), Standing::Live, HIGH, period(0)));
        world.told(&word("sub_1", days(5), Standing::Live, LOW, period(0)));
        assert_eq!(world.runs(days(5)).map(|runs| (runs.2, runs.3)), Some((HIGH, 52)), "what is paid is had");
        world.told(&word("sub_1", days(6), Standing::Live, HIGH, period(0)));
        assert_eq!(world.runs(days(6)).map(|runs| runs.3), Some(52), "to and fro gives nothing away");
        world.told(&word("sub_1", days(7), Standing::Live, LOW, period(0)));
        world.told(&word("sub_1", days(28), Standing::Live, LOW, period(1)));
        assert_eq!(world.runs(days(28)).map(|runs| (runs.2, runs.3)), Some((LOW, 12)));
        world.told(&word("sub_1", days(29), Standing::Live, HIGH, period(1)));
        assert_eq!(world.runs(days(29)).map(|runs| (runs.2, runs.3)), Some((HIGH, 52)));
    }

    #[test]
    fn a_certificate_waits_for_what_is_bought_over_it_and_goes_on_after_it() {
        let mut world = World::new();
        let start = began() - SignedDuration::from_hours(24 * 40);
        world.redeem(LOW, 3, start);
        world.told(&word("sub_1", began(), Standing::Live, LOW, period(0)));
        assert_eq!(world.plan(began()), Some((LOW, Source::Subscription)));
        // The second of its three cycles ran.
        assert_eq!(world.user.entitled.certificates.terms[0].cycles, 2);
        assert_eq!(world.cycles[&start].span.end, start + CYCLE);
        world.told(&word("sub_1", days(3), Standing::Ended, LOW, period(0)));
        let ends = period(0).end;
        assert_eq!(world.plan(ends - SignedDuration::from_secs(1)), Some((LOW, Source::Subscription)));
        assert_eq!(world.plan(ends), Some((LOW, Source::Gift)));
        assert_eq!(world.plan(ends + CYCLE * 2), None, "two cycles, and no more");
    }

    #[test]
    fn a_certificate_of_a_higher_plan_comes_before_what_is_bought() {
        let mut world = World::new();
        world.redeem(HIGH, 2, began());
        world.told(&word("sub_1", began(), Standing::Live, LOW, period(0)));
        assert_eq!(world.plan(days(1)), Some((HIGH, Source::Gift)));
        world.told(&word("sub_1", days(28), Standing::Live, LOW, period(1)));
        assert_eq!((world.plan(days(28)), world.plan(days(60))), (Some((HIGH, Source::Gift)), Some((LOW, Source::Subscription))));
    }

    #[test]
    fn a_lower_subscription_beside_a_higher_one_that_ends_begins_after_it() {
        let mut world = World::new();
        world.told(&word("sub_1", began(), Standing::Live, HIGH, period(0)));
        world.told(&word("sub_1", days(2), Standing::Ended, HIGH, period(0)));
        let other = Paid {
            started_at: days(3),
            ..word("sub_2", days(3), Standing::Live, LOW, Period { anchor: days(3), start: days(3), end: days(34), days: None })
        };
        world.told(&other);
        assert_eq!(world.runs(days(4)), Some((began(), period(0).end, HIGH, 52)), "what is paid is had");
        assert_eq!(world.runs(days(29)).map(|runs| (runs.0, runs.2)), Some((period(0).end, LOW)));
    }

    #[test]
    fn an_operators_plan_stands_until_what_is_given_is_other_than_before() {
        let mut world = World::new();
        world.told(&word("sub_1", began(), Standing::Live, LOW, period(0)));
        let operator = (days(1), Actor::Operator);
        let raised = change_plan(Wish::Have(HIGH), &world.user, &world.stored(), operator, || [8; 10]).unwrap();
        world.store(raised);
        assert_eq!(world.runs(days(1)).map(|runs| (runs.0, runs.3)), Some((began(), 52)));
        world.told(&word("sub_1", days(28), Standing::Live, LOW, period(1)));
        assert_eq!(world.plan(days(28)), Some((HIGH, Source::Operator)), "a renewal is no news");
        world.told(&word("sub_1", days(29), Standing::Ended, LOW, period(1)));
        assert_eq!(world.plan(days(29)), None, "nor was the second month paid for");
    }

    #[test]
    fn a_lower_plan_that_is_heard_of_with_the_month_that_it_begins_with_is_the_plan_of_that_month() {
        for opened_ahead in [false, true] {
            let mut world = World::new();
            world.told(&word("sub_1", began(), Standing::Live, HIGH, period(0)));
            if opened_ahead {
                let now = days(1);
                let ahead = world.user.timeline(now).cycle_at(&world.user.id, period(1).start, now).unwrap();
                world.cycles.insert(period(1).start, Cycle { rev: 1, ..ahead });
            }
            world.told(&word("sub_1", period(1).start, Standing::Live, LOW, period(1)));
            assert_eq!(world.runs(period(1).start).map(|runs| (runs.2, runs.3)), Some((LOW, 12)), "{opened_ahead}");
        }
    }

    #[test]
    fn to_and_fro_beside_a_waiting_certificate_grants_nothing_twice() {
        let mut world = World::new();
        world.redeem(HIGH, 2, began() - SignedDuration::from_secs(DAY));
        world.told(&word("sub_1", began(), Standing::Live, HIGH, period(0)));
        for day in [5, 7, 9] {
            world.told(&word("sub_1", days(day), Standing::Live, LOW, period(0)));
            assert_eq!(world.runs(days(day)), Some((began(), period(0).end, HIGH, 52)), "what is paid is had");
            world.told(&word("sub_1", days(day + 1), Standing::Live, HIGH, period(0)));
            assert_eq!(world.runs(days(day + 1)), Some((began(), period(0).end, HIGH, 52)));
        }
        world.told(&word("sub_1", days(12), Standing::Live, LOW, period(0)));
        assert_eq!(world.plan(period(0).end), Some((HIGH, Source::Gift)), "then the certificate, of a higher plan");
    }

    #[test]
    fn a_month_that_is_not_paid_for_grants_nothing_beside_a_certificate_that_begins_then() {
        let mut world = World::new();
        world.redeem(LOW, 3, began() - SignedDuration::from_secs(DAY));
        world.told(&word("sub_1", began(), Standing::Live, HIGH, period(0)));
        world.told(&word("sub_1", period(1).start, Standing::Live, HIGH, period(1)));
        let failed = period(1).start + SignedDuration::from_secs(3_600);
        world.told(&word("sub_1", failed, Standing::Overdue, HIGH, period(1)));
        assert_eq!(world.cycles[&period(1).start].granted, 0);
        assert_eq!(world.runs(failed).map(|runs| (runs.0, runs.2)), Some((failed, LOW)));
        // Further words on it begin nothing anew.
        let later = failed + SignedDuration::from_secs(DAY);
        world.told(&word("sub_1", later, Standing::Overdue, HIGH, period(1)));
        assert_eq!(world.runs(later).map(|runs| runs.0), Some(failed));
        world.paid(1, later + SignedDuration::from_secs(DAY));
        assert_eq!(world.plan(later + SignedDuration::from_secs(DAY)), Some((HIGH, Source::Subscription)));
    }

    #[test]
    fn a_certificates_cycle_that_was_used_is_not_had_again() {
        let mut world = World::new();
        world.redeem(LOW, 2, began());
        let key = *world.cycles.keys().next().unwrap();
        world.cycles.get_mut(&key).unwrap().used = 12;
        let later = Period { start: days(2), end: days(33), anchor: days(2), days: None };
        world.told(&Paid { started_at: days(2), ..word("sub_1", days(2), Standing::Live, HIGH, later) });
        assert_eq!(world.user.entitled.certificates.terms[0].cycles, 1);
    }

    #[test]
    fn what_was_opened_ahead_and_grants_nothing_does_not_cut_the_month_that_is_paid() {
        let mut world = World::new();
        let start = began() - SignedDuration::from_secs(20 * DAY);
        world.redeem(LOW, 5, start);
        let ahead = world.user.timeline(start).cycle_at(&world.user.id, start + CYCLE, start).unwrap();
        world.cycles.insert(start + CYCLE, Cycle { rev: 1, ..ahead });
        world.told(&word("sub_1", began(), Standing::Live, HIGH, period(0)));
        world.told(&word("sub_1", days(15), Standing::Live, HIGH, period(0)));
        assert_eq!(world.runs(days(15)).map(|runs| runs.0), Some(began()));
        assert_eq!(world.cycles[&(start + CYCLE)].granted, 0);
    }

    #[test]
    fn a_lower_plan_that_is_paid_is_had_though_a_higher_one_is_overdue() {
        let mut world = World::new();
        world.told(&word("sub_1", began(), Standing::Live, HIGH, period(0)));
        world.told(&word("sub_1", days(29), Standing::Overdue, HIGH, period(1)));
        let other = Period { start: days(30), end: days(60), anchor: days(30), days: None };
        world.told(&Paid { started_at: days(30), ..word("sub_2", days(30), Standing::Live, LOW, other) });
        assert_eq!(world.runs(days(31)).map(|runs| (runs.0, runs.2, runs.3)), Some((days(30), LOW, 12)));
        // The invoice of a month before is paid; that of this month is not.
        world.hear(world.user.paid.after_payment("sub_1", Some(period(0).end), days(32)), days(32));
        assert_eq!(world.plan(days(33)), Some((LOW, Source::Subscription)));
    }

    #[test]
    fn words_after_an_operators_lapse_use_up_no_further_cycle_of_a_certificate() {
        let mut world = World::new();
        world.redeem(LOW, 3, began());
        let key = *world.cycles.keys().next().unwrap();
        world.cycles.get_mut(&key).unwrap().used = 2;
        let lapsed = change_plan(Wish::Lapse, &world.user, &world.stored(), (days(1), Actor::Operator), || [8; 10]).unwrap();
        world.store(lapsed);
        for day in [2, 3] {
            world.told(&word("sub_1", days(day), Standing::Pending, LOW, period(0)));
            assert_eq!(world.user.entitled.certificates.terms[0].cycles, 2, "the running one alone");
        }
    }
}
