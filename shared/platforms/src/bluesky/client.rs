//! Who our app is at atproto: nobody registers it. Its id is the address of a document that we publish, and it proves itself by a key of which that
//! document shows the public half (<https://atproto.com/specs/oauth#clients>, RFC 7523). An app on a developer's machine has no address that a
//! server could read: its id `http://localhost?redirect_uri=…&scope=…` says all itself, and it proves nothing.

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
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Where the ids of apps on developers' machines begin.
const LOCAL_APP: &str = "http://localhost";

/// Our app.
#[derive(Debug)]
pub(super) struct Client {
    id: String,
    /// What it proves itself by; `None`: it runs on a developer's machine.
    key: Option<Key>,
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
        let id = app.client_id.clone();
        let is_local = id.strip_prefix(LOCAL_APP).is_some_and(|rest| matches!(rest.bytes().next(), None | Some(b'?' | b'/')));
        let key = if is_local { None } else { Some(Key::from_secret(&app.client_secret)?) };
        Some(Self { id, key })
    }

    /// Its id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Where it has browsers sent back to. On a developer's machine that is one of its numbers: servers take no name of it (RFC 8252 §8.3).
    pub(super) fn callback(&self, redirect_uri: &Url) -> Url {
        let mut callback = redirect_uri.clone();
        if self.key.is_none() && callback.host_str() == Some("localhost") {
            callback.set_host(Some("127.0.0.1")).expect("an http address takes a number");
        }
        callback
    }

    /// How it names and proves itself in a form to `issuer`; `unique` tells this request from another one of the same moment.
    pub(super) fn fields(&self, issuer: &str, unique: &[u8], now: Timestamp) -> Vec<(&'static str, String)> {
        let mut fields = vec![("client_id", self.id.clone())];
        if let Some(key) = &self.key {
            fields.push(("client_assertion_type", ASSERTION_TYPE.to_owned()));
            fields.push(("client_assertion", self.assertion(key, issuer, unique, now)));
        }
        fields
    }

    fn assertion(&self, key: &Key, issuer: &str, unique: &[u8], now: Timestamp) -> String {
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
        key.sign(&Header { alg: "ES256", kid: key.jwk().thumbprint() }, &claims)
    }

    /// The document that stands at its id; `None`: at its id nothing can stand.
    pub(super) fn metadata(&self, name: &str, redirect_uri: &Url, scopes: &Scopes) -> Option<Value> {
        let jwk = self.key.as_ref()?.jwk();
        let mut key = json!({ "kid": jwk.thumbprint(), "use": "sig", "alg": "ES256" });
        if let (Value::Object(key), Ok(Value::Object(public))) = (&mut key, serde_json::to_value(&jwk)) {
            key.extend(public);
        }
        Some(json!({
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
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        let client_id = "https://app.example/oauth/bluesky/client-metadata.json".to_owned();
        Client::of(&AppCredentials { client_id, client_secret: Key::from_entropy([5; 32]).to_secret() }).unwrap()
    }

    fn assertion(client: &Client, issuer: &str, unique: &[u8], now: Timestamp) -> String {
        let fields = client.fields(issuer, unique, now);
        let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["client_id", "client_assertion_type", "client_assertion"]);
        fields.into_iter().next_back().unwrap().1
    }

    fn part(token: &str, at: usize) -> Value {
        serde_json::from_slice(&BASE64URL_NOPAD.decode(token.split('.').nth(at).unwrap().as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn an_assertion_is_for_one_issuer_one_request_and_one_minute() {
        let (client, now) = (client(), Timestamp::from_second(1_800_000_000).unwrap());
        let token = assertion(&client, "https://auth.example", b"body", now);
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
            assert_ne!(part(&assertion(&client, issuer, body, at), 1)["jti"], id);
        }
    }

    #[test]
    fn the_document_shows_the_public_half_of_the_key_that_signs() {
        let client = client();
        let scopes = Scopes { required: &["atproto"], optional: &["transition:generic"], separator: " " };
        let redirect_uri = Url::parse("https://app.example/oauth/bluesky/callback").unwrap();
        let document = client.metadata("Postledger", &redirect_uri, &scopes).unwrap();
        let key = &document["jwks"]["keys"][0];
        assert_eq!(key["kid"], part(&assertion(&client, "https://auth.example", b"", Timestamp::UNIX_EPOCH), 0)["kid"]);
        assert_eq!((&key["kty"], &key["crv"], &key["alg"], &key["use"]), (&json!("EC"), &json!("P-256"), &json!("ES256"), &json!("sig")));
        assert!(key.get("d").is_none() && key["x"].is_string() && key["y"].is_string());
        assert_eq!((&document["client_id"], &document["scope"]), (&json!(client.id), &json!("atproto transition:generic")));
        assert_eq!(document["redirect_uris"], json!(["https://app.example/oauth/bluesky/callback"]));
    }

    #[test]
    fn an_app_on_a_developers_machine_says_all_in_its_id_and_proves_nothing() {
        for id in ["http://localhost", "http://localhost?scope=atproto", "http://localhost/?redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback"]
        {
            let client = Client::of(&AppCredentials { client_id: id.into(), client_secret: "none".into() }).unwrap();
            assert_eq!(client.fields("https://auth.example", b"", Timestamp::UNIX_EPOCH), [("client_id", id.to_owned())]);
            let scopes = Scopes { required: &["atproto"], optional: &[], separator: " " };
            assert_eq!(client.metadata("Postledger", &Url::parse("http://127.0.0.1/callback").unwrap(), &scopes), None);
        }
        let local = Client::of(&AppCredentials { client_id: "http://localhost".into(), client_secret: "none".into() }).unwrap();
        let asked = Url::parse("http://localhost:3000/oauth/bluesky/callback").unwrap();
        assert_eq!(local.callback(&asked).as_str(), "http://127.0.0.1:3000/oauth/bluesky/callback");
        assert_eq!(client().callback(&asked), asked);
        let elsewhere = AppCredentials { client_id: "http://localhost.example/".into(), client_secret: "none".into() };
        assert!(Client::of(&elsewhere).is_none());
    }

    #[test]
    fn a_secret_that_is_no_key_is_no_app() {
        assert!(Client::of(&AppCredentials { client_id: "https://a.example/x".into(), client_secret: "word".into() }).is_none());
    }
}
