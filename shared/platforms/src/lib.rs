//! The social networks: one adapter each. What is known of a network without a call is its descriptor, in `domain::platform`.
//!
//! An adapter turns our few verbs into a network's calls and the network's answers into our few outcomes. It holds no
//! state and decides nothing about a post: whether to try again, and when, is the publisher's work.

mod account;
mod address;
mod bluesky;
mod call;
mod comparable;
mod consent;
mod directory;
mod facebook;
mod graph;
mod http;
mod linkedin;
mod mastodon;
mod numbers;
mod oauth;
mod outcome;
mod payments;
mod threads;
mod verdict;
mod x;

pub use account::{Account, GrantedAccount, OwnPost};
pub use call::{Advance, Call, Prepared};
pub use consent::{AppCredentials, Ask, Callback, Consent, NoCode, Renewed};
pub use directory::{PlatformAddresses, Platforms, PlatformsError};
pub use numbers::{NumbersError, Published, Told};
pub use outcome::{AuthorizeError, ExchangeError, HandleState, Outcome, PrepareError, ReadError, RefreshError, RevokeError};
pub use payments::{Checkout, CheckoutPage, Payments, PaymentsError};

use async_trait::async_trait;
use domain::platform::{Descriptor, PlatformName, ServerName};
use domain::token::TokenSet;
use jiff::Timestamp;
use outbound::detail;
use serde_json::Value;
use url::Url;

/// How many pages of an account's posts are read to find one.
pub const PAGES_MAX: usize = 5;

/// A network. All addresses are configuration, or judged before each call; no call follows a redirect, and none is repeated here.
#[async_trait]
pub trait Platform: Send + Sync {
    /// Which.
    fn name(&self) -> PlatformName;

    /// What is known of it without a call.
    fn descriptor(&self) -> &'static Descriptor {
        self.name().descriptor()
    }

    /// Registers our app at a server, where each of them has its own. Repeating it makes another one there, of which nobody knows.
    async fn register(&self, _server: &ServerName, _redirect_uri: &Url) -> Result<AppCredentials, AuthorizeError> {
        Err(AuthorizeError::Refused { detail: "the network has no servers of its own".to_owned() })
    }

    /// Begins a consent: where to send the browser, and who will answer.
    async fn authorize(&self, app: &AppCredentials, ask: &Ask<'_>) -> Result<Consent, AuthorizeError>;

    /// Whether the network knows apps by a document that stands at their ids.
    fn has_client_document(&self) -> bool {
        false
    }

    /// That document of our app; `None`: there is none, or it cannot be made of these credentials.
    fn client_document(&self, _app: &AppCredentials, _redirect_uri: &Url) -> Option<Value> {
        None
    }

    /// Whether a consent brought no code because the person said no. Whatever else there is instead is our doing, or the network's.
    fn is_denial(&self, instead: NoCode<'_>) -> bool {
        instead.error == Some("access_denied")
    }

    /// Turns the callback's code into the accounts that we may post to. Called once per code, never repeated.
    async fn exchange(&self, app: &AppCredentials, back: &Callback<'_>, now: Timestamp) -> Result<Vec<GrantedAccount>, ExchangeError>;

    /// Renews the tokens, in the way of [`Descriptor::renewal`]. A rotating network kills the old refresh token with this call, so it is never
    /// repeated here.
    async fn renew(&self, _app: &AppCredentials, _of: Account<'_>, _now: Timestamp) -> Result<Renewed, RefreshError> {
        Ok(Renewed::Never)
    }

    /// The tokens with the proof that our app uses them, where [`Descriptor::app_proof`] says that each call carries one.
    fn proven(&self, _app: &AppCredentials, tokens: TokenSet) -> TokenSet {
        tokens
    }

    /// The next step before [`Self::commit`]: uploads and containers. Nothing is visible by it. It makes one thing at the network at most, for
    /// the caller stores what there is before it calls again. `so_far` may be of an earlier invocation; where the network has forgotten it, the
    /// step begins anew.
    async fn prepare(&self, _call: &Call<'_>, _so_far: Option<Prepared>) -> Result<Advance, PrepareError> {
        Ok(Advance::Ready(Prepared::default()))
    }

    /// Makes the post visible: the one call that must never be repeated on a guess.
    ///
    /// In the class [Key](domain::platform::Reconcile::Key), the same content under the same [`Call::key`] makes no second post while the key
    /// is young. In the class [Handle](domain::platform::Reconcile::Handle), a handle makes one post, however often the network is asked.
    async fn commit(&self, call: &Call<'_>, prepared: &Prepared) -> Outcome;

    /// What became of a handle. It only reads.
    async fn look_up(&self, _of: Account<'_>, _handle: &str) -> Result<HandleState, ReadError> {
        Err(ReadError::Unavailable { detail: "the network has no handles".to_owned() })
    }

    /// All of the account's own posts made since `since`, newest first; with `until`, a time that is over for a minute at least, none that are
    /// later. At most [`PAGES_MAX`] pages of 100 are read: more posts than that are unreadable, because a part of a list is no evidence.
    async fn own_posts(
        &self,
        account: Account<'_>,
        since: Timestamp,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<OwnPost>, ReadError>;

    /// A post's numbers, as often as [`Descriptor::numbers`] allows. It only reads. A network that tells none says so by telling nothing.
    async fn numbers(&self, _account: Account<'_>, _post: Published<'_>, _now: Timestamp) -> Result<Told, NumbersError> {
        Ok(Told::default())
    }

    /// The form of a text in which what we sent and what the network shows are equal.
    fn comparable(&self, text: &str) -> String;

    /// Takes the grant back at the network. Repeating it does no harm.
    async fn revoke(&self, app: &AppCredentials, of: Account<'_>, now: Timestamp) -> Result<(), RevokeError>;
}
