//! Facebook Pages: the Graph API with Facebook Login.
//!
//! Speaks to the login dialog, `/oauth/access_token`, `/me`, `/me/permissions`, `/me/accounts`, `/{page}/feed`,
//! `/{page}/published_posts` and `/{post}/insights`; see <https://developers.facebook.com/docs/pages-api>. A Page may make 4,800 calls per engaged user in
//! 24 hours. There is no refresh: a Page token taken with a long-lived user token has no end, and once it dies only the person
//! can mend it. Which of Graph's errors become which of ours stands in `facebook/errors.rs`.

mod errors;
mod grant;
mod numbers;
mod posts;

use async_trait::async_trait;
use domain::platform::PlatformName;
use domain::token::TokenSet;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use reqwest::RequestBuilder;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::http::Http;
use crate::{
    Account, AppCredentials, Capabilities, CodeExchange, ConsentRequest, ExchangeError, GrantedAccount, Issuer, NumbersError, Outcome,
    OwnPost, Platform, Published, ReadError, Reconcile, RefreshError, RevokeError, Told, address, comparable,
};

const CAPABILITIES: Capabilities = Capabilities {
    scopes: &["pages_show_list", "pages_manage_posts", "pages_read_engagement"],
    needs: None,
    reconcile: Reconcile::Search,
    read_lag: SignedDuration::from_secs(60),
    refresh_rotates: false,
};

/// Asked for, and not missed where it is not granted: a Page can be posted to without its numbers.
const NUMBERS_SCOPE: &str = "read_insights";

/// The adapter.
pub(crate) struct Facebook {
    pub(crate) authorize_url: Url,
    pub(crate) api_url: Url,
    pub(crate) version: String,
    pub(crate) http: Http,
}

impl Facebook {
    /// The address of `path` below the version.
    fn graph(&self, path: &[&str]) -> Url {
        address::join(&address::join(&self.api_url, &[&self.version]), path)
    }

    /// A call that acts with `token`, which goes into a header: addresses end up in logs.
    fn call(&self, method: Method, url: Url, token: &SecretString) -> RequestBuilder {
        self.http.request(method, url).bearer_auth(token.expose_secret())
    }
}

#[async_trait]
impl Platform for Facebook {
    fn name(&self) -> PlatformName {
        PlatformName::Facebook
    }

    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    /// Facebook's server-side login takes no code challenge.
    fn authorize_url(&self, app: &AppCredentials, consent: &ConsentRequest<'_>) -> Url {
        let mut url = address::join(&self.authorize_url, &[&self.version, "dialog", "oauth"]);
        let scopes: Vec<&str> = CAPABILITIES.scopes.iter().copied().chain([NUMBERS_SCOPE]).collect();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &app.client_id)
            .append_pair("redirect_uri", consent.redirect_uri.as_str())
            .append_pair("scope", &scopes.join(","))
            .append_pair("state", consent.state.expose_secret())
            // Scopes that were declined before are asked for again.
            .append_pair("auth_type", "rerequest");
        url
    }

    /// The issuer of Facebook's metadata, which does not announce `iss`.
    fn issuer(&self) -> Issuer {
        Issuer::unannounced(Issuer::above(&self.authorize_url, ""))
    }

    async fn exchange(
        &self,
        app: &AppCredentials,
        exchange: &CodeExchange<'_>,
        _now: Timestamp,
    ) -> Result<Vec<GrantedAccount>, ExchangeError> {
        self.granted_pages(app, exchange).await
    }

    async fn refresh(&self, _app: &AppCredentials, _tokens: &TokenSet, _now: Timestamp) -> Result<TokenSet, RefreshError> {
        Err(RefreshError::Dead { detail: "a Page token cannot be renewed".into() })
    }

    async fn publish(&self, account: Account<'_>, text: &str, now: Timestamp) -> Outcome {
        self.create_post(account, text, now).await
    }

    async fn own_posts(
        &self,
        account: Account<'_>,
        since: Timestamp,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<OwnPost>, ReadError> {
        self.list_posts(account, since, until, now).await
    }

    async fn numbers(&self, account: Account<'_>, post: Published<'_>, now: Timestamp) -> Result<Told, NumbersError> {
        self.read_numbers(account, post, now).await
    }

    fn comparable(&self, text: &str) -> String {
        comparable::plain(text)
    }

    /// Takes back everything that the person granted to us, for all of their Pages.
    async fn revoke(&self, _app: &AppCredentials, tokens: &TokenSet) -> Result<(), RevokeError> {
        self.revoke_grant(tokens).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dialog_address_carries_version_scopes_and_state() {
        let facebook = Facebook {
            authorize_url: Url::parse("https://www.facebook.com").unwrap(),
            api_url: Url::parse("https://graph.facebook.com").unwrap(),
            version: "v26.0".into(),
            http: Http::new(true).unwrap(),
        };
        let app = AppCredentials { client_id: "app".into(), client_secret: "hidden".into() };
        let redirect_uri = Url::parse("https://app.example/oauth/facebook/callback").unwrap();
        let url = facebook.authorize_url(&app, &ConsentRequest { state: &"st".into(), code_challenge: "ch", redirect_uri: &redirect_uri });
        assert_eq!(
            url.as_str(),
            "https://www.facebook.com/v26.0/dialog/oauth?response_type=code&client_id=app\
             &redirect_uri=https%3A%2F%2Fapp.example%2Foauth%2Ffacebook%2Fcallback\
             &scope=pages_show_list%2Cpages_manage_posts%2Cpages_read_engagement%2Cread_insights&state=st&auth_type=rerequest"
        );
    }
}
