//! Consent and tokens: codes of an hour, tokens of an hour, and tokens of 60 days that are extended.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue};
use jiff::SignedDuration;
use serde_json::json;

use super::api::act;
use super::shapes::{SCOPES_UNTOLD, authorised, bad_request, oauth_error};
use super::{DEFAULT_ACCOUNT, LONG_TOKEN, SHORT_TOKEN, SimulatedThreads, THREADS, account};
use crate::consent::{self, Granted, Params};
use crate::faults::{Call, Failed, Operation, guarded};
use crate::storage::NewToken;
use crate::token::{CODE, Token};
use crate::{APP_CLIENT_ID, APP_CLIENT_SECRET, World, page};

const REQUIRED: [&str; 2] = ["scope", "state"];
const CODE_LIFETIME: SignedDuration = SignedDuration::from_hours(1);
const SHORT_LIFETIME: SignedDuration = SignedDuration::from_hours(1);
const LONG_LIFETIME: SignedDuration = SignedDuration::from_hours(60 * 24);
/// A token of 60 days is not extended before.
const EXTENDED_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// By so much the answer says less than 60 days.
const TOLD_LESS: SignedDuration = SignedDuration::from_secs(56);

const DENIED: [(&str, &str); 3] =
    [("error", "access_denied"), ("error_description", "The user denied your request"), ("error_reason", "user_denied")];

type Fields = Vec<(String, String)>;

/// `GET`: the consent page.
pub(super) async fn ask(State(world): State<Arc<World>>, Query(query): Query<Fields>) -> Response {
    let params = Params(query);
    if let Some(refusal) = refused(&world, &params) {
        return refusal;
    }
    let account = page::text_input("Account", "account", DEFAULT_ACCOUNT);
    let scopes = asked_scopes(&params).into_iter().map(|scope| page::checkbox(&format!("Allow {scope}"), "granted_scope", &scope));
    page::consent("Threads", &params.0, &std::iter::once(account).chain(scopes).collect::<String>())
}

/// `POST`: the person's decision. A form without any `granted_scope` means all.
pub(super) async fn decide(
    State(world): State<Arc<World>>,
    Query(query): Query<Fields>,
    Form(form): Form<Fields>,
) -> Result<Response, Failed> {
    let params = Params(form).with_fallback(Params(query));
    if let Some(refusal) = refused(&world, &params) {
        return Ok(refusal);
    }
    match params.get("decision") {
        Some("allow") => {
            let account = account(params.get("account").unwrap_or(DEFAULT_ACCOUNT));
            let (account_ids, scopes) = (vec![account.id.clone()], params.ticked(asked_scopes(&params)));
            let granted = Granted { platform: THREADS, account, account_ids, scopes, code_lifetime: CODE_LIFETIME };
            marked(consent::allow(&world, &params, &granted)?)
        }
        Some("deny") => marked(consent::deny(&world, THREADS, &params, &DENIED)?),
        _ => Ok(page::refusal("decision must be allow or deny.")),
    }
}

/// Threads ends the address of each redirect with this.
fn marked(mut response: Response) -> Result<Response, Failed> {
    if let Some(location) = response.headers().get(LOCATION) {
        let location = HeaderValue::from_str(&format!("{}#_", location.to_str()?))?;
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// The flow knows no code challenge.
fn refused(world: &World, params: &Params) -> Option<Response> {
    consent::objection(world, THREADS, params, &REQUIRED)
        .or_else(|| params.get("code_challenge").map(|_| page::refusal("code_challenge is not taken.")))
}

fn asked_scopes(params: &Params) -> Vec<String> {
    let scope = params.get("scope").unwrap_or_default();
    scope.split([',', ' ']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
}

/// `POST /oauth/access_token`: a code for a token of an hour. The person's id is a number.
pub(super) async fn short(State(world): State<Arc<World>>, Form(form): Form<Fields>) -> Result<Response, Failed> {
    let params = Params(form);
    let stored = world.storage.token(THREADS, params.get("code").unwrap_or_default())?;
    let call = Call { double: &SimulatedThreads, on: Operation::Exchange, account: stored.as_ref().map(|code| &code.account) };
    guarded(&world, call, || {
        let is_our_app = params.get("client_id") == Some(APP_CLIENT_ID) && params.get("client_secret") == Some(APP_CLIENT_SECRET);
        if !is_our_app {
            return Ok(oauth_error("Error validating client secret."));
        }
        match &stored {
            Some(code) if code_is_good(&world, code, &params)? => {
                let value = issue(&world, code, SHORT_TOKEN, SHORT_LIFETIME)?;
                let user_id: u64 = code.account.id.parse()?;
                Ok(Json(json!({ "access_token": value, "user_id": user_id })).into_response())
            }
            _ => Ok(oauth_error("Matching code was not found or was already used")),
        }
    })
    .await
}

fn code_is_good(world: &World, code: &Token, params: &Params) -> Result<bool, Failed> {
    let fits = code.kind == CODE
        && !code.revoked
        && !code.is_expired(world.clock.now())
        && params.get("grant_type") == Some("authorization_code")
        && params.get("redirect_uri") == Some(code.redirect_uri.as_str());
    Ok(fits && world.storage.spend(&code.value)?)
}

/// `GET /access_token`: the token of an hour for one of 60 days.
pub(super) async fn long(State(world): State<Arc<World>>, Query(query): Query<Fields>, headers: HeaderMap) -> Result<Response, Failed> {
    let params = Params(query);
    act(&world, &headers, &params, Operation::Exchange, |token| {
        let is_asked = params.get("grant_type") == Some("th_exchange_token") && params.get("client_secret") == Some(APP_CLIENT_SECRET);
        if !is_asked || token.kind != SHORT_TOKEN {
            return Ok(bad_request(100, 0, "(#100) Invalid parameter"));
        }
        Ok(given(&issue(&world, token, LONG_TOKEN, LONG_LIFETIME)?))
    })
    .await
}

/// `GET /refresh_access_token`: one of 60 days for another, once it is a day old. The old one stands as long as it did.
pub(super) async fn extend(State(world): State<Arc<World>>, Query(query): Query<Fields>, headers: HeaderMap) -> Result<Response, Failed> {
    let params = Params(query);
    act(&world, &headers, &params, Operation::Refresh, |token| {
        let youngest = world.clock.now() + LONG_LIFETIME - EXTENDED_AFTER;
        let is_old = token.expires_at.is_some_and(|ends| ends <= youngest);
        if params.get("grant_type") != Some("th_refresh_token") || token.kind != LONG_TOKEN || !is_old {
            return Ok(bad_request(100, 0, "(#100) The token cannot be refreshed yet"));
        }
        if !token.allows("threads_basic") {
            return Ok(super::shapes::forbidden("threads_basic"));
        }
        Ok(given(&issue(&world, token, LONG_TOKEN, LONG_LIFETIME)?))
    })
    .await
}

fn given(value: &str) -> Response {
    let expires_in = (LONG_LIFETIME - TOLD_LESS).as_secs();
    Json(json!({ "access_token": value, "token_type": "bearer", "expires_in": expires_in })).into_response()
}

fn issue(world: &World, from: &Token, kind: &str, lifetime: SignedDuration) -> Result<String, Failed> {
    let value = world.secret("th-");
    let token = NewToken { value: &value, kind, account: &from.account, expires_at: Some(world.clock.now() + lifetime) };
    world.storage.insert_token(THREADS, from.grant_id, &token)?;
    Ok(value)
}

/// `GET /debug_token`: what a token is for.
pub(super) async fn inspect(State(world): State<Arc<World>>, Query(query): Query<Fields>, headers: HeaderMap) -> Result<Response, Failed> {
    let params = Params(query);
    act(&world, &headers, &params, Operation::Identity, |token| {
        if world.storage.stands(THREADS, SCOPES_UNTOLD, &token.account)? {
            return Ok(bad_request(10, 0, "(#10) Application does not have permission for this action"));
        }
        let asked = Params(vec![("access_token".to_owned(), params.get("input_token").unwrap_or_default().to_owned())]);
        let inspected = match authorised(&world, &HeaderMap::new(), &asked)? {
            Ok(inspected) => inspected,
            Err(refusal) => return Ok(refusal),
        };
        let data = json!({
            "type": "USER", "application": "Postledger", "is_valid": true, "scopes": inspected.scopes, "user_id": inspected.account.id,
            "expires_at": inspected.expires_at.map(jiff::Timestamp::as_second),
        });
        Ok(Json(json!({ "data": data })).into_response())
    })
    .await
}
