//! `appsecret_proof`: a token alone opens nothing, where an app demands it.
//! See <https://developers.facebook.com/docs/graph-api/guides/secure-requests>.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// HMAC-SHA256 of the token under the app's secret, in hexadecimal.
pub(super) fn of(token: &SecretString, app_secret: &SecretString) -> SecretString {
    let key = app_secret.expose_secret().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length does");
    mac.update(token.expose_secret().as_bytes());
    HEXLOWER.encode(&mac.finalize().into_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_example_of_rfc_4231_is_met() {
        let proof = of(&"what do ya want for nothing?".into(), &"Jefe".into());
        assert_eq!(proof.expose_secret(), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
