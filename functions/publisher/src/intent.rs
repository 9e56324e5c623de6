//! What is stored before anything is sent: claims and intents.

use std::time::Duration;

use domain::connection::Connection;
use domain::content::{Content, ContentHash};
use domain::ledger::Actor;
use domain::planted::Bug;
use domain::platform::PlatformName;
use domain::post::{AttemptRecord, Event, Post, SEND_DEADLINE, SETTLE_RESERVE, Status, Transition};
use edge::deadline::Deadline;
use store::{Commit, PostChange, StoreError};

use crate::deps::Deps;
use crate::progress::StepError;

/// How much of the invocation a send needs: itself, and writing down what came of it.
const SEND_TAKES: Duration = (SEND_DEADLINE.unsigned_abs()).saturating_add(SETTLE_RESERVE.unsigned_abs());

/// What a content looks like on the platform: two that look the same there cannot be told apart by reading.
pub(crate) fn looks(deps: &Deps, platform: PlatformName, content: &Content) -> ContentHash {
    Content { text: deps.platforms.get(platform).comparable(&content.text), ai_recommendation: None }.hash()
}

/// What is left of the invocation for whatever comes before a send.
pub(crate) fn before_send(deadline: Deadline) -> Duration {
    deadline.remaining().saturating_sub(SEND_TAKES)
}

/// Whether a send that begins now ends, and is written down, before the invocation does.
pub(crate) fn can_send(deadline: Deadline) -> bool {
    deadline.remaining() >= SEND_TAKES
}

/// Stores a step on the way to a send, while the connection that it is going to send with can be used. A lost answer is asked for once more:
/// a worker that gives up here leaves a post in doubt that it knows was not sent.
pub(crate) async fn stored(deps: &Deps, step: (Status, &Post), note: &str, sends_with: Option<&Connection>) -> Result<bool, StepError> {
    store(deps, step, note, sends_with, None).await
}

/// Stores an intent to send `content`, while the connection that it is going to send with can be used, and among the intents of its account.
pub(crate) async fn intended(
    deps: &Deps,
    step: (Status, &Post),
    note: &str,
    connection: &Connection,
    content: &Content,
) -> Result<bool, StepError> {
    let looks = looks(deps, step.1.platform, content);
    store(deps, step, note, Some(connection), Some(&looks)).await
}

async fn store(
    deps: &Deps,
    (from, post): (Status, &Post),
    note: &str,
    usable: Option<&Connection>,
    intent: Option<&ContentHash>,
) -> Result<bool, StepError> {
    let writer = writer(post);
    let event = Event::of(from, post, Actor::Publisher, note, deps.clock.now());
    let change = PostChange { usable, intent, ..PostChange::of(post, &writer, &event) };
    Ok(Bug::NoIntent.is_planted() || matches!(commit(deps, &change).await?, Commit::Done))
}

/// Stores a change, once more after a lost answer: giving up would leave the post claimed until its lease ends.
async fn commit(deps: &Deps, change: &PostChange<'_>) -> Result<Commit, StoreError> {
    match deps.store.commit(change).await {
        Err(_) => deps.store.commit(change).await,
        commit => commit,
    }
}

/// Stores that a worker took the post, with the row of the one that vanished over it.
pub(crate) async fn taken(deps: &Deps, transition: &Transition, note: &str) -> Result<bool, StoreError> {
    let Transition { from, post, .. } = transition;
    let writer = writer(post);
    let event = Event::of(*from, post, Actor::Publisher, note, deps.clock.now());
    let change = PostChange { attempt: vanished(deps, transition).await?, ..PostChange::of(post, &writer, &event) };
    Ok(matches!(commit(deps, &change).await?, Commit::Done))
}

/// The row of a try whose worker vanished. None, where that worker could still leave in it what it learned: this stays.
pub(crate) async fn vanished<'a>(deps: &Deps, transition: &'a Transition) -> Result<Option<&'a AttemptRecord>, StoreError> {
    let Some(record) = &transition.attempt else { return Ok(None) };
    let has_word = deps.store.has_word(&transition.post, record).await?;
    Ok(Some(record).filter(|_| !has_word))
}

/// The attempt that has the post; none has one whose worker vanished.
fn writer(post: &Post) -> String {
    post.attempt().map(|attempt| attempt.id.to_string()).unwrap_or_default()
}
