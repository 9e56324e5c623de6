//! From the callback's code to Page tokens, and the way back.
//!
//! code → user token of an hour → user token of 60 days → what was granted, by whom → the Pages, each with a token of its own
//! (`pages.rs`). Only a Page token taken with the long-lived user token has no end.

use std::time::Instant;

use domain::token::TokenSet;
use http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Facebook;
use super::errors::judge;
use super::pages::BUSINESS_SCOPE;
use crate::http::{Answer, CALL_TIMEOUT, SendError};
use crate::verdict::Class;
use crate::{AppCredentials, Callback, ExchangeError, GrantedAccount, Platform, RevokeError, address, detail};

/// Without it Graph does not tell the Pages.
const LIST_SCOPE: &str = "pages_show_list";

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: SecretString,
}

#[derive(Deserialize)]
struct Person {
    id: String,
}

#[derive(Deserialize)]
struct Permissions {
    data: Vec<Permission>,
}

#[derive(Deserialize)]
struct Permission {
    permission: String,
    status: String,
}

/// What a person who shows no Page did not allow; `None`: they allowed all that was asked for.
fn left_out(person: &TokenSet, missing: &[String]) -> Option<Vec<String>> {
    let business = (!person.scopes.iter().any(|scope| scope == BUSINESS_SCOPE)).then(|| BUSINESS_SCOPE.to_owned());
    let all: Vec<String> = missing.iter().cloned().chain(business).collect();
    (!all.is_empty()).then_some(all)
}

impl Facebook {
    pub(super) async fn granted_pages(&self, app: &AppCredentials, back: &Callback<'_>) -> Result<Vec<GrantedAccount>, ExchangeError> {
        let began = Instant::now();
        let token = self.user_token(app, back).await?;
        let person = self.acting(app, token);
        let person = TokenSet { scopes: self.granted_scopes(&person).await?, ..person };
        let wanted = self.descriptor().scopes.required.iter().map(|scope| (*scope).to_owned());
        let missing: Vec<String> = wanted.filter(|scope| !person.scopes.contains(scope)).collect();
        if missing.iter().any(|scope| scope == LIST_SCOPE) {
            return Err(ExchangeError::ScopeMissing { missing });
        }
        let grantor = self.grantor(&person).await?;
        let accounts = self.accounts(&person, began).await.map_err(|error| match (error, left_out(&person, &missing)) {
            // What they left out may be what shows their Pages.
            (ExchangeError::NoAccounts, Some(missing)) => ExchangeError::ScopeMissing { missing },
            (error, _) => error,
        })?;
        let of_consent = |account| GrantedAccount { grantor: Some(grantor.clone()), missing_scopes: missing.clone(), ..account };
        Ok(accounts.into_iter().map(of_consent).collect())
    }

    /// A user token as calls are made with it.
    fn acting(&self, app: &AppCredentials, access: SecretString) -> TokenSet {
        let bare = TokenSet::bare(access);
        self.proven(app, bare)
    }

    /// The long-lived user token.
    async fn user_token(&self, app: &AppCredentials, back: &Callback<'_>) -> Result<SecretString, ExchangeError> {
        let code = [("redirect_uri", back.redirect_uri.as_str()), ("code", back.code.expose_secret())];
        let short = self.token_call(app, &code).await?;
        let short_for_long = [("grant_type", "fb_exchange_token"), ("fb_exchange_token", short.expose_secret())];
        self.token_call(app, &short_for_long).await
    }

    async fn token_call(&self, app: &AppCredentials, form: &[(&str, &str)]) -> Result<SecretString, ExchangeError> {
        let client = [("client_id", app.client_id.as_str()), ("client_secret", app.client_secret.expose_secret())];
        let form: Vec<_> = client.iter().chain(form).collect();
        let request = self.http.request(Method::POST, self.graph(&["oauth", "access_token"])).form(&form);
        read::<TokenAnswer>(self.http.send(request, CALL_TIMEOUT).await).map(|answer| answer.access_token)
    }

    async fn granted_scopes(&self, person: &TokenSet) -> Result<Vec<String>, ExchangeError> {
        let request = self.call(Method::GET, self.graph(&["me", "permissions"]), person);
        let permissions: Permissions = read(self.http.send(request, CALL_TIMEOUT).await)?;
        let granted = permissions.data.into_iter().filter(|permission| permission.status == "granted");
        Ok(granted.map(|permission| permission.permission).collect())
    }

    /// Whose consent it is: the person's id with our app.
    async fn grantor(&self, tokens: &TokenSet) -> Result<String, ExchangeError> {
        let mut url = self.graph(&["me"]);
        url.query_pairs_mut().append_pair("fields", "id");
        let person: Person = read(self.http.send(self.call(Method::GET, url, tokens), CALL_TIMEOUT).await)?;
        if address::is_id(&person.id) { Ok(person.id) } else { Err(ExchangeError::Unavailable { detail: "an odd id of a person".into() }) }
    }

    /// Only the user token can take the grant back; without one there is nothing that we could do.
    pub(super) async fn revoke_grant(&self, app: &AppCredentials, tokens: &TokenSet) -> Result<(), RevokeError> {
        let Some(parent) = &tokens.parent else {
            return Err(RevokeError { detail: "there is no user token".into() });
        };
        let request = self.call(Method::DELETE, self.graph(&["me", "permissions"]), &self.acting(app, parent.clone()));
        let answer = self.http.send(request, CALL_TIMEOUT).await.map_err(|error| RevokeError { detail: error.into_detail() })?;
        // The time only matters for limits, whose end is of no use here.
        let verdict = judge(&answer, jiff::Timestamp::UNIX_EPOCH);
        let gone = answer.status.is_success() || verdict.class == Class::TokenRefused;
        if gone { Ok(()) } else { Err(RevokeError { detail: verdict.detail }) }
    }
}

/// The answer as `T`. A code works once, so nothing here is repeated; the person starts again.
pub(super) fn read<T: DeserializeOwned>(sent: Result<Answer, SendError>) -> Result<T, ExchangeError> {
    let answer = sent.map_err(|error| ExchangeError::Unavailable { detail: error.into_detail() })?;
    if answer.status.is_success() {
        let unreadable = || ExchangeError::Unavailable { detail: detail::of_answer(answer.status.as_u16(), &[Some("unreadable")]) };
        return answer.json().ok_or_else(unreadable);
    }
    let verdict = judge(&answer, jiff::Timestamp::UNIX_EPOCH);
    match verdict.class {
        Class::Rejected(_) | Class::TokenRefused => Err(ExchangeError::Refused { detail: verdict.detail }),
        Class::Duplicate | Class::Limited | Class::AppLimited | Class::Ambiguous => {
            Err(ExchangeError::Unavailable { detail: verdict.detail })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spent_code_is_refused_and_trouble_is_not() {
        let spent =
            r#"{"error":{"message":"This authorization code has been used.","type":"OAuthException","code":100,"error_subcode":36009}}"#;
        let read = |status, body| read::<TokenAnswer>(Ok(Answer::recorded(status, &[], body))).err().unwrap();
        assert!(matches!(read(400, spent), ExchangeError::Refused { .. }));
        for (status, body) in [(500, spent), (200, "{}"), (400, r#"{"error":{"code":2}}"#), (400, r#"{"error":{"code":4}}"#)] {
            assert!(matches!(read(status, body), ExchangeError::Unavailable { .. }), "{status} {body}");
        }
    }
}
