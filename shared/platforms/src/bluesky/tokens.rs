//! Renewing tokens and taking them back. An access token lives an hour at most; a refresh token is used once, and one that is shown twice ends the
//! session.

use domain::token::TokenSet;
use jiff::Timestamp;
use secrecy::ExposeSecret;

use super::Bluesky;
use super::bound::{Body, Bound};
use super::client::Client;
use super::consent::{proven, tokens_of};
use super::errors::REFRESH_TABLE;
use super::key::Key;
use super::scopes;
use crate::http::{CALL_TIMEOUT, SendError};
use crate::oauth::{NoTokens, refresh_error, revoked};
use crate::{Account, AppCredentials, Platform, RefreshError, RevokeError};

/// What acting for an account takes beside its access token.
pub(super) const NO_KEY: &str = "the connection has no server or no key";

impl Bluesky {
    pub(super) async fn rotate(&self, app: &AppCredentials, of: Account<'_>, now: Timestamp) -> Result<TokenSet, RefreshError> {
        let dead = |detail: &str| RefreshError::Dead { detail: detail.to_owned() };
        let unavailable = |detail: String| RefreshError::Unavailable { detail };
        let refresh = of.tokens.refresh.as_ref().ok_or_else(|| dead("there is no refresh token"))?;
        let key = of.tokens.dpop_key.as_ref().and_then(Key::from_secret).ok_or_else(|| dead(NO_KEY))?;
        let server = of.server.ok_or_else(|| dead(NO_KEY))?;
        let client = Client::of(app).ok_or_else(|| unavailable("the app's secret is no key".to_owned()))?;
        let endpoints = self.endpoints_of(&server.issuer).await.map_err(|error| unavailable(error.into_detail()))?;
        let form = |nonce: Option<&str>| {
            let mut fields = vec![("grant_type", "refresh_token".to_owned()), ("refresh_token", refresh.expose_secret().to_owned())];
            fields.extend(proven(&client, &endpoints.issuer, nonce, refresh, now));
            Body::Form(fields)
        };
        let sent = Bound { http: &self.named, key: &key, access: None, now }.post(&endpoints.token, CALL_TIMEOUT, form).await;
        match tokens_of(sent) {
            // Tokens of another account would post as somebody else.
            Ok((_, Some(subject))) if subject.as_str() != of.id => Err(dead("the tokens are of another account")),
            Ok((answer, _)) => {
                let tokens = answer.into_tokens(self.descriptor().scopes.required, Some(of.tokens), now);
                Ok(TokenSet { scopes: scopes::as_asked(&tokens.scopes), dpop_key: of.tokens.dpop_key.clone(), ..tokens })
            }
            Err(NoTokens::NoAnswer(SendError::Lost { detail, .. })) => Err(RefreshError::Unknown { detail }),
            Err(NoTokens::NoAnswer(unsent)) => Err(unavailable(unsent.into_detail())),
            Err(NoTokens::Answer(answer)) => Err(refresh_error(REFRESH_TABLE, &answer)),
        }
    }

    /// Takes back the session: its refresh token, or the access token of one that has none. A server that takes none back has nothing to be told.
    pub(super) async fn end(&self, app: &AppCredentials, of: Account<'_>, now: Timestamp) -> Result<(), RevokeError> {
        let fault = |detail: &str| RevokeError { detail: detail.to_owned() };
        let (Some(server), Some(key)) = (of.server, of.tokens.dpop_key.as_ref().and_then(Key::from_secret)) else {
            return Err(fault(NO_KEY));
        };
        let client = Client::of(app).ok_or_else(|| fault("the app's secret is no key"))?;
        let endpoints = self.endpoints_of(&server.issuer).await.map_err(|error| fault(&error.into_detail()))?;
        let Some(revocation) = &endpoints.revocation else { return Ok(()) };
        let token = of.tokens.refresh.as_ref().unwrap_or(&of.tokens.access);
        let form = |nonce: Option<&str>| {
            let mut fields = vec![("token", token.expose_secret().to_owned())];
            fields.extend(proven(&client, &endpoints.issuer, nonce, token, now));
            Body::Form(fields)
        };
        let sent = Bound { http: &self.named, key: &key, access: None, now }.post(revocation, CALL_TIMEOUT, form).await;
        revoked(sent, &["invalid_token", "invalid_grant"])
    }
}
