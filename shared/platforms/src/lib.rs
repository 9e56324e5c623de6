//! The social networks: one adapter each. What is known of a network without a call is its descriptor, in `domain::platform`.
//!
//! An adapter turns our few verbs into a network's calls and the network's answers into our few outcomes. It holds no
//! state and decides nothing about a post: whether to try again, and when, is the publisher's work.

mod account_kind;
mod address;
mod comparable;
mod detail;
mod directory;
mod facebook;
mod http;
mod issuer;
mod numbers;
mod oauth;
mod outcome;
mod payments;
mod verdict;
mod x;

pub use account_kind::AccountKind;
pub use directory::{PlatformAddresses, Platforms, PlatformsError};
pub use issuer::Issuer;
pub use numbers::{NumbersError, Published, Told};
pub use outcome::{ExchangeError, HandleState, Outcome, PrepareError, ReadError, RefreshError, RevokeError};
pub use payments::{Checkout, CheckoutPage, Payments, PaymentsError};

use async_trait::async_trait;
use domain::people::CodeVerifier;
use domain::platform::{Descriptor, PlatformName};
use domain::token::TokenSet;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use url::Url;

/// Our app's own credentials with a network.
#[derive(Debug, Clone)]
pub struct AppCredentials {
    /// Public.
    pub client_id: String,
    /// Not.
    pub client_secret: SecretString,
}

/// What the authorize address is made from.
#[derive(Debug)]
pub struct ConsentRequest<'a> {
    /// Returned to us unchanged.
    pub state: &'a SecretString,
    /// Where the network takes one, its challenge goes along (RFC 7636).
    pub code_verifier: &'a CodeVerifier,
    /// Where the network sends the browser back.
    pub redirect_uri: &'a Url,
}

/// What the callback brought.
#[derive(Debug)]
pub struct CodeExchange<'a> {
    /// The one-time code.
    pub code: &'a SecretString,
    /// The secret behind the code challenge.
    pub code_verifier: &'a SecretString,
    /// The same address as in the consent request.
    pub redirect_uri: &'a Url,
}

/// What the callback brought instead of a code.
#[derive(Debug, Clone, Copy)]
pub struct NoCode<'a> {
    /// RFC 6749 §4.1.2.1.
    pub error: Option<&'a str>,
    /// A number that some networks send, also without an `error`.
    pub error_code: Option<&'a str>,
}

/// An account that a consent lets us post to, with its own tokens.
#[derive(Debug, Clone)]
pub struct GrantedAccount {
    /// The network's id of the account.
    pub account_id: String,
    /// The name that people know.
    pub username: String,
    /// A person's profile or a page.
    pub kind: AccountKind,
    /// The network's id of the person who granted, where [`Platform::revoke`] ends all that the person granted, whoever asked for it.
    pub grantor: Option<String>,
    /// What acts for it.
    pub tokens: TokenSet,
    /// Scopes that posting needs and that were not granted.
    pub missing_scopes: Vec<String>,
}

/// The account that a call acts for.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    /// The network's id.
    pub id: &'a str,
    /// Its name, for permalinks.
    pub username: &'a str,
    /// Its credentials.
    pub tokens: &'a TokenSet,
}

/// A post of the account as the network shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnPost {
    /// The network's id.
    pub id: String,
    /// Where people see it.
    pub url: Option<String>,
    /// Its text, with the network's own link wrappers taken off.
    pub text: String,
    /// The network's clock.
    pub created_at: Timestamp,
}

/// How many pages of an account's posts are read to find one.
pub const PAGES_MAX: usize = 5;

/// What a network that publishes in one step answers to the verbs of two.
const NO_HANDLES: &str = "the network has no handles";

/// A network. All addresses are configuration; no call follows a redirect, and none is repeated here.
#[async_trait]
pub trait Platform: Send + Sync {
    /// Which.
    fn name(&self) -> PlatformName;

    /// What is known of it without a call.
    fn descriptor(&self) -> &'static Descriptor {
        self.name().descriptor()
    }

    /// Where to send the browser for consent.
    fn authorize_url(&self, app: &AppCredentials, consent: &ConsentRequest<'_>) -> Url;

    /// Who it says it is in the callback.
    fn issuer(&self) -> Issuer;

    /// Whether a consent brought no code because the person said no. Whatever else there is instead is our doing, or the network's.
    fn is_denial(&self, instead: NoCode<'_>) -> bool {
        instead.error == Some("access_denied")
    }

    /// Turns the callback's code into the accounts that we may post to. Called once per code, never repeated.
    async fn exchange(
        &self,
        app: &AppCredentials,
        exchange: &CodeExchange<'_>,
        now: Timestamp,
    ) -> Result<Vec<GrantedAccount>, ExchangeError>;

    /// Renews the tokens. A rotating network kills the old refresh token with this call, so it is never repeated here.
    async fn refresh(&self, app: &AppCredentials, tokens: &TokenSet, now: Timestamp) -> Result<TokenSet, RefreshError>;

    /// The tokens with the proof that our app uses them, where [`Descriptor::app_proof`] says that each call carries one.
    fn proven(&self, _app: &AppCredentials, tokens: TokenSet) -> TokenSet {
        tokens
    }

    /// Makes the post visible: the one call that must never be repeated on a guess.
    async fn publish(&self, account: Account<'_>, text: &str, now: Timestamp) -> Outcome;

    /// The same under a key of ours, where doubts are cleared up by [a key](domain::platform::Reconcile::Key): repeated with the same key and
    /// the same text while the key is young, it makes no second post.
    async fn publish_keyed(&self, account: Account<'_>, text: &str, _key: &str, now: Timestamp) -> Outcome {
        self.publish(account, text, now).await
    }

    /// How long after its first use a key surely still stands for the post that it made.
    fn key_life(&self) -> SignedDuration {
        SignedDuration::ZERO
    }

    /// Uploads and containers, where the network publishes in two steps, by [a handle](domain::platform::Reconcile::Handle): everything before
    /// the call that makes the post visible. It gives the handle by which that call is made, and by which is asked what became of it.
    async fn prepare(&self, _account: Account<'_>, _text: &str, _now: Timestamp) -> Result<String, PrepareError> {
        Err(PrepareError::Unavailable { detail: NO_HANDLES.to_owned() })
    }

    /// Makes what was prepared visible. The network makes one post of a handle, however often it is asked.
    async fn publish_prepared(&self, _account: Account<'_>, _handle: &str, _now: Timestamp) -> Outcome {
        Outcome::NotSent { detail: NO_HANDLES.to_owned() }
    }

    /// What became of a handle. It only reads.
    async fn look_up(&self, _account: Account<'_>, _handle: &str) -> Result<HandleState, ReadError> {
        Err(ReadError::Unavailable { detail: NO_HANDLES.to_owned() })
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
    async fn revoke(&self, app: &AppCredentials, tokens: &TokenSet) -> Result<(), RevokeError>;
}
