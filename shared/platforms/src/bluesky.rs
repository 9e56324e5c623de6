//! Bluesky, and every other server of atproto: OAuth by documents in the place of registrations, and posts under keys of ours.
//!
//! Speaks to three kinds of servers. One of ours to choose shows all posts and looks names up: `com.atproto.identity.resolveHandle`,
//! `app.bsky.feed.getAuthorFeed`, `app.bsky.feed.getPosts`; none of them needs a token. One is the directory of accounts. The others belong to the
//! accounts, and people run them at home: `com.atproto.repo.putRecord` and `.getRecord`, and OAuth with PAR, PKCE and `DPoP`. They are reached only
//! through the guarded client. See <https://docs.bsky.app> and <https://atproto.com/specs>.
//!
//! An account may write 5,000 points an hour and 35,000 a day, where a post of ours is 2; our address may make 3,000 calls in five minutes at each
//! server. Which errors become which of ours stands in `bluesky/errors.rs`.

mod bound;
mod client;
mod consent;
mod discovery;
mod documents;
mod errors;
mod facets;
mod handle;
mod key;
mod numbers;
mod posts;
mod proof;
mod record;
mod record_key;
mod scopes;
mod tokens;

use async_trait::async_trait;
use domain::platform::{API, DIRECTORY, PlatformAddresses, PlatformName};
use jiff::Timestamp;
use serde_json::Value;
use url::Url;

use crate::http::{Clients, Http};
use crate::{
    Account, AppCredentials, Ask, AuthorizeError, Call, Callback, Consent, ExchangeError, GrantedAccount, HandleState, NumbersError,
    Outcome, OwnPost, Platform, Prepared, Published, ReadError, RefreshError, Renewed, RevokeError, Told, comparable,
};
use client::Client;

/// What people read of us before they consent.
const APP_NAME: &str = "Postledger";

/// The adapter.
pub(crate) struct Bluesky {
    /// The server that shows all posts.
    api_url: Url,
    /// The directory of `did:plc`.
    directory_url: Url,
    /// Calls what our configuration names.
    http: Http,
    /// Calls what people and documents name.
    named: Http,
}

impl Bluesky {
    /// Bluesky where `addresses` say that it is.
    pub(crate) fn new(addresses: &PlatformAddresses, clients: Clients) -> Self {
        let at = |key| addresses.url(PlatformName::Bluesky, key).clone();
        Self { api_url: at(API), directory_url: at(DIRECTORY), http: clients.configured, named: clients.named }
    }
}

#[async_trait]
impl Platform for Bluesky {
    fn name(&self) -> PlatformName {
        PlatformName::Bluesky
    }

    async fn authorize(&self, app: &AppCredentials, ask: &Ask<'_>) -> Result<Consent, AuthorizeError> {
        self.begin(app, ask).await
    }

    fn has_client_document(&self) -> bool {
        true
    }

    fn client_document(&self, app: &AppCredentials, redirect_uri: &Url) -> Option<Value> {
        Client::of(app)?.metadata(APP_NAME, redirect_uri, &self.descriptor().scopes)
    }

    async fn exchange(&self, app: &AppCredentials, back: &Callback<'_>, now: Timestamp) -> Result<Vec<GrantedAccount>, ExchangeError> {
        self.finish(app, back, now).await.map(|account| vec![account])
    }

    async fn renew(&self, app: &AppCredentials, of: Account<'_>, now: Timestamp) -> Result<Renewed, RefreshError> {
        self.rotate(app, of, now).await.map(Renewed::Tokens)
    }

    async fn commit(&self, call: &Call<'_>, _prepared: &Prepared) -> Outcome {
        self.put_post(call).await
    }

    /// A handle is the record's key.
    async fn look_up(&self, of: Account<'_>, handle: &str) -> Result<HandleState, ReadError> {
        self.state_of(of, handle).await
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

    async fn revoke(&self, app: &AppCredentials, of: Account<'_>, now: Timestamp) -> Result<(), RevokeError> {
        self.end(app, of, now).await
    }
}
