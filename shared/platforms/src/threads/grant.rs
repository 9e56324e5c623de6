//! From the callback's code to an account, and on: code → token of an hour → token of 60 days, which is extended again and again.
//! See <https://developers.facebook.com/docs/threads/get-started/get-access-tokens-and-permissions> and
//! <https://developers.facebook.com/docs/threads/get-started/long-lived-tokens>.

use domain::platform::AccountKind;
use domain::token::TokenSet;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::Threads;
use super::errors::{of_exchange, of_refresh};
use crate::http::{Answer, CALL_TIMEOUT, SendError};
use crate::oauth::TokenAnswer;
use crate::{AppCredentials, Callback, ExchangeError, GrantedAccount, Platform, RefreshError, Renewed, address, detail};

/// Without it Threads does not tell whose account it is.
const BASIC_SCOPE: &str = "threads_basic";

/// Threads puts this behind its redirect; it is no part of the code.
const BEHIND_CODE: &str = "#_";

/// A token that has more left is not a day old: it was given for 60 days. An hour is for clocks that differ, and for an answer that says a
/// little less.
const YOUNG: SignedDuration = SignedDuration::from_hours(59 * 24 - 1);

/// The id of the person in this answer is a number that may be larger than others can read; it is asked for again as a text.
#[derive(Deserialize)]
struct ShortAnswer {
    access_token: SecretString,
}

#[derive(Deserialize)]
struct Person {
    id: String,
    username: String,
}

#[derive(Deserialize)]
struct Inspected {
    data: Inspection,
}

#[derive(Deserialize)]
struct Inspection {
    scopes: Vec<String>,
}

impl Threads {
    pub(super) async fn granted_account(
        &self,
        app: &AppCredentials,
        back: &Callback<'_>,
        now: Timestamp,
    ) -> Result<GrantedAccount, ExchangeError> {
        let short = self.short_token(app, back).await?;
        let tokens = self.long_token(app, &short, now).await?;
        let tokens = TokenSet { scopes: self.granted_scopes(&tokens).await, ..tokens };
        let required = self.descriptor().scopes.required.iter().map(|scope| (*scope).to_owned());
        let missing_scopes: Vec<String> = required.filter(|scope| !tokens.scopes.contains(scope)).collect();
        if missing_scopes.iter().any(|scope| scope == BASIC_SCOPE) {
            return Err(ExchangeError::ScopeMissing { missing: missing_scopes });
        }
        let request = self.call(Method::GET, self.fields(&["me"], "id,username"), &tokens);
        let Person { id, username } = read(self.http.send(request, CALL_TIMEOUT).await)?;
        if !address::is_id(&id) {
            return Err(ExchangeError::Unavailable { detail: "an odd id of an account".to_owned() });
        }
        Ok(GrantedAccount { account_id: id, username, kind: AccountKind::Profile, server: None, grantor: None, tokens, missing_scopes })
    }

    async fn short_token(&self, app: &AppCredentials, back: &Callback<'_>) -> Result<SecretString, ExchangeError> {
        let form = [
            ("client_id", app.client_id.as_str()),
            ("client_secret", app.client_secret.expose_secret()),
            ("grant_type", "authorization_code"),
            ("redirect_uri", back.redirect_uri.as_str()),
            ("code", bare(back.code.expose_secret())),
        ];
        let request = self.http.request(Method::POST, address::join(&self.api_url, &["oauth", "access_token"])).form(&form);
        read::<ShortAnswer>(self.http.send(request, CALL_TIMEOUT).await).map(|answer| answer.access_token)
    }

    async fn long_token(&self, app: &AppCredentials, short: &SecretString, now: Timestamp) -> Result<TokenSet, ExchangeError> {
        // Threads documents the address alone as the place of secret and token. Ours are neither logged nor told in an error.
        let fields = [("grant_type", "th_exchange_token"), ("client_secret", app.client_secret.expose_secret())];
        let request = self.http.request(Method::GET, self.token_address("access_token", &fields, short));
        let answer: TokenAnswer = read(self.http.send(request, CALL_TIMEOUT).await)?;
        Ok(answer.into_tokens(&[], None, now))
    }

    /// The scopes that were granted. Where Threads does not tell them, all that were asked for: one that is missing shows when it is needed.
    async fn granted_scopes(&self, tokens: &TokenSet) -> Vec<String> {
        let mut url = self.graph(&["debug_token"]);
        url.query_pairs_mut().append_pair("input_token", tokens.access.expose_secret());
        let answer = self.http.send(self.call(Method::GET, url, tokens), CALL_TIMEOUT).await;
        let told = answer.ok().filter(|answer| answer.status.is_success()).and_then(|answer| answer.json::<Inspected>());
        let scopes = &self.descriptor().scopes;
        let asked = || [scopes.required, scopes.optional].concat().into_iter().map(str::to_owned).collect();
        told.map_or_else(asked, |told| told.data.scopes)
    }

    /// The same grant with a token of 60 more days. An answer that is lost costs nothing: the old token stands as long as it did.
    pub(super) async fn extended(&self, tokens: &TokenSet, now: Timestamp) -> Result<Renewed, RefreshError> {
        if let Some(from) = tokens.expires_at.map(|ends| ends - YOUNG).filter(|from| now < *from) {
            return Ok(Renewed::NotYet(from));
        }
        let url = self.token_address("refresh_access_token", &[("grant_type", "th_refresh_token")], &tokens.access);
        let sent = self.http.send(self.http.request(Method::GET, url), CALL_TIMEOUT).await;
        let answer = sent.map_err(|error| RefreshError::Unavailable { detail: error.into_detail() })?;
        match answer.json::<TokenAnswer>().filter(|_| answer.status.is_success()) {
            Some(renewed) => Ok(Renewed::Tokens(renewed.into_tokens(&[], Some(tokens), now))),
            None => Err(of_refresh(&answer)),
        }
    }

    /// Where a token is changed for another.
    fn token_address(&self, page: &str, fields: &[(&str, &str)], token: &SecretString) -> Url {
        let mut url = address::join(&self.api_url, &[page]);
        url.query_pairs_mut().extend_pairs(fields).append_pair("access_token", token.expose_secret());
        url
    }
}

fn bare(code: &str) -> &str {
    code.strip_suffix(BEHIND_CODE).unwrap_or(code)
}

/// The answer as `T`.
fn read<T: DeserializeOwned>(sent: Result<Answer, SendError>) -> Result<T, ExchangeError> {
    let answer = sent.map_err(|error| ExchangeError::Unavailable { detail: error.into_detail() })?;
    if !answer.status.is_success() {
        return Err(of_exchange(&answer));
    }
    let unreadable = || ExchangeError::Unavailable { detail: detail::of_answer(answer.status.as_u16(), &[Some("unreadable")]) };
    answer.json().ok_or_else(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_threads_puts_behind_a_code_is_no_part_of_it() {
        assert_eq!((bare("AQDx_1#_"), bare("AQDx_1_"), bare("AQDx_1#")), ("AQDx_1", "AQDx_1_", "AQDx_1#"));
    }

    #[test]
    fn an_answer_is_read_whatever_else_it_holds() {
        let short = r#"{"access_token":"THQ","user_id":28413589118293455,"permissions":["threads_basic"]}"#;
        assert_eq!(read::<ShortAnswer>(Ok(Answer::recorded(200, &[], short))).ok().unwrap().access_token.expose_secret(), "THQ");
        assert!(matches!(read::<ShortAnswer>(Ok(Answer::recorded(200, &[], "{}"))), Err(ExchangeError::Unavailable { .. })));
        let person = r#"{"id":"28413589118293455","username":"ada","name":"Ada"}"#;
        assert_eq!(read::<Person>(Ok(Answer::recorded(200, &[], person))).ok().unwrap().username, "ada");
    }
}
