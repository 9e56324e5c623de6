//! The shapes of Graph's answers, and who a token stands for.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde_json::json;

use super::FACEBOOK;
use crate::World;
use crate::consent::Params;
use crate::faults::{Dialect, Failed, OwnFault};
use crate::token::{Token, bearer, proves};

pub(super) const DIALECT: Dialect = Dialect { limited, app_limited, app_refused, restricted, rejected, duplicate, server_error };

/// A person's businesses are not told.
pub(super) const BUSINESSES_LOST: &str = "businesses_lost";

/// What Facebook alone says and does: Meta's word on our app, on our call, on the Page.
pub(super) const OWN_FAULTS: &[OwnFault] = &[
    OwnFault::said("api_blocked", |_| bad_request(200, 0, "API access blocked.")),
    OwnFault::said("app_deleted", |_| bad_request(190, 0, "Error validating application. Application has been deleted.")),
    OwnFault::said("bad_address", |_| bad_request(5, 0, "(#5) Unauthorized source IP address")),
    OwnFault::said("bad_signature", |_| bad_request(104, 0, "Incorrect signature")),
    OwnFault::said("unknown_path", |_| bad_request(2500, 0, "Unknown path components: /feed")),
    OwnFault::said("old_version", |_| {
        bad_request(2635, 0, "(#2635) You are calling a deprecated version of the Ads API. Please update to the latest version.")
    }),
    OwnFault::said("page_moved", |_| {
        bad_request(21, 0, "(#21) Page ID 1 was migrated to page ID 2. Please update your API calls to the new ID")
    }),
    OwnFault::said("two_factor", |_| bad_request(415, 0, "(#415) Two factor authentication required.")),
    OwnFault::standing(BUSINESSES_LOST),
];

/// Graph's error body; a subcode of 0 is left out.
pub(super) fn graph_error(status: StatusCode, code: u32, subcode: u32, message: &str) -> Response {
    let mut error = json!({ "message": message, "type": "OAuthException", "code": code, "fbtrace_id": "ASimulatedTrace" });
    if subcode > 0 {
        error["error_subcode"] = json!(subcode);
    }
    (status, Json(json!({ "error": error }))).into_response()
}

/// Our app's own call limit.
fn app_limited() -> Response {
    let message = "(#4) Application request limit reached";
    let error = json!({ "message": message, "type": "OAuthException", "is_transient": true, "code": 4, "fbtrace_id": "ASimulatedTrace" });
    (StatusCode::FORBIDDEN, Json(json!({ "error": error }))).into_response()
}

/// The app has lost what it needs to post.
fn app_refused() -> Response {
    graph_error(StatusCode::FORBIDDEN, 10, 0, "(#10) Application does not have permission for this action")
}

/// The Page may not post for now.
fn restricted() -> Response {
    bad_request(368, 0, "(#368) The action attempted has been deemed abusive or is otherwise disallowed")
}

/// A call without the proof that the app demands (its setting *Require App Secret*), or with a wrong one.
fn unproven(message: &str) -> Response {
    let error = json!({ "message": message, "type": "GraphMethodException", "code": 100, "fbtrace_id": "ASimulatedTrace" });
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response()
}

pub(super) fn bad_request(code: u32, subcode: u32, message: &str) -> Response {
    graph_error(StatusCode::BAD_REQUEST, code, subcode, message)
}

/// A scope is missing.
pub(super) fn forbidden(scope: &str) -> Response {
    graph_error(StatusCode::FORBIDDEN, 200, 0, &format!("(#200) Requires {scope} permission"))
}

fn rejected() -> Response {
    bad_request(368, 1_346_003, "The action attempted has been deemed abusive or is otherwise disallowed")
}

pub(super) fn duplicate() -> Response {
    bad_request(506, 0, "Duplicate status message")
}

fn server_error() -> Response {
    graph_error(StatusCode::INTERNAL_SERVER_ERROR, 2, 0, "An unexpected error has occurred. Please retry your request later.")
}

/// The header tells whole minutes.
fn limited(until: Timestamp, now: Timestamp) -> Response {
    let minutes = (until.as_second() - now.as_second() + 59) / 60;
    let usage = json!({ super::PAGES[0].0: [{
        "type": "pages", "call_count": 100, "total_cputime": 100, "total_time": 100, "estimated_time_to_regain_access": minutes
    }] });
    let mut response = bad_request(80_001, 0, "There have been too many calls to this Page account. Wait a bit and try again.");
    if let Ok(usage) = HeaderValue::from_str(&usage.to_string()) {
        response.headers_mut().insert("x-business-use-case-usage", usage);
    }
    response
}

/// The live token of one of `kinds` that came in the header or as a parameter, or Graph's refusal.
pub(super) fn authorised(world: &World, headers: &HeaderMap, params: &Params, kinds: &[&str]) -> Result<Result<Token, Response>, Failed> {
    let value = bearer(headers).or_else(|| params.get("access_token")).unwrap_or_default();
    let token = world.storage.token(FACEBOOK, value)?.filter(|token| kinds.contains(&token.kind.as_str()));
    Ok(match token {
        None => Err(bad_request(190, 0, "Invalid OAuth access token.")),
        Some(token) if token.revoked => {
            Err(bad_request(190, 458, "Error validating access token: The user has not authorized application."))
        }
        Some(token) if token.is_expired(world.clock.now()) => {
            Err(bad_request(190, 463, "Error validating access token: Session has expired."))
        }
        Some(token) => match params.get("appsecret_proof") {
            Some(proof) if proves(proof, &token.value) => Ok(token),
            Some(_) => Err(unproven("Invalid appsecret_proof provided in the API argument")),
            None => Err(unproven("API calls from the server require an appsecret_proof argument")),
        },
    })
}
