//! Whether a callback belongs to a flow of ours, and to the browser that began it.

use domain::people::oauth_flow::{FlowRefused, OAuthFlow};
use domain::people::{FlowState, ReturnPath};
use domain::platform::PlatformName;
use edge::session::read_token;
use http::HeaderMap;
use store::{FlowTaken, StoreError};

use crate::Deps;
use crate::redirect::Ending;

/// What a callback is.
pub(crate) enum Accepted {
    /// The first of its flow: the code may be exchanged.
    Open(OAuthFlow),
    /// A repetition, or nothing of ours.
    Over(ReturnPath, Ending),
}

/// Looks the flow up and demands the session that began it. Nothing is consumed: whoever may not finish a flow may not end it.
pub(crate) async fn accept(deps: &Deps, platform: PlatformName, state: Option<&str>, headers: &HeaderMap) -> Result<Accepted, StoreError> {
    let invalid = Accepted::Over(ReturnPath::default(), Ending::StateInvalid);
    let Some(state) = state.and_then(|state| FlowState::parse(state).ok()) else { return Ok(invalid) };
    let Some(known) = deps.store.flow(&state.hash()).await? else { return Ok(invalid) };
    let Some(token) = read_token(headers) else { return Ok(Accepted::Over(ReturnPath::default(), Ending::SessionMismatch)) };
    let now = deps.clock.now();
    let hash = token.hash();
    let session = deps.store.session(&hash).await?;
    if !session.is_some_and(|session| session.is_live(now) && session.user_id == known.flow.user_id) {
        return Ok(Accepted::Over(ReturnPath::default(), Ending::SessionMismatch));
    }
    if known.consumed && hash == known.flow.session_hash && platform == known.flow.platform {
        return Ok(repeated(known));
    }
    Ok(match known.flow.accept(&hash, platform, now) {
        Ok(()) => Accepted::Open(known.flow),
        Err(FlowRefused::SessionMismatch) => Accepted::Over(ReturnPath::default(), Ending::SessionMismatch),
        Err(FlowRefused::StateInvalid) => invalid,
    })
}

/// The same callback again shows what the first one brought.
fn repeated(taken: FlowTaken) -> Accepted {
    let ending = match (taken.connected, taken.choice) {
        (Some(id), _) => Ending::Connected(id),
        (None, Some(id)) => Ending::Choose(id),
        (None, None) => Ending::StateInvalid,
    };
    Accepted::Over(taken.flow.return_to, ending)
}
