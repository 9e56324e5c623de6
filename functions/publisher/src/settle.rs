//! Writing down what became of a post, and what follows from it.

use std::time::Duration;

use cloud::timer::is_near;
use domain::failure::FailureCode;
use domain::id::HistoryId;
use domain::ledger::{Actor, Cause};
use domain::post::{Answer, AttemptOutcome, Conclusion, Event, Post, SETTLE_RESERVE, State, Status, Transition};
use edge::metrics::Unit;
use edge::problem::chain;
use jiff::{SignedDuration, Timestamp};
use store::{Rounds, Settled, StoreError};

use crate::deps::Deps;
use crate::progress::{Progress, StepError};
use crate::results::Unstored;
use crate::turns::Batch;
use crate::unbind;

/// What the last word of a result needs of the invocation: one write.
const WORD_TAKES: Duration = Duration::from_secs(2);
/// A delayed message reaches this far; beyond it, the sweeper wakes the post.
const DELAY_MAX: SignedDuration = SignedDuration::from_secs(900);

/// Stores a transition with its ledger and history. The writer is the attempt that ended, where that is ours: one that was abandoned is
/// another worker's, who would take the write for its own should it still live.
pub(crate) async fn store(deps: &Deps, transition: &Transition, note: &str) -> Result<Settled, StepError> {
    let settled = deps.store.settle(&unstored(deps, transition, note).settlement()).await?;
    heed(deps, transition, &settled);
    Ok(settled)
}

fn unstored(deps: &Deps, transition: &Transition, note: &str) -> Unstored {
    let now = deps.clock.now();
    let post = &transition.post;
    let writer = match &transition.attempt {
        Some(record) if record.outcome != AttemptOutcome::Abandoned => record.id.to_string(),
        _ => HistoryId::new(now, deps.random.bytes()).to_string(),
    };
    let event = Event::of(transition.from, post, Actor::Publisher, note, now);
    let cause = Cause { entropy: deps.random.bytes(), at: now, actor: Actor::Publisher, post_id: Some(post.id.clone()) };
    Unstored { transition: transition.clone(), writer, event, cause }
}

/// Counts and logs what a transition came to.
fn heed(deps: &Deps, transition: &Transition, settled: &Settled) {
    let post = &transition.post;
    match settled {
        Settled::Done => tell(deps, transition),
        Settled::PostMoved(_) => {
            // A takeover came first. The evidence decides from here on; this line is part of it.
            deps.metrics.count(deps.clock.now(), "late_result", &[("platform", post.platform.as_str())]);
            tracing::warn!(post_id = %post.id, meant = post.status().as_str(), "a result came too late");
        }
        Settled::AlreadyBound(_) => tracing::warn!(post_id = %post.id, "what it became is another post of ours"),
    }
}

/// How the try that ended is told among the events.
pub(crate) fn note(transition: &Transition) -> &'static str {
    transition.attempt.as_ref().map_or("", |record| record.outcome.note())
}

/// Writes down what came of the try. What the platform said is known only here: a table that does not answer is asked again until
/// the function's time is nearly up. Our own write is recognised, so asking again does no harm.
pub(crate) async fn conclude(
    deps: &Deps,
    batch: &Batch,
    post: Post,
    conclusion: Conclusion,
    answer: Answer,
) -> Result<Progress, StepError> {
    let transition = post.clone().conclude(conclusion, answer.clone(), deps.clock.now())?;
    match until_stored(deps, batch, &post, &transition, note(&transition)).await? {
        // Of another send the platform has said so too: only a person can tell which is which.
        Settled::AlreadyBound(_) => {
            let transition = post.conclude(Conclusion::AnswerLost, answer, deps.clock.now())?;
            store(deps, &transition, note(&transition)).await?;
        }
        Settled::PostMoved(_) => tell_late(deps, &post, &transition).await?,
        Settled::Done => wake_later(deps, &transition.post).await,
    }
    Ok(Progress::Rest)
}

/// Another worker has taken the post: it is its own from here on. What we know goes to the row of our try, where its search finds it.
pub(crate) async fn tell_late(deps: &Deps, post: &Post, transition: &Transition) -> Result<(), StepError> {
    let Some(record) = transition.late(post) else { return Ok(()) };
    let platform_post_id = transition.post.platform_post_id();
    let told = match deps.store.tell_late(post, &record).await {
        Err(_) => deps.store.tell_late(post, &record).await,
        told => told,
    };
    let told = told.inspect_err(|_| {
        tracing::error!(post_id = %post.id, attempt_id = %record.id, platform_post_id, "a late result was not told");
    })?;
    tracing::warn!(post_id = %post.id, attempt_id = %record.id, outcome = ?record.outcome, platform_post_id, told, "a late result");
    Ok(())
}

/// Leaves what was learned in the row of the try, which is one write where the whole change is many. A search finds it there, should this
/// worker be cut off before the post itself says so. Whether nothing more is to be left.
async fn leave_word(deps: &Deps, before: &Post, transition: &Transition) -> bool {
    let Some(record) = transition.late(before) else { return true };
    let left = deps.store.leave_word(before, &record).await;
    if let Err(error) = &left {
        tracing::warn!(post_id = %before.id, attempt_id = %record.id, error = chain(error), "no word of a result was left");
    }
    left.is_ok()
}

/// Stores what a try or a search came to, as often as it takes while there is time: only what may go better next time is tried again. What
/// the platform itself has said takes a binding back from a post of which a search only guessed it.
pub(crate) async fn until_stored(
    deps: &Deps,
    batch: &Batch,
    before: &Post,
    transition: &Transition,
    note: &str,
) -> Result<Settled, StepError> {
    let mut rounds = Rounds::new("settling a post", transition.post.id.as_str()).patient();
    let mut has_left_word = false;
    loop {
        rounds.next().await?;
        let stored = match in_time(deps, batch, transition, note).await {
            Ok(Settled::AlreadyBound(owner)) => match unbind::take_back(deps, &owner, &transition.post).await {
                Ok(Some(loser)) => {
                    wake_later(deps, &loser).await;
                    continue;
                }
                Ok(None) => return Ok(Settled::AlreadyBound(owner)),
                Err(error) => Err(error),
            },
            stored => stored,
        };
        match stored {
            Err(error) if may_pass(&error) && batch.deadline.remaining() > SETTLE_RESERVE.unsigned_abs() => {
                tracing::warn!(post_id = %transition.post.id, error = chain(&error), "a result is not stored yet");
                has_left_word = has_left_word || leave_word(deps, before, transition).await;
            }
            Err(error) => {
                // One hung call may have used up the time: the row of the try may still take it.
                if may_pass(&error) && !has_left_word {
                    leave_word(deps, before, transition).await;
                }
                // The last trace of what the platform said; the search goes by the platform's own evidence.
                let attempt_id = transition.attempt.as_ref().map(|record| record.id.as_str());
                let platform_post_id = transition.post.platform_post_id();
                tracing::error!(post_id = %transition.post.id, attempt_id, became = transition.post.status().as_str(), platform_post_id, "a result was not stored");
                return Err(error);
            }
            stored => return stored,
        }
    }
}

/// Stores a transition with others of the owner that this batch settles. It ends in time for a last word in the row of the try.
async fn in_time(deps: &Deps, batch: &Batch, transition: &Transition, note: &str) -> Result<Settled, StepError> {
    let in_time = batch.deadline.remaining().saturating_sub(WORD_TAKES);
    let Some(results) = batch.results(&transition.post) else { return Box::pin(store(deps, transition, note)).await };
    let stored = Box::pin(results.store(&deps.store, unstored(deps, transition, note)));
    let settled = tokio::time::timeout(in_time, stored).await.unwrap_or(Err(StoreError::Contended { doing: "settling a post" }))?;
    heed(deps, transition, &settled);
    Ok(settled)
}

fn may_pass(error: &StepError) -> bool {
    matches!(error, StepError::Store(StoreError::Unavailable { .. } | StoreError::Contended { .. }))
}

/// A post that goes on soon is woken by a delayed message. If that is lost, the sweeper wakes it a little later.
///
/// Sent by the one that stored the step to wait for, and for the first try by the schedule's early wake-up. If every wake-up led to a next one,
/// a post that waits for long would gather more and more of them.
pub(crate) async fn wake_later(deps: &Deps, post: &Post) {
    let Some(next) = post.next_attempt_at() else { return };
    let now = deps.clock.now();
    // What is prepared goes on at its own time, and its schedule wakes it, unless that came while it was being prepared.
    let is_woken_anyway = matches!(post.state, State::Scheduled { next_attempt_at: None, .. }) && !is_near(post.due_at, now);
    let delay = next.duration_since(now);
    if is_woken_anyway || delay > DELAY_MAX {
        return;
    }
    if let Err(error) = deps.wake_ups.send(&post.wake_up(), delay.max(SignedDuration::ZERO)).await {
        tracing::warn!(post_id = %post.id, error = chain(&error), "a later wake-up was not sent; the sweeper sends it");
    }
}

/// Wakes a post at its second, whose schedule has come early. The sweeper would come later than that, so a queue that refuses is asked again
/// until then.
pub(crate) async fn wake_in_time(deps: &Deps, batch: &Batch, post: &Post) {
    let mut rounds = Rounds::new("waking a post at its time", post.id.as_str()).patient();
    while rounds.next().await.is_ok() {
        let delay = post.due_at.duration_since(deps.clock.now());
        let Err(error) = deps.wake_ups.send(&post.wake_up(), delay.max(SignedDuration::ZERO)).await else { return };
        tracing::warn!(post_id = %post.id, error = chain(&error), "the wake-up of a post at its time was not sent");
        if deps.clock.now() >= post.due_at || batch.deadline.remaining() <= SETTLE_RESERVE.unsigned_abs() {
            return;
        }
    }
}

/// Whether all the time that a post took is ours: no limit, no hold, and nothing that went wrong has kept it, but that we had no time.
fn is_ours(post: &Post) -> bool {
    post.errors.iter().all(|note| note.code == FailureCode::OutOfTime)
}

/// What went by since the post could go out: a draft may be approved when it is due already.
fn own_lateness(post: &Post, at: Timestamp) -> SignedDuration {
    at.duration_since(post.approved_at.map_or(post.due_at, |approved_at| approved_at.max(post.due_at)))
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
    let mut values = vec![("outcome", 1.0, Unit::Count)];
    if let State::Published { at, .. } = post.state {
        let late_secs = at.duration_since(post.due_at).as_secs_f64();
        values.push(("publish_lateness_seconds", late_secs, Unit::Seconds));
        if is_ours(post) {
            values.push(("own_lateness_seconds", own_lateness(post, at).as_secs_f64(), Unit::Seconds));
        }
    }
    deps.metrics.emit(now, &[("platform", post.platform.as_str()), ("became", status.as_str())], &values, &[("post_id", post.id.as_str())]);
}
