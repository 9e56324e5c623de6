//! One post: whether its platform may be asked, what it tells, and when it is asked next.

use connecting::tokens::{self, AccessError, Usable};
use domain::analytics::{Pace, Rhythm, Task, Trouble, Watch};
use domain::connection::{Connection, Health};
use domain::wait::Wait;
use edge::deadline::Deadline;
use jiff::{SignedDuration, Timestamp};
use platforms::{Account, NumbersError, Published, Told};
use store::{DueWatch, StoreError, WatchWrite, Watched};

use crate::Deps;
use crate::gate::Gate;

/// The wait where a platform names no end of a limit, and where much of what an account may ask is used up.
const LIMITED: SignedDuration = SignedDuration::from_hours(1);
/// No limit of a platform is believed to last longer.
const LIMITED_MAX: SignedDuration = SignedDuration::from_hours(24);
/// After so long a platform that takes nothing from our app is asked again.
const PAUSE: SignedDuration = SignedDuration::from_mins(15);

/// What became of a post of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Its numbers are stored.
    Told,
    /// It has no new numbers, and the row says when it is read next.
    PutOff,
    /// It is gone from its platform.
    Deleted,
    /// Reading is turned off at its platform, which was not asked.
    TurnedOff,
    /// It waits at the head of the next run.
    OverBudget,
    /// The index was behind, or another run has it.
    Nothing,
}

/// Why a post was left as it is; the next run finds it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadingError {
    /// A table did not answer.
    #[error("a table failed")]
    Store(#[from] StoreError),
    /// A table or the vault did not answer.
    #[error("the tokens failed")]
    Tokens(#[from] AccessError),
}

/// What asking came to.
enum Asked {
    Told(Told),
    Trouble(Trouble),
}

/// What a run reads with.
pub(crate) struct Reader<'a> {
    pub(crate) deps: &'a Deps,
    pub(crate) gate: Gate,
    /// The name that the run's writes are recognised by.
    pub(crate) writer: String,
    /// When the run is cut off.
    pub(crate) deadline: Deadline,
}

impl Reader<'_> {
    /// Whether there is room for one more post of the platform, or none is needed.
    pub(crate) fn has_room(&self, due: &DueWatch) -> bool {
        self.deps.paces.of(due.platform) == Pace::Off || self.gate.has_room(due.platform)
    }

    /// Reads one post's numbers, if it may be now. `watched` is how its rows were a moment ago: whoever has changed them since wins.
    pub(crate) async fn read(&self, due: &DueWatch, watched: Result<Watched, StoreError>) -> Result<Reading, ReadingError> {
        let Self { deps, gate, .. } = self;
        let (watched, now) = (watched?, deps.clock.now());
        let Some(watch) = watched.watch.clone().filter(|watch| watch.next_sync_at.is_some_and(|at| at <= now)) else {
            return Ok(Reading::Nothing);
        };
        let pace = deps.paces.of(due.platform);
        if pace == Pace::Off {
            return self.write(&watch.passed_over(now), Reading::TurnedOff).await;
        }
        let rhythm = deps.platforms.get(due.platform).descriptor().numbers.rhythm;
        let connection = match readable(deps, gate, watched, now) {
            Ok(connection) => connection,
            Err(trouble) => return self.put_off(watch, trouble, rhythm).await,
        };
        let task = watch.task(rhythm, now);
        let (watch, costs) = match task {
            Task::Nothing => return Ok(Reading::Nothing),
            Task::Later(later) => return self.write(&later, Reading::PutOff).await,
            Task::Read(watch) => (*watch, false),
            Task::Note(noted) => (*noted, true),
        };
        if !gate.take(due.platform) {
            return Ok(Reading::OverBudget);
        }
        if costs && deps.store.write_watch(&watch, &self.writer).await? == WatchWrite::Moved {
            return Ok(Reading::Nothing);
        }
        match self.ask(&watch, connection).await {
            Ok(Asked::Told(told)) => self.write(&watch.observed(told.numbers, rhythm, pace, deps.clock.now()), Reading::Told).await,
            Ok(Asked::Trouble(trouble)) => self.put_off(watch, trouble, rhythm).await,
            Err(error) => {
                // The platform was not asked.
                self.put_off(watch, Trouble::Limited(now), rhythm).await?;
                Err(error.into())
            }
        }
    }

    async fn write(&self, watch: &Watch, reading: Reading) -> Result<Reading, ReadingError> {
        let written = self.deps.store.write_watch(watch, &self.writer).await?;
        Ok(if written == WatchWrite::Done { reading } else { Reading::Nothing })
    }

    /// Asks the platform; a token that ends meanwhile is renewed once.
    async fn ask(&self, watch: &Watch, connection: Connection) -> Result<Asked, AccessError> {
        let Self { deps, gate, .. } = self;
        let mut refused = None;
        let mut connection = connection;
        loop {
            let (ready, tokens) = match tokens::usable(&deps.access(self.deadline), connection, refused.as_deref()).await? {
                Usable::Ready(connection, tokens) => (connection, tokens),
                Usable::Later => return Ok(Asked::Trouble(Trouble::Limited(deps.clock.now()))),
                Usable::Dead => return Ok(Asked::Trouble(Trouble::NeedsReauth)),
                Usable::Gone => return Ok(Asked::Trouble(Trouble::Disconnected)),
            };
            let account = Account::of(&ready, &tokens);
            let post = Published { id: &watch.platform_post_id, at: watch.published_at };
            match deps.platforms.get(watch.platform).numbers(account, post, deps.clock.now()).await {
                Ok(told) => {
                    gate.note_missing(watch.platform, &told.missing);
                    if told.busy {
                        gate.limit_account(&ready.id, deps.clock.now() + LIMITED);
                    }
                    return Ok(Asked::Told(told));
                }
                Err(NumbersError::TokenRefused) if refused.is_none() && ready.refreshable => {
                    refused = Some(ready.secret_version.clone());
                    connection = *ready;
                }
                Err(NumbersError::TokenRefused) => {
                    tokens::mark_dead(&deps.access(self.deadline), &ready).await?;
                    return Ok(Asked::Trouble(Trouble::NeedsReauth));
                }
                Err(error) => return Ok(Asked::Trouble(trouble(deps, gate, &ready, &error).await)),
            }
        }
    }

    /// Stores that there are no new numbers, and why.
    async fn put_off(&self, watch: Watch, trouble: Trouble, rhythm: Rhythm) -> Result<Reading, ReadingError> {
        let later = watch.put_off(trouble, rhythm, self.deps.clock.now());
        let became = if trouble == Trouble::Deleted { Reading::Deleted } else { Reading::PutOff };
        let written = self.write(&later, became).await?;
        if written == became {
            let Watch { post_id, user_id, connection_id, platform, watching, next_sync_at, .. } = &later;
            let (platform, next_sync_at) = (platform.as_str(), next_sync_at.map(|at| at.to_string()));
            tracing::info!(%post_id, %user_id, %connection_id, platform, ?trouble, ?watching, next_sync_at, "a post's numbers wait");
        }
        Ok(written)
    }
}

/// The account, if its platform may be asked by it now.
fn readable(deps: &Deps, gate: &Gate, watched: Watched, now: Timestamp) -> Result<Connection, Trouble> {
    let connection = watched.connection.filter(|connection| connection.health != Health::Disconnecting).ok_or(Trouble::Disconnected)?;
    if connection.health == Health::NeedsReauth {
        return Err(Trouble::NeedsReauth);
    }
    if !deps.configured.contains(&connection.platform) {
        return Err(Trouble::Unanswered);
    }
    let limits = [connection.limited_until.map(Wait::until), watched.pause, gate.limited_until(&connection.id, connection.platform)];
    match limits.into_iter().flatten().max().filter(|until| *until > now) {
        Some(until) => Err(Trouble::Limited(until)),
        None => Ok(connection),
    }
}

/// What an answer without numbers means for this post, and for those that come after it in this run.
async fn trouble(deps: &Deps, gate: &Gate, connection: &Connection, error: &NumbersError) -> Trouble {
    let (now, platform) = (deps.clock.now(), connection.platform);
    tracing::info!(connection_id = %connection.id, platform = platform.as_str(), %error, "a platform told no numbers");
    match error {
        NumbersError::Gone => Trouble::Deleted,
        NumbersError::TokenRefused | NumbersError::NotAllowed { .. } => Trouble::NeedsReauth,
        NumbersError::Unavailable { .. } => Trouble::Unanswered,
        NumbersError::Limited { until } => {
            let until = until.unwrap_or(now + LIMITED).min(now + LIMITED_MAX);
            gate.limit_account(&connection.id, until);
            Trouble::Limited(until)
        }
        NumbersError::AppLimited { .. } => {
            let until = now + PAUSE;
            gate.limit_platform(platform, until);
            // It is what the platform says of all that our app does: posts would be refused, too.
            deps.metrics.count(now, "platform_paused", &[("platform", platform.as_str())]);
            if let Err(error) = deps.store.pause_platform(platform, until).await {
                tracing::warn!(platform = platform.as_str(), error = edge::problem::chain(&error), "a pause was not written down");
            }
            Trouble::Limited(until)
        }
    }
}
