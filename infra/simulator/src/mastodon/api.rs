//! Whose token it is.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::shapes::{OUTSIDE_THE_SCOPES, error, with_limits};
use super::{ACCESS_TOKEN, Host, MASTODON, SimulatedMastodon, bare};
use crate::World;
use crate::faults::{Call, CommonFault, Failed, Operation, guarded};
use crate::token::{Token, bearer};

/// `GET /api/v1/accounts/verify_credentials`.
pub(super) async fn verify_credentials(
    State(world): State<Arc<World>>,
    Path(host): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    act(&world, (&host, &headers), Operation::Identity, "read:accounts", |token| {
        let (id, name) = (bare(&token.account.id), bare(&token.account.name));
        let told = json!({
            "id": id, "username": name, "acct": name, "display_name": name, "locked": false, "bot": false, "note": "",
            "url": format!("https://{host}/@{name}"), "source": { "privacy": "public", "sensitive": false, "language": null },
        });
        Ok(Json(told).into_response())
    })
    .await
}

/// Runs `effect` for the owner of a live access token of this server that holds `scope`.
pub(super) async fn act(
    world: &World,
    (host, headers): (&str, &HeaderMap),
    on: Operation,
    scope: &str,
    effect: impl FnOnce(&Token) -> Result<Response, Failed> + Send,
) -> Result<Response, Failed> {
    let now = world.clock.now();
    let token = world.storage.token(MASTODON, bearer(headers).unwrap_or_default())?;
    let own = token.filter(|token| token.kind == ACCESS_TOKEN && Host(host).has(&token.account));
    let refused = match &own {
        None => Some("The access token is invalid"),
        Some(token) if token.revoked => Some("The access token was revoked"),
        Some(token) if token.is_expired(now) => Some("The access token expired"),
        Some(_) => None,
    };
    let token = match (own, refused) {
        (Some(token), None) => token,
        (_, refused) => {
            world.storage.count_call(MASTODON, on)?;
            return Ok(error(StatusCode::UNAUTHORIZED, refused.unwrap_or_default()));
        }
    };
    let is_busy = world.storage.stands(MASTODON, CommonFault::Busy.as_str(), &token.account)?;
    let call = Call { double: &SimulatedMastodon, on, account: Some(&token.account) };
    let allowed = token.allows(scope);
    guarded(world, call, || {
        let response = if allowed { effect(&token)? } else { error(StatusCode::FORBIDDEN, OUTSIDE_THE_SCOPES) };
        Ok(with_limits(response, if is_busy { 20 } else { 299 }, now))
    })
    .await
}
