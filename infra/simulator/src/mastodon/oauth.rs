//! Our app at each server, consent and tokens: codes of ten minutes, PKCE, and one token for a person however often they consent.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::json;

use super::shapes::error;
use super::{ACCESS_TOKEN, Host, MASTODON, SimulatedMastodon};
use crate::consent::{self, Granted, Params};
use crate::faults::{Call, Failed, Operation, guarded};
use crate::storage::{NewToken, RegisteredApp};
use crate::token::{CODE, Token, verifies};
use crate::{World, page};

const CODE_LIFETIME: SignedDuration = SignedDuration::from_mins(10);

/// Who allows, where the form does not say.
const DEFAULT_ACCOUNT: &str = "demo_mastodon";

type Fields = Vec<(String, String)>;

/// `POST /api/v1/apps`: each call makes another app.
pub(super) async fn register(
    State(world): State<Arc<World>>,
    Path(host): Path<String>,
    Form(form): Form<Fields>,
) -> Result<Response, Failed> {
    let params = Params(form);
    guarded(&world, Call { double: &SimulatedMastodon, on: Operation::Register, account: None }, || {
        let (Some(name), Some(redirect_uri)) = (params.get("client_name"), params.get("redirect_uris")) else {
            return Ok(error(StatusCode::UNPROCESSABLE_ENTITY, "Validation failed: Application name can't be blank"));
        };
        let app = RegisteredApp {
            host: host.clone(),
            client_id: world.secret("id-"),
            client_secret: world.secret("secret-"),
            redirect_uri: redirect_uri.to_owned(),
            scopes: params.get("scopes").unwrap_or("read").to_owned(),
        };
        world.storage.register_app(&app)?;
        let told = json!({
            "id": "1", "name": name, "website": null, "scopes": words(&app.scopes), "redirect_uris": [redirect_uri], "redirect_uri": redirect_uri,
            "client_id": app.client_id, "client_secret": app.client_secret, "client_secret_expires_at": 0,
        });
        Ok(Json(told).into_response())
    })
    .await
}

/// `GET`: the consent page. It offers no choice of scopes: all or nothing.
pub(super) async fn ask(
    State(world): State<Arc<World>>,
    Path(host): Path<String>,
    Query(query): Query<Fields>,
) -> Result<Response, Failed> {
    let params = Params(query);
    if let Some(refusal) = refused(&world, &host, &params)? {
        return Ok(refusal);
    }
    Ok(page::consent(&format!("Mastodon ({host})"), &params.0, &page::text_input("Account", "account", DEFAULT_ACCOUNT)))
}

/// `POST`: the person's decision.
pub(super) async fn decide(
    State(world): State<Arc<World>>,
    Path(host): Path<String>,
    Query(query): Query<Fields>,
    Form(form): Form<Fields>,
) -> Result<Response, Failed> {
    let params = Params(form).with_fallback(Params(query));
    if let Some(refusal) = refused(&world, &host, &params)? {
        return Ok(refusal);
    }
    let name = params.get("account").unwrap_or(DEFAULT_ACCOUNT);
    match params.get("decision") {
        Some("allow") if is_name(name) => {
            let account = Host(&host).account(name);
            let (account_ids, scopes) = (vec![account.id.clone()], words(params.get("scope").unwrap_or("read")));
            consent::allow(&world, &params, &Granted { platform: MASTODON, account, account_ids, scopes, code_lifetime: CODE_LIFETIME })
        }
        Some("allow") => Ok(page::refusal("An account has 1 to 30 letters, digits or underscores.")),
        Some("deny") => consent::deny(&world, MASTODON, &params, &[("error", "access_denied")]),
        _ => Ok(page::refusal("decision must be allow or deny.")),
    }
}

/// A page that refuses what this server's app was not registered with.
fn refused(world: &World, host: &str, params: &Params) -> Result<Option<Response>, Failed> {
    let app = world.storage.registered_app(host, params.get("client_id").unwrap_or_default())?;
    let Some(app) = app else { return Ok(Some(page::refusal("Client authentication failed due to unknown client."))) };
    let registered = words(&app.scopes);
    let is_within = |scope: &String| registered.contains(scope) || registered.iter().any(|wide| scope.starts_with(&format!("{wide}:")));
    let objection = if params.get("redirect_uri") != Some(app.redirect_uri.as_str()) {
        Some("The redirect uri included is not valid.")
    } else if params.get("response_type") != Some("code") {
        Some("response_type must be code.")
    } else if !words(params.get("scope").unwrap_or("read")).iter().all(is_within) {
        Some("The requested scope is invalid, unknown, or malformed.")
    } else if params.get("code_challenge").is_some() && params.get("code_challenge_method") != Some("S256") {
        Some("The code challenge method must be S256.")
    } else {
        None
    };
    Ok(objection.map(page::refusal))
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn is_name(name: &str) -> bool {
    (1..=30).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// `POST /oauth/token`: the app names itself in the form.
pub(super) async fn token(State(world): State<Arc<World>>, Path(host): Path<String>, Form(form): Form<Fields>) -> Result<Response, Failed> {
    let params = Params(form);
    let stored = world.storage.token(MASTODON, params.get("code").unwrap_or_default())?;
    let stored = stored.filter(|code| Host(&host).has(&code.account));
    let call = Call { double: &SimulatedMastodon, on: Operation::Exchange, account: stored.as_ref().map(|code| &code.account) };
    guarded(&world, call, || match (named_app(&world, &host, &params)?, &stored) {
        (None, _) => Ok(oauth_error(StatusCode::UNAUTHORIZED, "invalid_client")),
        (Some(_), _) if params.get("grant_type") != Some("authorization_code") => {
            Ok(oauth_error(StatusCode::BAD_REQUEST, "unsupported_grant_type"))
        }
        (Some(_), Some(code)) if code_is_good(&world, &host, code, &params)? => issue(&world, code),
        _ => Ok(oauth_error(StatusCode::BAD_REQUEST, "invalid_grant")),
    })
    .await
}

/// Our app at this server, by its name and its secret.
fn named_app(world: &World, host: &str, params: &Params) -> Result<Option<RegisteredApp>, Failed> {
    let app = world.storage.registered_app(host, params.get("client_id").unwrap_or_default())?;
    Ok(app.filter(|app| params.get("client_secret") == Some(app.client_secret.as_str())))
}

/// Servers before 4.3 look at no verifier.
fn code_is_good(world: &World, host: &str, code: &Token, params: &Params) -> Result<bool, Failed> {
    let is_verified = Host(host).is_old()
        || code.code_challenge.is_empty()
        || verifies(params.get("code_verifier").unwrap_or_default(), &code.code_challenge);
    let fits = code.kind == CODE
        && !code.is_expired(world.clock.now())
        && params.get("redirect_uri") == Some(code.redirect_uri.as_str())
        && is_verified;
    Ok(code.kind == CODE && world.storage.spend(&code.value)? && fits)
}

/// The token that the person has given our app already with the same scopes, or a first one.
fn issue(world: &World, code: &Token) -> Result<Response, Failed> {
    let access = if let Some(standing) = world.storage.standing_token(MASTODON, &code.account, ACCESS_TOKEN, &code.scopes)? {
        standing
    } else {
        let value = world.secret("ma-");
        let token = NewToken { value: &value, kind: ACCESS_TOKEN, account: &code.account, expires_at: None };
        world.storage.insert_token(MASTODON, code.grant_id, &token)?;
        value
    };
    let created_at = world.clock.now().as_second();
    let told = json!({ "access_token": access, "token_type": "Bearer", "scope": code.scopes.join(" "), "created_at": created_at });
    Ok(Json(told).into_response())
}

/// `POST /oauth/revoke`: ends the token, for whoever lives on it. One that is gone already is answered alike.
pub(super) async fn revoke(
    State(world): State<Arc<World>>,
    Path(host): Path<String>,
    Form(form): Form<Fields>,
) -> Result<Response, Failed> {
    let params = Params(form);
    let stored = world.storage.token(MASTODON, params.get("token").unwrap_or_default())?;
    let stored = stored.filter(|token| Host(&host).has(&token.account));
    let call = Call { double: &SimulatedMastodon, on: Operation::Revoke, account: stored.as_ref().map(|token| &token.account) };
    guarded(&world, call, || {
        if named_app(&world, &host, &params)?.is_none() {
            return Ok(oauth_error(StatusCode::FORBIDDEN, "unauthorized_client"));
        }
        if let Some(token) = &stored {
            world.storage.revoke(token.grant_id)?;
        }
        Ok(Json(json!({})).into_response())
    })
    .await
}

fn oauth_error(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error, "error_description": "The request was refused." }))).into_response()
}
