//! A quota slot in the cycle that holds a post's time.

use domain::connection::Connection;
use domain::id::{PostId, UserId};
use domain::ledger::{Actor, Cause, LedgerChange};
use domain::post::Post;
use domain::reserving::RunningPlan;
use edge::problem::{Problem, ProblemCode};
use jiff::Timestamp;

use crate::{Deps, trouble};

/// What the user has. It is read again in each round: it may have ended meanwhile.
pub(crate) async fn plan(deps: &Deps, user: &UserId) -> Result<RunningPlan, Problem> {
    let user = deps.store.user(user).await.map_err(trouble::store)?;
    user.map(|user| RunningPlan::of(&user, deps.clock.now())).ok_or_else(|| Problem::new(ProblemCode::NoActivePlan))
}

/// When the cycle begins that holds `due_at`, or 409 `no_active_plan`.
pub(crate) fn cycle_start(running: &RunningPlan, due_at: Timestamp) -> Result<Timestamp, Problem> {
    running.cycle_start(due_at).ok_or_else(|| Problem::new(ProblemCode::NoActivePlan))
}

/// Reserves in the cycle that holds `due_at`; a cycle that nobody has touched is opened by it.
pub(crate) async fn reserve(
    deps: &Deps,
    (user, post): (&UserId, &PostId),
    running: &RunningPlan,
    due_at: Timestamp,
) -> Result<LedgerChange, Problem> {
    let now = deps.clock.now();
    let standing = deps.store.cycle(user, cycle_start(running, due_at)?).await.map_err(trouble::store)?;
    running.reserve(standing.as_ref(), due_at, || cause(deps, now, post)).map_err(trouble::ledger)
}

/// The post's connection, or 409 `connection_unusable`. It is read again in each round: it may have been taken away meanwhile.
pub(crate) async fn usable(deps: &Deps, post: &Post) -> Result<Connection, Problem> {
    let connection = deps.store.connection(&post.user_id, &post.connection_id).await.map_err(trouble::store)?;
    connection.filter(Connection::is_usable).ok_or_else(|| Problem::new(ProblemCode::ConnectionUnusable))
}

/// The user's wish as a cause in the history.
pub(crate) fn cause(deps: &Deps, at: Timestamp, post: &PostId) -> Cause {
    Cause { entropy: deps.random.bytes(), at, actor: Actor::User, post_id: Some(post.clone()) }
}
