//! Threads: Meta's API for it.
//!
//! Speaks to the consent page, `/oauth/access_token`, `/access_token`, `/refresh_access_token`, `/debug_token`, `/me`, `/{user}/threads`,
//! `/{container}`, `/{user}/threads_publish`, `/{post}` and `/{post}/insights`; see <https://developers.facebook.com/docs/threads>. An account
//! may publish 250 posts in 24 hours. A post is a container first, which shows nothing and lives 24 hours; publishing it makes the post visible,
//! once. There is no call that takes a grant back. Which of Threads' errors become which of ours stands in `threads/errors.rs`.

mod containers;
mod errors;
mod grant;
mod numbers;
mod posts;

use async_trait::async_trait;
use domain::people::Issuer;
use domain::platform::{API, AUTHORIZE, PlatformAddresses, PlatformName};
use domain::token::TokenSet;
use http::Method;
use jiff::Timestamp;
use outbound::Request;
use secrecy::ExposeSecret;
use url::Url;

use crate::http::{Clients, Http};
use crate::oauth::consent_address;
use crate::{
    Account, Advance, AppCredentials, Ask, AuthorizeError, Call, Callback, Consent, ExchangeError, GrantedAccount, HandleState,
    NumbersError, Outcome, OwnPost, Platform, PrepareError, Prepared, Published, ReadError, RefreshError, Renewed, RevokeError, Told,
    address, comparable,
};

/// The adapter.
pub(crate) struct Threads {
    pub(crate) authorize_url: Url,
    pub(crate) api_url: Url,
    pub(crate) version: String,
    pub(crate) http: Http,
}

impl Threads {
    /// Threads where `addresses` say that it is.
    pub(crate) fn new(addresses: &PlatformAddresses, clients: Clients) -> Self {
        let at = |key| addresses.url(PlatformName::Threads, key).clone();
        let version = addresses.version(PlatformName::Threads).to_owned();
        Self { authorize_url: at(AUTHORIZE), api_url: at(API), version, http: clients.configured }
    }

    /// The address of `path` below the version.
    fn graph(&self, path: &[&str]) -> Url {
        address::join(&address::join(&self.api_url, &[&self.version]), path)
    }

    /// The same, of which these fields are asked for.
    fn fields(&self, path: &[&str], fields: &str) -> Url {
        let mut url = self.graph(path);
        url.query_pairs_mut().append_pair("fields", fields);
        url
    }

    /// Threads' login takes no code challenge.
    fn consent_page(&self, app: &AppCredentials, ask: &Ask<'_>) -> Url {
        consent_address(self.authorize_url.clone(), &self.descriptor().scopes, app, ask, |request| request)
    }

    /// A call that acts with the access token, which goes into a header: addresses end up in logs.
    fn call(&self, method: Method, url: Url, tokens: &TokenSet) -> Request {
        self.http.request(method, url).bearer_auth(tokens.access.expose_secret())
    }
}

#[async_trait]
impl Platform for Threads {
    fn name(&self) -> PlatformName {
        PlatformName::Threads
    }

    async fn authorize(&self, app: &AppCredentials, ask: &Ask<'_>) -> Result<Consent, AuthorizeError> {
        // Threads names itself nowhere, and sends no `iss`.
        let issuer = Issuer::unannounced(address::above(&self.authorize_url, "/oauth/authorize"));
        Ok(Consent::at(self.consent_page(app, ask), issuer))
    }

    async fn exchange(&self, app: &AppCredentials, back: &Callback<'_>, now: Timestamp) -> Result<Vec<GrantedAccount>, ExchangeError> {
        self.granted_account(app, back, now).await.map(|account| vec![account])
    }

    async fn renew(&self, _app: &AppCredentials, of: Account<'_>, now: Timestamp) -> Result<Renewed, RefreshError> {
        self.extended(of.tokens, now).await
    }

    /// Makes a container, and asks whether it can be published.
    async fn prepare(&self, call: &Call<'_>, so_far: Option<Prepared>) -> Result<Advance, PrepareError> {
        self.prepare_container(call, so_far).await
    }

    async fn commit(&self, call: &Call<'_>, prepared: &Prepared) -> Outcome {
        self.publish_container(call, prepared).await
    }

    async fn look_up(&self, of: Account<'_>, handle: &str) -> Result<HandleState, ReadError> {
        self.look_up_container(of, handle).await
    }

    async fn own_posts(
        &self,
        account: Account<'_>,
        since: Timestamp,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<OwnPost>, ReadError> {
        self.list_posts(account, (since, until), now).await
    }

    async fn numbers(&self, account: Account<'_>, post: Published<'_>, now: Timestamp) -> Result<Told, NumbersError> {
        self.read_numbers(account, post, now).await
    }

    fn comparable(&self, text: &str) -> String {
        comparable::plain(text)
    }

    /// There is no such call. What is not extended ends after 60 days, and its owner can end it in the settings of Threads.
    async fn revoke(&self, _app: &AppCredentials, _of: Account<'_>, _now: Timestamp) -> Result<(), RevokeError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use domain::people::CodeVerifier;

    use super::*;

    fn threads() -> Threads {
        let http = Http::new(true).unwrap();
        Threads::new(&PlatformAddresses::default(), Clients { configured: http.clone(), named: http })
    }

    #[test]
    fn the_consent_address_carries_scopes_with_commas_and_no_challenge() {
        let app = AppCredentials { client_id: "app".into(), client_secret: "hidden".into() };
        let redirect_uri = Url::parse("https://app.example/oauth/threads/callback").unwrap();
        let code_verifier = CodeVerifier::from_entropy([4; 32]);
        let ask = Ask {
            state: &"st".into(),
            code_verifier: &code_verifier,
            redirect_uri: &redirect_uri,
            named: None,
            entropy: &[4; 32],
            now: Timestamp::UNIX_EPOCH,
        };
        assert_eq!(
            threads().consent_page(&app, &ask).as_str(),
            "https://threads.net/oauth/authorize?response_type=code&client_id=app&state=st\
             &redirect_uri=https%3A%2F%2Fapp.example%2Foauth%2Fthreads%2Fcallback\
             &scope=threads_basic%2Cthreads_content_publish%2Cthreads_manage_insights"
        );
    }

    #[test]
    fn a_call_stands_below_the_version() {
        assert_eq!(threads().fields(&["me"], "id,username").as_str(), "https://graph.threads.net/v1.0/me?fields=id%2Cusername");
    }
}
