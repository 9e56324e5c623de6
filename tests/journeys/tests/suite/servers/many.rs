//! A network of servers, each of which has an app of ours of its own. It only consents.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use domain::people::Issuer;
use domain::platform::{AccountKind, Descriptor, Named, Needs, PlatformName, Server, ServerLimits, ServerName};
use domain::token::TokenSet;
use jiff::Timestamp;
use platforms::{
    Account, AppCredentials, Ask, AuthorizeError, Call, Callback, Consent, ExchangeError, GrantedAccount, Outcome, OwnPost, Platform,
    Prepared, ReadError, RevokeError,
};
use secrecy::ExposeSecret;
use tokio::sync::Barrier;
use url::Url;

static DESCRIPTOR: Descriptor = Descriptor { needs: Some(Needs::Server), ..*PlatformName::X.descriptor() };

pub(super) struct Many {
    /// How often our app was registered.
    pub(super) registered: Arc<AtomicUsize>,
    /// At `both.example`, two are waited for.
    pub(super) both: Arc<Barrier>,
}

fn address(server: &ServerName) -> Url {
    Url::parse(&format!("https://{server}")).expect("a server has an address")
}

fn carried(server: &ServerName) -> String {
    format!("carried to {server}")
}

fn refused(detail: &str) -> AuthorizeError {
    AuthorizeError::Refused { detail: detail.to_owned() }
}

#[async_trait]
impl Platform for Many {
    fn name(&self) -> PlatformName {
        PlatformName::X
    }

    fn descriptor(&self) -> &'static Descriptor {
        &DESCRIPTOR
    }

    async fn register(&self, server: &ServerName, redirect_uri: &Url) -> Result<AppCredentials, AuthorizeError> {
        match server.as_str() {
            "closed.example" => return Err(refused("it runs something else")),
            "both.example" => {
                self.both.wait().await;
            }
            _ => {}
        }
        if !redirect_uri.path().ends_with("/oauth/x/callback") {
            return Err(refused("an odd callback"));
        }
        let number = self.registered.fetch_add(1, Ordering::SeqCst);
        Ok(AppCredentials { client_id: format!("{number}@{server}"), client_secret: "secret".into() })
    }

    async fn authorize(&self, app: &AppCredentials, ask: &Ask<'_>) -> Result<Consent, AuthorizeError> {
        let Some(Named::Server(server)) = ask.named else { return Err(refused("no server was named")) };
        let mut url = address(server);
        url.query_pairs_mut().append_pair("client_id", &app.client_id).append_pair("state", ask.state.expose_secret());
        Ok(Consent { url, issuer: Issuer::announced(format!("https://{server}")), carried: Some(carried(server).into()) })
    }

    async fn exchange(&self, app: &AppCredentials, back: &Callback<'_>, _: Timestamp) -> Result<Vec<GrantedAccount>, ExchangeError> {
        let server = back.server.ok_or(ExchangeError::NoAccounts)?;
        let has_come_back = back.carried.is_some_and(|came| came.expose_secret() == carried(server));
        if !has_come_back || !app.client_id.ends_with(&format!("@{server}")) {
            return Err(ExchangeError::Refused { detail: "something of another server".to_owned() });
        }
        let lives_on =
            Server { api: address(server), issuer: address(server), software: "many".to_owned(), limits: ServerLimits::default() };
        let scopes = DESCRIPTOR.scopes.required.iter().map(|scope| (*scope).to_owned()).collect();
        Ok(vec![GrantedAccount {
            account_id: format!("ada@{server}"),
            username: "ada".to_owned(),
            kind: AccountKind::Profile,
            server: Some(lives_on),
            grantor: None,
            tokens: TokenSet { scopes, ..TokenSet::bare("a".into()) },
            missing_scopes: Vec::new(),
        }])
    }

    async fn commit(&self, _: &Call<'_>, _: &Prepared) -> Outcome {
        Outcome::NotSent { detail: "it only consents".to_owned() }
    }

    async fn own_posts(&self, _: Account<'_>, _: Timestamp, _: Option<Timestamp>, _: Timestamp) -> Result<Vec<OwnPost>, ReadError> {
        Err(ReadError::Unavailable { detail: "it only consents".to_owned() })
    }

    fn comparable(&self, text: &str) -> String {
        text.to_owned()
    }

    async fn revoke(&self, _: &AppCredentials, _: Account<'_>, _: Timestamp) -> Result<(), RevokeError> {
        Ok(())
    }
}
