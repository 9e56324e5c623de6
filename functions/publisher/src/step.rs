//! From a wake-up to the step that the post's state calls for.

use domain::ledger::Actor;
use domain::post::{Event, Post, State, Status, Step};
use domain::wake_up::WakeUp;
use edge::deadline::Deadline;
use edge::problem::chain;
use edge::sqs::RecordOutcome;
use store::{Commit, PostChange};

use crate::{Deps, StepError, poll, publish, reconcile, settle};

/// One wake-up may lead through a few steps (take over, suspect, wait); more than this is a bug, not progress.
const STEPS_MAX: usize = 6;

/// Where a step left the post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It changed, or somebody changed it: look again.
    Again,
    /// Nothing is left to do for this wake-up.
    Rest,
}

/// Does what a wake-up calls for, within an invocation that is over at `deadline`. It may come twice, late, early or out of order: the
/// post decides.
pub async fn handle(deps: &Deps, wake_up: &WakeUp, deadline: Deadline) -> RecordOutcome {
    for _ in 0..STEPS_MAX {
        // On the heap: ten records at once each carry the state of a whole publish.
        match Box::pin(step(deps, wake_up, deadline)).await {
            Ok(Progress::Again) => {}
            Ok(Progress::Rest) => return RecordOutcome::Done,
            Err(error) => {
                tracing::error!(post_id = %wake_up.post_id, user_id = %wake_up.user_id, error = chain(&error), "a step failed");
                return RecordOutcome::Retry;
            }
        }
    }
    tracing::error!(post_id = %wake_up.post_id, user_id = %wake_up.user_id, "a wake-up did not come to rest");
    RecordOutcome::Retry
}

async fn step(deps: &Deps, wake_up: &WakeUp, deadline: Deadline) -> Result<Progress, StepError> {
    let Some((post, content)) = deps.store.post(&wake_up.user_id, &wake_up.post_id).await? else {
        tracing::info!(post_id = %wake_up.post_id, "a wake-up for a post that is gone");
        return Ok(Progress::Rest);
    };
    let now = deps.clock.now();
    let step = post.next_step(wake_up.version, now);
    tracing::info!(post_id = %post.id, status = post.status().as_str(), version = post.version, step = ?step, "woken");
    match step {
        Step::Nothing => {
            if wake_up.version != post.version {
                deps.metrics.count(now, "stale_wake_up", &[]);
            }
            Ok(Progress::Rest)
        }
        // Whoever has put it off has arranged its next wake-up; the first one is the schedule's, whose clock may be ahead of ours.
        Step::WaitUntil(_) => {
            if matches!(post.state, State::Scheduled { next_attempt_at: None, .. }) {
                settle::wake_later(deps, &post).await;
            }
            Ok(Progress::Rest)
        }
        Step::Miss => miss(deps, post).await,
        // On the heap: the largest of the steps, and most wake-ups take another one.
        Step::Claim => Box::pin(publish::claim(deps, deadline, post, content)).await,
        Step::TakeOver => publish::take_over(deps, deadline, post, content).await,
        Step::Suspect => suspect(deps, post).await,
        Step::Search => Box::pin(reconcile::search(deps, deadline, post, content)).await,
        Step::Poll => poll::poll(deps, post).await,
    }
}

async fn miss(deps: &Deps, post: Post) -> Result<Progress, StepError> {
    let now = deps.clock.now();
    let transition = post.miss(now)?;
    settle::store(deps, &transition, "too late to send").await?;
    Ok(Progress::Again)
}

async fn suspect(deps: &Deps, post: Post) -> Result<Progress, StepError> {
    let now = deps.clock.now();
    let transition = post.suspect(now)?;
    let writer = format!("suspect-{}", deps.random.bytes::<8>().map(|byte| format!("{byte:02x}")).concat());
    let event = Event::of(transition.from, &transition.post, Actor::Publisher, "its worker vanished while it was sending", now);
    let change = PostChange { attempt: transition.attempt.as_ref(), ..PostChange::of(&transition.post, &writer, &event) };
    if matches!(deps.store.commit(&change).await?, Commit::Done) {
        deps.metrics.count(now, "answer_lost", &[("platform", transition.post.platform.as_str())]);
        tracing::warn!(post_id = %transition.post.id, became = Status::Unknown.as_str(), "a worker vanished while it was sending");
    }
    Ok(Progress::Again)
}
