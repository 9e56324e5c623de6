//! A place in the cycle that holds a post's time.

use domain::id::{PostId, UserId};
use domain::ledger::{Actor, Cause, ChangeReason, Cycle, LedgerChange};
use domain::plan::Subscription;
use edge::problem::{Problem, ProblemCode};
use jiff::Timestamp;

use crate::{Deps, trouble};

/// A plan that runs, and the user's `rev` that it was read at.
pub(crate) struct RunningPlan {
    plan: Subscription,
    user_rev: u64,
}

impl RunningPlan {
    /// When the cycle that holds `at` begins.
    pub(crate) fn cycle_start(&self, at: Timestamp) -> Timestamp {
        self.plan.cycle_at(at).start
    }
}

/// The user's running plan, or 409 `no_active_plan`. It is read again in each round: it may have ended meanwhile.
pub(crate) async fn plan(deps: &Deps, user: &UserId) -> Result<RunningPlan, Problem> {
    let user = deps.store.user(user).await.map_err(trouble::store)?;
    let running = user.and_then(|user| Some(RunningPlan { plan: user.subscription?, user_rev: user.rev }));
    running.filter(|running| running.plan.active).ok_or_else(|| Problem::new(ProblemCode::NoActivePlan))
}

/// Reserves in the cycle that holds `due_at`; a cycle that nobody has touched is opened by it, which holds only with the user as
/// they were read ([`LedgerChange::under`]).
pub(crate) async fn reserve(
    deps: &Deps,
    (user, post): (&UserId, &PostId),
    running: &RunningPlan,
    due_at: Timestamp,
) -> Result<LedgerChange, Problem> {
    let now = deps.clock.now();
    let span = running.plan.cycle_at(due_at);
    let standing = deps.store.cycle(user, span.start).await.map_err(trouble::store)?;
    let reserving = cause(deps, now, post);
    if let Some(cycle) = standing {
        return cycle.reserve(reserving).map_err(trouble::ledger);
    }
    let fresh = Cycle::open(user.clone(), span, running.plan.plan, now);
    let opening = fresh.opening(ChangeReason::CycleOpened, Cause { post_id: None, ..cause(deps, now, post) });
    let mut change = fresh.reserve(reserving).map_err(trouble::ledger)?;
    change.entries.splice(0..0, opening.entries);
    Ok(change.under(running.user_rev))
}

/// The user's wish as a cause in the history.
pub(crate) fn cause(deps: &Deps, at: Timestamp, post: &PostId) -> Cause {
    Cause { entropy: deps.random.bytes(), at, actor: Actor::User, post_id: Some(post.clone()) }
}
