//! The Pages that a person lets us act for.
//!
//! `/me/accounts` shows the Pages on which the person has a role. A Page that a business portfolio owns, or looks after for a client, is shown
//! by the business: `/me/businesses` with its `owned_pages` and `client_pages`, and only with [`BUSINESS_SCOPE`]. Both are read, and a Page
//! that both show is one. See <https://developers.facebook.com/docs/graph-api/reference/user/accounts> and
//! <https://developers.facebook.com/docs/marketing-api/reference/business/owned_pages>.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use domain::platform::AccountKind;
use domain::token::TokenSet;
use http::Method;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::Facebook;
use super::grant::read;
use crate::http::CALL_TIMEOUT;
use crate::{ExchangeError, GrantedAccount, address};

/// What Graph demands before it shows a person's businesses.
pub(super) const BUSINESS_SCOPE: &str = "business_management";

/// What the person must be allowed to do on a Page for us to post there.
const POSTING_TASK: &str = "CREATE_CONTENT";

/// A person with more than 1,000 Pages of their own is offered the first 1,000.
const OWN_CALLS_MAX: usize = 10;

/// Businesses come ten at a time, each with its first fifty Pages of both kinds: one call for nearly everybody.
const BUSINESS_CALLS_MAX: usize = 20;

/// The browser waits meanwhile, and the person's own Pages are known.
const BUSINESSES_TIMEOUT: Duration = Duration::from_secs(8);
/// What has been read is lost when the whole exchange takes too long: the businesses end before that, however slow the rest was.
const EXCHANGE_ENDS: Duration = Duration::from_secs(17);

/// The businesses with their Pages (field expansion). `tasks` is no field there: who is given a token may act.
const BUSINESS_FIELDS: &str = "owned_pages.limit(50){id,name,access_token},client_pages.limit(50){id,name,access_token}";

#[derive(Deserialize)]
struct List<T> {
    data: Vec<T>,
    paging: Option<Paging>,
}

#[derive(Deserialize)]
struct Paging {
    next: Option<Url>,
}

#[derive(Deserialize)]
struct Business {
    owned_pages: Option<List<Page>>,
    client_pages: Option<List<Page>>,
}

#[derive(Deserialize)]
struct Page {
    id: String,
    name: String,
    /// Left out where the person may not act as the Page.
    access_token: Option<SecretString>,
    /// Told where the person has a role of their own.
    tasks: Option<Vec<String>>,
}

impl Facebook {
    /// The Pages that we can post to, one at least, for an exchange that began at `began`.
    pub(super) async fn accounts(&self, person: &TokenSet, began: Instant) -> Result<Vec<GrantedAccount>, ExchangeError> {
        let mut pages = Vec::new();
        self.own_pages(person, &mut pages).await?;
        let unread = self.business_pages(person, began, &mut pages).await.err();
        let accounts: Vec<_> = merged(pages).into_iter().filter_map(|page| page.into_account(person)).collect();
        match (accounts.is_empty(), unread) {
            (true, unread) => Err(unread.unwrap_or(ExchangeError::NoAccounts)),
            (false, Some(error)) => {
                tracing::warn!(%error, "the Pages of a person's businesses were not read; the others are offered");
                Ok(accounts)
            }
            (false, None) => Ok(accounts),
        }
    }

    async fn own_pages(&self, person: &TokenSet, into: &mut Vec<Page>) -> Result<(), ExchangeError> {
        let mut url = self.graph(&["me", "accounts"]);
        url.query_pairs_mut().append_pair("fields", "id,name,access_token,tasks").append_pair("limit", "100");
        let mut calls_left = OWN_CALLS_MAX;
        self.follow(person, Some(url), &mut calls_left, into).await
    }

    /// The Pages of the person's businesses, as far as they can be read in time. A person who did not let us see them has none.
    async fn business_pages(&self, person: &TokenSet, began: Instant, into: &mut Vec<Page>) -> Result<(), ExchangeError> {
        if !person.scopes.iter().any(|scope| scope == BUSINESS_SCOPE) {
            return Ok(());
        }
        let too_long = |_| ExchangeError::Unavailable { detail: "the businesses took too long".into() };
        let left = BUSINESSES_TIMEOUT.min(EXCHANGE_ENDS.saturating_sub(began.elapsed()));
        tokio::time::timeout(left, self.of_businesses(person, into)).await.map_err(too_long)?
    }

    async fn of_businesses(&self, person: &TokenSet, into: &mut Vec<Page>) -> Result<(), ExchangeError> {
        let mut url = self.graph(&["me", "businesses"]);
        url.query_pairs_mut().append_pair("fields", BUSINESS_FIELDS).append_pair("limit", "10");
        let (mut calls_left, mut from, mut more) = (BUSINESS_CALLS_MAX, Some(url), Vec::new());
        while let Some(url) = from {
            let Some(List { data, paging }) = self.page_of::<Business>(person, url, &mut calls_left).await? else { return Ok(()) };
            for List { data, paging } in data.into_iter().flat_map(|business| [business.owned_pages, business.client_pages]).flatten() {
                // At once: what is read stays read, whatever becomes of the next call.
                into.extend(data);
                more.extend(self.next_link(paging.as_ref()));
            }
            from = self.next_link(paging.as_ref());
        }
        for url in more {
            self.follow(person, Some(url), &mut calls_left, into).await?;
        }
        Ok(())
    }

    /// A list from `from` to its end, or until no call is left.
    async fn follow(
        &self,
        person: &TokenSet,
        mut from: Option<Url>,
        calls_left: &mut usize,
        into: &mut Vec<Page>,
    ) -> Result<(), ExchangeError> {
        while let Some(url) = from {
            let Some(list) = self.page_of(person, url, calls_left).await? else { return Ok(()) };
            into.extend(list.data);
            from = self.next_link(list.paging.as_ref());
        }
        Ok(())
    }

    /// One part of a list; `None`: no call is left.
    async fn page_of<T: DeserializeOwned>(
        &self,
        person: &TokenSet,
        url: Url,
        calls_left: &mut usize,
    ) -> Result<Option<List<T>>, ExchangeError> {
        if *calls_left == 0 {
            tracing::warn!("a person has more Pages than are read; the first ones are offered");
            return Ok(None);
        }
        *calls_left -= 1;
        read(self.http.send(self.call(Method::GET, url, person), CALL_TIMEOUT).await).map(Some)
    }

    /// A link to more, if it leads to where we were sent and nowhere else. The token and the proof that it may repeat are taken out: each call
    /// brings its own.
    fn next_link(&self, paging: Option<&Paging>) -> Option<Url> {
        let next = paging?.next.as_ref()?;
        if next.origin() != self.api_url.origin() || !next.path().starts_with(self.api_url.path()) {
            return None;
        }
        let mut url = next.clone();
        let rest: Vec<_> = next.query_pairs().filter(|(name, _)| name != "access_token" && name != "appsecret_proof").collect();
        url.query_pairs_mut().clear().extend_pairs(rest);
        Some(url)
    }
}

/// Each Page once, in the order in which they came. The first word on its tasks stands, which is the person's own role; a token may come later.
fn merged(pages: Vec<Page>) -> Vec<Page> {
    let (mut places, mut once) = (HashMap::new(), Vec::<Page>::new());
    for page in pages {
        match places.get(&page.id).and_then(|place: &usize| once.get_mut(*place)) {
            None => {
                places.insert(page.id.clone(), once.len());
                once.push(page);
            }
            Some(known) => {
                known.access_token = known.access_token.take().or(page.access_token);
                known.tasks = known.tasks.take().or(page.tasks);
            }
        }
    }
    once
}

impl Page {
    /// `None` where we could not post.
    fn into_account(self, person: &TokenSet) -> Option<GrantedAccount> {
        let may_post = self.tasks.is_none_or(|tasks| tasks.iter().any(|task| task == POSTING_TASK));
        if !may_post || !address::is_id(&self.id) {
            return None;
        }
        let (access, parent, scopes) = (self.access_token?, Some(person.access.clone()), person.scopes.clone());
        let tokens = TokenSet { parent, scopes, ..TokenSet::bare(access) };
        let (account_id, username) = (self.id, self.name);
        Some(GrantedAccount {
            account_id,
            username,
            kind: AccountKind::Page,
            server: None,
            grantor: None,
            tokens,
            missing_scopes: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

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

    fn person() -> TokenSet {
        TokenSet::bare("parent".into())
    }

    fn accounts(body: &str) -> Vec<GrantedAccount> {
        let pages: List<Page> = serde_json::from_str(body).unwrap();
        merged(pages.data).into_iter().filter_map(|page| page.into_account(&person())).collect()
    }

    #[test]
    fn a_page_where_we_cannot_post_is_left_out() {
        let accounts = accounts(
            r#"{"data":[
            {"id":"1","name":"Mine","access_token":"t1","tasks":["ANALYZE","CREATE_CONTENT"]},
            {"id":"2","name":"Read only","access_token":"t2","tasks":["ANALYZE"]},
            {"id":"3","name":"No token","tasks":["CREATE_CONTENT"]},
            {"id":"4","name":"A business's","access_token":"t4"},
            {"id":"5","name":"A business's, not ours"}],"paging":{"cursors":{"after":"x"}}}"#,
        );
        assert_eq!(accounts.iter().map(|account| account.account_id.as_str()).collect::<Vec<_>>(), ["1", "4"]);
        assert_eq!(accounts[0].tokens.expires_at, None);
        assert_eq!(accounts[0].tokens.parent.as_ref().unwrap().expose_secret(), "parent");
    }

    #[test]
    fn a_page_that_two_lists_show_is_one_with_its_own_tasks_and_whichever_token_there_is() {
        let accounts = accounts(
            r#"{"data":[
            {"id":"1","name":"No token here","tasks":["CREATE_CONTENT"]},
            {"id":"2","name":"Read only","access_token":"t2","tasks":["ANALYZE"]},
            {"id":"1","name":"Of the business","access_token":"t1"},
            {"id":"2","name":"Of the business","access_token":"t2b"}]}"#,
        );
        let shown: Vec<_> = accounts.iter().map(|account| (account.account_id.as_str(), account.tokens.access.expose_secret())).collect();
        assert_eq!(shown, [("1", "t1")]);
    }

    #[test]
    fn a_link_to_more_stays_on_the_same_host_and_loses_its_token_and_its_proof() {
        let next = |text: &str| facebook().next_link(Some(&Paging { next: Some(Url::parse(text).unwrap()) })).map(String::from);
        assert_eq!(
            next("https://graph.facebook.com/v26.0/1/accounts?access_token=EAAB&limit=100&appsecret_proof=5bdc&after=QVFI").as_deref(),
            Some("https://graph.facebook.com/v26.0/1/accounts?limit=100&after=QVFI")
        );
        assert_eq!(next("https://graph.facebook.com.evil.example/v26.0/me/accounts"), None);
        assert_eq!(next("http://graph.facebook.com/v26.0/me/accounts"), None);
        assert_eq!(next("https://graph.facebook.com:8443/v26.0/me/accounts"), None);
    }
}
