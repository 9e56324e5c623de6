//! Consent and tokens: codes of ten minutes, user tokens of two hours and of 60 days, Page tokens without an end.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, Query, RawForm, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use jiff::SignedDuration;
use serde_json::json;

use super::shapes::{authorised, bad_request};
use super::{
    BUSINESS_PAGES, DEFAULT_PERSON, FACEBOOK, LONG_TOKEN, PAGES, SHORT_TOKEN, SimulatedFacebook, USER_TOKENS, page as page_account, person,
};
use crate::consent::{self, Granted, Params};
use crate::faults::{Call, Failed, Operation, guarded};
use crate::storage::NewToken;
use crate::token::{CODE, Token};
use crate::{APP_CLIENT_ID, APP_CLIENT_SECRET, World, page};

const REQUIRED: [&str; 2] = ["scope", "state"];
const CODE_LIFETIME: SignedDuration = SignedDuration::from_mins(10);
const SHORT_LIFETIME: SignedDuration = SignedDuration::from_hours(2);
const LONG_LIFETIME: SignedDuration = SignedDuration::from_hours(60 * 24);

const DENIED: [(&str, &str); 4] =
    [("error", "access_denied"), ("error_code", "200"), ("error_description", "Permissions error"), ("error_reason", "user_denied")];

/// The person closed the dialog.
const CANCELLED: [(&str, &str); 2] = [("error_code", "4201"), ("error_message", "User canceled the Dialog flow")];

/// The choice of somebody who ticks no Page.
const NO_PAGE: &str = "none";

type Fields = Vec<(String, String)>;

/// `GET`: the login dialog.
pub(super) async fn ask(State(world): State<Arc<World>>, Query(query): Query<Fields>) -> Response {
    let params = Params(query);
    if let Some(refusal) = consent::objection(&world, FACEBOOK, &params, &REQUIRED) {
        return refusal;
    }
    let pages = PAGES.iter().map(|(id, name)| page::checkbox(&format!("Page: {name}"), "page", id));
    let of_businesses = BUSINESS_PAGES.iter().map(|(id, name)| page::empty_box(&format!("Page of a business: {name}"), "page", id));
    let none = page::empty_box("No Page at all", "page", NO_PAGE);
    let pages = pages.chain(of_businesses).chain([none]);
    let scopes = asked_scopes(&params).into_iter().map(|scope| page::checkbox(&format!("Allow {scope}"), "granted_scope", &scope));
    let person = page::text_input("Person", "person", DEFAULT_PERSON);
    page::consent("Facebook", &params.0, &std::iter::once(person).chain(pages).chain(scopes).collect::<String>())
}

/// `POST`: the person's decision. A form without any `page` means the person's own Pages, one without any `granted_scope` all scopes.
pub(super) async fn decide(
    State(world): State<Arc<World>>,
    Query(query): Query<Fields>,
    Form(form): Form<Fields>,
) -> Result<Response, Failed> {
    let params = Params(form).with_fallback(Params(query));
    if let Some(refusal) = consent::objection(&world, FACEBOOK, &params, &REQUIRED) {
        return Ok(refusal);
    }
    match params.get("decision") {
        Some("allow") => {
            let all = || PAGES.iter().map(|(id, _)| (*id).to_owned()).collect();
            let is_chosen = params.all("page").next().is_some();
            let chosen = params.all("page").filter_map(page_account).map(|page| page.id);
            let account_ids = if is_chosen { chosen.collect() } else { all() };
            let scopes = params.ticked(asked_scopes(&params));
            let account = person(params.get("person").unwrap_or(DEFAULT_PERSON));
            let granted = Granted { platform: FACEBOOK, account, account_ids, scopes, code_lifetime: CODE_LIFETIME };
            consent::allow(&world, &params, &granted)
        }
        Some("deny") => consent::deny(&world, FACEBOOK, &params, &DENIED),
        Some("cancel") => consent::deny(&world, FACEBOOK, &params, &CANCELLED),
        _ => Ok(page::refusal("decision must be allow, deny or cancel.")),
    }
}

fn asked_scopes(params: &Params) -> Vec<String> {
    let scope = params.get("scope").unwrap_or_default();
    scope.split([',', ' ']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
}

/// `GET` or `POST /oauth/access_token`: a code for a short-lived user token, or that for a long-lived one.
pub(super) async fn token(State(world): State<Arc<World>>, RawForm(form): RawForm) -> Result<Response, Failed> {
    let params = Params(url::form_urlencoded::parse(&form).into_owned().collect());
    let (given, lifetime, kind) = if params.get("grant_type") == Some("fb_exchange_token") {
        (params.get("fb_exchange_token"), LONG_LIFETIME, LONG_TOKEN)
    } else {
        (params.get("code"), SHORT_LIFETIME, SHORT_TOKEN)
    };
    let stored = world.storage.token(FACEBOOK, given.unwrap_or_default())?;
    let call = Call { double: &SimulatedFacebook, on: Operation::Exchange, account: None };
    guarded(&world, call, || {
        if params.get("client_id") != Some(APP_CLIENT_ID) || params.get("client_secret") != Some(APP_CLIENT_SECRET) {
            return Ok(bad_request(1, 0, "Error validating client secret."));
        }
        let good = match &stored {
            Some(from) if kind == SHORT_TOKEN => code_is_good(&world, from, &params)?,
            Some(from) => USER_TOKENS.contains(&from.kind.as_str()) && is_live(&world, from),
            None => false,
        };
        match stored.as_ref().filter(|_| good) {
            Some(from) => issue(&world, from, kind, lifetime),
            None => Ok(bad_request(100, 36_009, "This authorization code has been used.")),
        }
    })
    .await
}

fn is_live(world: &World, token: &Token) -> bool {
    !token.revoked && !token.is_expired(world.clock.now())
}

fn code_is_good(world: &World, code: &Token, params: &Params) -> Result<bool, Failed> {
    let fits = code.kind == CODE && is_live(world, code) && params.get("redirect_uri") == Some(code.redirect_uri.as_str());
    Ok(fits && world.storage.spend(&code.value)?)
}

fn issue(world: &World, from: &Token, kind: &str, lifetime: SignedDuration) -> Result<Response, Failed> {
    let value = world.secret("fu-");
    let token = NewToken { value: &value, kind, account: &from.account, expires_at: Some(world.clock.now() + lifetime) };
    world.storage.insert_token(FACEBOOK, from.grant_id, &token)?;
    Ok(Json(json!({ "access_token": value, "token_type": "bearer", "expires_in": lifetime.as_secs() })).into_response())
}

/// `DELETE /me/permissions`: ends all that the person ever granted to the app, for all of their Pages.
pub(super) async fn revoke(State(world): State<Arc<World>>, Query(query): Query<Fields>, headers: HeaderMap) -> Result<Response, Failed> {
    let token = authorised(&world, &headers, &Params(query), &USER_TOKENS)?;
    let call = Call { double: &SimulatedFacebook, on: Operation::Revoke, account: None };
    guarded(&world, call, || match token {
        Ok(token) => {
            world.storage.revoke_account(FACEBOOK, Some(&token.account.id))?;
            Ok(Json(json!({ "success": true })).into_response())
        }
        Err(refusal) => Ok(refusal),
    })
    .await
}
