//! One run over all shards, page by page.

use std::time::Duration;

use domain::id::AttemptId;
use domain::planted::Bug;
use domain::post::FUNCTION_TIMEOUT;
use edge::guarded::guarded;
use edge::metrics::Unit;
use edge::problem::chain;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use jiff::{SignedDuration, Timestamp};
use store::{DueGrant, Store, StoreError};

use crate::Deps;
use crate::look_after::{Became, LookError, look_after};

/// Rows of the index read at once.
const PAGE_MAX: i32 = 100;
/// Grants looked after at once: of the renewals that each second has for all workers, most stay for posts.
const GRANTS_AT_ONCE: usize = 10;
/// A run begins no grant after so long.
const RUN_MAX: SignedDuration = SignedDuration::from_mins(3);
/// How long a run may take; the template sets the same.
pub const TIME_OUT: Duration = Duration::from_mins(4);
/// How often the job runs: what starts it goes by this.
pub const EVERY: SignedDuration = SignedDuration::from_mins(5);

const _: () = {
    assert!(RUN_MAX.as_secs() + FUNCTION_TIMEOUT.as_secs() <= TIME_OUT.as_secs().cast_signed(), "the last grant has a publisher's time");
    assert!(TIME_OUT.as_secs().cast_signed() < EVERY.as_secs(), "a run ends before the next begins");
};

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Renewals {
    /// Grants that were renewed.
    pub renewed: usize,
    /// Owners who were asked to connect again.
    pub asked: usize,
    /// Grants that are over: what waits for them is held.
    pub over: usize,
    /// Grants that are looked at later, because nothing came of it now.
    pub put_off: usize,
    /// Of these, those whose life is half over: they should have been renewed long ago.
    pub late: usize,
    /// Grants that could not be looked after this time.
    pub failed: usize,
    /// Whether time ran out before everything was looked at; the next run goes on.
    pub unfinished: bool,
}

impl Renewals {
    /// Counts what became of one grant; `None`: it failed.
    fn count(&mut self, became: Option<Became>) {
        match became {
            Some(Became::Renewed) => self.renewed += 1,
            Some(Became::Asked) => self.asked += 1,
            Some(Became::Over) => self.over += 1,
            Some(Became::PutOff { late }) => {
                self.put_off += 1;
                self.late += usize::from(late);
            }
            Some(Became::Nothing) => {}
            None => self.failed += 1,
        }
    }
}

/// Looks after every grant whose time has come. One grant, row or shard that fails harms no other, and a run that stops leaves what it has not
/// done at the head of the next. Where no shard at all can be read, that is the run's error.
pub fn run(deps: &Deps) -> BoxFuture<'_, Result<Renewals, StoreError>> {
    all_shards(deps).boxed()
}

async fn all_shards(deps: &Deps) -> Result<Renewals, StoreError> {
    let now = deps.clock.now();
    let run = Run { deps, writer: AttemptId::new(now, deps.random.bytes()).to_string(), until: now + RUN_MAX };
    let mut total = Renewals::default();
    let (mut read, mut unread) = (0, None);
    for shard in Store::renewal_shards(now.as_second() / EVERY.as_secs()) {
        match Box::pin(run.shard(shard, &mut total)).await {
            Ok(()) => read += 1,
            Err(error) => {
                tracing::error!(shard, error = chain(&error), "a shard could not be read");
                total.failed += 1;
                unread = Some(error);
            }
        }
    }
    tell(deps, total);
    match unread {
        Some(error) if read == 0 => Err(error),
        _ => Ok(total),
    }
}

/// One run, by which name its writes are recognised, and when it begins no further grant.
struct Run<'a> {
    deps: &'a Deps,
    writer: String,
    until: Timestamp,
}

impl Run<'_> {
    async fn shard(&self, shard: u8, total: &mut Renewals) -> Result<(), StoreError> {
        let mut place = None;
        loop {
            if self.is_over() {
                total.unfinished = true;
                return Ok(());
            }
            let page = self.deps.store.due_grants(shard, self.deps.clock.now(), PAGE_MAX, place).await?;
            self.page(page.due, total).await;
            place = page.next;
            if place.is_none() {
                return Ok(());
            }
        }
    }

    fn is_over(&self) -> bool {
        self.deps.clock.now() >= self.until
    }

    async fn page(&self, rows: Vec<Result<DueGrant, StoreError>>, total: &mut Renewals) {
        let mut due = Vec::new();
        for row in rows {
            match row {
                Ok(row) => due.push(row),
                Err(error) => {
                    tracing::error!(error = chain(&error), "a row of the index could not be read");
                    total.count(None);
                }
            }
        }
        if Bug::DormantGrantsForgotten.is_planted() {
            return;
        }
        let mut looked = stream::iter(due).map(|due| self.attend(due)).buffer_unordered(GRANTS_AT_ONCE);
        while let Some(became) = looked.next().await {
            match became {
                Some(became) => total.count(became),
                None => total.unfinished = true,
            }
        }
    }

    /// `None`: there was no time. Inside: what became of it; `None`: it failed, and the log says why.
    async fn attend(&self, due: DueGrant) -> Option<Option<Became>> {
        if self.is_over() {
            return None;
        }
        let DueGrant { user_id, connection_id } = &due;
        // On the heap: several at once each carry the state of a whole call.
        let became = match guarded(Box::pin(look_after(self.deps, &due, &self.writer))).await {
            Ok(became) => became,
            Err(panicked) => Err(LookError::from(panicked)),
        };
        let failed = |error| tracing::error!(%connection_id, %user_id, error = chain(&error), "a grant could not be looked after");
        Some(became.map_err(failed).ok())
    }
}

fn tell(deps: &Deps, total: Renewals) {
    let Renewals { renewed, asked, over, put_off, late, failed, unfinished } = total;
    if unfinished {
        tracing::warn!("time ran out; the next run goes on");
    }
    tracing::info!(renewed, asked, over, put_off, late, failed, unfinished, "grants looked after");
    let count = |name, value: usize| (name, f64::from(u32::try_from(value).unwrap_or(u32::MAX)), Unit::Count);
    let values = [
        count("grants_renewed", renewed),
        count("owners_asked", asked),
        count("grants_over", over),
        count("grants_put_off", put_off),
        count("grants_late", late),
        count("renewals_failed", failed),
        count("renewals_unfinished", usize::from(unfinished)),
    ];
    deps.metrics.emit(deps.clock.now(), &[], &values, &[]);
}
