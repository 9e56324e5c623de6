//! Facebook Pages: the Graph API with Facebook Login.
//!
//! Speaks to the login dialog, `/oauth/access_token`, `/me`, `/me/permissions`, `/me/accounts`, `/me/businesses`, `/{page}/feed`,
//! `/{page}/published_posts` and `/{post}/insights`; see <https://developers.facebook.com/docs/pages-api>. Each call with a token carries the
//! proof that our app makes it. A Page may make 4,800 calls per engaged user in 24 hours. There is no refresh: a Page token taken with a long-lived user token has no end, and once it dies only the person
//! can mend it. Which of Graph's errors become which of ours stands in `facebook/errors.rs`.

mod errors;
mod grant;
mod numbers;
mod pages;
mod posts;
mod proof;

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
    Account, AppCredentials, Ask, AuthorizeError, Call, Callback, Consent, ExchangeError, GrantedAccount, NoCode, NumbersError, Outcome,
    OwnPost, Platform, Prepared, Published, ReadError, RevokeError, Told, address, comparable,
};

/// What the dialog sends back, without an `error`, when the person closes it.
const CANCELLED: &str = "4201";

/// The adapter.
pub(crate) struct Facebook {
    pub(crate) authorize_url: Url,
    pub(crate) api_url: Url,
    pub(crate) version: String,
    pub(crate) http: Http,
}

impl Facebook {
    /// Facebook where `addresses` say that it is.
    pub(crate) fn new(addresses: &PlatformAddresses, clients: Clients) -> Self {
        let at = |key| addresses.url(PlatformName::Facebook, key).clone();
        let version = addresses.version(PlatformName::Facebook).to_owned();
        Self { authorize_url: at(AUTHORIZE), api_url: at(API), version, http: clients.configured }
    }

    /// The address of `path` below the version.
    fn graph(&self, path: &[&str]) -> Url {
        address::join(&address::join(&self.api_url, &[&self.version]), path)
    }

    /// Facebook's server-side login takes no code challenge.
    fn dialog(&self, app: &AppCredentials, ask: &Ask<'_>) -> Url {
        let dialog = address::join(&self.authorize_url, &[&self.version, "dialog", "oauth"]);
        // Scopes that were declined before are asked for again.
        consent_address(dialog, &self.descriptor().scopes, app, ask, |request| request.add_extra_param("auth_type", "rerequest"))
    }

    /// A call that acts with the access token, which goes into a header: addresses end up in logs. The proof opens nothing by itself.
    fn call(&self, method: Method, mut url: Url, tokens: &TokenSet) -> Request {
        if let Some(proof) = &tokens.proof {
            url.query_pairs_mut().append_pair("appsecret_proof", proof.expose_secret());
        }
        self.http.request(method, url).bearer_auth(tokens.access.expose_secret())
    }
}

#[async_trait]
impl Platform for Facebook {
    fn name(&self) -> PlatformName {
        PlatformName::Facebook
    }

    async fn authorize(&self, app: &AppCredentials, ask: &Ask<'_>) -> Result<Consent, AuthorizeError> {
        // The issuer of Facebook's metadata, which does not announce `iss`.
        let issuer = Issuer::unannounced(address::above(&self.authorize_url, ""));
        Ok(Consent::at(self.dialog(app, ask), issuer))
    }

    fn is_denial(&self, instead: NoCode<'_>) -> bool {
        instead.error == Some("access_denied") || instead.error_code == Some(CANCELLED)
    }

    async fn exchange(&self, app: &AppCredentials, back: &Callback<'_>, _now: Timestamp) -> Result<Vec<GrantedAccount>, ExchangeError> {
        self.granted_pages(app, back).await
    }

    fn proven(&self, app: &AppCredentials, tokens: TokenSet) -> TokenSet {
        TokenSet { proof: Some(proof::of(&tokens.access, &app.client_secret)), ..tokens }
    }

    async fn commit(&self, call: &Call<'_>, _prepared: &Prepared) -> Outcome {
        self.create_post(call).await
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
    async fn revoke(&self, app: &AppCredentials, of: Account<'_>, _now: Timestamp) -> Result<(), RevokeError> {
        self.revoke_grant(app, of.tokens).await
    }
}

#[cfg(test)]
mod tests {
    use domain::people::CodeVerifier;

    use super::*;

    fn facebook() -> Facebook {
        Facebook {
            authorize_url: Url::parse("https://www.facebook.com").unwrap(),
            api_url: Url::parse("https://graph.facebook.com").unwrap(),
            version: "v26.0".into(),
            http: Http::new(true).unwrap(),
        }
    }

    #[test]
    fn the_dialog_address_carries_version_scopes_and_state() {
        let app = AppCredentials { client_id: "app".into(), client_secret: "hidden".into() };
        let redirect_uri = Url::parse("https://app.example/oauth/facebook/callback").unwrap();
        let code_verifier = CodeVerifier::from_entropy([4; 32]);
        let ask = Ask {
            state: &"st".into(),
            code_verifier: &code_verifier,
            redirect_uri: &redirect_uri,
            named: None,
            entropy: &[0; 32],
            now: Timestamp::UNIX_EPOCH,
        };
        let url = facebook().dialog(&app, &ask);
        assert_eq!(
            url.as_str(),
            "https://www.facebook.com/v26.0/dialog/oauth?response_type=code&client_id=app&state=st\
             &redirect_uri=https%3A%2F%2Fapp.example%2Foauth%2Ffacebook%2Fcallback\
             &scope=pages_show_list%2Cpages_manage_posts%2Cpages_read_engagement%2Cread_insights%2Cbusiness_management&auth_type=rerequest"
        );
    }

    #[test]
    fn closing_the_dialog_is_a_denial_and_other_trouble_is_not() {
        let facebook = facebook();
        let is_denial = |error, error_code| facebook.is_denial(NoCode { error, error_code });
        assert!(is_denial(Some("access_denied"), Some("200")));
        assert!(is_denial(None, Some("4201")));
        for (error, error_code) in [(None, None), (None, Some("1349048")), (Some("server_error"), Some("2")), (Some("ACCESS_DENIED"), None)]
        {
            assert!(!is_denial(error, error_code), "{error:?} {error_code:?}");
        }
    }
}
