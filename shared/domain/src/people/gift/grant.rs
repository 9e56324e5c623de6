//! What a certificate brings to whoever redeems it.
//!
//! | the plan that runs | what happens | history row |
//! |---|---|---|
//! | none, or one that has ended | the certificate's plan begins now, with a full first cycle; a cycle of the old plan that still runs ends | `gift_redeemed`, from 0; `plan_changed` on the one that ends |
//! | the same | the running cycle grows by what the plan holds; the next one is as ever | `gift_redeemed` |
//! | a lower one | upgrade now: the running cycle, and each that posts have opened ahead, grows by what the higher plan holds more; so do those to come | `plan_changed`, one a cycle |
//! | a higher one | nothing: refused, and the certificate stays valid | – |
//!
//! Nothing is ever taken away: what is used and reserved stays, and so does what earlier certificates have added. Cycles keep their
//! dates. A running cycle that nobody has touched is opened first, with a `cycle_opened` row of its own.

use jiff::Timestamp;

use super::GiftCertificate;
use crate::id::IdEntropy;
use crate::ledger::{Actor, Cause, ChangeReason, Cycle, LedgerChange};
use crate::plan::{Source, Subscription};
use crate::plan_change::{CycleFull, ahead, counts_from, cut_short, running_cycle};
use crate::user::User;

/// What has to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The certificate, redeemed at the moment that what it brings counts from: a cycle that it begins is found by it.
    pub gift: GiftCertificate,
    /// Whoever redeems, with the plan; `rev` is one more than it was, also when nothing else changes.
    pub user: User,
    /// The running cycle first.
    pub changes: Vec<LedgerChange>,
}

/// Why a valid certificate brings nothing. It is not used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotGranted {
    /// A higher plan runs.
    #[error("a higher plan is running")]
    HigherPlanRuns,
    /// The cycle holds all that one may.
    #[error("the cycle cannot hold more posts")]
    CycleFull,
}

/// What `gift`, which they have just redeemed, brings to `user` at `now`. `cycles`: the stored ones from
/// [`cycles_needed_from`](crate::plan_change::cycles_needed_from) on, in order.
pub fn grant(
    gift: GiftCertificate,
    user: User,
    cycles: &[Cycle],
    now: Timestamp,
    mut entropy: impl FnMut() -> IdEntropy,
) -> Result<Grant, NotGranted> {
    let (plan, now) = (gift.plan, counts_from(now, &user, cycles));
    let mut cause = || Cause { entropy: entropy(), at: now, actor: Actor::User, post_id: None };
    let running = user.subscription.filter(|subscription| subscription.active);
    let (subscription, changes) = match running {
        None => {
            let subscription = Subscription { plan, anchor: now, active: true, source: Source::Gift };
            let cycle = Cycle::open(user.id.clone(), subscription.cycle_at(now), plan, now);
            let opening = cycle.opening(ChangeReason::GiftRedeemed, cause()).freeing(user.subscription.is_some());
            (subscription, std::iter::once(opening).chain(cut_short(cycles, now, cause)).collect())
        }
        Some(running) if running.plan > plan => return Err(NotGranted::HigherPlanRuns),
        Some(running) if running.plan == plan => {
            let change = running_cycle(&user, &running, cycles, now);
            let change = change
                .changed(cause, |cycle, cause| cycle.adjust(i32::try_from(plan.quota()).ok()?, ChangeReason::GiftRedeemed, cause))
                .map_err(full)?;
            (running, vec![change])
        }
        Some(running) => {
            let raised = |cycle: &Cycle, cause: Cause| cycle.re_plan(plan, cause);
            let all = std::iter::once(running_cycle(&user, &running, cycles, now)).chain(ahead(&running, cycles, now));
            let changes = all.map(|standing| standing.changed(&mut cause, raised).map_err(full));
            let changes = changes.collect::<Result<_, _>>()?;
            (Subscription { plan, source: Source::Gift, ..running }, changes)
        }
    };
    let rev = user.rev + 1;
    let gift = GiftCertificate { redeemed_at: Some(now), ..gift };
    Ok(Grant { gift, user: User { subscription: Some(subscription), rev, ..user }, changes })
}

fn full(_: CycleFull) -> NotGranted {
    NotGranted::CycleFull
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::super::super::phone::PhoneNumber;
    use super::*;
    use crate::id::UserId;
    use crate::ledger::QUOTA_MAX;
    use crate::plan::{CYCLE, Plan};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn user(subscription: Option<Subscription>) -> User {
        let phone = PhoneNumber::parse("+61412345678").unwrap();
        User { subscription, rev: 3, ..User::new(UserId::new(at(0), [1; 10]), phone, at(0)) }
    }

    fn running(plan: Plan) -> Subscription {
        Subscription { plan, anchor: at(0), active: true, source: Source::Subscription }
    }

    fn cycle(plan: &Subscription, index: i32, reserved: u32) -> Cycle {
        let start = plan.cycle_at(plan.anchor + CYCLE * index);
        let mut cycle = Cycle::open(user(None).id, start, plan.plan, at(0));
        (cycle.rev, cycle.reserved) = (7, reserved);
        cycle
    }

    fn granted(plan: Plan, user: User, cycles: &[Cycle]) -> Result<Grant, NotGranted> {
        granted_at(at(50), plan, user, cycles)
    }

    fn granted_at(now: Timestamp, plan: Plan, user: User, cycles: &[Cycle]) -> Result<Grant, NotGranted> {
        let mut count = 0;
        grant(GiftCertificate::issue(plan, None, at(0)), user, cycles, now, || {
            count += 1;
            [count; 10]
        })
    }

    /// Reason, totals and remainings of each row of a change.
    fn rows(change: &LedgerChange) -> Vec<(ChangeReason, [u32; 4])> {
        let row = |entry: &crate::ledger::HistoryEntry| {
            (entry.reason, [entry.previous_total, entry.new_total, entry.previous_remaining, entry.new_remaining])
        };
        change.entries.iter().map(row).collect()
    }

    #[test]
    fn without_a_plan_one_begins_with_a_full_cycle_and_one_row() {
        let ended = Subscription { active: false, ..running(Plan::Professional) };
        for before in [None, Some(ended)] {
            let Grant { user, changes, .. } = granted(Plan::Starter, user(before), &[]).unwrap();
            let subscription = user.subscription.unwrap();
            assert_eq!((subscription.plan, subscription.anchor, subscription.source), (Plan::Starter, at(50), Source::Gift));
            let [change] = changes.as_slice() else { panic!("one cycle") };
            assert_eq!((user.rev, change.expected_rev, change.cycle.span.start, change.cycle.remaining()), (4, None, at(50), 12));
            assert_eq!(rows(change), [(ChangeReason::GiftRedeemed, [0, 12, 0, 12])]);
        }
    }

    #[test]
    fn the_same_plan_adds_its_posts_to_the_running_cycle_and_to_no_other() {
        let plan = running(Plan::Starter);
        let Grant { user, changes, .. } = granted(Plan::Starter, user(Some(plan)), &[cycle(&plan, 0, 5), cycle(&plan, 1, 1)]).unwrap();
        assert_eq!((user.subscription, user.rev), (Some(plan), 4));
        let [change] = changes.as_slice() else { panic!("one cycle") };
        assert_eq!((change.expected_rev, change.cycle.quota(), change.cycle.reserved), (Some(7), 24, 5));
        assert_eq!(rows(change), [(ChangeReason::GiftRedeemed, [12, 24, 7, 19])]);
    }

    #[test]
    fn a_higher_plan_raises_the_running_cycle_and_those_opened_ahead() {
        let plan = running(Plan::Starter);
        let mut grown = cycle(&plan, 0, 5);
        grown.granted = 24;
        let mut other_anchor = cycle(&plan, 2, 0);
        other_anchor.span.start += SignedDuration::from_secs(1);
        let cycles = [grown, cycle(&plan, 1, 1), other_anchor];
        let Grant { user, changes, .. } = granted(Plan::Professional, user(Some(plan)), &cycles).unwrap();
        assert_eq!(user.subscription, Some(Subscription { plan: Plan::Professional, source: Source::Gift, ..plan }));
        let told: Vec<_> = changes.iter().flat_map(rows).collect();
        assert_eq!(told, [(ChangeReason::PlanChanged, [24, 64, 19, 59]), (ChangeReason::PlanChanged, [12, 52, 11, 51])]);
        assert!(changes.iter().all(|change| change.cycle.plan == Plan::Professional));
        assert_ne!(changes[0].entries[0].id, changes[1].entries[0].id);
    }

    #[test]
    fn a_lower_plan_is_refused() {
        let plan = running(Plan::Professional);
        assert_eq!(granted(Plan::Starter, user(Some(plan)), &[cycle(&plan, 0, 0)]), Err(NotGranted::HigherPlanRuns));
    }

    #[test]
    fn a_running_cycle_that_nobody_touched_is_opened_first() {
        let plan = running(Plan::Starter);
        for (gift, reason, total) in [(Plan::Starter, ChangeReason::GiftRedeemed, 24), (Plan::Professional, ChangeReason::PlanChanged, 52)]
        {
            let changes = granted(gift, user(Some(plan)), &[]).unwrap().changes;
            let [change] = changes.as_slice() else { panic!("one cycle") };
            assert_eq!((change.expected_rev, change.cycle.rev), (None, 1));
            assert_eq!(rows(change), [(ChangeReason::CycleOpened, [0, 12, 0, 12]), (reason, [12, total, 12, total])]);
            assert!(change.entries[0].id < change.entries[1].id);
        }
    }

    #[test]
    fn a_cycle_that_holds_all_it_may_keeps_the_certificate_whole() {
        let plan = running(Plan::Starter);
        let mut full = cycle(&plan, 0, 0);
        full.granted = i32::try_from(QUOTA_MAX).unwrap();
        assert_eq!(granted(Plan::Starter, user(Some(plan)), &[full]), Err(NotGranted::CycleFull));
    }

    #[test]
    fn a_certificate_by_a_clock_that_is_behind_begins_no_plan_within_a_closed_cycle_and_its_cycle_is_found_again() {
        let ended = Subscription { active: false, ..running(Plan::Starter) };
        let closed = Cycle { closed_at: Some(at(0) + CYCLE), ..cycle(&ended, 0, 0) };
        // A post had opened the next one, which grants nothing since the plan lapsed, and waits to be held.
        let ahead = Cycle { granted: 0, ..cycle(&ended, 1, 1) };
        let moment = SignedDuration::from_millis(1);
        for (stored, began) in [(vec![closed.clone()], at(0) + CYCLE), (vec![closed, ahead.clone()], at(0) + CYCLE + moment)] {
            let behind = at(0) + CYCLE - SignedDuration::from_mins(5);
            let Grant { gift, user, changes } = granted_at(behind, Plan::Professional, user(Some(ended)), &stored).unwrap();
            let begun = &changes[0].cycle;
            assert_eq!((user.subscription.unwrap().anchor, begun.span.start, changes[0].entries[0].at), (began, began, began));
            assert_eq!(gift.redeemed_at, Some(begun.span.start), "its owner's repeat finds the cycle by it");
            let cut: Vec<_> = changes[1..].iter().map(|change| (change.cycle.span.start, change.cycle.span.end)).collect();
            let expected: Vec<_> = stored[1..].iter().map(|ahead| (ahead.span.start, began)).collect();
            assert_eq!(cut, expected, "two never run at once, and none ends before it began");
        }
    }

    #[test]
    fn no_cycle_of_a_plan_that_begins_has_the_key_of_one_that_was_opened_far_ahead() {
        let ended = Subscription { active: false, ..running(Plan::Starter) };
        let closed = Cycle { closed_at: Some(at(0) + CYCLE), ..cycle(&ended, 0, 0) };
        let far_ahead = Cycle { granted: 0, ..cycle(&ended, 2, 0) };
        let key = far_ahead.span.start;
        let behind = at(0) + CYCLE - SignedDuration::from_mins(5);
        let plan = granted_at(behind, Plan::Starter, user(Some(ended)), &[closed, far_ahead]).unwrap().user.subscription.unwrap();
        assert_eq!(plan.anchor, at(0) + CYCLE + SignedDuration::from_millis(1));
        assert_ne!(plan.cycle_at(key).start, key);
    }

    #[test]
    fn a_certificate_by_a_clock_that_is_behind_adds_to_the_cycle_that_runs_and_not_to_the_closed_one() {
        let plan = running(Plan::Starter);
        let closed = Cycle { closed_at: Some(at(0) + CYCLE), ..cycle(&plan, 0, 12) };
        let stored = [closed, cycle(&plan, 1, 0)];
        let behind = at(0) + CYCLE - SignedDuration::from_mins(5);
        for (gift, quota) in [(Plan::Starter, 24), (Plan::Professional, 52)] {
            let changes = granted_at(behind, gift, user(Some(plan)), &stored).unwrap().changes;
            let [change] = changes.as_slice() else { panic!("one cycle") };
            assert_eq!((change.cycle.span, change.cycle.quota()), (stored[1].span, quota));
        }
    }

    proptest! {
        #[test]
        fn certificates_in_any_order_add_up_and_take_nothing_away(gifts in proptest::collection::vec(any::<bool>(), 1..30)) {
            let (mut who, mut stored, mut remaining) = (user(None), Vec::<Cycle>::new(), 0);
            for professional in gifts {
                let plan = if professional { Plan::Professional } else { Plan::Starter };
                match granted(plan, who.clone(), &stored) {
                    Ok(Grant { user, changes, .. }) => {
                        for entry in &changes[0].entries {
                            prop_assert_eq!(entry.previous_remaining, remaining);
                            remaining = entry.new_remaining;
                        }
                        prop_assert!(changes[0].cycle.remaining() == remaining);
                        prop_assert!(stored.first().is_none_or(|before| before.quota() < changes[0].cycle.quota()));
                        (who, stored) = (user, vec![changes[0].cycle.clone()]);
                    }
                    Err(error) => {
                        prop_assert_eq!(error, NotGranted::HigherPlanRuns);
                        prop_assert!(!professional && who.subscription.unwrap().plan == Plan::Professional);
                    }
                }
            }
        }
    }
}
