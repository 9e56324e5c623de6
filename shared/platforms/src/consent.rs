//! What a consent is asked with, and what comes of it.

use domain::people::{CodeVerifier, Issuer};
use domain::platform::{Named, ServerName};
use domain::token::TokenSet;
use jiff::Timestamp;
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

/// What a consent is begun with.
pub struct Ask<'a> {
    /// Returned to us unchanged.
    pub state: &'a SecretString,
    /// Where the network takes one, its challenge goes along (RFC 7636).
    pub code_verifier: &'a CodeVerifier,
    /// Where the network sends the browser back.
    pub redirect_uri: &'a Url,
    /// What the user named, where the network [needs](domain::platform::Descriptor::needs) it.
    pub named: Option<&'a Named>,
    /// Fresh random bytes, for a key that the grant is bound to.
    pub entropy: &'a [u8; 32],
    /// Now.
    pub now: Timestamp,
}

/// A consent that was begun.
#[derive(Debug)]
pub struct Consent {
    /// Where to send the browser.
    pub url: Url,
    /// Who may answer: the callback's `iss` is held against it.
    pub issuer: Issuer,
    /// What the adapter needs again at the callback, at most 4 KB. Nobody else reads it.
    pub carried: Option<SecretString>,
}

impl Consent {
    /// One whose callback needs nothing of its beginning but the code verifier.
    pub fn at(url: Url, issuer: Issuer) -> Self {
        Self { url, issuer, carried: None }
    }
}

/// What the callback brought.
#[derive(Debug)]
pub struct Callback<'a> {
    /// The one-time code.
    pub code: &'a SecretString,
    /// The secret behind the code challenge.
    pub code_verifier: &'a SecretString,
    /// The same address as in [`Ask`].
    pub redirect_uri: &'a Url,
    /// The server that the user named, where each has an app of ours of its own.
    pub server: Option<&'a ServerName>,
    /// What the consent began with: [`Consent::carried`].
    pub carried: Option<&'a SecretString>,
}

/// What the callback brought instead of a code.
#[derive(Debug, Clone, Copy)]
pub struct NoCode<'a> {
    /// RFC 6749 §4.1.2.1.
    pub error: Option<&'a str>,
    /// A number that some networks send, also without an `error`.
    pub error_code: Option<&'a str>,
}

/// What renewing came to.
#[derive(Debug)]
pub enum Renewed {
    /// These are in force from now on.
    Tokens(TokenSet),
    /// The network renews them from this time on. The old ones stand.
    NotYet(Timestamp),
    /// Only another consent of their owner renews them.
    NeedsConsent,
    /// The network renews none.
    Never,
}
