//! Where a callback ends: always at the frontend, on a path of ours, with one parameter of ours.

use axum::response::{IntoResponse, Response};
use domain::id::{ChoiceId, ConnectionId};
use domain::people::ReturnPath;
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderValue, StatusCode};
use url::Url;

/// How a callback ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// An account is connected.
    Connected(ConnectionId),
    /// Several wait for the choice.
    Choose(ChoiceId),
    /// The person said no.
    Denied,
    /// Unknown, run out, used, or not ours.
    StateInvalid,
    /// Another browser session than the one that began.
    SessionMismatch,
    /// What posting needs was not allowed.
    ScopeMissing,
    /// The consent may not take the place of what is connected.
    AccountMismatch,
    /// The code brought nothing.
    ExchangeFailed,
}

impl Ending {
    fn parameter(&self) -> (&'static str, &str) {
        match self {
            Self::Connected(id) => ("connected", id.as_str()),
            Self::Choose(id) => ("choose", id.as_str()),
            Self::Denied => ("error", "denied"),
            Self::StateInvalid => ("error", "state_invalid"),
            Self::SessionMismatch => ("error", "session_mismatch"),
            Self::ScopeMissing => ("error", "scope_missing"),
            Self::AccountMismatch => ("error", "account_mismatch"),
            Self::ExchangeFailed => ("error", "exchange_failed"),
        }
    }
}

/// The 303 to the frontend.
pub(crate) fn redirect(frontend: &Url, path: ReturnPath, ending: &Ending) -> Response {
    let (name, value) = ending.parameter();
    let mut address = frontend.clone();
    {
        // A frontend may live below a path of its own.
        let mut segments = address.path_segments_mut().expect("an http address has a path");
        segments.pop_if_empty().extend(path.as_str().split('/').filter(|part| !part.is_empty()));
    }
    address.query_pairs_mut().clear().append_pair(name, value);
    let location = HeaderValue::from_str(address.as_str()).expect("an address is visible ASCII");
    (StatusCode::SEE_OTHER, [(LOCATION, location), (CACHE_CONTROL, HeaderValue::from_static("no-store"))]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_ends_at_the_frontend_whatever_happened() {
        let frontend = Url::parse("https://app.example.com/ui?old=1").unwrap();
        let response = redirect(&frontend, ReturnPath::Connections, &Ending::StateInvalid);
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(response.headers()[LOCATION], "https://app.example.com/ui/connections?error=state_invalid");
    }
}
