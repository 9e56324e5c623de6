//! The ledger: what each cycle holds, and why.
//!
//! Three numbers are stored: what is granted, used and reserved. Everything else is computed from them, so that for every cycle
//! `quota = used + reserved + remaining`, whatever a row says. A change returns the new cycle and the history entry that explains it; both
//! are stored in one transaction, so that no number exists without its reason.

mod cycle_analytics;
mod history;

use jiff::{SignedDuration, Timestamp};

use crate::entitlement::Slot;
use crate::id::{HistoryId, UserId};
use crate::plan::{CycleSpan, Plan};
use crate::planted::Bug;

pub use cycle_analytics::CycleAnalytics;
pub use history::{Actor, Cause, ChangeReason, HistoryEntry};

/// The most posts that a cycle may hold, however many certificates are redeemed onto it.
pub const QUOTA_MAX: u32 = 1_000_000;

/// One user's numbers in one cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle {
    /// Whose cycle.
    pub user_id: UserId,
    /// When.
    pub span: CycleSpan,
    /// The plan that it was opened with, or that it was raised to.
    pub plan: Plan,
    /// What plan, certificates and adjustments grant. Below zero where an operator has taken more than a lower plan holds: a higher plan
    /// makes that good first.
    pub granted: i32,
    /// Published.
    pub used: u32,
    /// Approved and not ended yet.
    pub reserved: u32,
    /// What was granted here when the plan lapsed before the cycle began: it comes back with the plan.
    pub withheld: i32,
    /// Whether a held post waits for a quota slot of it: the change that gives one back has the user's held posts looked through.
    pub awaited: bool,
    /// Whether no other follows by itself, however late the cycle job comes: the plan ends with it, or another cycle has cut it short.
    pub lapsed: bool,
    /// When it grants nothing any more unless it is paid for by then; `None`: it is.
    pub pay_by: Option<Timestamp>,
    /// How many places were ever set aside in it; never falls.
    pub reservations: u32,
    /// The last time that a post of this cycle was published.
    pub last_posted: Option<Timestamp>,
    /// When its end was noted; posts that are still under way settle in it all the same.
    pub closed_at: Option<Timestamp>,
    /// Whether the analytics of the closed cycle say what stands here.
    pub told: bool,
    /// The last change.
    pub updated_at: Timestamp,
    /// Raised with each stored change; the condition of every write.
    pub rev: u64,
}

/// A change of a cycle that waits to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerChange {
    /// The `rev` that must still stand; `None`: the cycle must not exist yet.
    pub expected_rev: Option<u64>,
    /// The cycle afterwards.
    pub cycle: Cycle,
    /// The rows that explain it, oldest first.
    pub entries: Vec<HistoryEntry>,
    /// The user's `rev` that must still stand: a cycle is opened, or closed without another, under the plan that was read, not under one
    /// that has ended or come back meanwhile.
    pub under: Option<u64>,
    /// Whether a held post may have a quota slot by it: whoever stores the change has the user's held posts looked through.
    pub frees: bool,
}

impl LedgerChange {
    /// Stored only while the user is as it was read.
    #[must_use]
    pub fn under(self, user_rev: u64) -> Self {
        Self { under: Some(user_rev), ..self }
    }

    /// By which held posts may go on, whatever it does to the numbers: a plan runs again.
    #[must_use]
    pub fn freeing(self, frees: bool) -> Self {
        Self { frees: self.frees || frees, ..self }
    }

    /// With another change on top of it, in the same write.
    #[must_use]
    pub(crate) fn and(mut self, change: impl FnOnce(&Cycle) -> Self) -> Self {
        let next = change(&self.cycle);
        self.entries.extend(next.entries);
        Self { cycle: Cycle { rev: self.cycle.rev, ..next.cycle }, entries: self.entries, frees: self.frees || next.frees, ..self }
    }

    /// With the same post's or another's change on top of it, in the same write, if the cycle that this one leaves allows it.
    pub fn and_then(self, change: impl FnOnce(&Cycle) -> Result<Self, LedgerError>) -> Result<Self, LedgerError> {
        let next = change(&self.cycle)?;
        Ok(self.and(|_| next))
    }

    /// With a held post that waits for a slot of the cycle.
    #[must_use]
    pub fn awaited(mut self) -> Self {
        self.cycle.awaited = true;
        self
    }

    /// With an operator's words in every row.
    #[must_use]
    pub fn noted(mut self, note: &str) -> Self {
        for entry in &mut self.entries {
            entry.note = Some(note.to_owned());
        }
        self
    }
}

/// Why a change is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The cycle has no free post left.
    #[error("the cycle's quota is used up")]
    QuotaExhausted,
    /// A settle or release without a reservation, or its undoing without a use: the machine is wrong, nothing may be written.
    #[error("the cycle holds no such reservation or use")]
    NothingReserved,
}

impl Cycle {
    /// A cycle that nobody has touched.
    pub fn open(user_id: UserId, span: CycleSpan, plan: Plan, now: Timestamp) -> Self {
        Self {
            user_id,
            span,
            plan,
            granted: places(plan.quota()),
            used: 0,
            reserved: 0,
            withheld: 0,
            awaited: false,
            lapsed: false,
            pay_by: None,
            reservations: 0,
            last_posted: None,
            closed_at: None,
            told: false,
            updated_at: now,
            rev: 0,
        }
    }

    /// How many posts count: those that are granted, and those that were published or approved beyond that before less was granted.
    pub fn quota(&self) -> u32 {
        self.taken().max(u32::try_from(self.granted).unwrap_or_default())
    }

    /// Free.
    pub fn remaining(&self) -> u32 {
        self.quota() - self.taken()
    }

    /// How much [`quota`](Self::quota) is above what is granted. A place that comes free is then taken away instead of given back.
    pub fn overdrawn(&self) -> u32 {
        self.quota() - u32::try_from(self.granted).unwrap_or_default()
    }

    fn taken(&self) -> u32 {
        self.used.saturating_add(self.reserved)
    }

    /// How many approved posts have lost their place.
    pub fn to_hold(&self) -> u32 {
        self.overdrawn().min(self.reserved)
    }

    /// When the cycle job has something to do here; `None`: never again.
    pub fn look_at(&self) -> Option<Timestamp> {
        if self.to_hold() > 0 {
            return Some(self.updated_at);
        }
        match self.closed_at {
            None => Some(self.pay_by.map_or(self.span.end, |pay_by| pay_by.min(self.span.end))),
            Some(_) if self.told => None,
            // A post was settled after the end.
            Some(_) => Some(self.updated_at),
        }
    }

    /// Sets one post aside: it will be used or given back.
    pub fn reserve(&self, cause: Cause) -> Result<LedgerChange, LedgerError> {
        if self.remaining() == 0 {
            return Err(LedgerError::QuotaExhausted);
        }
        let after = Self { reserved: self.reserved + 1, reservations: self.reservations.saturating_add(1), ..self.clone() };
        Ok(self.changed(after, ChangeReason::PostReserved, cause))
    }

    /// A reserved post was published.
    pub fn settle(&self, cause: Cause) -> Result<LedgerChange, LedgerError> {
        let reserved = self.reserved.checked_sub(1).ok_or(LedgerError::NothingReserved)?;
        let used = self.used + if Bug::DoubleSettle.is_planted() { 2 } else { 1 };
        let after = Self { reserved, used, last_posted: Some(cause.at), ..self.clone() };
        Ok(self.changed(after, ChangeReason::PostPublished, cause))
    }

    /// What was taken for a published post is another's: it is in doubt again, and its reservation stands as before.
    pub fn unsettle(&self, cause: Cause) -> Result<LedgerChange, LedgerError> {
        let used = self.used.checked_sub(1).ok_or(LedgerError::NothingReserved)?;
        let after = Self { used, reserved: self.reserved + 1, ..self.clone() };
        Ok(self.changed(after, ChangeReason::PostUnbound, cause))
    }

    /// A reserved post did not go out: its place is free again, or gone if it is no longer granted.
    pub fn release(&self, cause: Cause) -> Result<LedgerChange, LedgerError> {
        let reserved = self.reserved.checked_sub(1).ok_or(LedgerError::NothingReserved)?;
        Ok(self.changed(Self { reserved, ..self.clone() }, ChangeReason::PostReleased, cause))
    }

    /// Grants `posts` more, or fewer where that is below zero; `None`: the cycle would hold more than [`QUOTA_MAX`]. What is free goes first;
    /// what is used or reserved beyond that stays counted, and the cycle is overdrawn by it.
    pub fn adjust(&self, posts: i32, reason: ChangeReason, cause: Cause) -> Option<LedgerChange> {
        let after = Self { granted: self.granted.checked_add(posts)?, ..self.clone() };
        (after.quota() <= QUOTA_MAX).then(|| self.changed(after, reason, cause))
    }

    /// What is had in it from now on is `slot`; `None`: it stands so already. What was withheld comes back. A cycle that has begun and
    /// is paid keeps a higher plan: what is paid is had.
    pub(crate) fn fit(&self, slot: &Slot, follows: bool, has_begun: bool, cause: Cause) -> Option<LedgerChange> {
        let is_paid = has_begun && self.withheld == 0 && self.pay_by.is_none();
        let plan = if is_paid { self.plan.max(slot.plan) } else { slot.plan };
        let granted = self.granted + self.withheld + places(plan.quota()) - places(self.plan.quota());
        let span = CycleSpan { end: slot.span.end, ..self.span };
        let after = Self { plan, granted, withheld: 0, span, lapsed: !follows, pay_by: slot.pay_by, ..self.clone() };
        let same = |one: &Self, other: &Self| {
            (one.plan, one.granted, one.withheld, one.span) == (other.plan, other.granted, other.withheld, other.span)
        };
        if !same(self, &after) {
            return Some(self.changed(after, ChangeReason::PlanChanged, cause).freeing(self.withheld > 0));
        }
        ((self.lapsed, self.pay_by) != (after.lapsed, after.pay_by)).then(|| self.unexplained(after))
    }

    /// Nothing is had in it any more: it grants nothing but what is used or promised already, until that comes back.
    pub(crate) fn withhold(&self, cause: Cause) -> Option<LedgerChange> {
        let taken = self.granted.max(0);
        let after = Self { lapsed: true, pay_by: None, withheld: self.withheld + taken, granted: self.granted - taken, ..self.clone() };
        (after != *self).then(|| self.changed(after, ChangeReason::PlanChanged, cause))
    }

    /// Ends the cycle early, because another one begins: two never run at once. No number changes.
    pub(crate) fn cut(&self, end: Timestamp, cause: Cause) -> LedgerChange {
        let after = Self { span: CycleSpan { end, ..self.span }, lapsed: true, pay_by: None, ..self.clone() };
        self.changed(after, ChangeReason::PlanChanged, cause)
    }

    /// A certificate brought cycles that follow. No number changes.
    pub(crate) fn gifted(&self, cause: Cause) -> LedgerChange {
        self.changed(self.clone(), ChangeReason::GiftRedeemed, cause)
    }

    /// Notes that the cycle has ended. No number changes.
    pub fn close(&self, cause: Cause) -> LedgerChange {
        let after = Self { closed_at: Some(cause.at), told: true, ..self.clone() };
        self.changed(after, ChangeReason::CycleClosed, cause)
    }

    /// The change that tells the analytics of a closed cycle anew. It explains nothing: no number changes.
    pub fn retell(&self, now: Timestamp) -> LedgerChange {
        self.unexplained(Self { told: true, updated_at: now.max(self.updated_at), ..self.clone() })
    }

    /// The change that notes that a held post waits for a quota slot of it. No number changes.
    pub fn await_slot(&self) -> LedgerChange {
        self.unexplained(Self { awaited: true, ..self.clone() })
    }

    /// A change that explains nothing, because no number changes.
    fn unexplained(&self, after: Self) -> LedgerChange {
        let cycle = Self { rev: self.rev + 1, ..after };
        LedgerChange { expected_rev: Some(self.rev), cycle, entries: Vec::new(), under: None, frees: false }
    }

    /// The change that creates this cycle, told as `reason`.
    pub fn opening(&self, reason: ChangeReason, cause: Cause) -> LedgerChange {
        let entry = HistoryEntry {
            id: HistoryId::new(cause.at, cause.entropy),
            at: cause.at,
            reason,
            cycle_start: self.span.start,
            post_id: cause.post_id,
            actor: cause.actor,
            previous_total: 0,
            new_total: self.quota(),
            previous_remaining: 0,
            new_remaining: self.remaining(),
            note: None,
        };
        // Of itself it frees nothing: a held post opens the cycle that it needs.
        LedgerChange { expected_rev: None, cycle: Self { rev: 1, ..self.clone() }, entries: vec![entry], under: None, frees: false }
    }

    fn changed(&self, mut after: Self, reason: ChangeReason, cause: Cause) -> LedgerChange {
        // Changes that are made at the same time are stored one after the other, in an order that their clocks do not know: the
        // rows tell the order in which the numbers changed.
        let at = cause.at.max(self.updated_at + SignedDuration::from_millis(1));
        after.updated_at = at;
        let more = after.remaining() > self.remaining();
        let frees = if reason == ChangeReason::PostReleased { more && self.awaited } else { more };
        // Whoever waits past the end of a cycle may have a slot of the next.
        let frees = frees || (reason == ChangeReason::CycleClosed && self.awaited);
        after.awaited &= !frees;
        after.told &= (after.quota(), after.used) == (self.quota(), self.used);
        after.rev = self.rev + 1;
        let entry = HistoryEntry {
            id: HistoryId::new(at, cause.entropy),
            at,
            reason,
            cycle_start: self.span.start,
            post_id: cause.post_id,
            actor: cause.actor,
            previous_total: self.quota(),
            new_total: after.quota(),
            previous_remaining: self.remaining(),
            new_remaining: after.remaining(),
            note: None,
        };
        LedgerChange { expected_rev: (self.rev > 0).then_some(self.rev), cycle: after, entries: vec![entry], under: None, frees }
    }
}

/// A plan's posts, as a number that may fall below zero.
fn places(posts: u32) -> i32 {
    i32::try_from(posts).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cause(n: u8) -> Cause {
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(i64::from(n));
        Cause { entropy: [n; 10], at, actor: Actor::User, post_id: None }
    }

    fn fresh() -> Cycle {
        let start = Timestamp::UNIX_EPOCH;
        let span = CycleSpan { start, end: start + crate::plan::CYCLE };
        Cycle::open(UserId::new(start, [1; 10]), span, Plan::Starter, start)
    }

    #[test]
    fn a_cycle_grows_up_to_its_most_and_not_past_it() {
        let grown = |posts| fresh().adjust(posts, ChangeReason::Adjustment, cause(1));
        assert_eq!(grown(places(QUOTA_MAX) - 12).map(|change| change.cycle.remaining()), Some(QUOTA_MAX));
        assert_eq!(grown(places(QUOTA_MAX) - 11), None);
        assert_eq!(grown(i32::MAX), None);
    }

    #[test]
    fn a_closed_cycle_is_told_anew_when_a_late_post_changes_it_and_not_otherwise() {
        let reserved = fresh().reserve(cause(1)).unwrap().cycle;
        let closed = reserved.close(cause(2)).cycle;
        assert_eq!(closed.look_at(), None);
        assert_eq!(closed.release(cause(3)).unwrap().cycle.look_at(), None, "what is told stays true");
        let late = closed.settle(cause(3)).unwrap().cycle;
        assert_eq!(late.look_at(), Some(late.updated_at));
        let told = late.retell(late.updated_at);
        assert_eq!((told.cycle.look_at(), told.entries.len(), told.cycle.rev), (None, 0, late.rev + 1));
    }

    #[test]
    fn who_waits_for_a_slot_is_told_of_the_change_that_frees_one_and_of_no_other() {
        let reserved = fresh().reserve(cause(1)).unwrap().cycle;
        assert!(!reserved.release(cause(2)).unwrap().frees, "nobody waits");
        let awaited = reserved.await_slot().cycle;
        assert_eq!((awaited.remaining(), awaited.rev), (reserved.remaining(), reserved.rev + 1));
        assert!(!awaited.settle(cause(2)).unwrap().frees, "a slot that is used is not free");
        let freed = awaited.release(cause(2)).unwrap();
        assert!(freed.frees && !freed.cycle.awaited, "once");
        // A slot that the plan no longer grants is taken away instead.
        let overdrawn = reserved.adjust(-12, ChangeReason::Adjustment, cause(2)).unwrap().cycle.await_slot().cycle;
        let taken = overdrawn.release(cause(3)).unwrap();
        assert!(!taken.frees && taken.cycle.awaited);
        let granted = taken.cycle.adjust(5, ChangeReason::Adjustment, cause(4)).unwrap();
        assert!(granted.frees && !granted.cycle.awaited);
        assert!(awaited.close(cause(5)).frees, "the next cycle has slots of its own");
    }

    #[test]
    fn the_analytics_of_a_cycle_are_kept_for_two_years_by_the_calendar() {
        let end: Timestamp = "2028-02-29T10:00:00Z".parse().unwrap();
        let cycle = Cycle { span: CycleSpan { end, ..fresh().span }, ..fresh() };
        let analytics = CycleAnalytics::of(&cycle);
        assert_eq!(analytics.retention_expiry, "2030-02-28T10:00:00Z".parse().unwrap());
    }

    proptest! {
        #[test]
        fn any_sequence_adds_up_and_its_history_replays_to_the_ledger(steps in proptest::collection::vec(0_u8..8, 0..200)) {
            let mut cycle = fresh();
            let (mut remaining, mut last) = (cycle.remaining(), None);
            let mut reservations = 0;
            for (n, step) in steps.into_iter().enumerate() {
                let cause = cause(u8::try_from(n % 250).unwrap());
                let change = match step {
                    0 => cycle.reserve(cause),
                    1 => cycle.settle(cause),
                    2 => cycle.release(cause),
                    3 => Ok(cycle.adjust(3, ChangeReason::Adjustment, cause).unwrap()),
                    4 => Ok(cycle.adjust(-5, ChangeReason::Adjustment, cause).unwrap()),
                    5 => Ok(cycle.gifted(cause)),
                    6 => cycle.unsettle(cause),
                    _ => {
                        let plan = if n % 2 == 0 { Plan::Professional } else { Plan::Starter };
                        let slot = Slot { span: cycle.span, plan, source: crate::plan::Source::Operator, pay_by: None };
                        let Some(change) = cycle.fit(&slot, true, false, cause) else { continue };
                        Ok(change)
                    }
                };
                match change {
                    Ok(change) => {
                        let Cycle { used, reserved, .. } = change.cycle;
                        prop_assert_eq!(change.cycle.quota(), used + reserved + change.cycle.remaining());
                        let granted = match step {
                            3 => cycle.granted + 3,
                            4 => cycle.granted - 5,
                            7 => cycle.granted + places(change.cycle.plan.quota()) - places(cycle.plan.quota()),
                            _ => cycle.granted,
                        };
                        prop_assert_eq!(change.cycle.granted, granted, "only a plan, a certificate or an operator changes what is granted");
                        prop_assert_eq!(change.entries[0].previous_remaining, remaining);
                        prop_assert_eq!(change.entries[0].previous_total, cycle.quota());
                        prop_assert_eq!(change.entries[0].new_total, change.cycle.quota());
                        prop_assert!(last.is_none_or(|last| last < change.entries[0].id), "the rows sort in the order of the changes");
                        last = Some(change.entries[0].id.clone());
                        remaining = change.entries[0].new_remaining;
                        prop_assert_eq!(change.cycle.rev, cycle.rev + 1);
                        reservations += u32::from(change.entries[0].reason == ChangeReason::PostReserved);
                        prop_assert_eq!(change.cycle.reservations, reservations);
                        cycle = change.cycle;
                    }
                    Err(LedgerError::QuotaExhausted) => prop_assert_eq!(cycle.remaining(), 0),
                    Err(LedgerError::NothingReserved) => prop_assert_eq!(if step == 6 { cycle.used } else { cycle.reserved }, 0),
                }
            }
            prop_assert_eq!(remaining, cycle.remaining());
        }
    }
}
