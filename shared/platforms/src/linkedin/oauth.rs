//! Codes and tokens. An access token lives 60 days. A refresh token comes to apps of approved partners alone: it stays the same, and ends a
//! year after the consent. Everybody else consents again.
//! See <https://learn.microsoft.com/linkedin/shared/authentication/authorization-code-flow> and
//! <https://learn.microsoft.com/linkedin/shared/authentication/programmatic-refresh-tokens>.

use domain::platform::{PlatformName, Scopes};
use domain::token::TokenSet;
use http::Method;
use jiff::Timestamp;
use secrecy::ExposeSecret;

use super::LinkedIn;
use crate::http::CALL_TIMEOUT;
use crate::oauth::{ClientAuth, NoTokens, RefreshClass, RefreshRow, TokenEndpoint, exchange_error, refresh_error, revoked};
use crate::{AppCredentials, Callback, ExchangeError, GrantedAccount, RefreshError, Renewed, RevokeError, address};

fn scopes() -> &'static Scopes {
    &PlatformName::LinkedIn.descriptor().scopes
}

/// What the token end point's error means for a refresh token, by the whole of `error`, or whatever it is. Older answers say
/// `invalid_request` where the standard says `invalid_grant`. No row: it proves nothing.
const REFRESH_TABLE: &[RefreshRow] = &[
    // The account's: the grant is over.
    (400, Some("invalid_grant"), RefreshClass::Dead),
    (400, Some("invalid_request"), RefreshClass::Dead),
    // The app's: its secret, its standing, its calls.
    (400, Some("unauthorized_client"), RefreshClass::NotProcessed),
    (400, Some("invalid_client"), RefreshClass::NotProcessed),
    (401, None, RefreshClass::NotProcessed),
    (403, None, RefreshClass::NotProcessed),
    (429, None, RefreshClass::NotProcessed),
];

/// What LinkedIn may say of a token that it does not know, or not any more, when it is to be taken back.
const UNKNOWN: [&str; 3] = ["invalid_token", "invalid_grant", "invalid_request"];

impl LinkedIn {
    pub(super) async fn granted_accounts(
        &self,
        app: &AppCredentials,
        back: &Callback<'_>,
        now: Timestamp,
    ) -> Result<Vec<GrantedAccount>, ExchangeError> {
        // The flow of websites knows no verifier.
        let answer = self.token_endpoint(app).exchange(back, None).await.map_err(exchange_error)?;
        let Scopes { required, optional, .. } = scopes();
        let tokens = answer.into_tokens(&[*required, *optional].concat(), None, now);
        let is_missing = |scope: &&&str| !tokens.scopes.iter().any(|granted| granted == **scope);
        // A consent is for all or for nothing.
        let missing: Vec<_> = required.iter().filter(is_missing).map(|scope| (*scope).to_owned()).collect();
        if !missing.is_empty() {
            return Err(ExchangeError::ScopeMissing { missing });
        }
        let person = self.person(&tokens).await?;
        self.accounts(&person, &tokens).await
    }

    pub(super) async fn renewed(&self, app: &AppCredentials, tokens: &TokenSet, now: Timestamp) -> Result<Renewed, RefreshError> {
        let Some(refresh) = &tokens.refresh else { return Ok(Renewed::NeedsConsent) };
        match self.token_endpoint(app).refresh(refresh).await {
            Ok(answer) => Ok(Renewed::Tokens(answer.into_tokens(&[], Some(tokens), now))),
            // A refresh token stays, so one more try with it does no harm.
            Err(NoTokens::NoAnswer(error)) => Err(RefreshError::Unavailable { detail: error.into_detail() }),
            Err(NoTokens::Answer(answer)) => Err(refresh_error(REFRESH_TABLE, &answer)),
        }
    }

    fn token_endpoint<'a>(&'a self, app: &'a AppCredentials) -> TokenEndpoint<'a> {
        TokenEndpoint { url: address::join(&self.oauth_url, &["accessToken"]), app, auth: ClientAuth::Form, http: &self.http }
    }

    /// Takes back the refresh token, then the access token. One that LinkedIn does not know any more counts as taken back.
    pub(super) async fn revoke_grant(&self, app: &AppCredentials, tokens: &TokenSet) -> Result<(), RevokeError> {
        for token in [tokens.refresh.as_ref(), Some(&tokens.access)].into_iter().flatten() {
            let client = [("client_id", app.client_id.as_str()), ("client_secret", app.client_secret.expose_secret())];
            let form: Vec<_> = client.into_iter().chain([("token", token.expose_secret())]).collect();
            let request = self.http.request(Method::POST, address::join(&self.oauth_url, &["revoke"])).form(&form);
            revoked(self.http.send(request, CALL_TIMEOUT).await, &UNKNOWN)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Answer;

    #[test]
    fn a_dead_refresh_token_is_told_from_our_own_fault_and_from_no_proof() {
        let error = |status, body| refresh_error(REFRESH_TABLE, &Answer::recorded(status, &[], body));
        let dead = r#"{"error":"invalid_grant","error_description":"The provided authorization grant or refresh token is invalid, expired or revoked."}"#;
        assert!(matches!(error(400, dead), RefreshError::Dead { detail } if detail == "400 invalid_grant"));
        assert!(matches!(error(400, r#"{"error":"invalid_request"}"#), RefreshError::Dead { .. }));
        for (status, body) in [(401, r#"{"error":"invalid_client"}"#), (400, r#"{"error":"unauthorized_client"}"#), (403, ""), (429, "")] {
            assert!(matches!(error(status, body), RefreshError::Unavailable { .. }), "{status} {body}");
        }
        for (status, body) in [(400, "<html>"), (500, dead), (503, ""), (200, "{}"), (302, "")] {
            assert!(matches!(error(status, body), RefreshError::Unknown { .. }), "{status} {body}");
        }
    }
}
