//! A quota slot in the cycle that holds a post's time.

use jiff::Timestamp;

use crate::entitlement::Timeline;
use crate::id::UserId;
use crate::ledger::{Cause, ChangeReason, Cycle, LedgerChange, LedgerError};
use crate::user::User;

/// What a user has, and the user's `rev` that it was read at.
#[derive(Debug, Clone)]
pub struct RunningPlan {
    user_id: UserId,
    timeline: Timeline,
    user_rev: u64,
}

impl RunningPlan {
    /// What the user has as of `now`.
    pub fn of(user: &User, now: Timestamp) -> Self {
        Self { user_id: user.id.clone(), timeline: user.timeline(now), user_rev: user.rev }
    }

    /// When the cycle that holds `at` begins; `None`: nothing is had then.
    pub fn cycle_start(&self, at: Timestamp) -> Option<Timestamp> {
        self.timeline.at(at).map(|slot| slot.span.start)
    }

    /// Reserves for a post in the cycle that holds `due_at`, `standing` if it is stored. One that nobody has touched is opened by it, which
    /// holds only with the user as they were read ([`LedgerChange::under`]).
    pub fn reserve(
        &self,
        standing: Option<&Cycle>,
        due_at: Timestamp,
        mut cause: impl FnMut() -> Cause,
    ) -> Result<LedgerChange, LedgerError> {
        let reserving = cause();
        if let Some(cycle) = standing {
            return cycle.reserve(reserving);
        }
        let fresh = self.timeline.cycle_at(&self.user_id, due_at, reserving.at).ok_or(LedgerError::QuotaExhausted)?;
        let opening = fresh.opening(ChangeReason::CycleOpened, Cause { post_id: None, ..cause() });
        let mut change = fresh.reserve(reserving)?;
        change.entries.splice(0..0, opening.entries);
        Ok(change.under(self.user_rev))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Actor;
    use crate::people::phone::PhoneNumber;
    use crate::plan::{CYCLE, Plan};

    fn plan(cycles: u32) -> RunningPlan {
        let (start, phone) = (Timestamp::UNIX_EPOCH, PhoneNumber::parse("+61412345678").unwrap());
        let mut user = User::new(UserId::new(start, [1; 10]), phone, start);
        user.entitled.certificates = user.entitled.certificates.with(Plan::Starter, cycles).unwrap();
        user.entitled.certificates.anchor = Some(start);
        RunningPlan::of(&user, start)
    }

    fn cause() -> Cause {
        Cause { entropy: [1; 10], at: Timestamp::UNIX_EPOCH, actor: Actor::User, post_id: None }
    }

    #[test]
    fn a_cycle_that_nobody_has_touched_is_opened_under_the_plan_that_was_read() {
        let plan = plan(2);
        let due_at = Timestamp::UNIX_EPOCH + CYCLE + CYCLE / 2;
        let change = plan.reserve(None, due_at, cause).unwrap();
        assert_eq!((Some(change.cycle.span.start), change.expected_rev, change.under), (plan.cycle_start(due_at), None, Some(1)));
        let reasons: Vec<_> = change.entries.iter().map(|entry| entry.reason).collect();
        assert_eq!(reasons, [ChangeReason::CycleOpened, ChangeReason::PostReserved]);
        assert!(!change.frees, "nobody waits for a cycle that is not there");
    }

    #[test]
    fn a_full_cycle_and_a_time_in_which_nothing_is_had_reserve_nothing() {
        let plan = plan(2);
        let mut full = plan.reserve(None, Timestamp::UNIX_EPOCH, cause).unwrap().cycle;
        full.granted = 1;
        assert_eq!(plan.reserve(Some(&full), Timestamp::UNIX_EPOCH, cause).unwrap_err(), LedgerError::QuotaExhausted);
        let after = Timestamp::UNIX_EPOCH + CYCLE * 2;
        assert_eq!((plan.cycle_start(after), plan.reserve(None, after, cause).unwrap_err()), (None, LedgerError::QuotaExhausted));
    }
}
