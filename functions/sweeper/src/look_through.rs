//! Posts of users whose plan or accounts have changed: what has lost its account is held, and what is held goes on where account and quota
//! slot are there again, in the order of due times.
//!
//! A note says whose. It stays until nothing more is to be done and no index can be behind, so a round that stops leaves the rest to the next.

use std::collections::BTreeSet;

use cloud::timer::is_imminent;
use domain::connection::Connection;
use domain::failure::FailureCode;
use domain::id::{ConnectionId, HistoryId, UserId};
use domain::ledger::{Actor, Cause};
use domain::planted::Bug;
use domain::post::{Event, Post, State};
use domain::reserving::RunningPlan;
use domain::timing::LATEST_MAX;
use edge::guarded::guarded;
use edge::problem::chain;
use futures::stream::{self, StreamExt};
use jiff::{SignedDuration, Timestamp};
use store::{Commit, Filter, PostChange, ReturnNote, Rounds, StoreError, UserWithConnections};

use crate::Deps;
use crate::attend::arm;
use crate::failures::Failures;

/// Users that are looked after at once.
const USERS_AT_ONCE: usize = 5;
/// Posts of one user that one round changes.
const CHANGES_MAX: usize = 100;
/// How far apart the notes stand with which two rounds begin: about as many users as one round looks after.
const STRIDE: usize = 251;
/// No index is behind for so long, and no function still writes what it read before the note was left.
const NOTE_STAYS: SignedDuration = SignedDuration::from_mins(2);

/// What was done with posts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Looked {
    /// They go on.
    pub(crate) resumed: usize,
    /// They were held, or say what they wait for now.
    pub(crate) held: usize,
    /// Users, and posts, that could not be looked after this time. Of those that go out by an account that cannot be read, the first.
    pub(crate) failed: usize,
}

/// Looks through the waiting posts of everybody of whom a note says so. Each round begins with another one. What was done is counted as it
/// is done: the round's time may end in between.
pub(crate) async fn look_through(deps: &Deps, turn: i64, looked: &mut Looked) {
    let mut notes = match deps.store.return_notes().await {
        Ok(notes) => notes,
        Err(error) => {
            tracing::error!(error = chain(&error), "the users whose posts may go on could not be read");
            looked.failed += 1;
            return;
        }
    };
    if !notes.is_empty() {
        let first = usize::try_from(turn).unwrap_or_default().wrapping_mul(STRIDE) % notes.len();
        notes.rotate_left(first);
    }
    let mut done = stream::iter(notes).map(|note| follow(deps, note)).buffer_unordered(USERS_AT_ONCE);
    while let Some(of_one) = done.next().await {
        looked.resumed += of_one.resumed;
        looked.held += of_one.held;
        looked.failed += of_one.failed;
    }
}

async fn follow(deps: &Deps, note: Result<ReturnNote, StoreError>) -> Looked {
    let mut looked = Looked::default();
    let note = match note {
        Ok(note) => note,
        Err(error) => {
            tracing::error!(error = chain(&error), "a note of a user's waiting posts could not be read");
            return Looked { failed: 1, ..looked };
        }
    };
    let told = match guarded(of_user(deps, &note, &mut looked)).await {
        Ok(Ok(())) => return looked,
        Ok(Err(error)) => chain(&error),
        Err(panicked) => chain(&panicked),
    };
    tracing::error!(user_id = %note.user_id, error = told, "a user's waiting posts could not be looked through");
    looked.failed += 1;
    looked
}

/// The note goes last: a round that stops before it is made good by the next.
async fn of_user(deps: &Deps, note: &ReturnNote, looked: &mut Looked) -> Result<(), StoreError> {
    if Bug::ReturnForgotten.is_planted() {
        return deps.store.followed_return(note).await;
    }
    let now = deps.clock.now();
    let means = Means::read(deps, &note.user_id).await?;
    let mut walk = Walk { deps, means, full: BTreeSet::new(), unreadable: BTreeSet::new(), failures: Failures::default() };
    let filter = Filter { from: Some(now - LATEST_MAX), ..Filter::default() };
    let waits = |post: &Post| matches!(post.state, State::Scheduled { .. } | State::Held { .. });
    let stored = deps.store.each_post_where(&note.user_id, &filter, waits).await?;
    let count = stored.len();
    // Those that cannot be read are told of as the rows that a list leaves out.
    let posts = deps.store.readable(stored)?;
    looked.failed += count - posts.len();
    let mut all_judged = posts.len() == count;
    for post in posts {
        match walk.judge_one(post).await {
            Some(Judged::Resumed) => looked.resumed += 1,
            Some(Judged::Held) => looked.held += 1,
            Some(Judged::Same) => {}
            Some(Judged::Not) => all_judged = false,
            // The others go on all the same, and the next round tries this one again.
            None => (looked.failed, all_judged) = (looked.failed + 1, false),
        }
        if looked.resumed + looked.held >= CHANGES_MAX {
            return Ok(());
        }
    }
    if walk.failures.unnamed() > 0 {
        tracing::error!(user_id = %note.user_id, posts = walk.failures.unnamed(), "more waiting posts could not be looked at");
    }
    if looked.resumed + looked.held > 0 {
        tracing::info!(user_id = %note.user_id, resumed = looked.resumed, held = looked.held, "waiting posts were looked through");
    }
    if !all_judged || deps.clock.now() < note.at + NOTE_STAYS { Ok(()) } else { deps.store.followed_return(note).await }
}

/// What a user's posts go out by.
struct Means {
    plan: Option<RunningPlan>,
    connections: Vec<Connection>,
    /// Whether these are all of the user's: some may not be readable, or too many.
    is_whole: bool,
}

impl Means {
    async fn read(deps: &Deps, user: &UserId) -> Result<Self, StoreError> {
        let Some(UserWithConnections { user, connections: stored, is_whole }) = deps.store.user_with_connections(user).await? else {
            return Ok(Self { plan: None, connections: Vec::new(), is_whole: true });
        };
        let count = stored.len();
        let connections = deps.store.readable(stored)?;
        let is_whole = is_whole && connections.len() == count;
        Ok(Self { plan: Some(RunningPlan::of(&user, deps.clock.now())), connections, is_whole })
    }

    fn connection(&self, id: &ConnectionId) -> Option<&Connection> {
        self.connections.iter().find(|connection| connection.id == *id)
    }
}

enum Judged {
    Resumed,
    Held,
    /// Nothing: it is as it should be, or somebody else's.
    Same,
    /// It was not judged: its account cannot be read, which stands in the log for an earlier post.
    Not,
}

/// One look through a user's posts.
struct Walk<'a> {
    deps: &'a Deps,
    means: Means,
    /// Where cycles begin that have no quota slot left.
    full: BTreeSet<Timestamp>,
    /// Connections that cannot be read.
    unreadable: BTreeSet<ConnectionId>,
    /// Posts that could not be looked at.
    failures: Failures,
}

/// What came of a try to let a post go on.
enum Resumed {
    Done,
    /// There is no quota slot.
    NoSlot,
    /// Another change came first.
    Moved(Option<Box<Post>>),
}

impl Walk<'_> {
    /// `None`: it cannot be judged, and the log says why.
    async fn judge_one(&mut self, post: Post) -> Option<Judged> {
        let (id, user_id) = (post.id.clone(), post.user_id.clone());
        let told = match guarded(self.judge(post)).await {
            Ok(Ok(judged)) => return Some(judged),
            Ok(Err(error)) => chain(&error),
            Err(panicked) => chain(&panicked),
        };
        self.failures.add(|| tracing::error!(post_id = %id, %user_id, error = told, "a waiting post could not be looked at"));
        None
    }

    async fn judge(&mut self, mut post: Post) -> Result<Judged, StoreError> {
        let id = post.id.clone();
        let mut rounds = Rounds::new("letting a held post go on", id.as_str());
        loop {
            rounds.next().await?;
            let is_held = match post.state {
                State::Held { .. } => true,
                State::Scheduled { .. } => false,
                _ => return Ok(Judged::Same),
            };
            // One that is too late is closed as missed by whoever looks after posts that stand still.
            if self.deps.clock.now() > post.latest_at {
                return Ok(Judged::Same);
            }
            if self.unreadable.contains(&post.connection_id) {
                return Ok(Judged::Not);
            }
            match self.account(&post).await? {
                Err(lost) => return self.hold(post, lost).await,
                Ok(_) if !is_held => return Ok(Judged::Same),
                Ok(connection) => match self.resume(&post, &connection).await? {
                    Resumed::Done => return Ok(Judged::Resumed),
                    Resumed::NoSlot => return self.hold(post, FailureCode::QuotaLost).await,
                    Resumed::Moved(None) => return Ok(Judged::Same),
                    Resumed::Moved(Some(standing)) => {
                        post = *standing;
                        self.means = Means::read(self.deps, &post.user_id).await?;
                    }
                },
            }
        }
    }

    /// The post's connection, if it can be used, or why it cannot. One that is not among the means may still be there: it is asked for by
    /// itself. That it cannot be read is the error of the first post that needs it.
    async fn account(&mut self, post: &Post) -> Result<Result<Connection, FailureCode>, StoreError> {
        let id = &post.connection_id;
        let connection = match self.means.connection(id) {
            None if !self.means.is_whole => {
                let read = self.deps.store.connection(&post.user_id, id).await;
                if matches!(read, Err(StoreError::Corrupt { .. })) {
                    self.unreadable.insert(id.clone());
                }
                read?
            }
            known => known.cloned(),
        };
        let Some(connection) = connection else { return Ok(Err(FailureCode::ConnectionGone)) };
        Ok(connection.unusable_for().map_or(Ok(connection), Err))
    }

    async fn hold(&self, post: Post, code: FailureCode) -> Result<Judged, StoreError> {
        let held = self.deps.store.hold(post, code, || self.cause(None)).await?;
        Ok(if held { Judged::Held } else { Judged::Same })
    }

    /// The post, its quota slot and the history in one transaction, while its account can be used; then its wake-up.
    async fn resume(&mut self, post: &Post, connection: &Connection) -> Result<Resumed, StoreError> {
        let (store, now) = (&self.deps.store, self.deps.clock.now());
        let Some(plan) = &self.means.plan else { return Ok(Resumed::NoSlot) };
        let due_at = post.due_at.max(now);
        let Some(start) = plan.cycle_start(due_at) else { return Ok(Resumed::NoSlot) };
        if self.full.contains(&start) {
            return Ok(Resumed::NoSlot);
        }
        let standing = store.cycle(&post.user_id, start).await?;
        let Ok(reserved) = plan.reserve(standing.as_ref(), due_at, || self.cause(Some(post))) else {
            // Whoever gives a slot of it back has this looked at again.
            if let Some(cycle) = standing.filter(|cycle| !cycle.awaited)
                && !store.commit_ledger(&[cycle.await_slot()]).await?
            {
                return Ok(Resumed::Moved(Some(Box::new(post.clone()))));
            }
            self.full.insert(start);
            return Ok(Resumed::NoSlot);
        };
        let Ok(resumed) = post.clone().resume(start, is_imminent(post.due_at, now), now) else { return Ok(Resumed::Moved(None)) };
        let event = Event::of(post.status(), &resumed, Actor::Sweeper, "goes on: its account and a quota slot are there again", now);
        let writer = HistoryId::new(now, self.deps.random.bytes()).to_string();
        let change = PostChange { ledger: &[reserved], usable: Some(connection), ..PostChange::of(&resumed, &writer, &event) };
        match store.commit(&change).await? {
            Commit::Done => {
                tracing::info!(post_id = %resumed.id, user_id = %resumed.user_id, version = resumed.version, "a held post goes on");
                // Should this fail, the next rounds arm it.
                arm(self.deps, resumed).await;
                Ok(Resumed::Done)
            }
            Commit::PostMoved(standing) => Ok(Resumed::Moved(standing)),
            Commit::CycleMoved | Commit::ConnectionUnusable | Commit::AlreadyBound(_) => Ok(Resumed::Moved(Some(Box::new(post.clone())))),
        }
    }

    fn cause(&self, post: Option<&Post>) -> Cause {
        let post_id = post.map(|post| post.id.clone());
        Cause { entropy: self.deps.random.bytes(), at: self.deps.clock.now(), actor: Actor::Sweeper, post_id }
    }
}
