//! Pages of the frontend: where browsers are sent that came here by themselves, and how such a browser is known.

use axum::response::{IntoResponse, Response};
use domain::people::ReturnPath;
use http::header::{ACCEPT, CACHE_CONTROL, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use url::Url;

use crate::metrics::Metrics;
use crate::problem::ProblemCode;

/// Set by browsers, out of scripts' reach (W3C Fetch Metadata).
const SEC_FETCH_MODE: &str = "sec-fetch-mode";

/// Whether a person sees the answer in the place of a page: the browser says so, or an old one takes HTML.
pub fn is_navigation(headers: &HeaderMap) -> bool {
    let mut modes = headers.get_all(SEC_FETCH_MODE).iter().peekable();
    if modes.peek().is_some() {
        return modes.any(|mode| mode.as_bytes().eq_ignore_ascii_case(b"navigate"));
    }
    headers.get_all(ACCEPT).iter().any(|kinds| kinds.to_str().is_ok_and(|kinds| kinds.to_ascii_lowercase().contains("text/html")))
}

/// The 303 to a page of the frontend, with `parameters` as its query.
pub fn redirect(frontend: &Url, path: ReturnPath, parameters: impl IntoIterator<Item = (&'static str, String)>) -> Response {
    let mut address = frontend.clone();
    {
        // A frontend may live below a path of its own.
        let mut segments = address.path_segments_mut().expect("an http address has a path");
        segments.pop_if_empty().extend(path.as_str().split('/').filter(|part| !part.is_empty()));
    }
    address.query_pairs_mut().clear().extend_pairs(parameters);
    let location = HeaderValue::from_str(address.as_str()).expect("an address is visible ASCII");
    (StatusCode::SEE_OTHER, [(LOCATION, location), (CACHE_CONTROL, HeaderValue::from_static("no-store"))]).into_response()
}

/// Counts a person whose consent is led back to the frontend because of us. No 5xx tells of it: the gateway sees a redirect.
pub fn count_led_back(metrics: &Metrics, now: Timestamp, code: ProblemCode) {
    if code.status().is_server_error() {
        metrics.count(now, "consent_unavailable", &[]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::Captured;

    #[test]
    fn only_who_is_led_back_because_of_us_is_counted() {
        for (code, counts) in [
            (ProblemCode::Unavailable, true),
            (ProblemCode::Internal, true),
            (ProblemCode::SessionRequired, false),
            (ProblemCode::TooManyRequests, false),
        ] {
            let captured = Captured::default();
            count_led_back(&Metrics::to("oauth-start", captured.lines()), Timestamp::UNIX_EPOCH, code);
            let lines = captured.read();
            assert_eq!(lines.iter().any(|line| line.contains("\"consent_unavailable\":1.0")), counts, "{code:?} {lines:?}");
        }
    }

    #[test]
    fn a_browser_that_shows_the_answer_is_told_from_a_program() {
        let cases: [(&[(&'static str, &'static str)], bool); 7] = [
            (&[], false),
            (&[("accept", "*/*")], false),
            (&[("accept", "application/json")], false),
            (&[("accept", "text/html,application/xhtml+xml;q=0.9")], true),
            (&[("sec-fetch-mode", "navigate")], true),
            (&[("sec-fetch-mode", "cors"), ("accept", "text/html")], false),
            (&[("sec-fetch-mode", "no-cors")], false),
        ];
        for (headers, navigates) in cases {
            let map = headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect();
            assert_eq!(is_navigation(&map), navigates, "{headers:?}");
        }
    }

    #[test]
    fn a_page_may_lie_below_a_path_and_has_our_parameters_alone() {
        let frontend = Url::parse("https://app.example.com/ui?old=1").unwrap();
        let response = redirect(&frontend, ReturnPath::Connections, [("error", "session_required".to_owned())]);
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(response.headers()[LOCATION], "https://app.example.com/ui/connections?error=session_required");
    }
}
