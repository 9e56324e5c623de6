//! Decides: from a wake-up to the step that the post's state calls for.

use domain::post::{State, Step};
use domain::wake_up::WakeUp;
use edge::problem::chain;
use edge::sqs::RecordOutcome;

use crate::deps::Deps;
use crate::progress::{Progress, StepError};
use crate::turns::{Batch, Turn};
use crate::{ahead, poll, publish, reconcile, settle};
use futures::FutureExt;
use futures::future::BoxFuture;

/// One wake-up may lead through a few steps (take over, suspect, wait); more than this is a bug, not progress.
const STEPS_MAX: usize = 6;

/// Does what a wake-up of a batch calls for. It may come twice, late, early or out of order: the post decides.
pub fn handle<'a>(deps: &'a Deps, batch: &'a Batch, wake_up: &'a WakeUp) -> BoxFuture<'a, RecordOutcome> {
    // On the heap: ten records at once each carry the state of a whole publish.
    steps(deps, batch, wake_up).boxed()
}

async fn steps(deps: &Deps, batch: &Batch, wake_up: &WakeUp) -> RecordOutcome {
    let turn = batch.turn(wake_up);
    for _ in 0..STEPS_MAX {
        match Box::pin(step(deps, batch, &turn, wake_up)).await {
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

async fn step(deps: &Deps, batch: &Batch, turn: &Turn<'_>, wake_up: &WakeUp) -> Result<Progress, StepError> {
    let Some((post, content)) = deps.store.post(&wake_up.user_id, &wake_up.post_id).await? else {
        tracing::info!(post_id = %wake_up.post_id, "a wake-up for a post that is gone");
        return Ok(Progress::Rest);
    };
    let now = deps.clock.now();
    let step = post.next_step(wake_up.version, now);
    tracing::info!(post_id = %post.id, status = post.status().as_str(), version = post.version, step = ?step, "woken");
    if !matches!(step, Step::Claim | Step::TakeOver) {
        turn.passes();
    }
    match step {
        Step::Nothing => {
            if wake_up.version != post.version {
                deps.metrics.count(now, "stale_wake_up", &[]);
            }
            Ok(Progress::Rest)
        }
        // Whoever has put it off has arranged its next wake-up, unless only its preparation goes on before its time. The first one is the schedule's, which comes early: the queue has the exact second.
        Step::WaitUntil(_) => {
            if matches!(post.state, State::Scheduled { next_attempt_at, .. } if next_attempt_at.is_none_or(|at| at < post.due_at)) {
                settle::wake_in_time(deps, batch, &post).await;
                ahead::renew(deps, batch, &post).await;
            }
            Ok(Progress::Rest)
        }
        Step::Miss => publish::miss(deps, post).await,
        Step::Prepare => Box::pin(publish::prepare_ahead(deps, batch, post, content)).await,
        Step::Claim => {
            turn.comes(&post).await;
            // On the heap: the largest of the steps, and most wake-ups take another one.
            Box::pin(publish::claim(deps, batch, post, content)).await
        }
        Step::TakeOver => {
            turn.comes(&post).await;
            publish::take_over(deps, batch, post, content).await
        }
        Step::Suspect => publish::suspect(deps, post).await,
        Step::Search => Box::pin(reconcile::search(deps, batch, post, content)).await,
        Step::Poll => Box::pin(poll::poll(deps, batch, post)).await,
    }
}
