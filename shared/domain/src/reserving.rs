//! A quota slot in the cycle that holds a post's time.

use jiff::Timestamp;

use crate::id::UserId;
use crate::ledger::{Cause, ChangeReason, Cycle, LedgerChange, LedgerError};
use crate::plan::Subscription;
use crate::user::User;

/// A plan that runs, and the user's `rev` that it was read at.
#[derive(Debug, Clone)]
pub struct RunningPlan {
    user_id: UserId,
    plan: Subscription,
    user_rev: u64,
}

impl RunningPlan {
    /// The user's plan, if one runs.
    pub fn of(user: &User) -> Option<Self> {
        let plan = user.subscription.filter(|plan| plan.active)?;
        Some(Self { user_id: user.id.clone(), plan, user_rev: user.rev })
    }

    /// When the cycle that holds `at` begins.
    pub fn cycle_start(&self, at: Timestamp) -> Timestamp {
        self.plan.cycle_at(at).start
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
        let fresh = Cycle::open(self.user_id.clone(), self.plan.cycle_at(due_at), self.plan.plan, reserving.at);
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
    use crate::plan::{CYCLE, Plan, Source};

    fn user(active: bool) -> User {
        let (start, phone) = (Timestamp::UNIX_EPOCH, PhoneNumber::parse("+61412345678").unwrap());
        let plan = Subscription { plan: Plan::Starter, anchor: start, active, source: Source::Gift };
        User { subscription: Some(plan), ..User::new(UserId::new(start, [1; 10]), phone, start) }
    }

    fn cause() -> Cause {
        Cause { entropy: [1; 10], at: Timestamp::UNIX_EPOCH, actor: Actor::User, post_id: None }
    }

    #[test]
    fn a_cycle_that_nobody_has_touched_is_opened_under_the_plan_that_was_read() {
        let plan = RunningPlan::of(&user(true)).unwrap();
        let due_at = Timestamp::UNIX_EPOCH + CYCLE + CYCLE / 2;
        let change = plan.reserve(None, due_at, cause).unwrap();
        assert_eq!((change.cycle.span.start, change.expected_rev, change.under), (plan.cycle_start(due_at), None, Some(1)));
        let reasons: Vec<_> = change.entries.iter().map(|entry| entry.reason).collect();
        assert_eq!(reasons, [ChangeReason::CycleOpened, ChangeReason::PostReserved]);
        assert!(!change.frees, "nobody waits for a cycle that is not there");
    }

    #[test]
    fn a_full_cycle_and_a_plan_that_has_lapsed_reserve_nothing() {
        let plan = RunningPlan::of(&user(true)).unwrap();
        let mut full = plan.reserve(None, Timestamp::UNIX_EPOCH, cause).unwrap().cycle;
        full.granted = 1;
        assert_eq!(plan.reserve(Some(&full), Timestamp::UNIX_EPOCH, cause).unwrap_err(), LedgerError::QuotaExhausted);
        assert!(RunningPlan::of(&user(false)).is_none());
    }
}
