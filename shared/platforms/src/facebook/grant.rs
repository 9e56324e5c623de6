//! From the callback's code to Page tokens, and the way back.
//!
//! code → user token of an hour → user token of 60 days → what was granted, by whom → the Pages, each with a token of its own. Only a Page
//! token taken with the long-lived user token has no end.

use domain::token::TokenSet;
use http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::errors::judge;
use super::{CAPABILITIES, Facebook};
use crate::http::{Answer, CALL_TIMEOUT, SendError};
use crate::verdict::Class;
use crate::{AccountKind, AppCredentials, CodeExchange, ExchangeError, GrantedAccount, RevokeError, address, detail};

/// A person with more than 1,000 Pages is offered the first 1,000.
const LIST_PAGES_MAX: usize = 10;

/// Without it Graph does not tell the Pages.
const LIST_SCOPE: &str = "pages_show_list";

/// What the person must be allowed to do on a Page for us to post there.
const POSTING_TASK: &str = "CREATE_CONTENT";

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

#[derive(Deserialize)]
struct Pages {
    data: Vec<Page>,
    #[serde(default)]
    paging: Paging,
}

#[derive(Default, Deserialize)]
struct Paging {
    next: Option<Url>,
}

#[derive(Deserialize)]
struct Page {
    id: String,
    name: String,
    /// Left out where the person may not act as the Page.
    access_token: Option<SecretString>,
    #[serde(default)]
    tasks: Vec<String>,
}

impl Facebook {
    pub(super) async fn granted_pages(
        &self,
        app: &AppCredentials,
        exchange: &CodeExchange<'_>,
    ) -> Result<Vec<GrantedAccount>, ExchangeError> {
        let parent = self.user_token(app, exchange).await?;
        let scopes = self.granted_scopes(&parent).await?;
        let wanted = CAPABILITIES.scopes.iter().map(|scope| (*scope).to_owned());
        let missing: Vec<String> = wanted.filter(|scope| !scopes.contains(scope)).collect();
        if missing.iter().any(|scope| scope == LIST_SCOPE) {
            return Err(ExchangeError::ScopeMissing { missing });
        }
        let grantor = self.grantor(&parent).await?;
        let pages = self.pages(&parent).await?;
        let accounts: Vec<_> = pages
            .into_iter()
            .filter_map(|page| page.into_account(&parent, &scopes))
            .map(|account| GrantedAccount { grantor: Some(grantor.clone()), missing_scopes: missing.clone(), ..account })
            .collect();
        if accounts.is_empty() { Err(ExchangeError::NoAccounts) } else { Ok(accounts) }
    }

    /// The long-lived user token.
    async fn user_token(&self, app: &AppCredentials, exchange: &CodeExchange<'_>) -> Result<SecretString, ExchangeError> {
        let code = [("redirect_uri", exchange.redirect_uri.as_str()), ("code", exchange.code.expose_secret())];
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

    async fn granted_scopes(&self, token: &SecretString) -> Result<Vec<String>, ExchangeError> {
        let request = self.call(Method::GET, self.graph(&["me", "permissions"]), token);
        let permissions: Permissions = read(self.http.send(request, CALL_TIMEOUT).await)?;
        let granted = permissions.data.into_iter().filter(|permission| permission.status == "granted");
        Ok(granted.map(|permission| permission.permission).collect())
    }

    /// Whose consent it is: the person's id with our app.
    async fn grantor(&self, token: &SecretString) -> Result<String, ExchangeError> {
        let mut url = self.graph(&["me"]);
        url.query_pairs_mut().append_pair("fields", "id");
        let person: Person = read(self.http.send(self.call(Method::GET, url, token), CALL_TIMEOUT).await)?;
        if address::is_id(&person.id) { Ok(person.id) } else { Err(ExchangeError::Unavailable { detail: "an odd id of a person".into() }) }
    }

    async fn pages(&self, token: &SecretString) -> Result<Vec<Page>, ExchangeError> {
        let mut url = self.graph(&["me", "accounts"]);
        url.query_pairs_mut().append_pair("fields", "id,name,access_token,tasks").append_pair("limit", "100");
        let mut found = Vec::new();
        for _ in 0..LIST_PAGES_MAX {
            let request = self.call(Method::GET, url, token);
            let list: Pages = read(self.http.send(request, CALL_TIMEOUT).await)?;
            found.extend(list.data);
            match list.paging.next.and_then(|next| self.next_link(&next)) {
                Some(next) => url = next,
                None => break,
            }
        }
        Ok(found)
    }

    /// A link to more, if it leads to where we were sent and nowhere else. The token that it repeats is taken out: we send it
    /// in a header.
    fn next_link(&self, next: &Url) -> Option<Url> {
        if next.origin() != self.api_url.origin() || !next.path().starts_with(self.api_url.path()) {
            return None;
        }
        let mut url = next.clone();
        let rest: Vec<_> = next.query_pairs().filter(|(name, _)| name != "access_token").collect();
        url.query_pairs_mut().clear().extend_pairs(rest);
        Some(url)
    }

    /// Only the user token can take the grant back; without one there is nothing that we could do.
    pub(super) async fn revoke_grant(&self, tokens: &TokenSet) -> Result<(), RevokeError> {
        let Some(parent) = &tokens.parent else {
            return Err(RevokeError { detail: "there is no user token".into() });
        };
        let request = self.call(Method::DELETE, self.graph(&["me", "permissions"]), parent);
        let answer = self.http.send(request, CALL_TIMEOUT).await.map_err(|error| RevokeError { detail: error.into_detail() })?;
        // The time only matters for limits, whose end is of no use here.
        let verdict = judge(&answer, jiff::Timestamp::UNIX_EPOCH);
        let gone = answer.status.is_success() || verdict.class == Class::TokenRefused;
        if gone { Ok(()) } else { Err(RevokeError { detail: verdict.detail }) }
    }
}

impl Page {
    /// `None` where we could not post.
    fn into_account(self, parent: &SecretString, scopes: &[String]) -> Option<GrantedAccount> {
        if !address::is_id(&self.id) || !self.tasks.iter().any(|task| task == POSTING_TASK) {
            return None;
        }
        let tokens =
            TokenSet { access: self.access_token?, refresh: None, parent: Some(parent.clone()), expires_at: None, scopes: scopes.to_vec() };
        let (account_id, username) = (self.id, self.name);
        Some(GrantedAccount { account_id, username, kind: AccountKind::Page, grantor: None, tokens, missing_scopes: Vec::new() })
    }
}

/// The answer as `T`. A code works once, so nothing here is repeated; the person starts again.
fn read<T: DeserializeOwned>(sent: Result<Answer, SendError>) -> Result<T, ExchangeError> {
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
    use crate::http::Http;

    fn facebook() -> Facebook {
        Facebook {
            authorize_url: Url::parse("https://www.facebook.com").unwrap(),
            api_url: Url::parse("https://graph.facebook.com").unwrap(),
            version: "v26.0".into(),
            http: Http::new(true).unwrap(),
        }
    }

    #[test]
    fn a_page_where_we_cannot_post_is_left_out() {
        let body = r#"{"data":[
            {"id":"1","name":"Mine","access_token":"t1","tasks":["ANALYZE","CREATE_CONTENT"]},
            {"id":"2","name":"Read only","access_token":"t2","tasks":["ANALYZE"]},
            {"id":"3","name":"No token","tasks":["CREATE_CONTENT"]}],"paging":{"cursors":{"after":"x"}}}"#;
        let pages: Pages = serde_json::from_str(body).unwrap();
        let accounts: Vec<_> = pages.data.into_iter().filter_map(|page| page.into_account(&"parent".into(), &[])).collect();
        assert_eq!(accounts.len(), 1);
        assert_eq!((accounts[0].account_id.as_str(), accounts[0].tokens.expires_at), ("1", None));
        assert_eq!(accounts[0].tokens.parent.as_ref().unwrap().expose_secret(), "parent");
    }

    #[test]
    fn a_link_to_more_stays_on_the_same_host_and_loses_its_token() {
        let next = |text: &str| facebook().next_link(&Url::parse(text).unwrap()).map(String::from);
        assert_eq!(
            next("https://graph.facebook.com/v26.0/1/accounts?access_token=EAAB&limit=100&after=QVFI").as_deref(),
            Some("https://graph.facebook.com/v26.0/1/accounts?limit=100&after=QVFI")
        );
        assert_eq!(next("https://graph.facebook.com.evil.example/v26.0/me/accounts"), None);
        assert_eq!(next("http://graph.facebook.com/v26.0/me/accounts"), None);
        assert_eq!(next("https://graph.facebook.com:8443/v26.0/me/accounts"), None);
    }

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
