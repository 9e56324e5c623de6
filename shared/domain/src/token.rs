//! What a platform gives us to act for an account.

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

/// How long before its expiry an access token counts as expired: a send must not race the clock.
pub const EXPIRY_MARGIN: SignedDuration = SignedDuration::from_secs(120);

/// The credentials of one connection. They live in the vault alone; `Debug` shows none of them.
#[derive(Debug, Clone)]
pub struct TokenSet {
    /// Sent with each call.
    pub access: SecretString,
    /// Where the platform refreshes: often single-use, so never sent twice.
    pub refresh: Option<SecretString>,
    /// The user token that a Page token came from; it can revoke the grant.
    pub parent: Option<SecretString>,
    /// The private key that each call is signed with, where tokens are bound to one (`DPoP`, RFC 9449).
    pub dpop_key: Option<SecretString>,
    /// When `access` ends, counted from our own clock at the time of the call; `None` = it has no set end.
    pub expires_at: Option<Timestamp>,
    /// When `refresh` ends unless it is used, counted likewise; `None` = not told.
    pub refresh_expires_at: Option<Timestamp>,
    /// The scopes that were granted, not those that were asked for.
    pub scopes: Vec<String>,
    /// That our own app uses `access`. It goes with each call where the platform takes one; whoever reads the tokens makes it, and nobody stores it.
    pub proof: Option<SecretString>,
}

impl TokenSet {
    /// An access token and nothing else: without an end, and without a scope.
    pub fn bare(access: SecretString) -> Self {
        Self {
            access,
            refresh: None,
            parent: None,
            dpop_key: None,
            expires_at: None,
            refresh_expires_at: None,
            scopes: Vec::new(),
            proof: None,
        }
    }
}
