//! Asking after a post that the platform has accepted and not shown yet. It only reads, so nothing is claimed: of two that ask, one writes.

use connecting::tokens::{self, Usable};
use domain::connection::{Connection, Health};
use domain::post::{Post, Progress as Shown};
use edge::problem::chain;
use jiff::{SignedDuration, Timestamp};
use platforms::{Account, HandleState, ReadError};
use store::Settled;

use crate::deps::Deps;
use crate::progress::{Progress, StepError};
use crate::settle;
use crate::turns::Batch;

/// The wait after a poll that told nothing new; it grows with their number…
const WAIT: SignedDuration = SignedDuration::from_mins(1);
/// …up to this.
const WAIT_MAX: SignedDuration = SignedDuration::from_mins(10);

/// One look at the handle.
pub(crate) async fn poll(deps: &Deps, batch: &Batch, post: Post) -> Result<Progress, StepError> {
    let seen = look(deps, batch, &post).await.unwrap_or_else(|error| {
        tracing::error!(post_id = %post.id, error = chain(&error), "an accepted post could not be asked after");
        Seen::NotAsked
    });
    let now = deps.clock.now();
    let (shown, note) = match seen {
        Seen::Says(HandleState::Live { post_id, url }) => (Shown::Live { platform_post_id: post_id, url }, "the platform shows it"),
        Seen::Says(HandleState::Gone { code }) => (Shown::Refused(code), "the platform refused it after all"),
        Seen::Says(HandleState::InProgress | HandleState::Ready) => (Shown::NotYet { poll_at: next(&post, now) }, "not live yet"),
        Seen::NotAsked => (Shown::NotYet { poll_at: next(&post, now) }, "the platform could not be asked"),
        Seen::Nevermore => (Shown::Unreachable, "its account is disconnected: nobody can ask the platform any more"),
    };
    let transition = post.clone().conclude_poll(shown, now)?;
    match settle::until_stored(deps, batch, &post, &transition, note).await? {
        Settled::Done => settle::wake_later(deps, &transition.post).await,
        // What it is said to have become is another post of ours: a person must look, after as many polls as any other.
        Settled::AlreadyBound(_) => {
            let transition = post.clone().conclude_poll(Shown::NotYet { poll_at: next(&post, now) }, now)?;
            settle::store(deps, &transition, "what the platform shows is another post").await?;
        }
        Settled::PostMoved(_) => {}
    }
    Ok(Progress::Rest)
}

fn next(post: &Post, now: Timestamp) -> Timestamp {
    let polls = match post.state {
        domain::post::State::Processing { polls, .. } => polls,
        _ => 0,
    };
    now + (WAIT * i32::try_from(1 + polls / 6).unwrap_or(1)).min(WAIT_MAX)
}

/// What came of a look.
enum Seen {
    /// The platform's word.
    Says(HandleState),
    /// It could not be asked.
    NotAsked,
    /// Nobody can ask it any more.
    Nevermore,
}

async fn look(deps: &Deps, batch: &Batch, post: &Post) -> Result<Seen, StepError> {
    let (Some(connection), Some(handle)) = (deps.store.connection(&post.user_id, &post.connection_id).await?, post.handle()) else {
        return Ok(Seen::Nevermore);
    };
    if connection.health == Health::Disconnecting {
        return last_look(deps, batch, (post, handle), &connection).await;
    }
    let mut refused = None;
    // A token that ends meanwhile is renewed, and the handle asked after again: the post itself is never sent anew.
    for _ in 0..2 {
        let Usable::Ready(connection, tokens) =
            tokens::usable(&deps.access(batch.deadline), connection.clone(), refused.as_deref()).await?
        else {
            return Ok(Seen::NotAsked);
        };
        let account = Account::of(&connection, &tokens);
        match deps.platforms.get(post.platform).look_up(account, handle).await {
            Ok(state) => return Ok(Seen::Says(state)),
            Err(ReadError::TokenRefused) => refused = Some(connection.secret_version.clone()),
            Err(ReadError::AppLimited { .. } | ReadError::Limited { .. } | ReadError::Unavailable { .. }) => return Ok(Seen::NotAsked),
        }
    }
    Ok(Seen::NotAsked)
}

/// A disconnect waits for this look: it renews nothing, and there is no other after it.
async fn last_look(deps: &Deps, batch: &Batch, (post, handle): (&Post, &str), connection: &Connection) -> Result<Seen, StepError> {
    let Some(tokens) = tokens::live(&deps.access(batch.deadline), connection).await? else { return Ok(Seen::Nevermore) };
    let account = Account::of(connection, &tokens);
    Ok(match deps.platforms.get(post.platform).look_up(account, handle).await {
        Ok(state @ (HandleState::Live { .. } | HandleState::Gone { .. })) => Seen::Says(state),
        Ok(HandleState::InProgress | HandleState::Ready) | Err(_) => Seen::Nevermore,
    })
}
