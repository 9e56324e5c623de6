//! The shapes of Threads' answers, and who a token stands for.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde_json::json;

use super::{THREADS, TOKENS};
use crate::World;
use crate::consent::Params;
use crate::faults::{Dialect, Failed, OwnFault};
use crate::token::{Token, bearer};

pub(super) const DIALECT: Dialect = Dialect { limited, app_limited, app_refused, restricted, rejected, duplicate, server_error };

/// Threads is at work on containers.
pub(super) const IN_PROGRESS: &str = "in_progress";
/// Containers fail, and Threads does not say why.
pub(super) const CONTAINER_FAILED: &str = "container_failed";
/// Containers are not found.
pub(super) const CONTAINER_LOST: &str = "container_lost";
/// Which scopes were granted is told to testers alone.
pub(super) const SCOPES_UNTOLD: &str = "scopes_untold";

/// What Threads alone says and does.
pub(super) const OWN_FAULTS: &[OwnFault] = &[
    OwnFault::said("not_ready", |_| no_such_container()),
    OwnFault::said("spam", |_| bad_request(4, 2_207_051, "Application request limit reached")),
    OwnFault::said("blocked_app", |_| bad_request(200, 0, "API access blocked.")),
    OwnFault::said("deleted_app", |_| bad_request(190, 0, "Error validating application. Application has been deleted.")),
    OwnFault::said("dead_version", |_| bad_request(2635, 0, "(#2635) You are calling a deprecated version of the API.")),
    OwnFault::said("no_permission", |_| bad_request(10, 0, "(#10) Application does not have permission for this action")),
    OwnFault::standing(IN_PROGRESS),
    OwnFault::standing(CONTAINER_FAILED),
    OwnFault::standing(CONTAINER_LOST),
    OwnFault::standing(SCOPES_UNTOLD),
];

/// Graph's error body; a subcode of 0 is left out.
fn graph_error(status: StatusCode, code: u32, subcode: u32, message: &str) -> Response {
    let mut error =
        json!({ "message": message, "type": "OAuthException", "code": code, "is_transient": false, "fbtrace_id": "ASimulatedTrace" });
    if subcode > 0 {
        error["error_subcode"] = json!(subcode);
    }
    (status, Json(json!({ "error": error }))).into_response()
}

pub(super) fn bad_request(code: u32, subcode: u32, message: &str) -> Response {
    graph_error(StatusCode::BAD_REQUEST, code, subcode, message)
}

/// How the place says it where a code is changed for a token.
pub(super) fn oauth_error(message: &str) -> Response {
    let body = json!({ "error_type": "OAuthException", "code": 400, "error_message": message });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

/// A scope is missing.
pub(super) fn forbidden(scope: &str) -> Response {
    bad_request(10, 0, &format!("(#10) Application does not have permission for this action: {scope}"))
}

/// Too early, too late, or a second time.
pub(super) fn no_such_container() -> Response {
    bad_request(24, 4_279_009, "The requested resource does not exist")
}

/// Something that is not there, or that the token may not see.
pub(super) fn unknown() -> Response {
    bad_request(100, 33, "Unsupported request. Object does not exist, cannot be loaded due to missing permissions.")
}

/// The header tells whole minutes.
fn limited(until: Timestamp, now: Timestamp) -> Response {
    let minutes = (until.as_second() - now.as_second() + 59) / 60;
    with_usage(bad_request(17, 0, "(#17) User request limit reached"), 100, minutes)
}

/// How much of what the account may ask for is used up.
pub(super) fn with_usage(mut response: Response, percent: u32, minutes: i64) -> Response {
    let usage = json!({ "threads": [{ "type": "threads", "call_count": percent, "total_cputime": 1, "total_time": 1,
        "estimated_time_to_regain_access": minutes }] });
    if let Ok(usage) = HeaderValue::from_str(&usage.to_string()) {
        response.headers_mut().insert("x-business-use-case-usage", usage);
    }
    response
}

/// Our app's own call limit.
fn app_limited() -> Response {
    let message = "(#4) Application request limit reached";
    let error = json!({ "message": message, "type": "OAuthException", "is_transient": true, "code": 4, "fbtrace_id": "ASimulatedTrace" });
    (StatusCode::FORBIDDEN, Json(json!({ "error": error }))).into_response()
}

/// The app has lost what it needs to post.
fn app_refused() -> Response {
    graph_error(StatusCode::FORBIDDEN, 200, 0, "(#200) Requires threads_content_publish permission")
}

fn restricted() -> Response {
    bad_request(10, 4_279_013, "The user is restricted")
}

fn rejected() -> Response {
    bad_request(100, 0, "(#100) Invalid parameter")
}

/// Graph's word for it everywhere. Threads' documents know no such refusal.
fn duplicate() -> Response {
    bad_request(506, 0, "Duplicate status message")
}

fn server_error() -> Response {
    graph_error(StatusCode::INTERNAL_SERVER_ERROR, 2, 0, "An unexpected error has occurred. Please retry your request later.")
}

/// The live token that came in the header or as a parameter, or Graph's refusal.
pub(super) fn authorised(world: &World, headers: &HeaderMap, params: &Params) -> Result<Result<Token, Response>, Failed> {
    let value = bearer(headers).or_else(|| params.get("access_token")).unwrap_or_default();
    let token = world.storage.token(THREADS, value)?.filter(|token| TOKENS.contains(&token.kind.as_str()));
    Ok(match token {
        None => Err(bad_request(190, 0, "Invalid OAuth access token.")),
        Some(token) if token.revoked => {
            Err(bad_request(190, 458, "Error validating access token: The user has not authorized application."))
        }
        Some(token) if token.is_expired(world.clock.now()) => {
            Err(bad_request(190, 463, "Error validating access token: Session has expired."))
        }
        Some(token) => Ok(token),
    })
}
