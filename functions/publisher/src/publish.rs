//! What is done with a post that is due: claim it, take it over, put it off, or give it up.

use connecting::tokens;
use domain::connection::TokenState;
use domain::content::Content;
use domain::failure::FailureCode;
use domain::id::AttemptId;
use domain::ledger::Actor;
use domain::post::{Event, Post, Status};
use domain::wait::Wait;
use store::{Commit, PostChange, Settled};

use crate::attempt::{dispatch, in_two_steps, prepare, tokens_missing};
use crate::deps::Deps;
use crate::intent::{can_send, intended, stored, taken, vanished};
use crate::limit::Limit;
use crate::progress::{Progress, StepError};
use crate::settle;
use crate::turns::Batch;

/// Takes a due post. If its tokens are live, claim and intent are one write; else it is claimed first, and what it lacks is
/// fetched under the claim.
pub(crate) async fn claim(deps: &Deps, batch: &Batch, post: Post, content: Content) -> Result<Progress, StepError> {
    approved(&post, &content)?;
    if !can_send(batch.deadline) {
        tracing::warn!(post_id = %post.id, "no time is left to send; another invocation does");
        settle::wake_later(deps, &post).await;
        return Ok(Progress::Rest);
    }
    let (connection, pause) = deps.store.connection_and_pause(&post.user_id, &post.connection_id, post.platform).await?;
    if let Some(limit) = Limit::standing(connection.as_ref(), pause, &post, deps.clock.now()) {
        return put_off(deps, post, (limit.code(), limit.wait), "put off: a limit of the platform stands").await;
    }
    let live = match &connection {
        Some(connection) if connection.token_state(deps.clock.now()) == TokenState::Live => {
            match tokens::live(&deps.access(batch.deadline), connection).await {
                Ok(tokens) => tokens,
                Err(error) => {
                    let wait = tokens_missing(deps, &post, &error);
                    return put_off(deps, post, (FailureCode::TokenUnavailable, wait), "put off: its tokens cannot be read").await;
                }
            }
        }
        _ => None,
    };
    let now = deps.clock.now();
    let from = post.status();
    // Where the platform publishes in two steps, the first one comes before the intent.
    let live = live.filter(|_| post.is_prepared(now) || connection.as_ref().is_some_and(|connection| !in_two_steps(deps, connection)));
    // Its last moment may have passed while the tokens were read.
    let attempt = AttemptId::new(now, deps.random.bytes());
    let account = connection.as_ref().filter(|_| live.is_some()).map(|connection| connection.platform_user_id.as_str());
    let Ok(post) = post.claim(attempt, account, now) else { return Ok(Progress::Again) };
    match (connection, live) {
        (Some(connection), Some(tokens)) => {
            if !intended(deps, (from, &post), "taken, and about to be sent", &connection, &content).await? {
                return Ok(Progress::Again);
            }
            Box::pin(dispatch(deps, batch, post, &content, connection, tokens, false)).await
        }
        (connection, _) => {
            if !stored(deps, (from, &post), "taken", None).await? {
                return Ok(Progress::Again);
            }
            Box::pin(prepare(deps, batch, post, &content, connection, None)).await
        }
    }
}

/// Takes a post ahead of its time, to have its platform prepare it. Nothing of it shows.
pub(crate) async fn prepare_ahead(deps: &Deps, batch: &Batch, post: Post, content: Content) -> Result<Progress, StepError> {
    approved(&post, &content)?;
    if !can_send(batch.deadline) {
        // The sweeper wakes it again: it is not due yet.
        return Ok(Progress::Rest);
    }
    let (connection, pause) = deps.store.connection_and_pause(&post.user_id, &post.connection_id, post.platform).await?;
    if let Some(limit) = Limit::standing(connection.as_ref(), pause, &post, deps.clock.now()) {
        return put_off(deps, post, (limit.code(), limit.wait), "put off: a limit of the platform stands").await;
    }
    let (now, from) = (deps.clock.now(), post.status());
    let Ok(post) = post.claim(AttemptId::new(now, deps.random.bytes()), None, now) else { return Ok(Progress::Again) };
    if !stored(deps, (from, &post), "taken ahead of its time", None).await? {
        return Ok(Progress::Again);
    }
    Box::pin(prepare(deps, batch, post, &content, connection, None)).await
}

/// Goes on for a worker that vanished before its intent.
pub(crate) async fn take_over(deps: &Deps, batch: &Batch, post: Post, content: Content) -> Result<Progress, StepError> {
    approved(&post, &content)?;
    let now = deps.clock.now();
    let transition = post.take_over(AttemptId::new(now, deps.random.bytes()), now)?;
    if !taken(deps, &transition, "taken over from a worker that vanished").await? {
        return Ok(Progress::Again);
    }
    let connection = deps.store.connection(&transition.post.user_id, &transition.post.connection_id).await?;
    Box::pin(prepare(deps, batch, transition.post, &content, connection, None)).await
}

/// Puts a post off that cannot go out before a time that is known; nobody takes it, and the platform is not asked.
async fn put_off(deps: &Deps, post: Post, (code, wait): (FailureCode, Wait), note: &str) -> Result<Progress, StepError> {
    let now = deps.clock.now();
    let transition = post.defer(code, wait, now)?;
    if matches!(settle::store(deps, &transition, note).await?, Settled::Done) {
        settle::wake_later(deps, &transition.post).await;
    }
    Ok(Progress::Rest)
}

/// Its worker vanished after the intent: from here on only evidence counts.
pub(crate) async fn suspect(deps: &Deps, post: Post) -> Result<Progress, StepError> {
    let now = deps.clock.now();
    let transition = post.suspect(now)?;
    let writer = format!("suspect-{}", deps.random.bytes::<8>().map(|byte| format!("{byte:02x}")).concat());
    let event = Event::of(transition.from, &transition.post, Actor::Publisher, "its worker vanished while it was sending", now);
    let change = PostChange { attempt: vanished(deps, &transition).await?, ..PostChange::of(&transition.post, &writer, &event) };
    if matches!(deps.store.commit(&change).await?, Commit::Done) {
        deps.metrics.count(now, "answer_lost", &[("platform", transition.post.platform.as_str())]);
        tracing::warn!(post_id = %transition.post.id, became = Status::Unknown.as_str(), "a worker vanished while it was sending");
    }
    Ok(Progress::Again)
}

/// It is too late to send it.
pub(crate) async fn miss(deps: &Deps, post: Post) -> Result<Progress, StepError> {
    let now = deps.clock.now();
    let transition = post.miss(now)?;
    settle::store(deps, &transition, "too late to send").await?;
    Ok(Progress::Again)
}

/// The publisher sends what was approved or nothing.
fn approved(post: &Post, content: &Content) -> Result<(), StepError> {
    if content.hash() == post.content_hash { Ok(()) } else { Err(StepError::ContentChanged) }
}
