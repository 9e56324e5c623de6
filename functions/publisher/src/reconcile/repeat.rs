//! Sends again what the platform cannot make twice: under a key that it still knows, or a handle that it has not published.

use domain::connection::Connection;
use domain::content::Content;
use domain::failure::FailureCode;
use domain::planted::Bug;
use domain::post::{Evidence, FUNCTION_TIMEOUT, Known, PLATFORM_LAG, Post, Publication, SETTLE_WAIT, Status};
use domain::token::TokenSet;
use jiff::SignedDuration;
use platforms::{Account, HandleState, Outcome, ReadError};

use super::unread;
use crate::deps::Deps;
use crate::intent::{can_send, intended};
use crate::progress::StepError;
use crate::send;
use crate::turns::Batch;

/// How far apart the clocks of the function that sent first and of this one may be for a key, or for the word that a handle is not published,
/// to be trusted: one that repeats a forgotten key posts twice, so more is allowed for than anywhere else.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(10);

/// Whether the platform, which knows a key for `life`, surely still knows this post's when a repeat of the send arrives, however slow this function and the platform are.
pub(super) fn is_young(deps: &Deps, post: &Post, life: SignedDuration) -> bool {
    Bug::ResendWithAnOldKey.is_planted()
        || post.in_doubt().is_some_and(|intent| deps.clock.now() + FUNCTION_TIMEOUT + PLATFORM_LAG + CLOCKS_APART < intent.first_at + life)
}

/// Whether its owner would rather not see it any more: a repeat may be what publishes it first.
pub(super) fn is_too_late(deps: &Deps, post: &Post) -> bool {
    deps.clock.now() > post.latest_at
}

/// What a repeat rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// A key, under which the platform makes one post.
    Key,
    /// A handle that the platform says was not published.
    Ready,
}

/// Sends once more what the platform cannot make twice, under an intent of its own. `None`: the token was refused.
pub(super) async fn repeated(
    deps: &Deps,
    batch: &Batch,
    post: &mut Post,
    content: &Content,
    (connection, tokens): (&Connection, &TokenSet),
    repeat: Repeat,
) -> Result<Option<Evidence>, StepError> {
    let Ok(again) = post.clone().send_again(deps.clock.now()) else { return Ok(Some(Evidence::Unreadable)) };
    if !can_send(batch.deadline) || content.hash() != post.content_hash {
        return Ok(Some(Evidence::Unreadable));
    }
    if !intended(deps, (Status::Unknown, &again), "about to be sent again, as the same post", connection, content).await? {
        return Ok(Some(Evidence::Unreadable));
    }
    *post = again;
    if !can_send(batch.deadline) {
        return Ok(Some(Evidence::Unreadable));
    }
    let account = Account::of(connection, tokens);
    Ok(Some(match send::once(deps, post, account, content).await {
        Outcome::Accepted { post_id, url, .. } => answered(post_id, url),
        Outcome::Processing { handle, .. } => Evidence::Processing { handle, poll_at: deps.clock.now() + send::FIRST_POLL },
        Outcome::TokenRefused { .. } => return Ok(None),
        Outcome::Limited { until: Some(until), .. } => Evidence::Limited { until },
        // Our own standing with the platform may be mended before the next look, too.
        Outcome::Limited { until: None, .. }
        | Outcome::AppLimited { .. }
        | Outcome::NotSent { .. }
        | Outcome::Rejected { code: FailureCode::AppUnavailable, .. } => Evidence::Unreadable,
        // The handle was not published, and now it never will be. Of a key's first use a refusal says nothing.
        Outcome::Rejected { code, .. } if repeat == Repeat::Ready => Evidence::NotThere(code),
        Outcome::Rejected { .. } | Outcome::Duplicate { .. } => Evidence::NotFound,
        Outcome::Unknown { .. } => Evidence::SentAgain,
    }))
}

/// Asks the platform what became of the handle, and publishes that very one if it says that it was not. `None`: the token was refused.
pub(super) async fn by_handle(
    deps: &Deps,
    batch: &Batch,
    post: &mut Post,
    content: &Content,
    (connection, tokens): (&Connection, &TokenSet),
) -> Result<Option<Evidence>, StepError> {
    match looked_up(deps, post, connection, tokens).await {
        Ok(HandleState::Ready) => not_published(deps, batch, post, content, (connection, tokens)).await,
        Ok(state) => Ok(Some(said(deps, post, state))),
        Err(ReadError::TokenRefused) => Ok(None),
        Err(error) => Ok(Some(unread(&error))),
    }
}

/// Publishes a handle of which the platform says that it is not, unless it is too late. By a clock that is wrong an earlier send may still be
/// on its way: before that has surely ended, neither our being too late nor a refusal is the last word.
async fn not_published(
    deps: &Deps,
    batch: &Batch,
    post: &mut Post,
    content: &Content,
    with: (&Connection, &TokenSet),
) -> Result<Option<Evidence>, StepError> {
    let before = post.in_doubt();
    let seen = if is_too_late(deps, post) {
        Some(Evidence::NotThere(FailureCode::TooLate))
    } else {
        repeated(deps, batch, post, content, with, Repeat::Ready).await?
    };
    let Some((Evidence::NotThere(code), before)) = seen.clone().zip(before) else { return Ok(seen) };
    let until = before.last_at + SETTLE_WAIT + CLOCKS_APART;
    if deps.clock.now() >= until {
        return Ok(Some(Evidence::NotThere(code)));
    }
    *post = post.clone().repeat_refused(before);
    Ok(Some(Evidence::Limited { until }))
}

/// The platform's own word, which does not say when the post was made.
fn answered(platform_post_id: String, url: Option<String>) -> Evidence {
    Evidence::Found(Publication { platform_post_id, url, made_at: None, known: Known::ByAnswer })
}

pub(super) async fn looked_up(deps: &Deps, post: &Post, connection: &Connection, tokens: &TokenSet) -> Result<HandleState, ReadError> {
    let account = Account::of(connection, tokens);
    deps.platforms.get(post.platform).look_up(account, post.handle().unwrap_or_default()).await
}

pub(super) fn said(deps: &Deps, post: &Post, state: HandleState) -> Evidence {
    match state {
        HandleState::Live { post_id, url } => answered(post_id, url),
        HandleState::Gone { code } => Evidence::NotThere(code),
        HandleState::InProgress => {
            Evidence::Processing { handle: post.handle().unwrap_or_default().to_owned(), poll_at: deps.clock.now() + send::FIRST_POLL }
        }
        HandleState::Ready => Evidence::NotFound,
    }
}
