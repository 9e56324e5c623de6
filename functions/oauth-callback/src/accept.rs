//! Whether a callback belongs to a flow of ours, to the browser that began it, and to the platform that was asked.

use std::time::Duration;

use domain::people::oauth_flow::{OAuthFlow, StateHash};
use domain::people::{FlowEnd, FlowError, FlowState, ReturnPath};
use domain::platform::PlatformName;
use edge::session::read_token;
use http::HeaderMap;
use jiff::SignedDuration;
use store::{FlowTaken, StoreError};

use crate::Deps;

/// While another callback of the same flow is at work, its end is looked for this often…
const LOOKS_MAX: usize = 60;
/// …this far apart: together half of what the function may run.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// A flow that was taken longer ago and has no end will get none: whoever had it stopped.
const WORKED_ON_MAX: SignedDuration = SignedDuration::from_secs(30);

/// What a callback is.
pub(crate) enum Accepted {
    /// The first of its flow: it may take it.
    Open(OAuthFlow),
    /// A repetition, or nothing of ours.
    Over(ReturnPath, FlowEnd),
}

/// A callback that may tell nothing about the flow.
fn refused(error: FlowError) -> Accepted {
    Accepted::Over(ReturnPath::default(), error.into())
}

/// Looks the flow up and demands the session that began it. Nothing is consumed: whoever may not finish a flow may not end it.
pub(crate) async fn accept(
    deps: &Deps,
    platform: PlatformName,
    (state, iss): (Option<&str>, Option<&str>),
    headers: &HeaderMap,
) -> Result<Accepted, StoreError> {
    let Some(state) = state.and_then(|state| FlowState::parse(state).ok()) else { return Ok(refused(FlowError::StateInvalid)) };
    let Some(known) = deps.store.flow(&state.hash()).await? else { return Ok(refused(FlowError::StateInvalid)) };
    let Some(token) = read_token(headers) else { return Ok(refused(FlowError::SessionMismatch)) };
    let (now, hash) = (deps.clock.now(), token.hash());
    let session = deps.store.session(&hash).await?;
    if !session.is_some_and(|session| session.is_live(now) && session.user_id == known.flow.user_id) {
        return Ok(refused(FlowError::SessionMismatch));
    }
    if known.consumed_at.is_some() && hash == known.flow.session_hash && platform == known.flow.platform {
        return repeated(deps, known).await;
    }
    if let Err(error) = known.flow.accept(&hash, platform, now) {
        return Ok(refused(error));
    }
    if !known.flow.allows(iss) {
        tracing::warn!(user_id = %known.flow.user_id, platform = platform.as_str(), "a callback names another issuer");
        return Ok(refused(FlowError::StateInvalid));
    }
    Ok(Accepted::Open(known.flow))
}

/// The same callback again shows what the first one brought, and waits for it if need be.
async fn repeated(deps: &Deps, taken: FlowTaken) -> Result<Accepted, StoreError> {
    let path = taken.flow.return_to;
    let end = match taken.end.clone() {
        Some(end) => end,
        None => end_of(deps, &taken.flow.state_hash).await?,
    };
    Ok(Accepted::Over(path, end))
}

/// What comes of a flow that another callback has taken.
pub(crate) async fn end_of(deps: &Deps, state: &StateHash) -> Result<FlowEnd, StoreError> {
    for _ in 0..LOOKS_MAX {
        let Some(taken) = deps.store.flow(state).await? else { break };
        if let Some(end) = taken.end {
            return Ok(end);
        }
        if taken.consumed_at.is_none_or(|at| deps.clock.now().duration_since(at) > WORKED_ON_MAX) {
            break;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(FlowError::ExchangeFailed.into())
}
