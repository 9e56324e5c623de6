//! Posts whose cycle has lost their place.

use domain::id::UserId;
use domain::ledger::{Cause, Cycle};
use domain::plan::CYCLE;
use domain::post::{Event, Post, State};
use jiff::{SignedDuration, Timestamp};

use crate::posts::{Commit, Filter, PostChange};
use crate::{Rounds, Store, StoreError};

/// A post that was approved late, or was put off, may be due up to a day before the cycle that pays for it.
const DUE_BEFORE: SignedDuration = SignedDuration::from_hours(24);

impl Store {
    /// Holds as many scheduled posts of a cycle as it has promised beyond what it grants, the last due first, each with its place in one
    /// transaction; and returns how many. A post that is under way is left alone. Stopped anywhere and run again it goes on.
    pub async fn hold_beyond_quota(&self, user: &UserId, start: Timestamp, mut cause: impl FnMut() -> Cause) -> Result<usize, StoreError> {
        let Some(cycle) = self.cycle(user, start).await?.filter(over_promised) else { return Ok(0) };
        let filter = Filter { from: Some(start - DUE_BEFORE), to: Some(cycle.span.start + CYCLE), ..Filter::default() };
        let mut posts = self.posts_where(user, &filter, |post| waits_in(post, start)).await?;
        posts.sort_by(|one, other| (other.due_at, &other.id).cmp(&(one.due_at, &one.id)));
        let mut held = 0;
        for post in posts {
            match self.hold(post, start, &mut cause).await? {
                Held::Done => held += 1,
                Held::Gone => {}
                Held::Enough => break,
            }
        }
        Ok(held)
    }

    async fn hold(&self, mut post: Post, start: Timestamp, cause: &mut impl FnMut() -> Cause) -> Result<Held, StoreError> {
        let id = post.id.clone();
        let mut rounds = Rounds::new("holding a post", id.as_str());
        loop {
            rounds.next().await?;
            let Some(cycle) = self.cycle(&post.user_id, start).await?.filter(over_promised) else { return Ok(Held::Enough) };
            let cause = Cause { post_id: Some(post.id.clone()), ..cause() };
            let (now, actor) = (cause.at, cause.actor);
            let writer = format!("hold-{}", domain::id::HistoryId::new(now, cause.entropy));
            let Ok(transition) = post.clone().hold(now) else { return Ok(Held::Gone) };
            let released = cycle.release(cause)?;
            let note = "held: its cycle no longer has a place for it".to_owned();
            let event = Event { at: now, from: Some(transition.from), to: transition.post.status(), actor, note };
            let ledger = [released];
            let change = PostChange { ledger: &ledger, ..PostChange::of(&transition.post, &writer, &event) };
            match self.commit(&change).await? {
                Commit::Done => return Ok(Held::Done),
                // Its owner changed something else of it.
                Commit::PostMoved(Some(moved)) if waits_in(&moved, start) => post = *moved,
                Commit::PostMoved(_) | Commit::AlreadyBound(_) | Commit::ConnectionUnusable => return Ok(Held::Gone),
                Commit::CycleMoved | Commit::Conflict => {}
            }
        }
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
