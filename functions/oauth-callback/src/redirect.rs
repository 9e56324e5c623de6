//! Where a callback ends: always at the frontend, on a path of ours, with parameters of ours.

use axum::response::{IntoResponse, Response};
use domain::people::{FlowEnd, ReturnPath};
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderValue, StatusCode};
use url::Url;

/// The 303 to the frontend: `connected` (and `missing`, scopes separated by spaces, where it is limited), `choose` or `error`.
pub(crate) fn redirect(frontend: &Url, path: ReturnPath, end: &FlowEnd) -> Response {
    let mut address = frontend.clone();
    {
        // A frontend may live below a path of its own.
        let mut segments = address.path_segments_mut().expect("an http address has a path");
        segments.pop_if_empty().extend(path.as_str().split('/').filter(|part| !part.is_empty()));
    }
    address.query_pairs_mut().clear().extend_pairs(parameters(end));
    let location = HeaderValue::from_str(address.as_str()).expect("an address is visible ASCII");
    (StatusCode::SEE_OTHER, [(LOCATION, location), (CACHE_CONTROL, HeaderValue::from_static("no-store"))]).into_response()
}

fn parameters(end: &FlowEnd) -> Vec<(&'static str, String)> {
    match end {
        FlowEnd::Connected { connection_id, missing_scopes } => {
            let missing = (!missing_scopes.is_empty()).then(|| ("missing", missing_scopes.join(" ")));
            [("connected", connection_id.to_string())].into_iter().chain(missing).collect()
        }
        FlowEnd::Choose { choice_id } => vec![("choose", choice_id.to_string())],
        FlowEnd::Failed { error } => vec![("error", error.as_str().to_owned())],
    }
}

#[cfg(test)]
mod tests {
    use domain::id::ConnectionId;
    use domain::people::FlowError;
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_callback_ends_at_the_frontend_whatever_happened() {
        let frontend = Url::parse("https://app.example.com/ui?old=1").unwrap();
        let response = redirect(&frontend, ReturnPath::Connections, &FlowError::StateInvalid.into());
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(response.headers()[LOCATION], "https://app.example.com/ui/connections?error=state_invalid");
    }

    #[test]
    fn what_is_missing_is_said_beside_the_connection() {
        let connection_id = ConnectionId::new(Timestamp::UNIX_EPOCH, [1; 10]);
        let missing_scopes = vec!["tweet.write".to_owned(), "offline.access".to_owned()];
        let end = FlowEnd::Connected { connection_id: connection_id.clone(), missing_scopes };
        let response = redirect(&Url::parse("https://app.example.com").unwrap(), ReturnPath::Home, &end);
        let expected = format!("https://app.example.com/?connected={connection_id}&missing=tweet.write+offline.access");
        assert_eq!(response.headers()[LOCATION], expected);
    }
}
