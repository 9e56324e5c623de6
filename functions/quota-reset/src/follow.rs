//! Closing one cycle and opening the next.

use domain::ledger::{Actor, Cause, ChangeReason, Cycle, LedgerChange};
use jiff::Timestamp;
use store::{Closing, StoreError};

use crate::Deps;

/// Posts may settle in the cycle at the same time.
const ROUNDS_MAX: usize = 10;

/// What became of one cycle of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Followed {
    /// It is closed by this call.
    Closed,
    /// It was closed before, or is not there: the index was behind.
    Before,
}

/// Closes a cycle that has ended and, while the plan runs, opens the one that follows: in one transaction.
pub(crate) async fn follow(deps: &Deps, ended: &Closing) -> Result<Followed, StoreError> {
    for _ in 0..ROUNDS_MAX {
        let now = deps.clock.now();
        let cycle = deps.store.cycle(&ended.user_id, ended.start).await?;
        let Some(cycle) = cycle.filter(|cycle| cycle.closed_at.is_none() && cycle.span.end <= now) else { return Ok(Followed::Before) };
        let mut changes = vec![cycle.close(cause(deps, now))];
        changes.extend(next(deps, &cycle, now).await?);
        if deps.store.commit_ledger(&changes).await? {
            tracing::info!(user_id = %ended.user_id, cycle_start = %ended.start, opened = changes.len() > 1, "a cycle ended");
            return Ok(Followed::Closed);
        }
    }
    Err(StoreError::Contended { doing: "closing a cycle" })
}

/// The change that opens the following cycle; none if the plan has ended or an approval has opened it already.
async fn next(deps: &Deps, ended: &Cycle, now: Timestamp) -> Result<Option<LedgerChange>, StoreError> {
    let user = deps.store.user(&ended.user_id).await?;
    let Some(plan) = user.and_then(|user| user.subscription).filter(|plan| plan.active) else { return Ok(None) };
    // A plan that began anew has cycles of its own.
    let span = plan.cycle_at(ended.span.end);
    if span.start != ended.span.end || deps.store.cycle(&ended.user_id, span.start).await?.is_some() {
        return Ok(None);
    }
    let fresh = Cycle::open(ended.user_id.clone(), span, plan.plan, now);
    Ok(Some(fresh.opening(ChangeReason::CycleOpened, cause(deps, now))))
}

fn cause(deps: &Deps, at: Timestamp) -> Cause {
    Cause { entropy: deps.random.bytes(), at, actor: Actor::QuotaReset, post_id: None }
}
