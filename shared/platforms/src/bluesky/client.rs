//! Who our app is at atproto: nobody registers it. Its id is the address of a document that we publish, and it proves itself by a key of which that
//! document shows the public half (<https://atproto.com/specs/oauth#clients>, RFC 7523).

use data_encoding::BASE64URL_NOPAD;
use domain::platform::Scopes;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use super::key::Key;
use crate::AppCredentials;

/// How long an assertion may be shown. Each is shown once, at once.
const ASSERTION_LIFE: SignedDuration = SignedDuration::from_secs(60);

/// The kind of assertion that ours is (RFC 7523 §2.2).
pub(super) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Our app, with its key.
#[derive(Debug)]
pub(super) struct Client {
    id: String,
    key: Key,
}

#[derive(Serialize)]
struct Header {
    alg: &'static str,
    kid: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: String,
    iat: i64,
    exp: i64,
}

impl Client {
    /// The app whose `client_id` is the address of its document and whose `client_secret` is its private key. `None`: the secret is no key.
    pub(super) fn of(app: &AppCredentials) -> Option<Self> {
        Some(Self { id: app.client_id.clone(), key: Key::from_secret(&app.client_secret)? })
    }

    /// Its id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Proves to `issuer` that the app is asking; `unique` tells this request from another one of the same moment.
    pub(super) fn assertion(&self, issuer: &str, unique: &[u8], now: Timestamp) -> String {
        let mut hash = Sha256::new_with_prefix(now.as_nanosecond().to_be_bytes());
        hash.update(issuer.as_bytes());
        hash.update(unique);
        let claims = Claims {
            iss: &self.id,
            sub: &self.id,
            aud: issuer,
            jti: BASE64URL_NOPAD.encode(&hash.finalize()[..16]),
            iat: now.as_second(),
            exp: (now + ASSERTION_LIFE).as_second(),
        };
        self.key.sign(&Header { alg: "ES256", kid: self.key.jwk().thumbprint() }, &claims)
    }

    /// The document that stands at its id.
    pub(super) fn metadata(&self, name: &str, redirect_uri: &Url, scopes: &Scopes) -> Value {
        let jwk = self.key.jwk();
        let mut key = json!({ "kid": jwk.thumbprint(), "use": "sig", "alg": "ES256" });
        if let (Value::Object(key), Ok(Value::Object(public))) = (&mut key, serde_json::to_value(&jwk)) {
            key.extend(public);
        }
        json!({
            "client_id": self.id,
            "client_name": name,
            "application_type": "web",
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "redirect_uris": [redirect_uri],
            "scope": scopes.asked(),
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": "ES256",
            "dpop_bound_access_tokens": true,
            "jwks": { "keys": [key] },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        let client_id = "https://app.example/oauth/bluesky/client-metadata.json".to_owned();
        Client::of(&AppCredentials { client_id, client_secret: Key::from_entropy([5; 32]).to_secret() }).unwrap()
    }

    fn part(token: &str, at: usize) -> Value {
        serde_json::from_slice(&BASE64URL_NOPAD.decode(token.split('.').nth(at).unwrap().as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn an_assertion_is_for_one_issuer_one_request_and_one_minute() {
        let (client, now) = (client(), Timestamp::from_second(1_800_000_000).unwrap());
        let token = client.assertion("https://auth.example", b"body", now);
        let mut claims = part(&token, 1);
        let id = claims.as_object_mut().unwrap().remove("jti").unwrap();
        assert_eq!(
            claims,
            json!({ "iss": client.id, "sub": client.id, "aud": "https://auth.example", "iat": 1_800_000_000, "exp": 1_800_000_060 })
        );
        for (issuer, body, at) in [
            ("https://other.example", &b"body"[..], now),
            ("https://auth.example", b"other", now),
            ("https://auth.example", b"body", now + ASSERTION_LIFE),
        ] {
            assert_ne!(part(&client.assertion(issuer, body, at), 1)["jti"], id);
        }
    }

    #[test]
    fn the_document_shows_the_public_half_of_the_key_that_signs() {
        let client = client();
        let scopes = Scopes { required: &["atproto"], optional: &["transition:generic"], separator: " " };
        let redirect_uri = Url::parse("https://app.example/oauth/bluesky/callback").unwrap();
        let document = client.metadata("Postledger", &redirect_uri, &scopes);
        let key = &document["jwks"]["keys"][0];
        assert_eq!(key["kid"], part(&client.assertion("https://auth.example", b"", Timestamp::UNIX_EPOCH), 0)["kid"]);
        assert_eq!((&key["kty"], &key["crv"], &key["alg"], &key["use"]), (&json!("EC"), &json!("P-256"), &json!("ES256"), &json!("sig")));
        assert!(key.get("d").is_none() && key["x"].is_string() && key["y"].is_string());
        assert_eq!((&document["client_id"], &document["scope"]), (&json!(client.id), &json!("atproto transition:generic")));
        assert_eq!(document["redirect_uris"], json!(["https://app.example/oauth/bluesky/callback"]));
    }

    #[test]
    fn a_secret_that_is_no_key_is_no_app() {
        assert!(Client::of(&AppCredentials { client_id: "https://a.example/x".into(), client_secret: "word".into() }).is_none());
    }
}
