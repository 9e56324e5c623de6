//! What one cycle of the index wants done.

use domain::id::UserId;
use domain::ledger::{Actor, Cause, ChangeReason, Cycle, LedgerChange};
use domain::plan_change::next_cycle;
use edge::problem::chain;
use jiff::Timestamp;
use store::{AtItsEnd, Closing, Rounds, StoreError};

use crate::Deps;

/// Cycles of one user that are closed one after the other: more than two years of a job that did not run.
const CYCLES_MAX: usize = 30;

/// What became of a cycle of the index, and of those after it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Followed {
    /// Cycles closed.
    pub(crate) closed: usize,
    /// Cycles opened.
    pub(crate) opened: usize,
    /// Posts held.
    pub(crate) held: usize,
    /// Closed cycles told anew.
    pub(crate) told: usize,
    /// Cycles of which a post could not be held.
    pub(crate) failed: usize,
}

/// Closes a cycle that has ended and, while the plan runs, opens the one that follows, in one transaction; then the same for that
/// one, if it has ended too. A cycle that was closed before, or is not there, is left alone: the index was behind.
pub(crate) async fn follow(deps: &Deps, hint: &Closing) -> Result<Followed, StoreError> {
    let (mut followed, mut start) = (Followed::default(), hint.start);
    for _ in 0..CYCLES_MAX {
        match close(deps, &hint.user_id, start, &mut followed).await? {
            Some(next) if next.span.end <= deps.clock.now() => start = next.span.start,
            _ => break,
        }
    }
    Ok(followed)
}

/// Holds the posts that a cycle has promised too many, closes it, if it has ended, and returns the one that was opened by it.
async fn close(deps: &Deps, user: &UserId, start: Timestamp, followed: &mut Followed) -> Result<Option<Cycle>, StoreError> {
    let mut has_held = false;
    let mut rounds = Rounds::new("closing a cycle", user.as_str());
    loop {
        rounds.next().await?;
        let now = deps.clock.now();
        let read = deps.store.at_its_end(user, start).await?;
        // Once: posts that are under way keep their place, and the next run looks again.
        if !has_held && read.cycle.as_ref().is_some_and(|cycle| cycle.to_hold() > 0) {
            has_held = true;
            match deps.store.hold_beyond_quota(user, start, || cause(deps, deps.clock.now())).await {
                Ok(held) => followed.held += held,
                Err(error @ StoreError::Unavailable { .. }) => return Err(error),
                // One post that cannot be read or written keeps its cycle neither open nor the others in it from being held.
                Err(error) => {
                    tracing::error!(user_id = %user, cycle_start = %start, error = chain(&error), "a post could not be held");
                    followed.failed += 1;
                }
            }
            continue;
        }
        let Some(cycle) = read.cycle.as_ref().filter(|cycle| cycle.span.end <= now && !cycle.told) else { return Ok(None) };
        if cycle.closed_at.is_some() {
            if deps.store.commit_ledger(&[cycle.retell(now)]).await? {
                tracing::info!(user_id = %user, cycle_start = %start, "a closed cycle was told anew");
                followed.told += 1;
                return Ok(None);
            }
            continue;
        }
        let closing = cycle.close(cause(deps, now));
        // What is read in one call is not read at one moment: a plan may come back between its owner's row and the cycle's, in a cycle
        // that has not ended by the clock of whoever brings it back. Then one follows.
        let mut changes = vec![match &read.user {
            Some(user) => closing.under(user.rev),
            None => closing,
        }];
        changes.extend(next(deps, cycle, &read, now));
        if deps.store.commit_ledger(&changes).await? {
            let opened = changes.into_iter().nth(1).map(|change| change.cycle);
            tracing::info!(user_id = %user, cycle_start = %start, opened = opened.is_some(), "a cycle ended");
            followed.closed += 1;
            followed.opened += usize::from(opened.is_some());
            return Ok(opened);
        }
    }
}

/// The change that opens the following cycle, under the plan under which the other is closed; none if none follows or an approval has
/// opened it already.
fn next(deps: &Deps, ended: &Cycle, read: &AtItsEnd, now: Timestamp) -> Option<LedgerChange> {
    let fresh = next_cycle(ended, &read.user.as_ref()?.subscription?, now)?;
    let is_there = read.next.as_ref().is_some_and(|next| next.span.start == fresh.span.start);
    (!is_there).then(|| fresh.opening(ChangeReason::CycleOpened, cause(deps, now)))
}

fn cause(deps: &Deps, at: Timestamp) -> Cause {
    Cause { entropy: deps.random.bytes(), at, actor: Actor::QuotaReset, post_id: None }
}
