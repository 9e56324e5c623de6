//! Whether a webhook really comes from Stripe: `Stripe-Signature: t=<seconds>,v1=<hex>[,v1=<hex>…]`.
//!
//! `v1` is HMAC-SHA256 of `<t>.<body>` under the endpoint's secret, over the bytes as they came: a body that was parsed and written
//! again has another. While a secret is being rolled, Stripe signs with the old and the new one, and we know both. Other schemes
//! (`v0`) prove nothing. Source: <https://docs.stripe.com/webhooks#verify-manually>.

use std::fmt;

use data_encoding::HEXLOWER_PERMISSIVE;
use hmac::Mac;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::people::hash::mac;

/// How far the time of signing may be from now, either way: an event that somebody recorded cannot be played again later.
pub const TOLERANCE: SignedDuration = SignedDuration::from_secs(300);
/// The longest header that is looked at: many times what Stripe sends.
const HEADER_BYTES_MAX: usize = 2_048;
/// The most signatures of one scheme that are looked at: two stand there during a roll.
const SIGNATURES_MAX: usize = 8;

/// What Stripe signs the events of one endpoint with, `whsec_…`. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct SigningSecret(SecretString);

/// Why a request is not believed. For the log; the sender is told no more than that it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// The header is not what Stripe writes, or has no `v1`.
    #[error("the signature header has no time or no v1 signature")]
    Malformed,
    /// Signed too long ago.
    #[error("the signature is too old")]
    TooOld,
    /// Signed in the future: one of the clocks is wrong.
    #[error("the signature is of the future")]
    FromTheFuture,
    /// No signature is of one of our secrets and this body.
    #[error("no signature matches")]
    NoMatch,
}

impl SigningSecret {
    /// Takes an endpoint's secret as Stripe shows it; `None`: it is not one.
    pub fn parse(text: SecretString) -> Option<Self> {
        let shape =
            text.expose_secret().strip_prefix("whsec_").is_some_and(|rest| rest.len() >= 16 && rest.bytes().all(|b| b.is_ascii_graphic()));
        shape.then_some(Self(text))
    }

    /// The header for `body` at `now`, as Stripe writes it: what a double of it signs with.
    pub fn header(&self, body: &[u8], now: Timestamp) -> String {
        let seconds = now.as_second();
        format!("t={seconds},v1={}", data_encoding::HEXLOWER.encode(&self.sign(seconds, body)))
    }

    fn sign(&self, seconds: i64, body: &[u8]) -> [u8; 32] {
        let mut mac = mac(self.0.expose_secret().as_bytes());
        mac.update(seconds.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

/// Believes `body` if `header` holds a `v1` signature of it, by one of `secrets`, made within [`TOLERANCE`] of `now`.
pub fn verify(header: &str, body: &[u8], secrets: &[SigningSecret], now: Timestamp) -> Result<(), BadSignature> {
    let (seconds, signatures) = parse(header).ok_or(BadSignature::Malformed)?;
    let expected: Vec<_> = secrets.iter().map(|secret| secret.sign(seconds, body)).collect();
    let pairs = signatures.iter().flat_map(|given| expected.iter().map(move |own| own[..].ct_eq(given)));
    // Every pair is compared, so that the time tells nothing about which of them came close.
    let matches = pairs.fold(subtle::Choice::from(0), |any, one| any | one);
    if !bool::from(matches) {
        return Err(BadSignature::NoMatch);
    }
    let signed_at = Timestamp::from_second(seconds).map_err(|_| BadSignature::Malformed)?;
    let age = now.duration_since(signed_at);
    match () {
        () if age > TOLERANCE => Err(BadSignature::TooOld),
        () if age < -TOLERANCE => Err(BadSignature::FromTheFuture),
        () => Ok(()),
    }
}

/// The time and the `v1` signatures of a header; those that are no hexadecimal match nothing and are left out.
fn parse(header: &str) -> Option<(i64, Vec<[u8; 32]>)> {
    if header.len() > HEADER_BYTES_MAX {
        return None;
    }
    let pairs: Vec<_> = header.split(',').map(|pair| pair.split_once('=')).collect::<Option<_>>()?;
    let of = |key: &'static str| pairs.iter().filter(move |(name, _)| *name == key).map(|(_, value)| *value);
    let mut times = of("t");
    // The signed text holds the time as it is written here: only one way to write it is taken.
    let seconds = times.next().and_then(|text| text.parse::<i64>().ok().filter(|seconds| seconds.to_string() == text))?;
    if times.next().is_some() || of("v1").count() > SIGNATURES_MAX {
        return None;
    }
    let signatures: Vec<[u8; 32]> = of("v1").filter_map(|hex| HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok()?.try_into().ok()).collect();
    (!signatures.is_empty()).then_some((seconds, signatures))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &[u8] = br#"{"id":"evt_1","amount": 1.0}"#;

    fn secret(n: u8) -> SigningSecret {
        SigningSecret::parse(format!("whsec_{n}abcdefghijklmnopqrst").into()).unwrap()
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn hex(n: u8, body: &[u8]) -> String {
        secret(n).header(body, now()).split_once("v1=").unwrap().1.to_owned()
    }

    #[test]
    fn a_signature_as_openssl_makes_it_is_believed() {
        // printf '1800000000.{}' | openssl dgst -sha256 -hmac whsec_test_secret_0123
        let secret = SigningSecret::parse("whsec_test_secret_0123".to_owned().into()).unwrap();
        let header = "t=1800000000,v1=182665dd8db2130cb14169fec59c4e1bfcd19b741db5cba44db149a38f150265";
        assert_eq!(verify(header, b"{}", &[secret], now()), Ok(()));
    }

    #[test]
    fn who_signs_with_one_of_our_secrets_now_is_believed() {
        let (one, two) = (hex(1, BODY), hex(2, BODY));
        let zeros = "0".repeat(64);
        for header in [
            format!("t=1800000000,v1={one}"),
            format!("t=1800000000,v1={two}"),
            format!("t=1800000000,v1={zeros},v1={two}"),
            format!("t=1800000000,v1={one},v1={two},v0={zeros}"),
            format!("v1={one},t=1800000000,scheme=new"),
            format!("t=1800000000,v1=zz,v1={one}"),
        ] {
            assert_eq!(verify(&header, BODY, &[secret(1), secret(2)], now()), Ok(()), "{header}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        use BadSignature::{FromTheFuture, Malformed, NoMatch, TooOld};
        let own = hex(1, BODY);
        let wrong = hex(3, BODY);
        let rewritten = hex(1, br#"{"id":"evt_1","amount":1.0}"#);
        for (header, expected) in [
            (String::new(), Malformed),
            ("t=1800000000".to_owned(), Malformed),
            (format!("v1={own}"), Malformed),
            (format!("t=1800000000,v0={own}"), Malformed),
            ("t=1800000000,v1=not-hex".to_owned(), Malformed),
            (format!("t=1800000000,v1={}", &own[..62]), Malformed),
            (format!("t=1800000000,t=1800000000,v1={own}"), Malformed),
            (format!("t=+1800000000,v1={own}"), Malformed),
            (format!("t= 1800000000,v1={own}"), Malformed),
            (format!("t=1800000000 ,v1={own}"), Malformed),
            (format!("t=99999999999999999999,v1={own}"), Malformed),
            (format!("t=1800000000;v1={own}"), Malformed),
            (format!("t=1800000000,v1={own},{}", "v1=00,".repeat(1_000)), Malformed),
            (format!("t=1800000000,v1={wrong}"), NoMatch),
            (format!("t=1800000000,v1={rewritten}"), NoMatch),
            (format!("t=1800000001,v1={own}"), NoMatch),
        ] {
            assert_eq!(verify(&header, BODY, &[secret(1), secret(2)], now()), Err(expected), "{header}");
        }
        let header = secret(1).header(BODY, now());
        for (later, expected) in [(-301, Err(FromTheFuture)), (-300, Ok(())), (300, Ok(())), (301, Err(TooOld))] {
            assert_eq!(verify(&header, BODY, &[secret(1)], now() + SignedDuration::from_secs(later)), expected, "{later}");
        }
        assert_eq!(verify(&header, BODY, &[], now()), Err(NoMatch), "without a secret nobody is believed");
    }

    #[test]
    fn a_secret_is_recognised_and_not_shown() {
        for text in ["", "whsec_", "whsec_short", "sk_live_0123456789abcdef0123", "whsec_with a space 0123456789"] {
            assert!(SigningSecret::parse(text.to_owned().into()).is_none(), "{text}");
        }
        assert_eq!(format!("{:?}", secret(1)), "SigningSecret(…)");
    }

    proptest! {
        #[test]
        fn no_header_panics_and_none_is_believed_by_chance(header in "\\PC{0,200}", body in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert!(verify(&header, &body, &[secret(1)], now()).is_err());
        }

        #[test]
        fn a_flipped_bit_is_noticed(body in proptest::collection::vec(any::<u8>(), 1..200), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let header = secret(1).header(&body, now());
            prop_assert_eq!(verify(&header, &body, &[secret(1)], now()), Ok(()));
            let mut other = body.clone();
            other[at.index(body.len())] ^= 1 << bit;
            prop_assert_eq!(verify(&header, &other, &[secret(1)], now()), Err(BadSignature::NoMatch));
        }
    }
}
