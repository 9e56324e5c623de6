//! The shapes of LinkedIn's answers, who a token stands for, and which version is asked.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{ACCESS_TOKEN, LINKEDIN};
use crate::World;
use crate::faults::{Dialect, Failed, OwnFault};
use crate::token::{Token, bearer};

pub(super) const DIALECT: Dialect = Dialect { limited, app_limited, app_refused, restricted, rejected, duplicate, server_error };

/// Our app is an approved partner's: refresh tokens come.
pub(super) const PARTNER: &str = "partner";
/// The version that we ask for has ended.
pub(super) const VERSION_ENDED: &str = "version_ended";
/// A person's roles are not told.
pub(super) const ROLES_LOST: &str = "roles_lost";

/// What LinkedIn alone says and does.
pub(super) const OWN_FAULTS: &[OwnFault] = &[
    OwnFault::said("apps_day", |_| throttled("APPLICATION DAY ")),
    OwnFault::said("throttled", |_| throttled("")),
    OwnFault::said("new_token", |_| unauthorized(65_601, "REVOKED_ACCESS_TOKEN")),
    OwnFault::said("unnamed_duplicate", |_| bad_input(StatusCode::UNPROCESSABLE_ENTITY, "DUPLICATE_POST", "Duplicate post is detected")),
    OwnFault::said("conflict", |_| failure(StatusCode::CONFLICT, "CONFLICT", "Conflict, please retry")),
    OwnFault::standing(PARTNER),
    OwnFault::standing(VERSION_ENDED),
    OwnFault::standing(ROLES_LOST),
];

/// The month before the first version.
const BEFORE_VERSIONS: u32 = 202_205;

/// An error as LinkedIn writes it.
pub(super) fn failure(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({ "status": status.as_u16(), "code": code, "message": message }))).into_response()
}

/// An error in what was sent.
pub(super) fn bad_input(status: StatusCode, code: &str, message: &str) -> Response {
    let input = json!({ "description": message, "input": {}, "code": code });
    let body = json!({
        "errorDetailType": "com.linkedin.common.error.BadRequest", "message": message, "errorDetails": { "inputErrors": [input] },
        "status": status.as_u16(),
    });
    (status, Json(body)).into_response()
}

fn unauthorized(number: u32, code: &str) -> Response {
    let body = json!({ "status": 401, "serviceErrorCode": number, "code": code, "message": "The token cannot be used" });
    (StatusCode::UNAUTHORIZED, Json(body)).into_response()
}

/// A scope or a role is missing.
pub(super) fn forbidden(what: &str) -> Response {
    let message = format!("Not enough permissions to access: {what}");
    let body = json!({ "status": 403, "serviceErrorCode": 100, "code": "ACCESS_DENIED", "message": message });
    (StatusCode::FORBIDDEN, Json(body)).into_response()
}

/// What was posted already, by its URN.
pub(super) fn duplicate_of(urn: &str) -> Response {
    let message = format!("com.linkedin.content.common.exception.BadRequestResponseException: Content is a duplicate of {urn}");
    bad_input(StatusCode::UNPROCESSABLE_ENTITY, "DUPLICATE_POST", &message)
}

fn duplicate() -> Response {
    duplicate_of("urn:li:share:7000000000000000000")
}

fn rejected() -> Response {
    bad_input(StatusCode::BAD_REQUEST, "INVALID_VALUE_FOR_FIELD", "Invalid value for field /commentary")
}

/// LinkedIn has no word of its own for it.
fn restricted() -> Response {
    forbidden("posts.CREATE")
}

fn app_refused() -> Response {
    forbidden("partnerApiPostsExternal.CREATE")
}

/// The version that our app asks for is over.
pub(super) fn app_limited() -> Response {
    failure(StatusCode::UPGRADE_REQUIRED, "NONEXISTENT_VERSION", "Requested version is not active")
}

/// No header tells the end: it is midnight in UTC.
fn limited(_until: Timestamp, _now: Timestamp) -> Response {
    throttled("MEMBER DAY ")
}

fn throttled(whose: &str) -> Response {
    let message = format!("Resource level throttle {whose}limit for calls to this resource is reached.");
    let body = json!({ "serviceErrorCode": 101, "code": "TOO_MANY_REQUESTS", "message": message, "status": 429 });
    (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response()
}

fn server_error() -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "message": "Unable to obtain activity", "status": 500 }))).into_response()
}

/// The live access token of a call, or LinkedIn's refusal.
pub(super) fn authorised(world: &World, headers: &HeaderMap) -> Result<Result<Token, Response>, Failed> {
    let Some(value) = bearer(headers) else { return Ok(Err(unauthorized(65_600, "EMPTY_ACCESS_TOKEN"))) };
    let token = world.storage.token(LINKEDIN, value)?.filter(|token| token.kind == ACCESS_TOKEN);
    Ok(match token {
        None => Err(unauthorized(65_600, "INVALID_ACCESS_TOKEN")),
        Some(token) if token.revoked => Err(unauthorized(65_601, "REVOKED_ACCESS_TOKEN")),
        Some(token) if token.is_expired(world.clock.now()) => Err(unauthorized(65_602, "EXPIRED_ACCESS_TOKEN")),
        Some(token) => Ok(token),
    })
}

/// What a call of the versioned API is refused for before anything else is looked at. Each version since the first is served.
pub(super) fn objection(headers: &HeaderMap, has_ended: bool) -> Option<Response> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(version) = header("linkedin-version") else {
        return Some(failure(StatusCode::BAD_REQUEST, "VERSION_MISSING", "A version must be present."));
    };
    let is_month = version.len() == 6 && version.parse().is_ok_and(|month: u32| month > BEFORE_VERSIONS);
    if has_ended || !is_month {
        return Some(app_limited());
    }
    let is_spoken = header("x-restli-protocol-version") == Some("2.0.0");
    (!is_spoken).then(|| failure(StatusCode::BAD_REQUEST, "ILLEGAL_ARGUMENT", "X-RestLi-Protocol-Version must be 2.0.0"))
}

/// A part of a list, with a link to the next one where there is more. LinkedIn gives less than was asked for where it likes.
pub(super) fn part(all: Vec<Value>, start: usize, count: usize, path: &str) -> Value {
    let total = all.len();
    let elements: Vec<_> = all.into_iter().skip(start).take(count).collect();
    let next = json!({ "type": "application/json", "rel": "next", "href": format!("/rest/{path}&count={count}&start={}", start + count) });
    let links = if total > start + count { vec![next] } else { Vec::new() };
    json!({ "paging": { "start": start, "count": count, "links": links }, "elements": elements })
}
