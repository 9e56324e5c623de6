//! Keys of P-256, and what is signed by them: compact JWTs by ES256 (RFC 7515, RFC 7518 §3.4).

use std::fmt;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// How often what cannot be a key is hashed: one in four billion is none.
const TRIES_MAX: usize = 8;

/// A key pair. A signature needs no randomness: it follows from key and text (RFC 6979).
pub(super) struct Key(SigningKey);

/// The public half (RFC 7517, RFC 7518 §6.2), in the order of RFC 7638.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Jwk {
    crv: &'static str,
    kty: &'static str,
    x: String,
    y: String,
}

impl Jwk {
    /// What names it (RFC 7638).
    pub(super) fn thumbprint(&self) -> String {
        let members = serde_json::to_vec(self).expect("texts are written");
        BASE64URL_NOPAD.encode(&Sha256::digest(members))
    }
}

impl Key {
    /// The key that comes of fresh random bytes.
    pub(super) fn from_entropy(entropy: [u8; 32]) -> Self {
        let mut tries = std::iter::successors(Some(entropy), |bytes| Some(Sha256::digest(bytes).into())).take(TRIES_MAX);
        let key = tries.find_map(|bytes| SigningKey::from_slice(&bytes).ok());
        Self(key.expect("eight hashes in a row are no key once in 2^256"))
    }

    /// Reads [`Self::to_secret`], or its 32 bytes as `openssl rand -base64 32` writes them. `None`: it is no key.
    pub(super) fn from_secret(secret: &SecretString) -> Option<Self> {
        let text = secret.expose_secret().trim().as_bytes();
        let bytes = BASE64URL_NOPAD.decode(text).or_else(|_| BASE64.decode(text)).ok()?;
        SigningKey::from_slice(&bytes).ok().map(Self)
    }

    /// The private half, for the vault.
    pub(super) fn to_secret(&self) -> SecretString {
        BASE64URL_NOPAD.encode(&self.0.to_bytes()).into()
    }

    /// The public half.
    pub(super) fn jwk(&self) -> Jwk {
        let point = self.0.verifying_key().to_sec1_point(false);
        let coordinate = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        // A tag, and two numbers of 32 bytes (SEC 1 §2.3.3).
        let (x, y) = point.as_bytes()[1..].split_at(32);
        Jwk { crv: "P-256", kty: "EC", x: coordinate(x), y: coordinate(y) }
    }

    /// Signs `claims` under `header`.
    pub(super) fn sign(&self, header: &impl Serialize, claims: &impl Serialize) -> String {
        let part = |value: serde_json::Result<Vec<u8>>| BASE64URL_NOPAD.encode(&value.expect("headers and claims are texts and numbers"));
        let signed = format!("{}.{}", part(serde_json::to_vec(header)), part(serde_json::to_vec(claims)));
        let signature: Signature = self.0.sign(signed.as_bytes());
        format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature.to_bytes()))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::VerifyingKey;
    use p256::ecdsa::signature::Verifier;
    use serde_json::json;

    use super::*;

    /// The key of RFC 7515 appendix A.3.1.
    const PRIVATE: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";

    #[test]
    fn a_key_is_that_of_rfc_7515_and_comes_back_from_its_secret() {
        let key = Key::from_secret(&PRIVATE.into()).unwrap();
        let (x, y) = ("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
        assert_eq!(key.jwk(), Jwk { crv: "P-256", kty: "EC", x: x.to_owned(), y: y.to_owned() });
        assert_eq!(key.to_secret().expose_secret(), PRIVATE);
        let standard = BASE64.encode(&BASE64URL_NOPAD.decode(PRIVATE.as_bytes()).unwrap());
        assert_eq!(Key::from_secret(&format!("{standard}\n").into()).unwrap().jwk(), key.jwk());
        for bad in [String::new(), "short".to_owned(), BASE64.encode(&[0; 32]), BASE64.encode(&[0xFF; 32]), BASE64.encode(&[1; 33])] {
            assert!(Key::from_secret(&bad.clone().into()).is_none(), "{bad}");
        }
        assert_eq!(format!("{key:?}"), "Key([REDACTED])");
    }

    #[test]
    fn a_thumbprint_is_over_the_members_in_order() {
        let jwk = Key::from_secret(&PRIVATE.into()).unwrap().jwk();
        let members = r#"{"crv":"P-256","kty":"EC","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
        assert_eq!(jwk.thumbprint(), BASE64URL_NOPAD.encode(&Sha256::digest(members)));
    }

    #[test]
    fn what_is_signed_is_the_same_each_time_and_verifies() {
        let key = Key::from_entropy([7; 32]);
        let token = key.sign(&json!({ "alg": "ES256" }), &json!({ "iat": 1 }));
        assert_eq!(token, key.sign(&json!({ "alg": "ES256" }), &json!({ "iat": 1 })));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        assert_eq!(signed, format!("{}.{}", BASE64URL_NOPAD.encode(br#"{"alg":"ES256"}"#), BASE64URL_NOPAD.encode(br#"{"iat":1}"#)));
        let signature = Signature::from_slice(&BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap()).unwrap();
        let verifier: &VerifyingKey = key.0.verifying_key();
        assert!(verifier.verify(signed.as_bytes(), &signature).is_ok());
        assert!(verifier.verify(b"other", &signature).is_err());
    }

    #[test]
    fn bytes_that_are_no_key_still_make_one() {
        let odd = Key::from_entropy([0xFF; 32]);
        assert_eq!(odd.jwk(), Key::from_entropy(Sha256::digest([0xFF; 32]).into()).jwk());
        assert_ne!(odd.jwk(), Key::from_entropy([0; 32]).jwk());
    }
}
