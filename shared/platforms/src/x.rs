//! X: API v2 with OAuth 2.0 and PKCE.
//!
//! Speaks to the consent page, `POST /2/oauth2/token`, `POST /2/oauth2/revoke`, `GET /2/users/me`, `POST /2/tweets`, `GET /2/tweets`
//! and `GET /2/users/{id}/tweets`; see <https://docs.x.com/x-api>. A user may post 100 times and read 900 times in 15 minutes, the
//! app 10,000 posts a day. Fields are asked for by the names of X's specification since August 2026 (`post.fields`), and read by both those and
//! the older ones. Which of X's errors become which of ours stands in `x/errors.rs`.

mod errors;
mod numbers;
mod oauth;
mod posts;

use async_trait::async_trait;
use domain::people::Issuer;
use domain::platform::{API, AUTHORIZE, PlatformAddresses, PlatformName};
use jiff::Timestamp;
use url::Url;

use crate::http::{Clients, Http};
use crate::oauth::{challenge, consent_address};
use crate::{
    Account, AppCredentials, Ask, AuthorizeError, Call, Callback, Consent, ExchangeError, GrantedAccount, NumbersError, Outcome, OwnPost,
    Platform, Prepared, Published, ReadError, RefreshError, Renewed, RevokeError, Told, address, comparable,
};

/// The adapter.
pub(crate) struct X {
    pub(crate) authorize_url: Url,
    pub(crate) api_url: Url,
    pub(crate) http: Http,
}

impl X {
    /// X where `addresses` say that it is.
    pub(crate) fn new(addresses: &PlatformAddresses, clients: Clients) -> Self {
        let at = |key| addresses.url(PlatformName::X, key).clone();
        Self { authorize_url: at(AUTHORIZE), api_url: at(API), http: clients.configured }
    }

    fn issuer(&self) -> Issuer {
        Issuer::unannounced(address::above(&self.authorize_url, "/i/oauth2/authorize"))
    }

    fn consent_page(&self, app: &AppCredentials, ask: &Ask<'_>) -> Url {
        let scopes = &self.descriptor().scopes;
        consent_address(self.authorize_url.clone(), scopes, app, ask, |request| request.set_pkce_challenge(challenge(ask.code_verifier)))
    }
}

#[async_trait]
impl Platform for X {
    fn name(&self) -> PlatformName {
        PlatformName::X
    }

    async fn authorize(&self, app: &AppCredentials, ask: &Ask<'_>) -> Result<Consent, AuthorizeError> {
        Ok(Consent::at(self.consent_page(app, ask), self.issuer()))
    }

    /// X publishes no metadata and sends no `iss`.
    async fn exchange(&self, app: &AppCredentials, back: &Callback<'_>, now: Timestamp) -> Result<Vec<GrantedAccount>, ExchangeError> {
        let tokens = self.exchange_code(app, back, now).await?;
        self.granted_account(tokens).await.map(|account| vec![account])
    }

    async fn renew(&self, app: &AppCredentials, of: Account<'_>, now: Timestamp) -> Result<Renewed, RefreshError> {
        self.rotate(app, of.tokens, now).await.map(Renewed::Tokens)
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
        comparable::with_wrapped_links(text)
    }

    async fn revoke(&self, app: &AppCredentials, of: Account<'_>, _now: Timestamp) -> Result<(), RevokeError> {
        self.revoke_grant(app, of.tokens).await
    }
}

#[cfg(test)]
mod tests {
    use domain::people::CodeVerifier;

    use super::*;

    #[test]
    fn the_consent_address_asks_for_what_we_need_and_no_more() {
        let x = X {
            authorize_url: Url::parse("https://x.com/i/oauth2/authorize").unwrap(),
            api_url: Url::parse("https://api.x.com").unwrap(),
            http: Http::new(true).unwrap(),
        };
        let app = AppCredentials { client_id: "app".into(), client_secret: "hidden".into() };
        let redirect_uri = Url::parse("https://app.example/oauth/x/callback").unwrap();
        let code_verifier = CodeVerifier::from_entropy([4; 32]);
        let ask = Ask {
            state: &"st".into(),
            code_verifier: &code_verifier,
            redirect_uri: &redirect_uri,
            named: None,
            entropy: &[0; 32],
            now: Timestamp::UNIX_EPOCH,
        };
        let url = x.consent_page(&app, &ask);
        assert_eq!(
            url.as_str(),
            "https://x.com/i/oauth2/authorize?response_type=code&client_id=app&state=st\
             &code_challenge=T2o7tabHLReFa-FfYudH74jfgTnww4QRyFARZMHBvdg&code_challenge_method=S256\
             &redirect_uri=https%3A%2F%2Fapp.example%2Foauth%2Fx%2Fcallback&scope=tweet.read+tweet.write+users.read+offline.access"
        );
    }
}
