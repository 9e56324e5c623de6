//! The shapes of atproto's answers.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde_json::json;

use crate::faults::{Dialect, OwnFault};

/// Nobody asks for what the network lacks; a server that is asked all the same is at fault.
pub(super) const DIALECT: Dialect =
    Dialect { limited, app_limited: server_error, app_refused: server_error, restricted, rejected, duplicate: server_error, server_error };

/// What atproto alone says.
pub(super) const OWN_FAULTS: &[OwnFault] = &[
    OwnFault::said("scope_missing", |_| scope_missing()),
    OwnFault::said("clock_apart", |_| challenge("invalid_dpop_proof", "The proof is too old.")),
    OwnFault::said("address_limited", |_| address_limited()),
    OwnFault::said("nonce_again", |_| challenge("use_dpop_nonce", "The server requires a nonce in the proof.")),
    OwnFault::said("deactivated", |_| problem(StatusCode::UNAUTHORIZED, "AccountDeactivated", "Account is deactivated")),
];

/// An error of a record's or a feed's server.
pub(super) fn problem(status: StatusCode, error: &str, message: &str) -> Response {
    (status, Json(json!({ "error": error, "message": message }))).into_response()
}

/// An error of a server that lets in.
pub(super) fn oauth_error(status: StatusCode, error: &str, description: &str) -> Response {
    (status, Json(json!({ "error": error, "error_description": description }))).into_response()
}

/// A token or a proof that a record's server does not take. Its header names the error, too.
pub(super) fn challenge(error: &str, message: &str) -> Response {
    let mut response = problem(StatusCode::UNAUTHORIZED, error, message);
    let header = format!("DPoP error=\"{error}\", error_description=\"{message}\"");
    response.headers_mut().insert("www-authenticate", HeaderValue::from_str(&header).expect("an error's words are visible ASCII"));
    response
}

pub(super) fn invalid_request(message: &str) -> Response {
    problem(StatusCode::BAD_REQUEST, "InvalidRequest", message)
}

/// Another record stands there.
pub(super) fn invalid_swap() -> Response {
    problem(StatusCode::BAD_REQUEST, "InvalidSwap", "Record was at another version")
}

pub(super) fn scope_missing() -> Response {
    problem(StatusCode::FORBIDDEN, "ScopeMissingError", "Missing required scope \"repo:app.bsky.feed.post?action=create\"")
}

fn rejected() -> Response {
    invalid_request("Invalid app.bsky.feed.post record: Record/text must not be longer than 300 graphemes")
}

/// The account's points of this hour are used up.
fn limited(until: Timestamp, now: Timestamp) -> Response {
    with_limit("5000;w=3600", until, now)
}

/// Our address has called too often.
fn address_limited() -> Response {
    let mut response = problem(StatusCode::TOO_MANY_REQUESTS, "RateLimitExceeded", "Rate Limit Exceeded");
    response.headers_mut().insert("ratelimit-policy", HeaderValue::from_static("3000;w=300"));
    response
}

fn with_limit(policy: &'static str, until: Timestamp, now: Timestamp) -> Response {
    let mut response = problem(StatusCode::TOO_MANY_REQUESTS, "RateLimitExceeded", "Rate Limit Exceeded");
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert("ratelimit-limit", HeaderValue::from_static("5000"));
    headers.insert("ratelimit-remaining", HeaderValue::from_static("0"));
    headers.insert("ratelimit-reset", HeaderValue::from(until.as_second()));
    headers.insert("ratelimit-policy", HeaderValue::from_static(policy));
    headers.insert("retry-after", HeaderValue::from(until.duration_since(now).as_secs()));
    response
}

fn restricted() -> Response {
    problem(StatusCode::UNAUTHORIZED, "AccountTakedown", "Account has been taken down")
}

fn server_error() -> Response {
    problem(StatusCode::SERVICE_UNAVAILABLE, "NotEnoughResources", "Not Enough Resources")
}
