//! Where a callback ends: always at the frontend, on a path of ours, with parameters of ours.

use axum::response::Response;
use domain::people::{FlowEnd, ReturnPath};
use edge::problem::Problem;
use url::Url;

/// The 303 to the frontend: `connected` (and `missing`, scopes separated by spaces, where it is limited), `choose` or `error`.
pub(crate) fn redirect(frontend: &Url, path: ReturnPath, end: &FlowEnd) -> Response {
    edge::frontend::redirect(frontend, path, parameters(end))
}

/// The 303 to the frontend of a person whose callback comes to nothing now and may later: `error` is the problem's code.
pub(crate) fn lead_back(frontend: &Url, path: ReturnPath, problem: &Problem) -> Response {
    edge::frontend::redirect(frontend, path, [("error", problem.code().as_str().to_owned())])
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
    use http::StatusCode;
    use http::header::LOCATION;
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    #[test]
    fn a_callback_ends_at_the_frontend_whatever_happened() {
        let frontend = Url::parse("https://app.example.com/ui?old=1").unwrap();
        let response = redirect(&frontend, ReturnPath::Connections, &FlowError::StateInvalid.into());
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(response.headers()[LOCATION], "https://app.example.com/ui/connections?error=state_invalid");
        let response = lead_back(&frontend, ReturnPath::Connections, &Problem::unavailable(SignedDuration::from_secs(1)));
        assert_eq!(response.headers()[LOCATION], "https://app.example.com/ui/connections?error=unavailable");
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
