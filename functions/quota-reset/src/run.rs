//! One run over all shards, page by page.

use edge::metrics::Unit;
use edge::problem::chain;
use futures::stream::{self, StreamExt};
use store::{Store, StoreError};

use crate::Deps;
use crate::follow::{Followed, follow};

/// Cycles read at once.
const PAGE_MAX: i32 = 100;
/// Cycles worked on at once.
const CYCLES_AT_ONCE: usize = 10;
/// Pages of one shard in one run; the next run goes on where this one stopped.
const PAGES_MAX: usize = 1_000;

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Closed {
    /// Cycles closed.
    pub closed: usize,
    /// Cycles that could not be closed this time.
    pub failed: usize,
}

/// Closes every cycle that has ended. A cycle that a late run opens and that has ended too is closed in the same run.
pub async fn run(deps: &Deps) -> Result<Closed, StoreError> {
    let mut total = Closed::default();
    for shard in Store::closing_shards() {
        for _ in 0..PAGES_MAX {
            let page = match page(deps, shard).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::error!(shard, error = chain(&error), "a shard could not be read");
                    Closed { closed: 0, failed: 1 }
                }
            };
            total.closed += page.closed;
            total.failed += page.failed;
            // An index that still shows what is closed, or failures alone: the next run goes on.
            if page.closed == 0 {
                break;
            }
        }
    }
    tracing::info!(closed = total.closed, failed = total.failed, "cycles closed");
    let count = |value: usize| f64::from(u32::try_from(value).unwrap_or(u32::MAX));
    let values = [("cycles_closed", count(total.closed), Unit::Count), ("cycle_failures", count(total.failed), Unit::Count)];
    deps.metrics.emit(deps.clock.now(), &[], &values, &[]);
    Ok(total)
}

async fn page(deps: &Deps, shard: u8) -> Result<Closed, StoreError> {
    let ended = deps.store.ended_cycles(shard, deps.clock.now(), PAGE_MAX).await?;
    let outcomes = stream::iter(ended).map(|cycle| async move {
        let outcome = follow(deps, &cycle).await;
        if let Err(error) = &outcome {
            tracing::error!(user_id = %cycle.user_id, cycle_start = %cycle.start, error = chain(error), "a cycle could not be closed");
        }
        outcome
    });
    let outcomes: Vec<Result<Followed, StoreError>> = outcomes.buffer_unordered(CYCLES_AT_ONCE).collect().await;
    Ok(Closed {
        closed: outcomes.iter().filter(|outcome| matches!(outcome, Ok(Followed::Closed))).count(),
        failed: outcomes.iter().filter(|outcome| outcome.is_err()).count(),
    })
}
