//! Credentials of the simulated platforms, and the accounts that they stand for.

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// The kind of a consent's one-time code; each platform names its other kinds.
pub(crate) const CODE: &str = "code";

/// An account of a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// A number that follows from a name.
pub(crate) fn number_of(name: &str) -> u64 {
    let digest = Sha256::digest(name.as_bytes());
    digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
}

/// A credential as it is stored, with what its grant says.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) value: String,
    /// What it is for.
    pub(crate) kind: String,
    pub(crate) grant_id: i64,
    pub(crate) account: Account,
    pub(crate) expires_at: Option<Timestamp>,
    /// Of the grant.
    pub(crate) scopes: Vec<String>,
    /// Of the grant.
    pub(crate) revoked: bool,
    /// What the code was asked with.
    pub(crate) redirect_uri: String,
    pub(crate) code_challenge: String,
}

impl Token {
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    pub(crate) fn allows(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| granted == scope)
    }
}

/// The credential in the `Authorization` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Whether the `Authorization` header holds the registered app's name and secret.
pub(crate) fn is_our_app(headers: &HeaderMap) -> bool {
    let expected = format!("{}:{}", crate::APP_CLIENT_ID, crate::APP_CLIENT_SECRET);
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Basic "));
    given.is_some_and(|given| given == data_encoding::BASE64.encode(expected.as_bytes()))
}

/// Whether it is the proof that the registered app uses the token.
pub(crate) fn proves(proof: &str, token: &str) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(crate::APP_CLIENT_SECRET.as_bytes()).expect("a key of any length does");
    mac.update(token.as_bytes());
    proof == data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes())
}

/// RFC 7636 §4.6.
pub(crate) fn verifies(code_verifier: &str, code_challenge: &str) -> bool {
    data_encoding::BASE64URL_NOPAD.encode(&Sha256::digest(code_verifier.as_bytes())) == code_challenge
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7636_verifies() {
        assert!(verifies("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
    }
}
