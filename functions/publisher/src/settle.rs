//! Writing down what became of a post, and what follows from it.

use domain::id::HistoryId;
use domain::ledger::{Actor, Cause};
use domain::post::{AttemptOutcome, Event, Post, Status, Transition};
use edge::metrics::Unit;
use edge::problem::chain;
use jiff::SignedDuration;
use store::{Commit, Settlement};

use crate::{Deps, StepError};

/// A delayed message reaches this far; beyond it, the sweeper wakes the post.
const DELAY_MAX: SignedDuration = SignedDuration::from_secs(900);

/// Stores a transition with its ledger and history. The writer is the attempt that ended, where that is ours: one that was abandoned is
/// another worker's, who would take the write for its own should it still live.
pub(crate) async fn store(deps: &Deps, transition: &Transition, note: &str) -> Result<Commit, StepError> {
    let now = deps.clock.now();
    let post = &transition.post;
    let writer = match &transition.attempt {
        Some(record) if record.outcome != AttemptOutcome::Abandoned => record.id.to_string(),
        _ => HistoryId::new(now, deps.random.bytes()).to_string(),
    };
    let event = Event::of(transition.from, post, Actor::Publisher, note, now);
    let cause = Cause { entropy: deps.random.bytes(), at: now, actor: Actor::Publisher, post_id: Some(post.id.clone()) };
    let settlement = Settlement { transition, writer: &writer, event: &event, cause };
    let commit = deps.store.settle(&settlement).await?;
    match &commit {
        Commit::Done => tell(deps, transition),
        Commit::PostMoved(_) => {
            // A takeover came first. The evidence decides from here on; this line is part of it.
            deps.metrics.count(now, "late_result", &[("platform", post.platform.as_str())]);
            tracing::warn!(post_id = %post.id, meant = post.status().as_str(), "a result came too late");
        }
        Commit::AlreadyBound | Commit::LedgerMoved => tracing::warn!(post_id = %post.id, commit = ?commit, "a result was not stored"),
    }
    Ok(commit)
}

/// How the try that ended is told among the events.
pub(crate) fn note(transition: &Transition) -> &'static str {
    transition.attempt.as_ref().map_or("", |record| record.outcome.note())
}

/// A post that goes on soon is woken by a delayed message. If that is lost, the sweeper wakes it a little later.
///
/// Sent by the one that stored the step to wait for, and by nobody else: if each wake-up led to a next one, a post that waits for long
/// would gather more and more of them.
pub(crate) async fn wake_later(deps: &Deps, post: &Post) {
    let Some(next) = post.next_attempt_at() else { return };
    let delay = next.duration_since(deps.clock.now());
    if delay > DELAY_MAX {
        return;
    }
    if let Err(error) = deps.wake_ups.send(&post.wake_up(), delay.max(SignedDuration::ZERO)).await {
        tracing::warn!(post_id = %post.id, error = chain(&error), "a later wake-up was not sent; the sweeper sends it");
    }
}

/// One line and one metric for each decision.
fn tell(deps: &Deps, transition: &Transition) {
    let now = deps.clock.now();
    let post = &transition.post;
    let status = post.status();
    tracing::info!(
        post_id = %post.id,
        user_id = %post.user_id,
        connection_id = %post.connection_id,
        platform = post.platform.as_str(),
        became = status.as_str(),
        attempt_id = transition.attempt.as_ref().map(|record| record.id.as_str()),
        outcome = ?transition.attempt.as_ref().map(|record| record.outcome),
        http_status = transition.attempt.as_ref().and_then(|record| record.http_status),
        error = post.errors.last().filter(|_| status != Status::Published).map(|note| note.code.as_str()),
        "settled"
    );
    let late_secs = now.duration_since(post.due_at).as_secs_f64();
    let mut values = vec![("outcome", 1.0, Unit::Count)];
    if status == Status::Published {
        values.push(("publish_lateness_seconds", late_secs, Unit::Seconds));
    }
    deps.metrics.emit(now, &[("platform", post.platform.as_str()), ("became", status.as_str())], &values, &[("post_id", post.id.as_str())]);
}
