//! The shapes of servers' answers: errors and limits.

use axum::Json;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::faults::{Dialect, OwnFault};

/// Nobody asks for what the network lacks; a server that is asked all the same is at fault.
pub(super) const DIALECT: Dialect =
    Dialect { limited, app_limited: server_error, app_refused: server_error, restricted, rejected, duplicate: server_error, server_error };

/// The server forgets keys, as one does whose cache is emptied.
pub(super) const KEYS_FORGOTTEN: &str = "keys_forgotten";

/// What these servers alone say and do.
pub(super) const OWN_FAULTS: &[OwnFault] = &[
    OwnFault::said("unconfirmed", unconfirmed),
    OwnFault::said("scope_lost", scope_lost),
    OwnFault::said("translated", translated),
    OwnFault::said("too_busy", too_busy),
    OwnFault::said("proxy_page", proxy_page),
    OwnFault::said("closed_down", closed_down),
    OwnFault::standing(KEYS_FORGOTTEN),
];

pub(super) const OUTSIDE_THE_SCOPES: &str = "This action is outside the authorized scopes";

/// 300 calls in five minutes; the simulator tells the limit and does not keep it.
const LIMIT: i64 = 300;
const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// An error as servers write it.
pub(super) fn error(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({ "error": text }))).into_response()
}

fn limited(until: Timestamp, _now: Timestamp) -> Response {
    limits(error(StatusCode::TOO_MANY_REQUESTS, "Too many requests"), 0, until)
}

fn restricted() -> Response {
    error(StatusCode::FORBIDDEN, "Your login is currently disabled")
}

fn rejected() -> Response {
    error(StatusCode::UNPROCESSABLE_ENTITY, "Validation failed: Text character limit of 500 exceeded")
}

/// The page of a web server before a server that does not answer.
fn server_error() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, Html("<html><head><title>503 Service Temporarily Unavailable</title></head></html>")).into_response()
}

fn unconfirmed(_until: Timestamp) -> Response {
    error(StatusCode::FORBIDDEN, "Your login is missing a confirmed e-mail address")
}

fn scope_lost(_until: Timestamp) -> Response {
    error(StatusCode::FORBIDDEN, OUTSIDE_THE_SCOPES)
}

/// In the language of the account's owner.
fn translated(_until: Timestamp) -> Response {
    error(StatusCode::UNPROCESSABLE_ENTITY, "Gültigkeitsprüfung ist fehlgeschlagen: Text darf nicht leer sein")
}

/// Two calls with one key at the same moment.
fn too_busy(_until: Timestamp) -> Response {
    error(StatusCode::SERVICE_UNAVAILABLE, "There was a temporary problem serving your request, please try again")
}

/// A guard before the server takes us for a robot.
fn proxy_page(_until: Timestamp) -> Response {
    (StatusCode::FORBIDDEN, Html("<html><head><title>Just a moment...</title></head></html>")).into_response()
}

fn closed_down(_until: Timestamp) -> Response {
    error(StatusCode::GONE, "Gone")
}

/// The headers that every answer of the API carries.
pub(super) fn with_limits(response: Response, remaining: i64, now: Timestamp) -> Response {
    limits(response, remaining, now + WINDOW)
}

/// The end is an instant, with microseconds.
fn limits(mut response: Response, remaining: i64, reset: Timestamp) -> Response {
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert("x-ratelimit-limit", HeaderValue::from(LIMIT));
    headers.insert("x-ratelimit-remaining", HeaderValue::from(remaining));
    if let Ok(reset) = HeaderValue::from_str(&reset.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()) {
        headers.insert("x-ratelimit-reset", reset);
    }
    response
}
