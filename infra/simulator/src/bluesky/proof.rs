//! Whether whoever calls has the key that they show, and is the app that they say (RFC 9449, RFC 7523).

use axum::response::Response;
use data_encoding::BASE64URL_NOPAD;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::SignedDuration;
use p256::ecdsa::SigningKey;

use super::jwt::{Jwt, hash, key_of, thumbprint};
use super::shapes::{challenge, oauth_error};
use super::{AUTH, PDS, client_id};
use crate::consent::Params;
use crate::faults::Failed;
use crate::{BLUESKY_APP_KEY, World};

/// For so long a nonce is given to everybody, and for as long again it is taken.
const NONCE_LIFE: SignedDuration = SignedDuration::from_mins(3);

/// How far a proof's time may be from ours.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(5);

/// The kinds of notes that keep what is shown once.
const PROOFS: &str = "bluesky-proof";
const ASSERTIONS: &str = "bluesky-assertion";

/// A call: to which server, to which of its paths, with which token.
pub(super) struct Shown<'a> {
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    pub(super) access: Option<&'a str>,
}

/// The name of the key that a POST proves to have, or how it is refused.
pub(super) fn key_shown(world: &World, headers: &HeaderMap, shown: &Shown<'_>) -> Result<Result<String, Box<Response>>, Failed> {
    let refused = |error: &str, why: &str| Box::new(with_nonce(world, shown.host, refusal(shown.host, error, why)));
    let proof = headers.get("dpop").and_then(|proof| Jwt::parse(proof.to_str().ok()?));
    let Some(proof) = proof else { return Ok(Err(refused("invalid_dpop_proof", "There is no proof."))) };
    let now = world.clock.now();
    let age = now.as_second() - proof.claims["iat"].as_i64().unwrap_or_default();
    let fits = proof.header["typ"] == "dpop+jwt"
        && key_of(&proof.header["jwk"]).is_some_and(|key| proof.is_signed_by(&key))
        && proof.claim("htm") == "POST"
        && proof.claim("htu") == format!("https://{}{}", shown.host, shown.path)
        && age.abs() <= CLOCKS_APART.as_secs()
        && proof.claims.get("ath").and_then(|ath| ath.as_str()) == shown.access.map(hash).as_deref();
    if !fits {
        return Ok(Err(refused("invalid_dpop_proof", "The proof is of another call.")));
    }
    let nonces = [now, now - NONCE_LIFE].map(|at| nonce(shown.host, at.as_second() / NONCE_LIFE.as_secs()));
    if !nonces.iter().any(|nonce| nonce == proof.claim("nonce")) {
        return Ok(Err(refused("use_dpop_nonce", "The server requires a nonce in the proof.")));
    }
    if !world.storage.note_first(PROOFS, proof.claim("jti"))? {
        return Ok(Err(refused("invalid_dpop_proof", "The proof was shown before.")));
    }
    Ok(Ok(thumbprint(&proof.header["jwk"])))
}

fn refusal(host: &str, error: &str, why: &str) -> Response {
    if host == PDS { challenge(error, why) } else { oauth_error(StatusCode::BAD_REQUEST, error, why) }
}

/// Every answer brings the nonce that is in force.
pub(super) fn with_nonce(world: &World, host: &str, mut response: Response) -> Response {
    let nonce = nonce(host, world.clock.now().as_second() / NONCE_LIFE.as_secs());
    response.headers_mut().insert("dpop-nonce", HeaderValue::from_str(&nonce).expect("base64url is visible ASCII"));
    response
}

fn nonce(host: &str, window: i64) -> String {
    hash(&format!("{host} {window}"))
}

/// Whether a form proves that it comes from the registered app.
pub(super) fn is_our_app(world: &World, params: &Params) -> Result<bool, Failed> {
    let id = client_id(&world.base);
    let Some(assertion) = params.get("client_assertion").and_then(Jwt::parse) else { return Ok(false) };
    let secret = BASE64URL_NOPAD.decode(BLUESKY_APP_KEY.as_bytes())?;
    let key = SigningKey::from_slice(&secret)?;
    let (now, second) = (world.clock.now().as_second(), |name: &str| assertion.claims[name].as_i64().unwrap_or_default());
    let fits = params.get("client_id") == Some(id.as_str())
        && params.get("client_assertion_type") == Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        && assertion.header["kid"].is_string()
        && assertion.is_signed_by(key.verifying_key())
        && assertion.claim("iss") == id
        && assertion.claim("sub") == id
        && assertion.claim("aud") == format!("https://{AUTH}")
        && second("exp") > now
        && second("iat") <= now;
    Ok(fits && world.storage.note_first(ASSERTIONS, assertion.claim("jti"))?)
}
