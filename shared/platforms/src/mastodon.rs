//! Mastodon and the servers that speak its API, each of which somebody else runs. Their hosts are named by people, so every call is guarded.
//!
//! Speaks to `/.well-known/nodeinfo`, `/.well-known/oauth-authorization-server`, `/api/v2/instance`, `/api/v1/apps`, `/oauth/authorize`,
//! `/oauth/token`, `/oauth/revoke`, `/api/v1/accounts/verify_credentials`, `/api/v1/accounts/{id}/statuses`, `/api/v1/statuses` and
//! `/api/v1/statuses/{id}`; see <https://docs.joinmastodon.org/methods/>. A token may ask 300 times in five minutes and post 300 times in
//! three hours; it has no end. Which of a server's errors become which of ours stands in `mastodon/errors.rs`.
//!
//! Ids are a server's own, and what is true of one server's is said by that server alone. So ids of accounts and posts carry its host, as in
//! `109@mastodon.example`: no server can name another one's. Nothing that a server says pauses other servers' accounts.

mod errors;
mod html;
mod numbers;
mod oauth;
mod posts;
mod server;

use async_trait::async_trait;
use domain::platform::{PlatformAddresses, PlatformName, Server, ServerName};
use domain::text;
use domain::token::TokenSet;
use http::Method;
use jiff::Timestamp;
use outbound::Request;
use secrecy::ExposeSecret;
use url::Url;

use crate::http::{Clients, Http};
use crate::{
    Account, AppCredentials, Ask, AuthorizeError, Call, Callback, Consent, ExchangeError, GrantedAccount, NumbersError, Outcome, OwnPost,
    Platform, Prepared, Published, ReadError, RevokeError, Told, comparable,
};

/// For whoever calls without a server, which no connection of this network lacks.
const NO_SERVER: &str = "the account has no server";

/// The adapter.
pub(crate) struct Mastodon {
    http: Http,
}

impl Mastodon {
    /// The servers, as far as the guarded client reaches.
    pub(crate) fn new(_: &PlatformAddresses, clients: Clients) -> Self {
        Self { http: clients.named }
    }

    /// A call that acts with the access token.
    fn call(&self, method: Method, url: Url, tokens: &TokenSet) -> Request {
        self.http.request(method, url).bearer_auth(tokens.access.expose_secret())
    }
}

/// A server's id with its host.
fn qualified(id: &str, server: &Server) -> String {
    format!("{id}@{}", server.api.host_str().unwrap_or_default())
}

/// The id as its server knows it; `None`: it is another server's.
fn bare<'a>(id: &'a str, server: &Server) -> Option<&'a str> {
    id.split_once('@').filter(|(_, host)| server.api.host_str() == Some(host)).map(|(id, _)| id)
}

#[async_trait]
impl Platform for Mastodon {
    fn name(&self) -> PlatformName {
        PlatformName::Mastodon
    }

    async fn register(&self, server: &ServerName, redirect_uri: &Url) -> Result<AppCredentials, AuthorizeError> {
        self.register_app(server, redirect_uri).await
    }

    async fn authorize(&self, app: &AppCredentials, ask: &Ask<'_>) -> Result<Consent, AuthorizeError> {
        self.consent(app, ask).await
    }

    async fn exchange(&self, app: &AppCredentials, back: &Callback<'_>, now: Timestamp) -> Result<Vec<GrantedAccount>, ExchangeError> {
        self.granted_account(app, back, now).await.map(|account| vec![account])
    }

    async fn commit(&self, call: &Call<'_>, _prepared: &Prepared) -> Outcome {
        self.create_status(call).await
    }

    async fn own_posts(
        &self,
        account: Account<'_>,
        since: Timestamp,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<OwnPost>, ReadError> {
        self.list_statuses(account, (since, until), now).await
    }

    async fn numbers(&self, account: Account<'_>, post: Published<'_>, now: Timestamp) -> Result<Told, NumbersError> {
        self.read_numbers(account, post, now).await
    }

    /// A mention is shown without the name of its server.
    fn comparable(&self, text: &str) -> String {
        comparable::plain(&text::with_short_mentions(text))
    }

    async fn revoke(&self, app: &AppCredentials, of: Account<'_>, _now: Timestamp) -> Result<(), RevokeError> {
        self.revoke_token(app, of).await
    }
}

#[cfg(test)]
mod tests {
    use domain::platform::ServerLimits;

    use super::*;

    fn server(url: &str) -> Server {
        let url = Url::parse(url).unwrap();
        Server { api: url.clone(), issuer: url, software: "mastodon".into(), limits: ServerLimits::default() }
    }

    #[test]
    fn an_id_belongs_to_its_server() {
        let (one, other) = (server("https://mastodon.example/"), server("https://other.example/"));
        assert_eq!(qualified("109", &one), "109@mastodon.example");
        assert_eq!(bare("109@mastodon.example", &one), Some("109"));
        for (id, server) in [("109@mastodon.example", &other), ("109", &one), ("109@mastodon.example@other.example", &other)] {
            assert_eq!(bare(id, server), None, "{id}");
        }
    }

    #[test]
    fn what_was_written_and_what_is_shown_are_equal() {
        let http = Http::new(true).unwrap();
        let mastodon = Mastodon::new(&PlatformAddresses::default(), Clients { configured: http.clone(), named: http });
        let shown = html::text_of(
            "<p>Hi <span class=\"h-card\" translate=\"no\"><a href=\"https://b.example/@ada\" class=\"u-url mention\">@<span>ada</span></a></span> &amp; \
             <a href=\"https://mastodon.example/tags/rye\" class=\"mention hashtag\" rel=\"tag\">#<span>rye</span></a><br />now</p><p>\
             <a href=\"https://example.com/menu?a=1&amp;b=2\" target=\"_blank\"><span class=\"invisible\">https://</span>\
             <span class=\"ellipsis\">example.com/menu?a=1</span><span class=\"invisible\">&amp;b=2</span></a></p>",
        );
        let sent = "Hi @ada@b.example & #rye\nnow\n\nhttps://example.com/menu?a=1&b=2";
        assert_eq!(mastodon.comparable(&shown), mastodon.comparable(sent));
        assert_ne!(mastodon.comparable(&shown), mastodon.comparable(&sent.replace("ada", "bob")));
    }
}
