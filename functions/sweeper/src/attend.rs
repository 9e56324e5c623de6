//! What one post that stands still needs.

use cloud::timer::is_near;
use domain::id::HistoryId;
use domain::ledger::{Actor, Cause};
use domain::post::{Event, Post, State, Step};
use domain::wake_up::WakeUp;
use edge::guarded::guarded;
use edge::problem::chain;
use store::{PostChange, Settled, Settlement, StoreError};

use crate::Deps;

/// What was done, or is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Attention {
    /// The publisher should look at it: it stands still.
    Wake,
    /// Its platform may prepare it from now on.
    Prepare,
    /// It has no schedule.
    Arm(Box<Post>),
    /// It is closed as missed.
    Missed,
    /// Nothing: the index was behind, or somebody was faster.
    None,
    /// It could not be looked after, and why; the next round tries again.
    Failed(String),
}

/// Reads the post, because the index is only a hint, and does what it needs.
pub(crate) async fn attend(deps: &Deps, hint: &WakeUp) -> Attention {
    match guarded(try_attend(deps, hint)).await {
        Ok(Ok(attention)) => attention,
        Ok(Err(error)) => Attention::Failed(chain(&error)),
        Err(panicked) => Attention::Failed(chain(&panicked)),
    }
}

async fn try_attend(deps: &Deps, hint: &WakeUp) -> Result<Attention, StoreError> {
    let Some((post, _)) = deps.store.post(&hint.user_id, &hint.post_id).await? else { return Ok(Attention::None) };
    let now = deps.clock.now();
    let step = post.next_step(hint.version, now);
    Ok(match (step, &post.state) {
        (Step::Miss, State::Scheduled { .. } | State::Held { .. }) => miss(deps, post).await?,
        (Step::WaitUntil(at), State::Scheduled { armed: false, .. }) if !is_near(at, now) => Attention::Arm(Box::new(post)),
        (Step::WaitUntil(at), _) if !is_near(at, now) => Attention::None,
        (Step::Nothing, _) => Attention::None,
        (Step::Prepare, _) => Attention::Prepare,
        _ => Attention::Wake,
    })
}

async fn miss(deps: &Deps, post: Post) -> Result<Attention, StoreError> {
    let now = deps.clock.now();
    let id = post.id.clone();
    let Ok(transition) = post.miss(now) else { return Ok(Attention::None) };
    let event = Event::of(transition.from, &transition.post, Actor::Sweeper, "its last moment passed", now);
    let writer = HistoryId::new(now, deps.random.bytes()).to_string();
    let cause = Cause { entropy: deps.random.bytes(), at: now, actor: Actor::Sweeper, post_id: Some(id.clone()) };
    let settlement = Settlement { transition: &transition, writer: &writer, event: &event, cause };
    match deps.store.settle(&settlement).await? {
        Settled::Done => {
            tracing::warn!(post_id = %id, became = "missed", "a post was missed");
            Ok(Attention::Missed)
        }
        _ => Ok(Attention::None),
    }
}

/// A process that stopped between the approval and the schedule left this behind. Whether it is armed now.
pub(crate) async fn arm(deps: &Deps, post: Post) -> bool {
    let (id, user_id) = (post.id.clone(), post.user_id.clone());
    guarded(try_arm(deps, post)).await.unwrap_or_else(|_| {
        tracing::error!(post_id = %id, %user_id, "arming a post panicked");
        false
    })
}

async fn try_arm(deps: &Deps, post: Post) -> bool {
    if let Err(error) = deps.timer.set(&post.wake_up(), post.due_at, deps.clock.now()).await {
        tracing::warn!(post_id = %post.id, error = chain(&error), "a post could not be armed");
        return false;
    }
    let from = post.status();
    let Some(armed) = post.armed() else { return true };
    let event = Event::of(from, &armed, Actor::Sweeper, "its wake-up is arranged", deps.clock.now());
    if let Err(error) = deps.store.commit(&PostChange::of(&armed, armed.id.as_str(), &event)).await {
        tracing::warn!(post_id = %armed.id, error = chain(&error), "a post was armed and not marked");
        return false;
    }
    true
}
