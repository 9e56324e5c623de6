//! Codes and tokens. An access token lives two hours; a refresh token is used once, and each answer brings the next.

use domain::token::TokenSet;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{CAPABILITIES, X};
use crate::http::{Answer, CALL_TIMEOUT, SendError};
use crate::{AccountKind, AppCredentials, CodeExchange, ExchangeError, GrantedAccount, RefreshError, RevokeError, address, detail};

/// Without these the account could not even be named.
const READ_SCOPES: [&str; 2] = ["tweet.read", "users.read"];

/// Without it no refresh token comes, and with it one does: who has one was granted it.
const REFRESH_SCOPE: &str = "offline.access";

/// What a token end point's error means for a refresh token, by the whole of `error`, or whatever it is. X says `invalid_request` where the
/// standard says `invalid_grant`. No row: it proves nothing.
const REFRESH_TABLE: &[(u16, Option<&str>, RefreshClass)] = &[
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

#[derive(Clone, Copy)]
enum RefreshClass {
    Dead,
    NotProcessed,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: SecretString,
    refresh_token: Option<SecretString>,
    expires_in: Option<i64>,
    scope: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TokenProblem {
    error: String,
}

#[derive(Deserialize)]
struct Me {
    data: MeData,
}

#[derive(Deserialize)]
struct MeData {
    id: String,
    username: String,
}

impl TokenAnswer {
    /// The lifetime counts from `now`, our own clock before the call; `old` fills in what the answer leaves out. An answer without `scope` grants
    /// what was asked for (RFC 6749 §5.1), or what was granted before (§6).
    fn into_tokens(self, old: Option<&TokenSet>, now: Timestamp) -> TokenSet {
        let lifetime = self.expires_in.map(|seconds| SignedDuration::from_secs(seconds.clamp(0, 366 * 86_400)));
        let told = self.scope.map(|scope| scope.split_whitespace().map(str::to_owned).collect());
        let asked = || CAPABILITIES.scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let mut scopes: Vec<String> = told.unwrap_or_else(|| old.map_or_else(asked, |old| old.scopes.clone()));
        let refresh = self.refresh_token.or_else(|| old?.refresh.clone());
        if refresh.is_some() && !scopes.iter().any(|scope| scope == REFRESH_SCOPE) {
            scopes.push(REFRESH_SCOPE.to_owned());
        }
        let expires_at = lifetime.map(|lifetime| now + lifetime);
        TokenSet { access: self.access_token, refresh, parent: None, expires_at, scopes, proof: None }
    }
}

impl X {
    pub(super) async fn exchange_code(
        &self,
        app: &AppCredentials,
        exchange: &CodeExchange<'_>,
        now: Timestamp,
    ) -> Result<TokenSet, ExchangeError> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", exchange.code.expose_secret()),
            ("redirect_uri", exchange.redirect_uri.as_str()),
            ("code_verifier", exchange.code_verifier.expose_secret()),
        ];
        let answer =
            self.oauth_call(app, "token", &form).await.map_err(|error| ExchangeError::Unavailable { detail: error.into_detail() })?;
        match answer.json::<TokenAnswer>() {
            Some(tokens) if answer.status.is_success() => Ok(tokens.into_tokens(None, now)),
            _ if answer.status.is_client_error() => Err(ExchangeError::Refused { detail: token_detail(&answer) }),
            _ => Err(ExchangeError::Unavailable { detail: token_detail(&answer) }),
        }
    }

    /// Asks whose tokens these are.
    pub(super) async fn granted_account(&self, tokens: TokenSet) -> Result<GrantedAccount, ExchangeError> {
        let missing: Vec<_> = CAPABILITIES.scopes.iter().filter(|scope| !tokens.scopes.iter().any(|granted| granted == *scope)).collect();
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
                Ok(GrantedAccount { account_id, username, kind: AccountKind::Profile, grantor: None, tokens, missing_scopes })
            }
            _ => Err(ExchangeError::Unavailable { detail: detail::of_answer(answer.status.as_u16(), &[Some("users/me")]) }),
        }
    }

    pub(super) async fn rotate(&self, app: &AppCredentials, tokens: &TokenSet, now: Timestamp) -> Result<TokenSet, RefreshError> {
        let Some(refresh) = &tokens.refresh else {
            return Err(RefreshError::Dead { detail: "there is no refresh token".into() });
        };
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.expose_secret())];
        let answer = match self.oauth_call(app, "token", &form).await {
            Ok(answer) => answer,
            Err(SendError::NotSent { detail }) => return Err(RefreshError::Unavailable { detail }),
            Err(SendError::Lost { detail, .. }) => return Err(RefreshError::Unknown { detail }),
        };
        match answer.json::<TokenAnswer>() {
            Some(renewed) if answer.status.is_success() => Ok(renewed.into_tokens(Some(tokens), now)),
            _ => Err(refresh_error(&answer)),
        }
    }

    /// Takes back the refresh token, then the access token. One that X no longer knows counts as taken back.
    pub(super) async fn revoke_grant(&self, app: &AppCredentials, tokens: &TokenSet) -> Result<(), RevokeError> {
        let kinds = [("refresh_token", tokens.refresh.as_ref()), ("access_token", Some(&tokens.access))];
        for (hint, token) in kinds.into_iter().filter_map(|(hint, token)| Some((hint, token?))) {
            let form = [("token", token.expose_secret()), ("token_type_hint", hint)];
            let answer = self.oauth_call(app, "revoke", &form).await.map_err(|error| RevokeError { detail: error.into_detail() })?;
            let unknown_token = answer.status.as_u16() == 400 && token_error(&answer) == "invalid_request";
            if !answer.status.is_success() && !unknown_token {
                return Err(RevokeError { detail: token_detail(&answer) });
            }
        }
        Ok(())
    }

    async fn oauth_call(&self, app: &AppCredentials, endpoint: &str, form: &[(&str, &str)]) -> Result<Answer, SendError> {
        let request = self.http.request(Method::POST, address::join(&self.api_url, &["2", "oauth2", endpoint]));
        let request = request.basic_auth(&app.client_id, Some(app.client_secret.expose_secret())).form(form);
        self.http.send(request, CALL_TIMEOUT).await
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_refresh_token_is_told_from_our_own_fault_and_from_no_proof() {
        let dead = r#"{"error":"invalid_request","error_description":"Value passed for the token was invalid."}"#;
        let ours = r#"{"error":"unauthorized_client","error_description":"Missing valid authorization header"}"#;
        let error = |status, body| refresh_error(&Answer::recorded(status, &[], body));
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
        let first = serde_json::from_str::<TokenAnswer>(full).unwrap().into_tokens(None, now);
        assert_eq!(first.expires_at.unwrap(), now + SignedDuration::from_hours(2));
        assert_eq!(first.scopes, ["tweet.read", "users.read", "offline.access"], "a refresh token is proof of its scope");
        let next =
            serde_json::from_str::<TokenAnswer>(r#"{"access_token":"a3","expires_in":7200}"#).unwrap().into_tokens(Some(&first), now);
        assert_eq!((next.access.expose_secret(), next.refresh.unwrap().expose_secret()), ("a3", "r2"));
        assert_eq!(next.scopes, first.scopes);
    }

    #[test]
    fn an_answer_without_scope_grants_what_was_asked_for_and_a_told_one_what_it_tells() {
        let scopes = |body: &str| serde_json::from_str::<TokenAnswer>(body).unwrap().into_tokens(None, Timestamp::UNIX_EPOCH).scopes;
        assert_eq!(scopes(r#"{"access_token":"a","refresh_token":"r"}"#), CAPABILITIES.scopes);
        assert_eq!(scopes(r#"{"access_token":"a","scope":"tweet.read users.read"}"#), ["tweet.read", "users.read"]);
        assert_eq!(scopes(r#"{"access_token":"a","scope":"offline.access","refresh_token":"r"}"#), ["offline.access"]);
        assert!(scopes(r#"{"access_token":"a","scope":""}"#).is_empty());
    }
}
