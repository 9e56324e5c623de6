//! One run over all shards, page by page.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::id::AttemptId;
use domain::platform::PlatformName;
use edge::deadline::Deadline;
use edge::guarded::guarded;
use edge::metrics::Unit;
use edge::problem::chain;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use jiff::{SignedDuration, Timestamp};
use store::{DueWatch, Store, StoreError, Watched};

use crate::Deps;
use crate::gate::Gate;
use crate::read::{Reader, Reading};

/// Rows of the index read at once.
const PAGE_MAX: i32 = 100;
/// Posts read at once.
const POSTS_AT_ONCE: usize = 8;
/// A run begins no posts after so long.
const RUN_MAX: SignedDuration = SignedDuration::from_mins(3);
/// How long a run may take: the function's time-out in the template.
const TIME_OUT: Duration = Duration::from_mins(5);

/// How often the job runs: what starts it goes by this.
pub const EVERY: SignedDuration = SignedDuration::from_mins(10);

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Synced {
    /// Posts whose numbers were told.
    pub told: usize,
    /// Posts that are read later, or not any more, because their platform or account does not let us now.
    pub put_off: usize,
    /// Posts that are gone from their platform.
    pub deleted: usize,
    /// Posts whose platform is not asked, because reading is turned off.
    pub turned_off: usize,
    /// Posts that wait because a platform's budget is used up.
    pub over_budget: usize,
    /// Posts that could not be looked after this time.
    pub failed: usize,
    /// Whether time ran out before everything was looked at; the next run goes on.
    pub unfinished: bool,
}

impl Synced {
    /// Counts what became of one post; `None`: it failed.
    fn count(&mut self, reading: Option<Reading>) {
        match reading {
            Some(Reading::Told) => self.told += 1,
            Some(Reading::PutOff) => self.put_off += 1,
            Some(Reading::Deleted) => self.deleted += 1,
            Some(Reading::TurnedOff) => self.turned_off += 1,
            Some(Reading::OverBudget) => self.over_budget += 1,
            Some(Reading::Nothing) => {}
            None => self.failed += 1,
        }
    }
}

/// One run, and when it begins no further posts.
struct Run<'a> {
    reader: Reader<'a>,
    until: Timestamp,
}

/// Reads the numbers of every post whose time has come. One post, row or shard that fails harms no other, and a run that stops leaves
/// what it has not done at the head of the next.
pub fn run(deps: &Deps) -> BoxFuture<'_, Result<Synced, StoreError>> {
    all_shards(deps).boxed()
}

async fn all_shards(deps: &Deps) -> Result<Synced, StoreError> {
    let now = deps.clock.now();
    let writer = AttemptId::new(now, deps.random.bytes()).to_string();
    let reader = Reader { deps, gate: Gate::new(&deps.platforms), writer, deadline: Deadline::after(TIME_OUT) };
    let run = Run { reader, until: now + RUN_MAX };
    let mut total = Synced::default();
    for shard in Store::sync_shards(now.as_second() / EVERY.as_secs()) {
        if let Err(error) = Box::pin(run.shard(shard, &mut total)).await {
            tracing::error!(shard, error = chain(&error), "a shard could not be read");
            total.failed += 1;
        }
    }
    tell(deps, total);
    tell_missing(deps, &run.reader.gate);
    Ok(total)
}

impl Run<'_> {
    async fn shard(&self, shard: u8, total: &mut Synced) -> Result<(), StoreError> {
        let mut place = None;
        loop {
            let deps = self.reader.deps;
            if self.is_over() {
                total.unfinished = true;
                return Ok(());
            }
            let page = deps.store.due_watches(shard, deps.clock.now(), PAGE_MAX, place).await?;
            self.page(page.due, total).await?;
            place = page.next;
            if place.is_none() {
                return Ok(());
            }
        }
    }

    fn is_over(&self) -> bool {
        self.reader.deps.clock.now() >= self.until
    }

    /// Attends to what one page of the index leads to.
    async fn page(&self, rows: Vec<Result<DueWatch, StoreError>>, total: &mut Synced) -> Result<(), StoreError> {
        let mut due = Vec::new();
        for row in rows {
            match row {
                Ok(row) if self.reader.has_room(&row) => due.push(row),
                Ok(_) => total.count(Some(Reading::OverBudget)),
                Err(error) => {
                    tracing::error!(error = chain(&error), "a row of the index could not be read");
                    total.count(None);
                }
            }
        }
        // Not a page at once: what is read here must still be so when the platform is asked, and accounts are taken away meanwhile.
        for due in due.chunks(POSTS_AT_ONCE) {
            if self.is_over() {
                total.unfinished = true;
                return Ok(());
            }
            let watched = self.reader.deps.store.watched(due).await?;
            let readings = due.iter().zip(watched).map(|(due, watched)| self.attend(due, watched));
            for reading in join_all(readings).await {
                total.count(reading);
            }
        }
        Ok(())
    }

    /// `None`: it failed, and the log says why.
    async fn attend(&self, due: &DueWatch, watched: Result<Watched, StoreError>) -> Option<Reading> {
        let (post_id, user_id, platform) = (&due.post_id, &due.user_id, due.platform.as_str());
        // On the heap: several at once each carry the state of a whole call.
        let reading = guarded(Box::pin(self.reader.read(due, watched))).await;
        let reading = reading.map_err(|_| tracing::error!(%post_id, %user_id, platform, "reading a post's numbers panicked")).ok()?;
        let failed = |error| tracing::error!(%post_id, %user_id, platform, error = chain(&error), "a post's numbers could not be read");
        reading.map_err(failed).ok()
    }
}

fn tell(deps: &Deps, total: Synced) {
    let Synced { told, put_off, deleted, turned_off, over_budget, failed, unfinished } = total;
    if unfinished {
        tracing::warn!("time ran out; the next run goes on");
    }
    tracing::info!(told, put_off, deleted, turned_off, over_budget, failed, unfinished, "numbers read");
    let count = |name, value: usize| (name, f64::from(u32::try_from(value).unwrap_or(u32::MAX)), Unit::Count);
    let values = [
        count("numbers_told", told),
        count("numbers_put_off", put_off),
        count("posts_deleted", deleted),
        count("numbers_turned_off", turned_off),
        count("numbers_over_budget", over_budget),
        count("numbers_failed", failed),
        count("numbers_unfinished", usize::from(unfinished)),
    ];
    deps.metrics.emit(deps.clock.now(), &[], &values, &[]);
}

/// Once a run and for each platform: the adapter asks for something that its network may have taken away.
fn tell_missing(deps: &Deps, gate: &Gate) {
    let mut of = BTreeMap::<PlatformName, Vec<&str>>::new();
    for (platform, field) in gate.missing() {
        of.entry(platform).or_default().push(field);
    }
    for (platform, fields) in of {
        let names = fields.join(" ");
        tracing::warn!(platform = platform.as_str(), fields = names, "a platform does not tell fields that were asked for");
        let count = f64::from(u32::try_from(fields.len()).unwrap_or(u32::MAX));
        let values = [("fields_missing", count, Unit::Count)];
        deps.metrics.emit(deps.clock.now(), &[("platform", platform.as_str())], &values, &[("fields", &names)]);
    }
}
