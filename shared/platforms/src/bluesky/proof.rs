//! Proofs that whoever shows a token has its key (`DPoP`, RFC 9449).

use data_encoding::BASE64URL_NOPAD;
use http::Method;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::{Digest, Sha256};
use url::Url;

use super::key::{Jwk, Key};

/// How many bytes of a hash name a proof.
const ID_BYTES: usize = 16;

/// What a proof is made for: one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proof<'a> {
    /// How it is sent.
    pub(super) method: &'a Method,
    /// Where.
    pub(super) url: &'a Url,
    /// The token that goes along.
    pub(super) access: Option<&'a SecretString>,
    /// What the server gave us to show; each origin has its own.
    pub(super) nonce: Option<&'a str>,
    /// What tells this request from another one of the same moment: its body.
    pub(super) body: &'a [u8],
    /// Now.
    pub(super) now: Timestamp,
}

#[derive(Serialize)]
struct Header {
    typ: &'static str,
    alg: &'static str,
    jwk: Jwk,
}

#[derive(Serialize)]
struct Claims<'a> {
    jti: String,
    htm: &'a str,
    htu: String,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

impl Proof<'_> {
    /// The proof by `key`, for the header `DPoP`.
    pub(super) fn sign(&self, key: &Key) -> String {
        let hash = |text: &str| BASE64URL_NOPAD.encode(&Sha256::digest(text.as_bytes()));
        let claims = Claims {
            jti: self.id(key),
            htm: self.method.as_str(),
            htu: self.address(),
            iat: self.now.as_second(),
            ath: self.access.map(|access| hash(access.expose_secret())),
            nonce: self.nonce,
        };
        key.sign(&Header { typ: "dpop+jwt", alg: "ES256", jwk: key.jwk() }, &claims)
    }

    /// Without query and fragment (RFC 9449 §4.2).
    fn address(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        url.into()
    }

    /// Its own name: a server takes none twice.
    fn id(&self, key: &Key) -> String {
        let mut hash = Sha256::new_with_prefix(key.jwk().thumbprint());
        let now = self.now.as_nanosecond().to_be_bytes();
        for part in
            [self.method.as_str().as_bytes(), self.url.as_str().as_bytes(), self.nonce.unwrap_or_default().as_bytes(), &now, self.body]
        {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        BASE64URL_NOPAD.encode(&hash.finalize()[..ID_BYTES])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parts(proof: &str) -> [Value; 2] {
        let part = |text: &str| serde_json::from_slice(&BASE64URL_NOPAD.decode(text.as_bytes()).unwrap()).unwrap();
        let mut parts = proof.split('.');
        std::array::from_fn(|_| part(parts.next().unwrap()))
    }

    #[test]
    fn a_proof_names_its_request_its_token_and_its_nonce() {
        let key = Key::from_entropy([3; 32]);
        let url = Url::parse("https://pds.example/xrpc/com.atproto.repo.putRecord?a=b#c").unwrap();
        let access = SecretString::from("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU");
        let proof = Proof {
            method: &Method::POST,
            url: &url,
            access: Some(&access),
            nonce: Some("n1"),
            body: b"{}",
            now: Timestamp::from_second(1_562_262_618).unwrap(),
        };
        let [header, mut claims] = parts(&proof.sign(&key));
        assert_eq!(header, json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": key.jwk() }));
        let id = claims.as_object_mut().unwrap().remove("jti").unwrap();
        assert_eq!(id.as_str().unwrap().len(), 22);
        // The hash is that of RFC 9449 §7.1.
        let expected = json!({ "htm": "POST", "htu": "https://pds.example/xrpc/com.atproto.repo.putRecord", "iat": 1_562_262_618,
            "ath": "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo", "nonce": "n1" });
        assert_eq!(claims, expected);
        let [_, claims] = parts(&Proof { access: None, nonce: None, ..proof }.sign(&key));
        assert_eq!((claims.get("ath"), claims.get("nonce")), (None, None));
    }

    #[test]
    fn no_two_requests_have_one_proof() {
        let url = |path: &str| Url::parse(&format!("https://pds.example/{path}")).unwrap();
        let (a, b, now, key) = (url("a"), url("b"), Timestamp::UNIX_EPOCH, Key::from_entropy([3; 32]));
        let proof = Proof { method: &Method::POST, url: &a, access: None, nonce: None, body: b"one", now };
        for other in [
            Proof { method: &Method::GET, ..proof },
            Proof { url: &b, ..proof },
            Proof { nonce: Some("n"), ..proof },
            Proof { body: b"two", ..proof },
            Proof { now: now + jiff::SignedDuration::from_nanos(1), ..proof },
        ] {
            assert_ne!(proof.id(&key), other.id(&key), "{other:?}");
        }
        assert_ne!(proof.id(&key), proof.id(&Key::from_entropy([4; 32])));
    }
}
