//! Codes and tokens. An access token lives two hours; a refresh token is used once, and each answer brings the next.

use domain::platform::{AccountKind, PlatformName};
use domain::token::TokenSet;
use http::Method;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Deserialize;
use url::Url;

use super::X;
use crate::http::{Answer, CALL_TIMEOUT, SendError};
use crate::oauth::{ClientAuth, NoTokens, RefreshClass, RefreshRow, TokenEndpoint, exchange_error, refresh_error, revoked};
use crate::{AppCredentials, Callback, ExchangeError, GrantedAccount, RefreshError, RevokeError, address, detail};

/// Without these the account could not even be named.
const READ_SCOPES: [&str; 2] = ["tweet.read", "users.read"];

/// Without it no refresh token comes, and with it one does: who has one was granted it.
const REFRESH_SCOPE: &str = "offline.access";

/// What a token end point's error means for a refresh token, by the whole of `error`, or whatever it is. X says `invalid_request` where the
/// standard says `invalid_grant`. No row: it proves nothing.
const REFRESH_TABLE: &[RefreshRow] = &[
    // The account's: the grant is over.
    (400, Some("invalid_request"), RefreshClass::Dead),
    (400, Some("invalid_grant"), RefreshClass::Dead),
    // The app's: its secret, its standing, its calls.
    (400, Some("unauthorized_client"), RefreshClass::NotProcessed),
    (400, Some("invalid_client"), RefreshClass::NotProcessed),
    (401, None, RefreshClass::NotProcessed),
    (403, None, RefreshClass::NotProcessed),
    (429, None, RefreshClass::NotProcessed),
];

#[derive(Deserialize)]
struct Me {
    data: MeData,
}

#[derive(Deserialize)]
struct MeData {
    id: String,
    username: String,
}

/// What posting needs.
fn needed_scopes() -> &'static [&'static str] {
    PlatformName::X.descriptor().scopes.required
}

/// A refresh token proves that its scope was granted, whatever the answer lists.
fn with_its_scope(mut tokens: TokenSet) -> TokenSet {
    if tokens.refresh.is_some() && !tokens.scopes.iter().any(|scope| scope == REFRESH_SCOPE) {
        tokens.scopes.push(REFRESH_SCOPE.to_owned());
    }
    tokens
}

impl X {
    pub(super) async fn exchange_code(&self, app: &AppCredentials, back: &Callback<'_>, now: Timestamp) -> Result<TokenSet, ExchangeError> {
        let answer = self.token_endpoint(app).exchange(back, Some(back.code_verifier)).await.map_err(exchange_error)?;
        Ok(with_its_scope(answer.into_tokens(needed_scopes(), None, now)))
    }

    /// Asks whose tokens these are.
    pub(super) async fn granted_account(&self, tokens: TokenSet) -> Result<GrantedAccount, ExchangeError> {
        let missing: Vec<_> = needed_scopes().iter().filter(|scope| !tokens.scopes.iter().any(|granted| granted == *scope)).collect();
        let missing_scopes: Vec<_> = missing.into_iter().map(|scope| (*scope).to_owned()).collect();
        if missing_scopes.iter().any(|scope| READ_SCOPES.contains(&scope.as_str())) {
            return Err(ExchangeError::ScopeMissing { missing: missing_scopes });
        }
        let request = self.http.request(Method::GET, address::join(&self.api_url, &["2", "users", "me"]));
        let sent = self.http.send(request.bearer_auth(tokens.access.expose_secret()), CALL_TIMEOUT).await;
        let answer = sent.map_err(|error| ExchangeError::Unavailable { detail: error.into_detail() })?;
        match answer.json::<Me>() {
            Some(Me { data }) if answer.status.is_success() && address::is_id(&data.id) => {
                let (account_id, username) = (data.id, data.username);
                Ok(GrantedAccount { account_id, username, kind: AccountKind::Profile, server: None, grantor: None, tokens, missing_scopes })
            }
            _ => Err(ExchangeError::Unavailable { detail: detail::of_answer(answer.status.as_u16(), &[Some("users/me")]) }),
        }
    }

    pub(super) async fn rotate(&self, app: &AppCredentials, tokens: &TokenSet, now: Timestamp) -> Result<TokenSet, RefreshError> {
        let Some(refresh) = &tokens.refresh else {
            return Err(RefreshError::Dead { detail: "there is no refresh token".into() });
        };
        match self.token_endpoint(app).refresh(refresh).await {
            Ok(answer) => Ok(with_its_scope(answer.into_tokens(needed_scopes(), Some(tokens), now))),
            Err(NoTokens::NoAnswer(SendError::Lost { detail, .. })) => Err(RefreshError::Unknown { detail }),
            Err(NoTokens::NoAnswer(unsent)) => Err(RefreshError::Unavailable { detail: unsent.into_detail() }),
            Err(NoTokens::Answer(answer)) => Err(refresh_error(REFRESH_TABLE, &answer)),
        }
    }

    fn token_endpoint<'a>(&'a self, app: &'a AppCredentials) -> TokenEndpoint<'a> {
        TokenEndpoint { url: self.oauth_address("token"), app, auth: ClientAuth::Basic, http: &self.http }
    }

    /// Takes back the refresh token, then the access token. One that X no longer knows counts as taken back.
    pub(super) async fn revoke_grant(&self, app: &AppCredentials, tokens: &TokenSet) -> Result<(), RevokeError> {
        let kinds = [("refresh_token", tokens.refresh.as_ref()), ("access_token", Some(&tokens.access))];
        for (hint, token) in kinds.into_iter().filter_map(|(hint, token)| Some((hint, token?))) {
            let form = [("token", token.expose_secret()), ("token_type_hint", hint)];
            revoked(self.revoke_call(app, &form).await, &["invalid_request"])?;
        }
        Ok(())
    }

    /// Made by hand: `oauth2` refuses to revoke over plain http, by which the simulator is called.
    async fn revoke_call(&self, app: &AppCredentials, form: &[(&str, &str)]) -> Result<Answer, SendError> {
        let request = self.http.request(Method::POST, self.oauth_address("revoke"));
        let request = request.basic_auth(&app.client_id, Some(app.client_secret.expose_secret())).form(form);
        self.http.send(request, CALL_TIMEOUT).await
    }

    fn oauth_address(&self, endpoint: &str) -> Url {
        address::join(&self.api_url, &["2", "oauth2", endpoint])
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::oauth::TokenAnswer;

    fn tokens(body: &str, old: Option<&TokenSet>, now: Timestamp) -> TokenSet {
        with_its_scope(serde_json::from_str::<TokenAnswer>(body).unwrap().into_tokens(needed_scopes(), old, now))
    }

    #[test]
    fn a_dead_refresh_token_is_told_from_our_own_fault_and_from_no_proof() {
        let dead = r#"{"error":"invalid_request","error_description":"Value passed for the token was invalid."}"#;
        let ours = r#"{"error":"unauthorized_client","error_description":"Missing valid authorization header"}"#;
        let error = |status, body| refresh_error(REFRESH_TABLE, &Answer::recorded(status, &[], body));
        assert!(matches!(error(400, dead), RefreshError::Dead { .. }));
        assert!(matches!(error(400, r#"{"error":"invalid_grant"}"#), RefreshError::Dead { .. }));
        assert!(matches!(error(401, ours), RefreshError::Unavailable { detail } if detail == "401 unauthorized_client"));
        assert!(matches!(error(429, ""), RefreshError::Unavailable { .. }));
        for (status, body) in [(400, "<html>"), (400, r#"{"error":"no_invalid_request"}"#), (500, dead), (503, ""), (200, "{}"), (302, "")]
        {
            assert!(matches!(error(status, body), RefreshError::Unknown { .. }), "{status} {body}");
        }
    }

    #[test]
    fn a_lifetime_counts_from_our_clock_and_old_values_fill_the_gaps() {
        let now: Timestamp = "2026-11-23T09:00:00Z".parse().unwrap();
        let full = r#"{"token_type":"bearer","expires_in":7200,"access_token":"a2","scope":"tweet.read users.read","refresh_token":"r2"}"#;
        let first = tokens(full, None, now);
        assert_eq!(first.expires_at.unwrap(), now + SignedDuration::from_hours(2));
        assert_eq!(first.scopes, ["tweet.read", "users.read", "offline.access"], "a refresh token is proof of its scope");
        let next = tokens(r#"{"access_token":"a3","expires_in":7200}"#, Some(&first), now);
        assert_eq!((next.access.expose_secret(), next.refresh.unwrap().expose_secret()), ("a3", "r2"));
        assert_eq!(next.scopes, first.scopes);
    }

    #[test]
    fn an_answer_without_scope_grants_what_was_asked_for_and_a_told_one_what_it_tells() {
        let scopes = |body: &str| tokens(body, None, Timestamp::UNIX_EPOCH).scopes;
        assert_eq!(scopes(r#"{"access_token":"a","refresh_token":"r"}"#), needed_scopes());
        assert_eq!(scopes(r#"{"access_token":"a","scope":"tweet.read users.read"}"#), ["tweet.read", "users.read"]);
        assert_eq!(scopes(r#"{"access_token":"a","scope":"offline.access","refresh_token":"r"}"#), ["offline.access"]);
        assert!(scopes(r#"{"access_token":"a","scope":""}"#).is_empty());
    }
}
