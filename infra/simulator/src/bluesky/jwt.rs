//! Signed tokens, taken apart and held against a key (RFC 7515, ES256 alone).

use data_encoding::BASE64URL_NOPAD;
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A token whose signature nobody has looked at yet.
pub(super) struct Jwt {
    pub(super) header: Value,
    pub(super) claims: Value,
    signed: String,
    signature: Vec<u8>,
}

impl Jwt {
    pub(super) fn parse(token: &str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let part = |text: &str| serde_json::from_slice(&BASE64URL_NOPAD.decode(text.as_bytes()).ok()?).ok();
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
        Some(Self { header: part(header)?, claims: part(claims)?, signed: signed.to_owned(), signature })
    }

    /// Whether whoever has the private half of `key` signed it.
    pub(super) fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        let is_es256 = self.header["alg"] == "ES256";
        is_es256 && Signature::from_slice(&self.signature).is_ok_and(|signature| key.verify(self.signed.as_bytes(), &signature).is_ok())
    }

    pub(super) fn claim(&self, name: &str) -> &str {
        self.claims[name].as_str().unwrap_or_default()
    }
}

/// A public key as it stands in a header (RFC 7518 §6.2).
pub(super) fn key_of(jwk: &Value) -> Option<VerifyingKey> {
    let coordinate = |name: &str| BASE64URL_NOPAD.decode(jwk[name].as_str()?.as_bytes()).ok();
    let is_public = jwk["kty"] == "EC" && jwk["crv"] == "P-256" && jwk.get("d").is_none();
    let point = [vec![4], coordinate("x")?, coordinate("y")?].concat();
    VerifyingKey::from_sec1_bytes(&point).ok().filter(|_| is_public)
}

/// What names a public key (RFC 7638).
pub(super) fn thumbprint(jwk: &Value) -> String {
    let members = format!(r#"{{"crv":{},"kty":{},"x":{},"y":{}}}"#, jwk["crv"], jwk["kty"], jwk["x"], jwk["y"]);
    hash(&members)
}

pub(super) fn hash(text: &str) -> String {
    BASE64URL_NOPAD.encode(&Sha256::digest(text.as_bytes()))
}
