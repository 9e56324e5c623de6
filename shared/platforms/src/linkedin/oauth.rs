//! Codes and tokens. An access token lives 60 days. A refresh token comes to apps of approved partners alone: it stays the same, and ends a
//! year after the consent. Everybody else consents again.
//! See <https://learn.microsoft.com/linkedin/shared/authentication/authorization-code-flow> and
//! <https://learn.microsoft.com/linkedin/shared/authentication/programmatic-refresh-tokens>.

use domain::platform::PlatformName;
use domain::token::TokenSet;
use http::Method;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::LinkedIn;
use crate::http::{Answer, CALL_TIMEOUT};
use crate::oauth::{ClientAuth, NoTokens, TokenEndpoint};
use crate::http::SendError;
use crate::{AppCredentials, Callback, ExchangeError, GrantedAccount, RefreshError, Renewed, RevokeError, address, detail};

/// Without these the person could not be named, nor anything posted: a consent is for all or for nothing.
fn needed_scopes() -> &'static [&'static str] {
    PlatformName::LinkedIn.descriptor().scopes.required
}

/// What the token end point's error means for a refresh token, by the whole of `error`, or whatever it is. Older answers say
/// `invalid_request` where the standard says `invalid_grant`. No row: it proves nothing.
const REFRESH_TABLE: &[(u16, Option<&str>, RefreshClass)] = &[
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

#[derive(Clone, Copy)]
enum RefreshClass {
    Dead,
    NotProcessed,
}

/// What LinkedIn says of a token that it does not know, or not any more, when it is to be taken back.
const GONE: [&str; 3] = ["invalid_token", "invalid_grant", "invalid_request"];

#[derive(Default, Deserialize)]
#[serde(default)]
struct TokenProblem {
    error: String,
}

impl LinkedIn {
    pub(super) async fn granted_accounts(
        &self,
        app: &AppCredentials,
        back: &Callback<'_>,
        now: Timestamp,
    ) -> Result<Vec<GrantedAccount>, ExchangeError> {
        let tokens = self.exchange_code(app, back, now).await?;
        let missing: Vec<_> = needed_scopes().iter().filter(|scope| !tokens.scopes.iter().any(|granted| granted == *scope)).collect();
        if !missing.is_empty() {
            return Err(ExchangeError::ScopeMissing { missing: missing.into_iter().map(|scope| (*scope).to_owned()).collect() });
        }
        let person = self.person(&tokens).await?;
        Ok(self.accounts(&person, &tokens).await)
    }

    async fn exchange_code(&self, app: &AppCredentials, back: &Callback<'_>, now: Timestamp) -> Result<TokenSet, ExchangeError> {
        match self.token_endpoint(app).exchange(back, false).await {
            Ok(answer) => Ok(answer.into_tokens(needed_scopes(), None, now)),
            Err(NoTokens::NoAnswer(error)) => Err(ExchangeError::Unavailable { detail: error.into_detail() }),
            Err(NoTokens::Answer(answer)) if answer.status.is_client_error() => {
                Err(ExchangeError::Refused { detail: token_detail(&answer) })
            }
            Err(NoTokens::Answer(answer)) => Err(ExchangeError::Unavailable { detail: token_detail(&answer) }),
        }
    }

    pub(super) async fn renewed(&self, app: &AppCredentials, tokens: &TokenSet, now: Timestamp) -> Result<Renewed, RefreshError> {
        let Some(refresh) = &tokens.refresh else { return Ok(Renewed::NeedsConsent) };
        match self.token_endpoint(app).refresh(refresh).await {
            Ok(answer) => Ok(Renewed::Tokens(answer.into_tokens(needed_scopes(), Some(tokens), now))),
            // A refresh token stays, so one more try with it does no harm.
            Err(NoTokens::NoAnswer(error)) => Err(RefreshError::Unavailable { detail: error.into_detail() }),
            Err(NoTokens::Answer(answer)) => Err(refresh_error(&answer)),
        }
    }

    fn token_endpoint<'a>(&'a self, app: &'a AppCredentials) -> TokenEndpoint<'a> {
        TokenEndpoint { url: address::join(&self.oauth_url, &["accessToken"]), app, auth: ClientAuth::Body, http: &self.http }
    }

    /// Takes back the refresh token, then the access token. One that LinkedIn does not know any more counts as taken back.
    pub(super) async fn revoke_grant(&self, app: &AppCredentials, tokens: &TokenSet) -> Result<(), RevokeError> {
        for token in [tokens.refresh.as_ref(), Some(&tokens.access)].into_iter().flatten() {
            let client = [("client_id", app.client_id.as_str()), ("client_secret", app.client_secret.expose_secret())];
            let form: Vec<_> = client.into_iter().chain([("token", token.expose_secret())]).collect();
            let request = self.http.request(Method::POST, address::join(&self.oauth_url, &["revoke"])).form(&form);
            let answer = self.http.send(request, CALL_TIMEOUT).await.map_err(|error| RevokeError { detail: error.into_detail() })?;
            let is_gone = answer.status.as_u16() == 400 && GONE.contains(&token_error(&answer).as_str());
            if !answer.status.is_success() && !is_gone {
                return Err(RevokeError { detail: token_detail(&answer) });
            }
        }
        Ok(())
    }
}

fn refresh_error(answer: &Answer) -> RefreshError {
    let (status, error) = (answer.status.as_u16(), token_error(answer));
    let row = REFRESH_TABLE.iter().find(|(of, name, _)| *of == status && name.is_none_or(|name| name == error));
    let detail = token_detail(answer);
    match row.map(|(_, _, class)| class) {
        Some(RefreshClass::Dead) => RefreshError::Dead { detail },
        Some(RefreshClass::NotProcessed) => RefreshError::Unavailable { detail },
        None => RefreshError::Unknown { detail },
    }
}

fn token_error(answer: &Answer) -> String {
    answer.json::<TokenProblem>().unwrap_or_default().error
}

fn token_detail(answer: &Answer) -> String {
    detail::of_answer(answer.status.as_u16(), &[Some(&token_error(answer))])
}
