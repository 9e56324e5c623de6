//! Consent and tokens: codes of 30 minutes, access tokens of 60 days, and for partners refresh tokens of a year that stay the same.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::json;

use super::shapes::PARTNER;
use super::{ACCESS_TOKEN, DEFAULT_PERSON, LINKEDIN, ORGANIZATIONS, REFRESH_TOKEN, SimulatedLinkedIn, person};
use crate::consent::{self, Granted, Params};
use crate::faults::{Call, Failed, Operation, guarded};
use crate::storage::NewToken;
use crate::token::{CODE, Token};
use crate::{APP_CLIENT_ID, APP_CLIENT_SECRET, World, page};

const REQUIRED: [&str; 2] = ["scope", "state"];
const CODE_LIFETIME: SignedDuration = SignedDuration::from_mins(30);
const ACCESS_LIFETIME: SignedDuration = SignedDuration::from_hours(60 * 24);
const REFRESH_LIFETIME: SignedDuration = SignedDuration::from_hours(365 * 24);

const DENIED: [(&str, &str); 2] = [("error", "user_cancelled_authorize"), ("error_description", "The user cancelled the authorization")];

/// The choice of somebody who acts for no organization.
const NO_ORGANIZATION: &str = "none";

type Fields = Vec<(String, String)>;

/// `GET`: the consent page. It offers no choice of scopes: all or nothing.
pub(super) async fn ask(State(world): State<Arc<World>>, Query(query): Query<Fields>) -> Response {
    let params = Params(query);
    if let Some(refusal) = refused(&world, &params) {
        return refusal;
    }
    let person = page::text_input("Person", "person", DEFAULT_PERSON);
    let organizations = ORGANIZATIONS.iter().map(|(id, name, role)| page::checkbox(&format!("{role} of {name}"), "organization", id));
    let none = page::empty_box("No organization at all", "organization", NO_ORGANIZATION);
    page::consent("LinkedIn", &params.0, &std::iter::once(person).chain(organizations).chain([none]).collect::<String>())
}

/// `POST`: the person's decision. A form without any `organization` means that they have a role in each.
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
            let account = person(params.get("person").unwrap_or(DEFAULT_PERSON));
            let chosen: Vec<_> = params.all("organization").collect();
            let has = |id: &str| chosen.is_empty() || chosen.contains(&id);
            let organizations = ORGANIZATIONS.iter().map(|(id, ..)| *id).filter(|id| has(id)).map(str::to_owned);
            let account_ids = [account.id.clone()].into_iter().chain(organizations).collect();
            let scopes = params.get("scope").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
            let granted = Granted { platform: LINKEDIN, account, account_ids, scopes, code_lifetime: CODE_LIFETIME };
            consent::allow(&world, &params, &granted)
        }
        Some("deny") => consent::deny(&world, LINKEDIN, &params, &DENIED),
        _ => Ok(page::refusal("decision must be allow or deny.")),
    }
}

/// The flow of websites knows no code challenge.
fn refused(world: &World, params: &Params) -> Option<Response> {
    consent::objection(world, LINKEDIN, params, &REQUIRED)
        .or_else(|| params.get("code_challenge").map(|_| page::refusal("code_challenge is not taken.")))
}

/// `POST /oauth/v2/accessToken`: the app names itself in the form.
pub(super) async fn token(State(world): State<Arc<World>>, Form(form): Form<Fields>) -> Result<Response, Failed> {
    let params = Params(form);
    let (on, given) = match params.get("grant_type") {
        Some("authorization_code") => (Operation::Exchange, params.get("code")),
        Some("refresh_token") => (Operation::Refresh, params.get("refresh_token")),
        _ => return Ok(oauth_error(StatusCode::BAD_REQUEST, "invalid_request", "A required parameter \"grant_type\" is missing")),
    };
    let stored = world.storage.token(LINKEDIN, given.unwrap_or_default())?;
    let call = Call { double: &SimulatedLinkedIn, on, account: stored.as_ref().map(|token| &token.account) };
    guarded(&world, call, || {
        if !is_our_app(&params) {
            return Ok(oauth_error(StatusCode::UNAUTHORIZED, "invalid_client", "Client authentication failed"));
        }
        match (on, stored.as_ref()) {
            (Operation::Exchange, Some(code)) if code_is_good(&world, code, &params)? => issue(&world, code, None),
            (Operation::Exchange, _) => {
                Ok(oauth_error(StatusCode::BAD_REQUEST, "invalid_request", "Unable to retrieve access token: authorization code not found"))
            }
            (_, Some(refresh)) if is_live(&world, refresh) && refresh.kind == REFRESH_TOKEN => issue(&world, refresh, Some(refresh)),
            _ => Ok(oauth_error(
                StatusCode::BAD_REQUEST,
                "invalid_grant",
                "The provided authorization grant or refresh token is invalid, expired or revoked",
            )),
        }
    })
    .await
}

fn is_our_app(params: &Params) -> bool {
    params.get("client_id") == Some(APP_CLIENT_ID) && params.get("client_secret") == Some(APP_CLIENT_SECRET)
}

fn is_live(world: &World, token: &Token) -> bool {
    !token.revoked && !token.is_expired(world.clock.now())
}

/// A verifier has no place in this flow.
fn code_is_good(world: &World, code: &Token, params: &Params) -> Result<bool, Failed> {
    let fits = code.kind == CODE
        && is_live(world, code)
        && params.get("redirect_uri") == Some(code.redirect_uri.as_str())
        && params.get("code_verifier").is_none();
    Ok(fits && world.storage.spend(&code.value)?)
}

/// An access token; with it the refresh token that was used, or where our app is a partner's a first one, which counts from the consent.
fn issue(world: &World, from: &Token, refresh: Option<&Token>) -> Result<Response, Failed> {
    let now = world.clock.now();
    let access = world.secret("la-");
    let insert = |value: &str, kind, expires_at| {
        let token = NewToken { value, kind, account: &from.account, expires_at: Some(expires_at) };
        world.storage.insert_token(LINKEDIN, from.grant_id, &token)
    };
    insert(&access, ACCESS_TOKEN, now + ACCESS_LIFETIME)?;
    let mut body = json!({
        "access_token": access, "expires_in": ACCESS_LIFETIME.as_secs(), "scope": from.scopes.join(","), "token_type": "Bearer",
    });
    let used = refresh.and_then(|refresh| Some((refresh.value.clone(), refresh.expires_at?)));
    let first = || -> Result<_, Failed> {
        let (value, ends) = (world.secret("lr-"), now + REFRESH_LIFETIME);
        insert(&value, REFRESH_TOKEN, ends)?;
        Ok((value, ends))
    };
    let is_partner = world.storage.stands(LINKEDIN, PARTNER, &from.account)?;
    let refresh = if used.is_none() && is_partner { Some(first()?) } else { used };
    if let Some((value, ends)) = refresh {
        body["refresh_token"] = json!(value);
        body["refresh_token_expires_in"] = json!(ends.duration_since(now).as_secs());
    }
    Ok(Json(body).into_response())
}

/// `POST /oauth/v2/revoke`: ends the grant that the token belongs to.
pub(super) async fn revoke(State(world): State<Arc<World>>, Form(form): Form<Fields>) -> Result<Response, Failed> {
    let params = Params(form);
    let stored = world.storage.token(LINKEDIN, params.get("token").unwrap_or_default())?;
    let call = Call { double: &SimulatedLinkedIn, on: Operation::Revoke, account: stored.as_ref().map(|token| &token.account) };
    guarded(&world, call, || match &stored {
        _ if !is_our_app(&params) => Ok(oauth_error(StatusCode::UNAUTHORIZED, "invalid_client", "Client authentication failed")),
        Some(token) if !token.revoked => {
            world.storage.revoke(token.grant_id)?;
            Ok(StatusCode::OK.into_response())
        }
        _ => Ok(oauth_error(StatusCode::BAD_REQUEST, "invalid_request", "The token is invalid")),
    })
    .await
}

fn oauth_error(status: StatusCode, error: &str, description: &str) -> Response {
    (status, Json(json!({ "error": error, "error_description": description }))).into_response()
}
