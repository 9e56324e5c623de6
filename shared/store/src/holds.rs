//! Posts that are without their quota slot, or without their account.

use std::panic::AssertUnwindSafe;

use domain::connection::Connection;
use domain::failure::FailureCode;
use domain::id::{HistoryId, UserId};
use domain::ledger::{Cause, Cycle};
use domain::plan::CYCLE_MAX;
use domain::post::{Event, Post, State};
use domain::timing::LATEST_MAX;
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};

use crate::posts::{Commit, Filter, PostChange, Settled, Settlement};
use crate::{Rounds, Store, StoreError};

/// How many posts of a lost account are held in one call.
const OF_ACCOUNT_MAX: usize = 200;
/// A post that was approved late, or was put off, may be due up to a day before the cycle that pays for it.
const DUE_BEFORE: SignedDuration = SignedDuration::from_hours(24);

impl Store {
    /// Holds as many scheduled posts of a cycle as it has promised beyond what it grants, the last due first, each with its quota slot in one
    /// transaction; and returns how many. A post that is under way is left alone. Stopped anywhere and run again it goes on. One post that
    /// fails keeps no other from being held: its error comes when the others are done.
    pub async fn hold_beyond_quota(&self, user: &UserId, start: Timestamp, mut cause: impl FnMut() -> Cause) -> Result<usize, StoreError> {
        let Some(cycle) = self.cycle(user, start).await?.filter(over_promised) else { return Ok(0) };
        let filter = Filter { from: Some(start - DUE_BEFORE), to: Some(cycle.span.start + CYCLE_MAX), ..Filter::default() };
        let (mut posts, mut failed) = (Vec::new(), None);
        for post in self.each_post_where(user, &filter, |post| waits_in(post, start)).await? {
            match post {
                Ok(post) => posts.push(post),
                Err(error) => failed = Some(error),
            }
        }
        posts.sort_by(|one, other| (other.due_at, &other.id).cmp(&(one.due_at, &one.id)));
        let mut held = 0;
        for post in posts {
            match guarded(self.hold_for_quota(post, start, &mut cause)).await {
                Ok(Held::Done) => held += 1,
                Ok(Held::Gone) => {}
                Ok(Held::Enough) => break,
                // The others would find no table either.
                Err(error @ StoreError::Unavailable { .. }) => return Err(error),
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(held), Err)
    }

    async fn hold_for_quota(&self, mut post: Post, start: Timestamp, cause: &mut impl FnMut() -> Cause) -> Result<Held, StoreError> {
        let id = post.id.clone();
        let mut rounds = Rounds::new("holding a post", id.as_str());
        loop {
            rounds.next().await?;
            let Some(cycle) = self.cycle(&post.user_id, start).await?.filter(over_promised) else { return Ok(Held::Enough) };
            let cause = Cause { post_id: Some(post.id.clone()), ..cause() };
            let (now, actor) = (cause.at, cause.actor);
            let writer = writer(&cause);
            let Ok(transition) = post.clone().hold(FailureCode::QuotaLost, now) else { return Ok(Held::Gone) };
            // Whoever gives the slot back, by whatever change, has the post looked at again.
            let ledger = [cycle.release(cause)?.awaited()];
            let event = Event::of(transition.from, &transition.post, actor, note(FailureCode::QuotaLost), now);
            // Another plan may have come since: then there is a slot for it in another cycle.
            let look_through = true;
            let change = PostChange { ledger: &ledger, look_through, ..PostChange::of(&transition.post, &writer, &event) };
            match self.commit(&change).await? {
                Commit::Done => return Ok(Held::Done),
                // Its owner changed something else of it.
                Commit::PostMoved(Some(moved)) if waits_in(&moved, start) => post = *moved,
                Commit::PostMoved(_) | Commit::AlreadyBound(_) | Commit::ConnectionUnusable => return Ok(Held::Gone),
                Commit::CycleMoved => {}
            }
        }
    }

    /// Holds the scheduled posts of a connection that cannot be used, the first due first, at most 200; and returns how many. What it leaves,
    /// the sweeper holds, by the note that the connection's change has left. One that fails keeps no other from being held: its error comes
    /// when the others are done.
    pub async fn hold_of(&self, connection: &Connection, code: FailureCode, mut cause: impl FnMut() -> Cause) -> Result<usize, StoreError> {
        let filter = Filter { from: Some(cause().at - LATEST_MAX), ..Filter::default() };
        let waits = |post: &Post| post.connection_id == connection.id && matches!(post.state, State::Scheduled { .. });
        let (mut held, mut failed) = (0, None);
        for post in self.each_post_where(&connection.user_id, &filter, waits).await?.into_iter().take(OF_ACCOUNT_MAX) {
            let outcome = match post {
                Ok(post) => guarded(self.hold(post, code, &mut cause)).await,
                Err(unreadable) => Err(unreadable),
            };
            match outcome {
                Ok(is_held) => held += usize::from(is_held),
                // The others would find no table either.
                Err(error @ StoreError::Unavailable { .. }) => return Err(error),
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(held), Err)
    }

    /// Holds a scheduled post that cannot go out as things stand, or says what a held one waits for now. `false`: it needs nothing, or was
    /// cancelled, edited or taken by a worker meanwhile.
    pub async fn hold(&self, post: Post, code: FailureCode, cause: impl FnOnce() -> Cause) -> Result<bool, StoreError> {
        let cause = Cause { post_id: Some(post.id.clone()), ..cause() };
        let (now, actor, writer) = (cause.at, cause.actor, writer(&cause));
        let Ok(transition) = post.hold(code, now) else { return Ok(false) };
        let event = Event::of(transition.from, &transition.post, actor, note(code), now);
        let settlement = Settlement { transition: &transition, writer: &writer, event: &event, cause };
        Ok(matches!(self.settle(&settlement).await?, Settled::Done))
    }
}

/// A row that nobody can work with: whoever tried panicked.
#[derive(Debug, thiserror::Error)]
#[error("holding it panicked")]
struct Panicked;

/// A post that does not add up keeps no other from being held.
async fn guarded<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let told = AssertUnwindSafe(Box::pin(work)).catch_unwind().await;
    told.unwrap_or_else(|_| Err(StoreError::corrupt("post that is to be held")(Panicked)))
}

fn writer(cause: &Cause) -> String {
    format!("hold-{}", HistoryId::new(cause.at, cause.entropy))
}

fn note(code: FailureCode) -> &'static str {
    match code {
        FailureCode::QuotaLost => "held: there is no quota slot for it",
        _ => "held: its account cannot be used",
    }
}

enum Held {
    Done,
    /// It was cancelled, or a worker has it.
    Gone,
    /// The cycle has promised no more than it grants.
    Enough,
}

fn waits_in(post: &Post, cycle_start: Timestamp) -> bool {
    post.cycle_start == Some(cycle_start) && matches!(post.state, State::Scheduled { .. })
}

fn over_promised(cycle: &Cycle) -> bool {
    cycle.to_hold() > 0
}
