//! What a certificate brings to whoever redeems it: so many cycles of its plan.
//!
//! | what runs | what happens | history row |
//! |---|---|---|
//! | nothing | its cycles begin now | `gift_redeemed`, from 0 |
//! | a certificate of the same or a higher plan | its cycles come after those that are there | `gift_redeemed`, no number changes |
//! | a certificate of a lower plan | the running cycle, and each that posts have opened ahead in its time, grows by what the plan holds more; the lower one goes on after it | `plan_changed`, one a cycle, and `gift_redeemed` |
//! | what is bought, of a lower plan | its cycles begin now, and what is bought goes on after it | `gift_redeemed`, from 0; `plan_changed` on the one that ends |
//! | what is bought, of the same or a higher plan | its cycles wait for the end of that | `gift_redeemed`, no number changes |
//!
//! Nothing is ever taken away: what is used and reserved stays.

use jiff::Timestamp;

use super::GiftCertificate;
use crate::entitlement::ByOperator;
use crate::id::IdEntropy;
use crate::ledger::{Actor, Cause, ChangeReason, Cycle, LedgerChange};
use crate::plan_change::{NotChanged, PlanChange, changed, counts_from};
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
    /// Certificates bring as many cycles ahead as anybody may have.
    #[error("so many cycles are ahead already that no more can be added")]
    TooManyAhead,
    /// The cycle holds all that one may.
    #[error("the cycle cannot hold more posts")]
    CycleFull,
    /// Nothing runs that could tell of it.
    #[error("no cycle runs")]
    NoCycle,
}

/// What `gift`, which they have just redeemed, brings to `before` at `now`. `cycles`: the stored ones from
/// [`cycles_needed_from`](crate::plan_change::cycles_needed_from) on, in order.
pub fn grant(
    gift: GiftCertificate,
    before: &User,
    cycles: &[Cycle],
    now: Timestamp,
    mut entropy: impl FnMut() -> IdEntropy,
) -> Result<Grant, NotGranted> {
    let (plan, now) = (gift.plan, counts_from(now, before, cycles));
    let mut facts = before.entitled.as_of(&before.paid, now);
    facts.certificates = facts.certificates.with(plan, gift.cycles).ok_or(NotGranted::TooManyAhead)?;
    if facts.operator.lapsed || facts.operator.set.is_some_and(|(set, _)| set <= plan) {
        facts.operator = ByOperator::default();
    }
    facts.kept = facts.kept.filter(|kept| kept.plan >= plan);
    facts.seat(&before.paid, now);
    let user = User { entitled: facts, ..before.clone() };
    let change = changed(user, before, cycles, (now, Actor::User, ChangeReason::GiftRedeemed), &mut entropy);
    let PlanChange { user, mut changes } = change.map_err(full)?;
    let told = |change: &LedgerChange| change.entries.iter().any(|entry| entry.reason == ChangeReason::GiftRedeemed);
    if !changes.iter().any(told) {
        let running = user.running_cycle(cycles, now).ok_or(NotGranted::NoCycle)?;
        let cause = Cause { entropy: entropy(), at: now, actor: Actor::User, post_id: None };
        let place = changes.iter().position(|change| change.cycle.span.start == running.span.start);
        let change = match place.map(|place| changes.remove(place)) {
            Some(change) => change.and(|cycle| cycle.gifted(cause)),
            None => running.gifted(cause),
        };
        changes.insert(0, change);
    }
    let gift = GiftCertificate { redeemed_at: Some(now), ..gift };
    Ok(Grant { gift, user, changes })
}

/// Nothing else is ever wrong with facts that are fitted.
fn full(_: NotChanged) -> NotGranted {
    NotGranted::CycleFull
}

#[cfg(test)]
mod tests {
    use super::super::super::phone::PhoneNumber;
    use super::*;
    use crate::entitlement::CYCLES_MAX;
    use crate::id::UserId;
    use crate::plan::{CYCLE, Plan};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn nobody() -> User {
        User::new(UserId::new(at(0), [1; 10]), PhoneNumber::parse("+61412345678").unwrap(), at(0))
    }

    fn granted(plan: Plan, cycles: u32, user: &User, stored: &[Cycle], now: i64) -> Result<Grant, NotGranted> {
        let mut count = 0;
        grant(GiftCertificate::issue(plan, cycles, None, at(0)), user, stored, at(now), || {
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
        let Grant { gift, user, changes } = granted(Plan::Starter, 12, &nobody(), &[], 50).unwrap();
        let [change] = changes.as_slice() else { panic!("one cycle") };
        assert_eq!((user.rev, change.expected_rev, change.cycle.span.start, change.cycle.remaining()), (2, None, at(50), 12));
        assert_eq!(rows(change), [(ChangeReason::GiftRedeemed, [0, 12, 0, 12])]);
        assert_eq!(gift.redeemed_at, Some(at(50)), "its owner's repeat finds the cycle by it");
        assert_eq!(user.timeline(at(50)).ends_at(at(50)), Some(at(50) + CYCLE * 12), "no plan for ever");
    }

    #[test]
    fn the_same_plan_adds_its_cycles_and_tells_of_it_in_the_running_one() {
        let first = granted(Plan::Starter, 2, &nobody(), &[], 50).unwrap();
        let cycle = first.changes[0].cycle.clone();
        let Grant { user, changes, .. } = granted(Plan::Starter, 3, &first.user, &[cycle], 60).unwrap();
        let [change] = changes.as_slice() else { panic!("one cycle") };
        assert_eq!((change.expected_rev, rows(change)), (Some(1), vec![(ChangeReason::GiftRedeemed, [12, 12, 12, 12])]));
        assert_eq!(user.timeline(at(60)).ends_at(at(60)), Some(at(50) + CYCLE * 5));
    }

    #[test]
    fn a_higher_plan_raises_what_runs_and_the_lower_one_goes_on_after_it() {
        let first = granted(Plan::Starter, 2, &nobody(), &[], 50).unwrap();
        let ahead = first.user.timeline(at(50)).cycle_at(&first.user.id, at(50) + CYCLE, at(50)).unwrap();
        let stored = [first.changes[0].cycle.clone(), Cycle { rev: 1, ..ahead }];
        let Grant { user, changes, .. } = granted(Plan::Professional, 1, &first.user, &stored, 60).unwrap();
        let [change, quiet] = changes.as_slice() else { panic!("{changes:?}") };
        assert!(quiet.entries.is_empty() && !quiet.cycle.lapsed, "another cycle follows the one ahead now");
        assert_eq!(rows(change), [(ChangeReason::PlanChanged, [12, 52, 12, 52]), (ChangeReason::GiftRedeemed, [52, 52, 52, 52])]);
        assert_eq!((change.expected_rev, change.cycle.rev), (Some(1), 2));
        let plan = |cycle: i32| user.timeline(at(60)).at(at(50) + CYCLE * cycle).map(|slot| slot.plan);
        assert_eq!([0, 1, 2, 3].map(plan), [Some(Plan::Professional), Some(Plan::Starter), Some(Plan::Starter), None]);
    }

    #[test]
    fn a_lower_plan_goes_on_after_the_higher_one() {
        let first = granted(Plan::Professional, 1, &nobody(), &[], 50).unwrap();
        let stored = [first.changes[0].cycle.clone()];
        let Grant { user, changes, .. } = granted(Plan::Starter, 1, &first.user, &stored, 60).unwrap();
        assert_eq!(changes[0].cycle.quota(), 52);
        assert_eq!(user.timeline(at(60)).at(at(60) + CYCLE).map(|slot| slot.plan), Some(Plan::Starter));
    }

    #[test]
    fn more_cycles_than_anybody_may_have_ahead_keep_the_certificate_whole() {
        let first = granted(Plan::Starter, CYCLES_MAX, &nobody(), &[], 50).unwrap();
        let stored = [first.changes[0].cycle.clone()];
        assert_eq!(granted(Plan::Starter, 1, &first.user, &stored, 60), Err(NotGranted::TooManyAhead));
    }

    #[test]
    fn a_certificate_by_a_clock_that_is_behind_begins_no_plan_within_a_closed_cycle() {
        let first = granted(Plan::Starter, 1, &nobody(), &[], 0).unwrap();
        let closed = Cycle { closed_at: Some(at(0) + CYCLE), ..first.changes[0].cycle.clone() };
        let behind = CYCLE.as_secs() - 300;
        let Grant { gift, changes, .. } = granted(Plan::Professional, 1, &first.user, &[closed], behind).unwrap();
        assert_eq!((changes[0].cycle.span.start, gift.redeemed_at), (at(0) + CYCLE, Some(at(0) + CYCLE)));
    }
}
