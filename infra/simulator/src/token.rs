//! Credentials of the simulated platforms, and the accounts that they stand for.

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// What a credential is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// The one-time code of a consent.
    Code,
    /// X: two hours.
    Access,
    /// X: used once.
    Refresh,
    /// Facebook: a person, two hours.
    ShortUser,
    /// Facebook: a person, 60 days.
    LongUser,
    /// Facebook: a Page.
    Page,
}

impl TokenKind {
    const ALL: [Self; 6] = [Self::Code, Self::Access, Self::Refresh, Self::ShortUser, Self::LongUser, Self::Page];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Access => "access",
            Self::Refresh => "refresh",
            Self::ShortUser => "short_user",
            Self::LongUser => "long_user",
            Self::Page => "page",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// An account of a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) name: String,
}

impl Account {
    /// An account of X: any name exists, and its number follows from it.
    pub(crate) fn of_x(name: &str) -> Self {
        Self { id: (100_000_000_000_000_000 + number_of(name) % 900_000_000_000_000_000).to_string(), name: name.to_owned() }
    }
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
    pub(crate) kind: TokenKind,
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
    fn an_account_of_x_keeps_its_number() {
        assert_eq!(Account::of_x("demo_x"), Account::of_x("demo_x"));
        assert_ne!(Account::of_x("demo_x").id, Account::of_x("demo_y").id);
        assert_eq!(Account::of_x("demo_x").id.len(), 18);
    }

    #[test]
    fn the_example_of_rfc_7636_verifies() {
        assert!(verifies("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
    }
}
