//! Consent and tokens: codes of 30 seconds, PKCE, access tokens of two hours, refresh tokens that work once.

use std::sync::Arc;

use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse, Response};
use axum::{Json, http::HeaderMap};
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::json;

use super::{ACCESS_TOKEN, REFRESH_TOKEN, SimulatedX, X};
use crate::World;
use crate::consent::{self, Granted, Params};
use crate::faults::{Call, Failed, Operation, guarded};
use crate::page;
use crate::storage::NewToken;
use crate::token::{CODE, Token, is_our_app, verifies};

const REQUIRED: [&str; 3] = ["scope", "state", "code_challenge"];
const CODE_LIFETIME: SignedDuration = SignedDuration::from_secs(30);
const ACCESS_LIFETIME: SignedDuration = SignedDuration::from_secs(7200);

/// About six months.
const REFRESH_LIFETIME: SignedDuration = SignedDuration::from_hours(180 * 24);

/// Who allows, where the form does not say.
const DEFAULT_ACCOUNT: &str = "demo_x";

type Fields = Vec<(String, String)>;

/// `GET`: the consent page.
pub(super) async fn ask(State(world): State<Arc<World>>, Query(query): Query<Fields>) -> Response {
    let params = Params(query);
    if let Some(refusal) = refused(&world, &params) {
        return refusal;
    }
    let scopes = asked_scopes(&params).into_iter().map(|scope| page::checkbox(&format!("Allow {scope}"), "granted_scope", &scope));
    let account = page::text_input("Account", "account", DEFAULT_ACCOUNT);
    page::consent("X", &params.0, &std::iter::once(account).chain(scopes).collect::<String>())
}

/// `POST`: the person's decision. A form without any `granted_scope` means all scopes.
pub(super) async fn decide(
    State(world): State<Arc<World>>,
    Query(query): Query<Fields>,
    Form(form): Form<Fields>,
) -> Result<Response, Failed> {
    let params = Params(form).with_fallback(Params(query));
    if let Some(refusal) = refused(&world, &params) {
        return Ok(refusal);
    }
    let name = params.get("account").unwrap_or(DEFAULT_ACCOUNT);
    match params.get("decision") {
        Some("allow") if is_handle(name) => {
            let account = super::account(name);
            let scopes = params.ticked(asked_scopes(&params));
            let account_ids = vec![account.id.clone()];
            consent::allow(&world, &params, &Granted { platform: X, account, account_ids, scopes, code_lifetime: CODE_LIFETIME })
        }
        Some("allow") => Ok(page::refusal("An account has 1 to 15 letters, digits or underscores.")),
        Some("deny") => consent::deny(&world, X, &params, &[("error", "access_denied")]),
        _ => Ok(page::refusal("decision must be allow or deny.")),
    }
}

fn refused(world: &World, params: &Params) -> Option<Response> {
    let method = params.get("code_challenge_method");
    consent::objection(world, X, params, &REQUIRED)
        .or_else(|| (method != Some("S256")).then(|| page::refusal("code_challenge_method must be S256.")))
}

fn asked_scopes(params: &Params) -> Vec<String> {
    params.get("scope").unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

fn is_handle(name: &str) -> bool {
    (1..=15).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// `POST /2/oauth2/token`.
pub(super) async fn token(State(world): State<Arc<World>>, headers: HeaderMap, Form(form): Form<Fields>) -> Result<Response, Failed> {
    let params = Params(form);
    let (on, given) = match params.get("grant_type") {
        Some("authorization_code") => (Operation::Exchange, params.get("code")),
        Some("refresh_token") => (Operation::Refresh, params.get("refresh_token")),
        _ => return Ok(oauth_error(StatusCode::BAD_REQUEST, "unsupported_grant_type", "grant_type is not supported")),
    };
    let stored = world.storage.token(X, given.unwrap_or_default())?;
    let call = Call { double: &SimulatedX, on, account: stored.as_ref().map(|token| &token.account) };
    guarded(&world, call, || {
        if !is_our_app(&headers) {
            return Ok(unauthorized_client());
        }
        match (on, stored.as_ref()) {
            (Operation::Exchange, Some(code)) if code_is_good(&world, code, &params)? => issue(&world, code),
            (Operation::Exchange, _) => Ok(invalid("Value passed for the authorization code was invalid.")),
            (_, Some(refresh)) if refresh_is_good(&world, refresh)? => issue(&world, refresh),
            _ => Ok(invalid("Value passed for the token was invalid.")),
        }
    })
    .await
}

fn code_is_good(world: &World, code: &Token, params: &Params) -> Result<bool, Failed> {
    let fits = code.kind == CODE
        && !code.is_expired(world.clock.now())
        && params.get("redirect_uri") == Some(code.redirect_uri.as_str())
        && verifies(params.get("code_verifier").unwrap_or_default(), &code.code_challenge);
    // A code that was shown with the wrong verifier is spent all the same.
    Ok(code.kind == CODE && world.storage.spend(&code.value)? && fits)
}

/// A refresh token that comes a second time was stolen or doubled: the whole grant ends.
fn refresh_is_good(world: &World, refresh: &Token) -> Result<bool, Failed> {
    if refresh.kind != REFRESH_TOKEN || refresh.revoked || refresh.is_expired(world.clock.now()) {
        return Ok(false);
    }
    let first = world.storage.spend(&refresh.value)?;
    if !first {
        world.storage.revoke(refresh.grant_id)?;
    }
    Ok(first)
}

fn issue(world: &World, from: &Token) -> Result<Response, Failed> {
    let now = world.clock.now();
    let (access, refresh) = (world.secret("xa-"), world.secret("xr-"));
    let mut body = json!({
        "token_type": "bearer", "expires_in": ACCESS_LIFETIME.as_secs(), "access_token": access, "scope": from.scopes.join(" ")
    });
    let insert = |value: &str, kind, lifetime| {
        let token = NewToken { value, kind, account: &from.account, expires_at: Some(now + lifetime) };
        world.storage.insert_token(X, from.grant_id, &token)
    };
    insert(&access, ACCESS_TOKEN, ACCESS_LIFETIME)?;
    if from.allows("offline.access") {
        insert(&refresh, REFRESH_TOKEN, REFRESH_LIFETIME)?;
        body["refresh_token"] = json!(refresh);
    }
    Ok(Json(body).into_response())
}

/// `POST /2/oauth2/revoke`: ends the grant that the token belongs to.
pub(super) async fn revoke(State(world): State<Arc<World>>, headers: HeaderMap, Form(form): Form<Fields>) -> Result<Response, Failed> {
    let params = Params(form);
    let stored = world.storage.token(X, params.get("token").unwrap_or_default())?;
    let call = Call { double: &SimulatedX, on: Operation::Revoke, account: stored.as_ref().map(|token| &token.account) };
    guarded(&world, call, || match &stored {
        _ if !is_our_app(&headers) => Ok(unauthorized_client()),
        Some(token) => {
            world.storage.revoke(token.grant_id)?;
            Ok(Json(json!({ "revoked": true })).into_response())
        }
        None => Ok(invalid("Value passed for the token was invalid.")),
    })
    .await
}

fn unauthorized_client() -> Response {
    oauth_error(StatusCode::UNAUTHORIZED, "unauthorized_client", "Missing valid authorization header")
}

fn invalid(description: &str) -> Response {
    oauth_error(StatusCode::BAD_REQUEST, "invalid_request", description)
}

fn oauth_error(status: StatusCode, error: &str, description: &str) -> Response {
    (status, Json(json!({ "error": error, "error_description": description }))).into_response()
}
