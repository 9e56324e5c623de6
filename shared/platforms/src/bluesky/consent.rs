//! A consent: it is announced to the account's own server, and what comes back is bound to the key that announced it.

use std::time::Duration;

use domain::people::Issuer;
use domain::platform::{AccountKind, Handle, Named, Server, ServerLimits};
use domain::token::TokenSet;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::Bluesky;
use super::bound::{Body, Bound};
use super::client::Client;
use super::discovery::Found;
use super::errors::error_of;
use super::handle::Did;
use super::key::Key;
use super::scopes;
use crate::http::{Answer, CALL_TIMEOUT, SendError};
use crate::oauth::{NoTokens, TokenAnswer, challenge, exchange_error};
use crate::{AppCredentials, Ask, AuthorizeError, Callback, Consent, ExchangeError, GrantedAccount, Platform, detail};

/// For finding the servers and announcing the consent, which are up to seven calls: a browser waits.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(20);

/// What a callback needs of the beginning.
#[derive(Deserialize)]
struct Carried {
    issuer: String,
    did: String,
    handle: String,
    pds: Url,
    token: Url,
    key: SecretString,
}

impl Carried {
    /// Reads what [`Bluesky::begin`] made.
    fn read(carried: Option<&SecretString>) -> Option<Self> {
        serde_json::from_str(carried?.expose_secret()).ok()
    }
}

#[derive(Deserialize)]
struct Announced {
    request_uri: String,
}

/// Whose the tokens are.
#[derive(Deserialize)]
struct Subject {
    sub: String,
}

impl Bluesky {
    pub(super) async fn begin(&self, app: &AppCredentials, ask: &Ask<'_>) -> Result<Consent, AuthorizeError> {
        let refused = |detail: &str| AuthorizeError::Refused { detail: detail.to_owned() };
        let Some(Named::Handle(handle)) = ask.named else { return Err(refused("no handle was given")) };
        let begun = tokio::time::timeout(BEGIN_TIMEOUT, async {
            let found = self.discover(handle).await?;
            self.announce(app, ask, handle, found).await
        });
        begun.await.unwrap_or_else(|_| Err(AuthorizeError::Unavailable { detail: "its servers took too long".to_owned() }))
    }

    async fn announce(&self, app: &AppCredentials, ask: &Ask<'_>, handle: &Handle, found: Found) -> Result<Consent, AuthorizeError> {
        let unavailable = |detail: &str| AuthorizeError::Unavailable { detail: detail.to_owned() };
        let client = Client::of(app).ok_or_else(|| unavailable("the app's secret is no key"))?;
        let (key, endpoints) = (Key::from_entropy(*ask.entropy), found.endpoints);
        let form = |nonce: Option<&str>| {
            let mut fields = vec![
                ("response_type", "code".to_owned()),
                ("redirect_uri", client.callback(ask.redirect_uri).into()),
                ("scope", self.descriptor().scopes.asked()),
                ("state", ask.state.expose_secret().to_owned()),
                ("code_challenge", challenge(ask.code_verifier).as_str().to_owned()),
                ("code_challenge_method", "S256".to_owned()),
                ("login_hint", handle.as_str().to_owned()),
            ];
            fields.extend(proven(&client, &endpoints.issuer, nonce, ask.state, ask.now));
            Body::Form(fields)
        };
        let caller = Bound { http: &self.named, key: &key, access: None, now: ask.now };
        let answer = caller.post(&endpoints.par, CALL_TIMEOUT, form).await.map_err(|error| unavailable(&error.into_detail()))?;
        let announced = answer.status.is_success().then(|| answer.json::<Announced>()).flatten();
        let Some(Announced { request_uri }) = announced else { return Err(unavailable(&named(&answer))) };
        let mut page = self.named.address_of(&endpoints.authorize).map_err(|error| unavailable(&error.to_string()))?;
        page.query_pairs_mut().append_pair("client_id", client.id()).append_pair("request_uri", &request_uri);
        let carried = json!({
            "issuer": endpoints.issuer, "did": found.did.as_str(), "handle": handle.as_str(), "pds": found.pds, "token": endpoints.token,
            "key": key.to_secret().expose_secret(),
        });
        // Each of these servers names itself.
        let issuer = Issuer::announced(endpoints.issuer);
        Ok(Consent { url: page, issuer, carried: Some(carried.to_string().into()) })
    }

    pub(super) async fn finish(&self, app: &AppCredentials, back: &Callback<'_>, now: Timestamp) -> Result<GrantedAccount, ExchangeError> {
        let refused = |detail: &str| ExchangeError::Refused { detail: detail.to_owned() };
        let carried = Carried::read(back.carried).ok_or_else(|| refused("the consent was not begun here"))?;
        let key = Key::from_secret(&carried.key).ok_or_else(|| refused("the consent was not begun here"))?;
        let client = Client::of(app).ok_or_else(|| refused("the app's secret is no key"))?;
        let form = |nonce: Option<&str>| {
            let mut fields = vec![
                ("grant_type", "authorization_code".to_owned()),
                ("code", back.code.expose_secret().to_owned()),
                ("code_verifier", back.code_verifier.expose_secret().to_owned()),
                ("redirect_uri", client.callback(back.redirect_uri).into()),
            ];
            fields.extend(proven(&client, &carried.issuer, nonce, back.code, now));
            Body::Form(fields)
        };
        let sent = Bound { http: &self.named, key: &key, access: None, now }.post(&carried.token, CALL_TIMEOUT, form).await;
        let (answer, subject) = tokens_of(sent).map_err(exchange_error)?;
        // The server could give tokens of whomever it lets in.
        if subject.as_ref().map(Did::as_str) != Some(carried.did.as_str()) {
            return Err(refused("the tokens are of another account"));
        }
        let issuer = Url::parse(&carried.issuer).map_err(|_| refused("the issuer is no address"))?;
        let tokens = answer.into_tokens(self.descriptor().scopes.required, None, now);
        let tokens = TokenSet { scopes: scopes::as_asked(&tokens.scopes), dpop_key: Some(carried.key), ..tokens };
        Ok(GrantedAccount {
            account_id: carried.did,
            username: carried.handle,
            kind: AccountKind::Profile,
            grantor: None,
            server: Some(Server { api: carried.pds, issuer, software: "atproto".to_owned(), limits: ServerLimits::default() }),
            missing_scopes: scopes::missing(&tokens.scopes),
            tokens,
        })
    }
}

/// How our app names and proves itself in a form. `shown` tells one request from another.
pub(super) fn proven(
    client: &Client,
    issuer: &str,
    nonce: Option<&str>,
    shown: &SecretString,
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let unique = [nonce.unwrap_or_default().as_bytes(), b" ", shown.expose_secret().as_bytes()].concat();
    client.fields(issuer, &unique, now)
}

/// The tokens in an answer, and whose they are, if it says so.
pub(super) fn tokens_of(sent: Result<Answer, SendError>) -> Result<(TokenAnswer, Option<Did>), NoTokens> {
    let answer = sent.map_err(NoTokens::NoAnswer)?;
    let subject = answer.json::<Subject>().and_then(|subject| Did::parse(&subject.sub));
    match answer.json::<TokenAnswer>().filter(|_| answer.status.is_success()) {
        Some(tokens) => Ok((tokens, subject)),
        None => Err(NoTokens::Answer(Box::new(answer))),
    }
}

fn named(answer: &Answer) -> String {
    detail::of_answer(answer.status.as_u16(), &[Some(&error_of(answer))])
}
