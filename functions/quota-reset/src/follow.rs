//! What one cycle of the index wants done.

use domain::id::{HistoryId, UserId};
use domain::ledger::{Actor, Cause, ChangeReason, Cycle, LedgerChange};
use domain::plan_change::{PlanChange, catch_up, next_cycle};
use domain::user::User;
use edge::problem::chain;
use jiff::Timestamp;
use store::{AtItsEnd, Closing, PlanStored, Rounds, StoreError};

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
    /// Months that were not paid for.
    pub(crate) unpaid: usize,
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
        let is_due = |cycle: &&Cycle| cycle.closed_at.is_none() && cycle.span.end > now && cycle.pay_by.is_some_and(|pay_by| pay_by <= now);
        if let (Some(_), Some(user)) = (read.cycle.as_ref().filter(is_due), &read.user) {
            // What was promised in it is held by the next round.
            followed.unpaid += usize::from(not_paid(deps, user, start, now).await?);
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
        changes.extend(next(deps, cycle, &read, now).await?);
        if deps.store.commit_ledger(&changes).await? {
            let opened = changes.into_iter().nth(1).map(|change| change.cycle);
            tracing::info!(user_id = %user, cycle_start = %start, opened = opened.is_some(), "a cycle ended");
            followed.closed += 1;
            followed.opened += usize::from(opened.is_some());
            return Ok(opened);
        }
    }
}

/// A month of which no payment came grants nothing any more, nor do those after it. `false`: the user or a cycle changed meanwhile.
async fn not_paid(deps: &Deps, user: &User, start: Timestamp, now: Timestamp) -> Result<bool, StoreError> {
    let cycles = deps.store.cycles_from(&user.id, start).await?;
    // No number grows by it, so nothing can be refused.
    let Ok(PlanChange { user, changes }) = catch_up(user, &cycles, (now, Actor::QuotaReset), || deps.random.bytes()) else {
        return Ok(false);
    };
    let writer = HistoryId::new(now, deps.random.bytes()).to_string();
    let stored = deps.store.change_plan(&user, &changes, &writer).await? == PlanStored::Done;
    if stored {
        tracing::info!(user_id = %user.id, cycle_start = %start, "a month was not paid for");
    }
    Ok(stored)
}

/// The change that opens the following cycle, under the plan under which the other is closed; none if none follows or an approval has
/// opened it already.
async fn next(deps: &Deps, ended: &Cycle, read: &AtItsEnd, now: Timestamp) -> Result<Option<LedgerChange>, StoreError> {
    let Some(fresh) = read.user.as_ref().and_then(|user| next_cycle(ended, user, now)) else { return Ok(None) };
    let is_there = deps.store.cycle(&fresh.user_id, fresh.span.start).await?.is_some();
    Ok((!is_there).then(|| fresh.opening(ChangeReason::CycleOpened, cause(deps, now))))
}

fn cause(deps: &Deps, at: Timestamp) -> Cause {
    Cause { entropy: deps.random.bytes(), at, actor: Actor::QuotaReset, post_id: None }
}
