//! The consent: what an authorize request must hold, and where the decision leads.

use axum::response::{IntoResponse, Redirect, Response};
use domain::platform::PlatformName;
use url::Url;

use crate::token::{Account, CODE};
use crate::{APP_CLIENT_ID, World, page};

use crate::faults::Failed;
use crate::storage::NewToken;

/// The parameters of an authorize request, then of its form.
pub(crate) struct Params(pub(crate) Vec<(String, String)>);

impl Params {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Every value of a name that may stand more than once.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    /// Those of the scopes asked for that the person left ticked: without any `granted_scope`, all.
    pub(crate) fn ticked(&self, mut scopes: Vec<String>) -> Vec<String> {
        let ticked: Vec<_> = self.all("granted_scope").collect();
        scopes.retain(|scope| ticked.is_empty() || ticked.contains(&scope.as_str()));
        scopes
    }

    /// The form's own fields before those of the address that it was posted to.
    pub(crate) fn with_fallback(mut self, query: Self) -> Self {
        let missing: Vec<_> = query.0.into_iter().filter(|(name, _)| !self.0.iter().any(|(of, _)| of == name)).collect();
        self.0.extend(missing);
        self
    }
}

/// What a person allowed.
pub(crate) struct Granted {
    pub(crate) platform: PlatformName,
    /// The person's own account.
    pub(crate) account: Account,
    pub(crate) account_ids: Vec<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) code_lifetime: jiff::SignedDuration,
}

/// A page that refuses a request of another app, for another address, or with `required` parameters missing.
pub(crate) fn objection(world: &World, platform: PlatformName, params: &Params, required: &[&str]) -> Option<Response> {
    if params.get("client_id") != Some(APP_CLIENT_ID) {
        return Some(page::refusal("The app is not registered."));
    }
    if params.get("redirect_uri") != Some(world.redirect_uri(platform).as_str()) {
        return Some(page::refusal("The redirect address is not registered for this app."));
    }
    if params.get("response_type") != Some("code") {
        return Some(page::refusal("response_type must be code."));
    }
    let missing = required.iter().find(|name| params.get(name).is_none())?;
    Some(page::refusal(&format!("{missing} is missing.")))
}

/// Makes the code and sends the browser back with it.
pub(crate) fn allow(world: &World, params: &Params, granted: &Granted) -> Result<Response, Failed> {
    let redirect_uri = world.redirect_uri(granted.platform);
    let code = world.secret("code-");
    let grant_id = world.storage.create_grant(granted.platform, &granted.scopes, &granted.account_ids)?;
    let expires_at = Some(world.clock.now() + granted.code_lifetime);
    let token = NewToken { value: &code, kind: CODE, account: &granted.account, expires_at };
    world.storage.insert_token(granted.platform, grant_id, &token)?;
    world.storage.bind_code(&code, &redirect_uri, params.get("code_challenge").unwrap_or_default())?;
    back(&redirect_uri, params, &[("code", &code)])
}

/// Sends the browser back with the refusal.
pub(crate) fn deny(world: &World, platform: PlatformName, params: &Params, fields: &[(&str, &str)]) -> Result<Response, Failed> {
    back(&world.redirect_uri(platform), params, fields)
}

fn back(redirect_uri: &str, params: &Params, fields: &[(&str, &str)]) -> Result<Response, Failed> {
    let mut url = Url::parse(redirect_uri)?;
    // The networks name no issuer of their own accord; a form may make them, rightly or wrongly.
    let issuer = params.get("iss").map(|iss| ("iss", iss));
    url.query_pairs_mut().extend_pairs(fields).append_pair("state", params.get("state").unwrap_or_default()).extend_pairs(issuer);
    Ok(Redirect::to(url.as_str()).into_response())
}
