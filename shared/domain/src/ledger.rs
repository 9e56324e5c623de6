//! The ledger: what each cycle holds, and why.
//!
//! For every cycle `quota = used + reserved + remaining`, always. A change returns the new cycle and the history
//! entry that explains it; both are stored in one transaction, so that no number exists without its reason.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{HistoryId, IdEntropy, PostId, UserId};
use crate::plan::{CycleSpan, Plan};

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
    /// How many posts it holds.
    pub quota: u32,
    /// Published.
    pub used: u32,
    /// Approved and not ended yet.
    pub reserved: u32,
    /// Free.
    pub remaining: u32,
    /// The last time that a post of this cycle was published.
    pub last_posted: Option<Timestamp>,
    /// When its end was noted; posts that are still under way settle in it all the same.
    pub closed_at: Option<Timestamp>,
    /// The last change.
    pub updated_at: Timestamp,
    /// Raised with each stored change; the condition of every write.
    pub rev: u64,
}

/// Who caused a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// The account's owner.
    User,
    /// The publisher.
    Publisher,
    /// The sweeper.
    Sweeper,
    /// The cycle job.
    QuotaReset,
    /// An operator.
    Operator,
}

/// Why a number changed; the `change_reason` of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the contract's own words")]
pub enum ChangeReason {
    PlanStarted,
    GiftRedeemed,
    PlanChanged,
    PostReserved,
    PostPublished,
    PostReleased,
    CycleOpened,
    CycleClosed,
    Adjustment,
}

/// One row of the append-only history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Unique; sorts by time.
    pub id: HistoryId,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: ChangeReason,
    /// For which post.
    pub post_id: Option<PostId>,
    /// By whom.
    pub actor: Actor,
    /// The quota before.
    pub previous_total: u32,
    /// The quota after.
    pub new_total: u32,
    /// Free before.
    pub previous_remaining: u32,
    /// Free after.
    pub new_remaining: u32,
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
}

/// The circumstances that a history entry records.
#[derive(Debug, Clone)]
pub struct Cause {
    /// Fresh random bytes for the entry's id.
    pub entropy: IdEntropy,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub actor: Actor,
    /// For which post.
    pub post_id: Option<PostId>,
}

/// Why a change is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The cycle has no free post left.
    #[error("the cycle's quota is used up")]
    QuotaExhausted,
    /// A settle or release without a reservation: the machine is wrong, nothing may be written.
    #[error("the cycle holds no reservation to end")]
    NothingReserved,
}

impl Cycle {
    /// A cycle that nobody has touched.
    pub fn open(user_id: UserId, span: CycleSpan, plan: Plan, now: Timestamp) -> Self {
        let quota = plan.quota();
        Self {
            user_id,
            span,
            plan,
            quota,
            used: 0,
            reserved: 0,
            remaining: quota,
            last_posted: None,
            closed_at: None,
            updated_at: now,
            rev: 0,
        }
    }

    /// Whether the one law holds.
    pub fn adds_up(&self) -> bool {
        u64::from(self.quota) == u64::from(self.used) + u64::from(self.reserved) + u64::from(self.remaining)
    }

    /// Sets one post aside: it will be used or given back.
    pub fn reserve(&self, cause: Cause) -> Result<LedgerChange, LedgerError> {
        let remaining = self.remaining.checked_sub(1).ok_or(LedgerError::QuotaExhausted)?;
        let after = Self { remaining, reserved: self.reserved + 1, ..self.clone() };
        Ok(self.changed(after, ChangeReason::PostReserved, cause))
    }

    /// A reserved post was published.
    pub fn settle(&self, cause: Cause) -> Result<LedgerChange, LedgerError> {
        let reserved = self.reserved.checked_sub(1).ok_or(LedgerError::NothingReserved)?;
        let after = Self { reserved, used: self.used + 1, last_posted: Some(cause.at), ..self.clone() };
        #[cfg(feature = "planted")]
        let after = if crate::planted::is(crate::planted::Bug::DoubleSettle) {
            Self { used: after.used + 1, remaining: after.remaining.saturating_sub(1), ..after }
        } else {
            after
        };
        Ok(self.changed(after, ChangeReason::PostPublished, cause))
    }

    /// A reserved post did not go out: its place is free again.
    pub fn release(&self, cause: Cause) -> Result<LedgerChange, LedgerError> {
        let reserved = self.reserved.checked_sub(1).ok_or(LedgerError::NothingReserved)?;
        let after = Self { reserved, remaining: self.remaining + 1, ..self.clone() };
        Ok(self.changed(after, ChangeReason::PostReleased, cause))
    }

    /// Adds `posts` to what the cycle holds, under `plan`; `None`: it would hold more than [`QUOTA_MAX`].
    pub fn grow(&self, posts: u32, plan: Plan, reason: ChangeReason, cause: Cause) -> Option<LedgerChange> {
        let quota = self.quota.checked_add(posts).filter(|quota| *quota <= QUOTA_MAX)?;
        let after = Self { plan, quota, remaining: self.remaining + posts, ..self.clone() };
        Some(self.changed(after, reason, cause))
    }

    /// Notes that the cycle has ended. No number changes.
    pub fn close(&self, cause: Cause) -> LedgerChange {
        let after = Self { closed_at: Some(cause.at), ..self.clone() };
        self.changed(after, ChangeReason::CycleClosed, cause)
    }

    /// The change that creates this cycle, told as `reason`.
    pub fn opening(&self, reason: ChangeReason, cause: Cause) -> LedgerChange {
        let entry = HistoryEntry {
            id: HistoryId::new(cause.at, cause.entropy),
            at: cause.at,
            reason,
            post_id: cause.post_id,
            actor: cause.actor,
            previous_total: 0,
            new_total: self.quota,
            previous_remaining: 0,
            new_remaining: self.remaining,
        };
        LedgerChange { expected_rev: None, cycle: Self { rev: 1, ..self.clone() }, entries: vec![entry] }
    }

    fn changed(&self, mut after: Self, reason: ChangeReason, cause: Cause) -> LedgerChange {
        // Changes that are made at the same time are stored one after the other, in an order that their clocks do not know: the
        // rows tell the order in which the numbers changed.
        let at = cause.at.max(self.updated_at + SignedDuration::from_millis(1));
        after.updated_at = at;
        after.rev = self.rev + 1;
        // Held in release too: a ledger that does not add up must never be stored.
        assert!(after.adds_up(), "quota = used + reserved + remaining");
        let entry = HistoryEntry {
            id: HistoryId::new(at, cause.entropy),
            at,
            reason,
            post_id: cause.post_id,
            actor: cause.actor,
            previous_total: self.quota,
            new_total: after.quota,
            previous_remaining: self.remaining,
            new_remaining: after.remaining,
        };
        LedgerChange { expected_rev: (self.rev > 0).then_some(self.rev), cycle: after, entries: vec![entry] }
    }
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
        let grown = |posts| fresh().grow(posts, Plan::Starter, ChangeReason::GiftRedeemed, cause(1));
        assert_eq!(grown(QUOTA_MAX - 12).map(|change| change.cycle.remaining), Some(QUOTA_MAX));
        assert_eq!(grown(QUOTA_MAX - 11), None);
        assert_eq!(grown(u32::MAX), None);
    }

    proptest! {
        #[test]
        fn any_sequence_adds_up_and_its_history_replays_to_the_ledger(steps in proptest::collection::vec(0_u8..4, 0..200)) {
            let mut cycle = fresh();
            let (mut remaining, mut last) = (cycle.remaining, None);
            for (n, step) in steps.into_iter().enumerate() {
                let cause = cause(u8::try_from(n % 250).unwrap());
                let change = match step {
                    0 => cycle.reserve(cause),
                    1 => cycle.settle(cause),
                    2 => cycle.release(cause),
                    _ => Ok(cycle.grow(3, Plan::Professional, ChangeReason::GiftRedeemed, cause).unwrap()),
                };
                match change {
                    Ok(change) => {
                        prop_assert!(change.cycle.adds_up());
                        prop_assert_eq!(change.entries[0].previous_remaining, remaining);
                        prop_assert_eq!(change.entries[0].previous_total, cycle.quota);
                        prop_assert_eq!(change.entries[0].new_total, change.cycle.quota);
                        prop_assert!(last.is_none_or(|last| last < change.entries[0].id), "the rows sort in the order of the changes");
                        last = Some(change.entries[0].id.clone());
                        remaining = change.entries[0].new_remaining;
                        prop_assert_eq!(change.cycle.rev, cycle.rev + 1);
                        cycle = change.cycle;
                    }
                    Err(LedgerError::QuotaExhausted) => prop_assert_eq!(cycle.remaining, 0),
                    Err(LedgerError::NothingReserved) => prop_assert_eq!(cycle.reserved, 0),
                }
            }
            prop_assert_eq!(remaining, cycle.remaining);
        }
    }
}
