//! Consent and tokens: what is asked for is announced first, and everything that follows is bound to the key that announced it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use jiff::SignedDuration;
use serde_json::json;

use super::identity::named;
use super::proof::{Shown, is_our_app, key_shown, with_nonce};
use super::shapes::oauth_error;
use super::{ACCESS_TOKEN, AUTH, BLUESKY, REFRESH_TOKEN, SimulatedBluesky, client_id};
use crate::World;
use crate::consent::{self, Granted, Params};
use crate::faults::{Call, Failed, Operation, guarded};
use crate::page;
use crate::storage::NewToken;
use crate::token::{CODE, Token, verifies};

/// What a consent is announced with.
const REQUIRED: [&str; 4] = ["scope", "state", "code_challenge", "login_hint"];

/// How long an announcement waits for its consent.
const ANNOUNCED_SECS: i64 = 299;

const CODE_LIFETIME: SignedDuration = SignedDuration::from_mins(1);
const ACCESS_LIFETIME: SignedDuration = SignedDuration::from_mins(30);
const REFRESH_LIFETIME: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The kinds of notes that keep announcements, the key that each was made with, and the key that a grant is bound to.
const ANNOUNCED: &str = "bluesky-announced";
const KEY_OF_CHALLENGE: &str = "bluesky-key-of-challenge";
const KEY_OF_GRANT: &str = "bluesky-key-of-grant";

type Fields = Vec<(String, String)>;

/// `POST /oauth/par`.
pub(super) async fn announce(
    State(world): State<Arc<World>>,
    Path(host): Path<String>,
    headers: HeaderMap,
    Form(form): Form<Fields>,
) -> Result<Response, Failed> {
    let key = match asked(&world, &host, "/oauth/par", &headers, &form)? {
        Ok(key) => key,
        Err(refusal) => return Ok(*refusal),
    };
    let params = Params(form);
    let fits = params.get("response_type") == Some("code")
        && params.get("redirect_uri") == Some(world.redirect_uri(BLUESKY).as_str())
        && params.get("code_challenge_method") == Some("S256")
        && params.get("scope").is_some_and(|scope| scope.split(' ').any(|scope| scope == "atproto"))
        && REQUIRED.iter().all(|name| params.get(name).is_some());
    let response = if fits {
        let request_uri = format!("urn:ietf:params:oauth:request_uri:{}", world.secret("req-"));
        world.storage.note(KEY_OF_CHALLENGE, params.get("code_challenge").unwrap_or_default(), &key)?;
        let until = world.clock.now().as_second() + ANNOUNCED_SECS;
        world.storage.note(ANNOUNCED, &request_uri, &serde_json::to_string(&(until, &params.0))?)?;
        (StatusCode::CREATED, Json(json!({ "request_uri": request_uri, "expires_in": ANNOUNCED_SECS }))).into_response()
    } else {
        oauth_error(StatusCode::BAD_REQUEST, "invalid_request", "The request lacks something.")
    };
    Ok(with_nonce(&world, &host, response))
}

/// `GET /oauth/authorize`: the consent page.
pub(super) async fn ask(State(world): State<Arc<World>>, Query(query): Query<Fields>) -> Result<Response, Failed> {
    let params = Params(query);
    let Some(announced) = announced(&world, &params)? else { return Ok(page::refusal("Nothing of this was announced.")) };
    let scopes = announced
        .get("scope")
        .unwrap_or_default()
        .split(' ')
        .map(|scope| page::checkbox(&format!("Allow {scope}"), "granted_scope", scope));
    Ok(page::consent("Bluesky", &params.0, &scopes.collect::<String>()))
}

/// `POST /oauth/authorize`: the person's decision. A form without any `granted_scope` means all scopes.
pub(super) async fn decide(
    State(world): State<Arc<World>>,
    Query(query): Query<Fields>,
    Form(form): Form<Fields>,
) -> Result<Response, Failed> {
    let params = Params(form).with_fallback(Params(query));
    let Some(mut asked) = announced(&world, &params)? else { return Ok(page::refusal("Nothing of this was announced.")) };
    let issuer = params.get("iss").map_or_else(|| format!("https://{AUTH}"), str::to_owned);
    asked.0.push(("iss".to_owned(), issuer));
    match (params.get("decision"), named(&world, asked.get("login_hint").unwrap_or_default())?) {
        (Some("allow"), Some(account)) => {
            let scopes = params.ticked(asked.get("scope").unwrap_or_default().split(' ').map(str::to_owned).collect());
            let account_ids = vec![account.id.clone()];
            consent::allow(&world, &asked, &Granted { platform: BLUESKY, account, account_ids, scopes, code_lifetime: CODE_LIFETIME })
        }
        (Some("deny"), Some(_)) => consent::deny(&world, BLUESKY, &asked, &[("error", "access_denied")]),
        _ => Ok(page::refusal("decision must be allow or deny.")),
    }
}

/// What was announced under the address that a browser brings, if that is the app's own and no older than it may be.
fn announced(world: &World, params: &Params) -> Result<Option<Params>, Failed> {
    let request_uri = params.get("request_uri").unwrap_or_default();
    let Some(announced) = world.storage.noted(ANNOUNCED, request_uri)? else { return Ok(None) };
    let (until, fields): (i64, Fields) = serde_json::from_str(&announced)?;
    let is_ours = params.get("client_id") == Some(client_id(&world.base).as_str());
    Ok((is_ours && world.clock.now().as_second() < until).then_some(Params(fields)))
}

/// `POST /oauth/token`: codes and refresh tokens.
pub(super) async fn token(
    State(world): State<Arc<World>>,
    Path(host): Path<String>,
    headers: HeaderMap,
    Form(form): Form<Fields>,
) -> Result<Response, Failed> {
    let key = match asked(&world, &host, "/oauth/token", &headers, &form)? {
        Ok(key) => key,
        Err(refusal) => return Ok(*refusal),
    };
    let params = Params(form);
    let (on, shown) = match params.get("grant_type") {
        Some("refresh_token") => (Operation::Refresh, params.get("refresh_token")),
        _ => (Operation::Exchange, params.get("code")),
    };
    let stored = world.storage.token(BLUESKY, shown.unwrap_or_default())?;
    let call = Call { double: &SimulatedBluesky, on, account: stored.as_ref().map(|token| &token.account) };
    let response = guarded(&world, call, || {
        let good = match (on, &stored) {
            (Operation::Exchange, Some(code)) => code_is_good(&world, code, &params, &key)?,
            (_, Some(refresh)) => refresh_is_good(&world, refresh, &key)?,
            (_, None) => false,
        };
        match stored.as_ref().filter(|_| good) {
            Some(token) => issue(&world, token, &key),
            None => Ok(oauth_error(StatusCode::BAD_REQUEST, "invalid_grant", "Invalid token")),
        }
    });
    Ok(with_nonce(&world, &host, response.await?))
}

fn code_is_good(world: &World, code: &Token, params: &Params, key: &str) -> Result<bool, Failed> {
    let fits = code.kind == CODE
        && !code.is_expired(world.clock.now())
        && params.get("redirect_uri") == Some(code.redirect_uri.as_str())
        && verifies(params.get("code_verifier").unwrap_or_default(), &code.code_challenge)
        && world.storage.noted(KEY_OF_CHALLENGE, &code.code_challenge)?.as_deref() == Some(key);
    Ok(code.kind == CODE && world.storage.spend(&code.value)? && fits)
}

/// A refresh token that comes a second time was stolen or doubled: the whole session ends.
fn refresh_is_good(world: &World, refresh: &Token, key: &str) -> Result<bool, Failed> {
    let is_live = refresh.kind == REFRESH_TOKEN && !refresh.revoked && !refresh.is_expired(world.clock.now());
    if !is_live || !is_bound(world, refresh, key)? {
        return Ok(false);
    }
    let first = world.storage.spend(&refresh.value)?;
    if !first {
        world.storage.revoke(refresh.grant_id)?;
    }
    Ok(first)
}

fn issue(world: &World, from: &Token, key: &str) -> Result<Response, Failed> {
    let now = world.clock.now();
    let (access, refresh) = (world.secret("ba-"), world.secret("br-"));
    for (value, kind, lifetime) in [(&access, ACCESS_TOKEN, ACCESS_LIFETIME), (&refresh, REFRESH_TOKEN, REFRESH_LIFETIME)] {
        let token = NewToken { value, kind, account: &from.account, expires_at: Some(now + lifetime) };
        world.storage.insert_token(BLUESKY, from.grant_id, &token)?;
    }
    world.storage.note(KEY_OF_GRANT, &from.grant_id.to_string(), key)?;
    let body = json!({
        "access_token": access, "token_type": "DPoP", "refresh_token": refresh, "expires_in": ACCESS_LIFETIME.as_secs(),
        "scope": from.scopes.join(" "), "sub": from.account.id,
    });
    Ok(Json(body).into_response())
}

/// Whether a token is bound to this key.
pub(super) fn is_bound(world: &World, token: &Token, key: &str) -> Result<bool, Failed> {
    Ok(world.storage.noted(KEY_OF_GRANT, &token.grant_id.to_string())?.as_deref() == Some(key))
}

/// `POST /oauth/revoke`: ends the session that the token belongs to. One that is not known is ended.
pub(super) async fn revoke(
    State(world): State<Arc<World>>,
    Path(host): Path<String>,
    headers: HeaderMap,
    Form(form): Form<Fields>,
) -> Result<Response, Failed> {
    if let Err(refusal) = asked(&world, &host, "/oauth/revoke", &headers, &form)? {
        return Ok(*refusal);
    }
    let params = Params(form);
    let stored = world.storage.token(BLUESKY, params.get("token").unwrap_or_default())?;
    let call = Call { double: &SimulatedBluesky, on: Operation::Revoke, account: stored.as_ref().map(|token| &token.account) };
    let response = guarded(&world, call, || {
        if let Some(token) = &stored {
            world.storage.revoke(token.grant_id)?;
        }
        Ok(StatusCode::OK.into_response())
    });
    Ok(with_nonce(&world, &host, response.await?))
}

/// The name of the key that our app asks with, or how it is refused.
fn asked(
    world: &World,
    host: &str,
    path: &str,
    headers: &HeaderMap,
    form: &[(String, String)],
) -> Result<Result<String, Box<Response>>, Failed> {
    if host != AUTH {
        return Ok(Err(Box::new(StatusCode::NOT_FOUND.into_response())));
    }
    let key = match key_shown(world, headers, &Shown { host, path, access: None })? {
        Ok(key) => key,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if is_our_app(world, &Params(form.to_vec()))? {
        return Ok(Ok(key));
    }
    let refusal = oauth_error(StatusCode::UNAUTHORIZED, "invalid_client", "The app does not prove who it is.");
    Ok(Err(Box::new(with_nonce(world, host, refusal))))
}
