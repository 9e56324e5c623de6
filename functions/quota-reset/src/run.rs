//! One run over all shards, page by page.

use edge::metrics::Unit;
use edge::problem::chain;
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
    /// Cycles that could not be looked after this time.
    pub failed: usize,
    /// Whether time ran out before everything was looked at; the next run goes on.
    pub unfinished: bool,
}

/// Looks after every cycle that wants it. One cycle, row or shard that fails harms no other, and a run that stops leaves what it has
/// not done at the head of the next.
pub async fn run(deps: &Deps) -> Result<Closed, StoreError> {
    let until = deps.clock.now() + RUN_MAX;
    let mut total = Closed::default();
    for shard in shards(deps.clock.now()) {
        if let Err(error) = run_shard(deps, shard, until, &mut total).await {
            tracing::error!(shard, error = chain(&error), "a shard could not be read");
            total.failed += 1;
        }
    }
    tell(deps, total);
    Ok(total)
}

/// All shards, each hour beginning with the next one: a run that its time cuts off leaves out others than the run before.
fn shards(now: Timestamp) -> Vec<u8> {
    let mut shards: Vec<_> = Store::closing_shards().collect();
    let hour = usize::try_from(now.as_second() / 3_600).unwrap_or_default();
    let first = hour % shards.len();
    shards.rotate_left(first);
    shards
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
                Ok(Followed { closed, opened, held, told }) => {
                    total.closed += closed;
                    total.opened += opened;
                    total.held += held;
                    total.told += told;
                }
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
    follow(deps, &hint).await.map_err(|error| {
        let (user_id, cycle_start) = (&hint.user_id, hint.start);
        tracing::error!(%user_id, %cycle_start, error = chain(&error), "a cycle could not be closed");
    })
}

fn tell(deps: &Deps, total: Closed) {
    let Closed { closed, opened, held, told, failed, unfinished } = total;
    if unfinished {
        tracing::warn!("time ran out; the next run goes on");
    }
    tracing::info!(closed, opened, held, told, failed, unfinished, "cycles closed");
    let count = |name, value: usize| (name, f64::from(u32::try_from(value).unwrap_or(u32::MAX)), Unit::Count);
    let values = [
        count("cycles_closed", closed),
        count("cycles_opened", opened),
        count("posts_held", held),
        count("cycles_told_anew", told),
        count("cycle_failures", failed),
        count("cycles_unfinished", usize::from(unfinished)),
    ];
    deps.metrics.emit(deps.clock.now(), &[], &values, &[]);
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    #[test]
    fn every_shard_is_read_in_every_run_and_each_comes_first_in_its_turn() {
        let began = Timestamp::from_second(1_800_000_000).unwrap();
        let all: Vec<_> = Store::closing_shards().collect();
        let mut first = Vec::new();
        for hour in 0..all.len() {
            let shards = shards(began + i64::try_from(hour).unwrap().hours());
            first.push(shards[0]);
            let mut sorted = shards;
            sorted.sort_unstable();
            assert_eq!(sorted, all);
        }
        first.sort_unstable();
        assert_eq!(first, all);
    }
}
