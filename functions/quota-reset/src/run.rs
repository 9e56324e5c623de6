//! One run over all shards, page by page.

use domain::planted::Bug;
use edge::guarded::guarded;
use edge::metrics::Unit;
use edge::problem::chain;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use jiff::{SignedDuration, Timestamp};
use store::{Closing, Store, StoreError};

use crate::Deps;
use crate::follow::{Followed, follow};

/// Cycles read at once.
const PAGE_MAX: i32 = 100;
/// Cycles worked on at once.
const CYCLES_AT_ONCE: usize = 10;
/// A run begins no page after so long: the function's time-out in the template is five minutes.
const RUN_MAX: SignedDuration = SignedDuration::from_mins(4);

/// How often the job runs: what starts it goes by this.
pub const EVERY: SignedDuration = SignedDuration::from_hours(1);

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Closed {
    /// Cycles closed.
    pub closed: usize,
    /// Cycles opened.
    pub opened: usize,
    /// Posts held.
    pub held: usize,
    /// Closed cycles told anew.
    pub told: usize,
    /// Months that were not paid for.
    pub unpaid: usize,
    /// Cycles that could not be looked after this time.
    pub failed: usize,
    /// Whether time ran out before everything was looked at; the next run goes on.
    pub unfinished: bool,
}

/// Looks after every cycle that wants it. One cycle, row or shard that fails harms no other, and a run that stops leaves what it has
/// not done at the head of the next.
pub fn run(deps: &Deps) -> BoxFuture<'_, Result<Closed, StoreError>> {
    all_shards(deps).boxed()
}

async fn all_shards(deps: &Deps) -> Result<Closed, StoreError> {
    let (now, mut total) = (deps.clock.now(), Closed::default());
    let until = now + RUN_MAX;
    for shard in Store::closing_shards(now.as_second() / EVERY.as_secs()) {
        if let Err(error) = run_shard(deps, shard, until, &mut total).await {
            tracing::error!(shard, error = chain(&error), "a shard could not be read");
            total.failed += 1;
        }
    }
    tell(deps, total);
    Ok(total)
}

async fn run_shard(deps: &Deps, shard: u8, until: Timestamp, total: &mut Closed) -> Result<(), StoreError> {
    let mut place = None;
    loop {
        let now = deps.clock.now();
        if now >= until {
            total.unfinished = true;
            return Ok(());
        }
        let page = deps.store.ended_cycles(shard, now, PAGE_MAX, place).await?;
        let mut outcomes = stream::iter(page.cycles).map(|cycle| attend(deps, cycle)).buffer_unordered(CYCLES_AT_ONCE);
        while let Some(outcome) = outcomes.next().await {
            match outcome {
                Ok(Followed { closed, opened, held, told, unpaid, failed }) => {
                    total.failed += failed;
                    total.closed += closed;
                    total.opened += opened;
                    total.held += held;
                    total.told += told;
                    total.unpaid += unpaid;
                }
                Err(()) if Bug::BadRowStopsTheJob.is_planted() => return Ok(()),
                Err(()) => total.failed += 1,
            }
        }
        place = page.next;
        if place.is_none() {
            return Ok(());
        }
    }
}

async fn attend(deps: &Deps, hint: Result<Closing, StoreError>) -> Result<Followed, ()> {
    let hint = hint.map_err(|error| tracing::error!(error = chain(&error), "a row of the index could not be read"))?;
    let (user_id, cycle_start) = (&hint.user_id, hint.start);
    // A stored cycle that does not add up stops whoever would change it, and stands at the head of every page.
    let followed = guarded(follow(deps, &hint)).await;
    let followed = followed.map_err(|_| tracing::error!(%user_id, %cycle_start, "a cycle's closing panicked"))?;
    followed.map_err(|error| tracing::error!(%user_id, %cycle_start, error = chain(&error), "a cycle could not be closed"))
}

fn tell(deps: &Deps, total: Closed) {
    let Closed { closed, opened, held, told, unpaid, failed, unfinished } = total;
    if unfinished {
        tracing::warn!("time ran out; the next run goes on");
    }
    tracing::info!(closed, opened, held, told, unpaid, failed, unfinished, "cycles closed");
    let count = |name, value: usize| (name, f64::from(u32::try_from(value).unwrap_or(u32::MAX)), Unit::Count);
    let values = [
        count("cycles_closed", closed),
        count("cycles_opened", opened),
        count("posts_held", held),
        count("cycles_told_anew", told),
        count("cycles_unpaid", unpaid),
        count("cycle_failures", failed),
        count("cycles_unfinished", usize::from(unfinished)),
    ];
    deps.metrics.emit(deps.clock.now(), &[], &values, &[]);
}
