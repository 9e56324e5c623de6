//! A token answer (RFC 6749 §5.1), read so that only the tokens themselves must be right.
//!
//! A rotated refresh token is in this answer and nowhere else. Whatever else is missing or odd becomes `None`.

use std::time::Duration;

use domain::token::TokenSet;
use jiff::Timestamp;
use oauth2::basic::BasicTokenType;
use oauth2::{AccessToken, RefreshToken, Scope, TokenResponse};
use secrecy::{ExposeSecret, SecretString};
use serde::de::Deserializer;
use serde::ser::{Error as _, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A year: a longer lifetime counts as this.
const LIFETIME_SECS_MAX: f64 = 366.0 * 86_400.0;

/// What a token end point gives. `Debug` shows neither token.
#[derive(Debug, Deserialize)]
pub(crate) struct TokenAnswer {
    access_token: AccessToken,
    refresh_token: Option<RefreshToken>,
    #[serde(default, deserialize_with = "lifetime")]
    expires_in: Option<Duration>,
    #[serde(default, deserialize_with = "lifetime")]
    refresh_expires_in: Option<Duration>,
    /// Some networks' name for the same.
    #[serde(default, deserialize_with = "lifetime")]
    refresh_token_expires_in: Option<Duration>,
    #[serde(default, rename = "scope", deserialize_with = "scopes")]
    scopes: Option<Vec<Scope>>,
}

impl TokenAnswer {
    /// Lifetimes count from `now`, our own clock before the call; `old` fills in what the answer leaves out. An answer without `scope` grants
    /// what was `asked` for (RFC 6749 §5.1), or what was granted before (§6).
    pub(crate) fn into_tokens(self, asked: &[&str], old: Option<&TokenSet>, now: Timestamp) -> TokenSet {
        let told = self.scopes.map(|scopes| scopes.into_iter().map(String::from).collect());
        let asked = || asked.iter().map(|scope| (*scope).to_owned()).collect();
        let renewed = self.refresh_token.map(|token| SecretString::from(token.into_secret()));
        let told_end = self.refresh_expires_in.or(self.refresh_token_expires_in).map(|lifetime| now + lifetime);
        // The end of a token that stays is the one that was told of it; of another, nothing is known.
        let stays = renewed.as_ref().is_none_or(|token| old.is_some_and(|old| is_same(token, old.refresh.as_ref())));
        let known_end = old.filter(|_| stays).and_then(|old| old.refresh_expires_at);
        TokenSet {
            access: self.access_token.into_secret().into(),
            refresh: renewed.or_else(|| old?.refresh.clone()),
            parent: None,
            dpop_key: old.and_then(|old| old.dpop_key.clone()),
            expires_at: self.expires_in.map(|lifetime| now + lifetime),
            refresh_expires_at: told_end.or(known_end),
            scopes: told.unwrap_or_else(|| old.map_or_else(asked, |old| old.scopes.clone())),
            proof: None,
        }
    }
}

fn is_same(token: &SecretString, other: Option<&SecretString>) -> bool {
    other.is_some_and(|other| token.expose_secret() == other.expose_secret())
}

/// Seconds, as a number or as text. What ended in the past has ended.
fn lifetime<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let told = Value::deserialize(deserializer)?;
    let seconds: Option<f64> = told.as_f64().or_else(|| told.as_str()?.trim().parse().ok());
    Ok(seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds.clamp(0.0, LIFETIME_SECS_MAX)).ok()))
}

/// Spaces separate them (RFC 6749 §3.3), or commas at some networks.
fn scopes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Scope>>, D::Error> {
    let told = Value::deserialize(deserializer)?;
    let names = |text: &str| -> Vec<Scope> {
        let names = text.split(|c: char| c.is_whitespace() || c == ',').filter(|name| !name.is_empty());
        names.map(|name| Scope::new(name.to_owned())).collect()
    };
    Ok(told.as_str().map(names))
}

impl TokenResponse for TokenAnswer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    /// Each token is used as a bearer's, so the name that an answer gives its kind decides nothing.
    fn token_type(&self) -> &BasicTokenType {
        &BasicTokenType::Bearer
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        self.scopes.as_ref()
    }
}

/// The crate demands it of a token answer. Tokens are written by the vault alone.
impl Serialize for TokenAnswer {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("a token answer is not written"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> TokenAnswer {
        serde_json::from_str(body).unwrap()
    }

    #[test]
    fn nothing_beside_a_token_can_make_an_answer_unreadable() {
        for rest in [
            "",
            r#","token_type":"bearer""#,
            r#","token_type":"BEARER""#,
            r#","token_type":"DPoP""#,
            r#","token_type":null"#,
            r#","token_type":7"#,
            r#","scope":null"#,
            r#","scope":["a","b"]"#,
            r#","expires_in":null"#,
            r#","expires_in":"soon""#,
            r#","expires_in":{"seconds":7200}"#,
            r#","id_token":"i","token_type":{"of":"some","new":["kind"]}"#,
        ] {
            let tokens = read(&format!(r#"{{"access_token":"a2","refresh_token":"r2"{rest}}}"#)).into_tokens(&[], None, Timestamp::MAX);
            assert_eq!((tokens.access.expose_secret(), tokens.refresh.unwrap().expose_secret()), ("a2", "r2"), "{rest}");
            assert_eq!(tokens.expires_at, None, "{rest}");
        }
        for odd in [r#"{"refresh_token":"r2"}"#, r#"{"access_token":null}"#, r#"{"access_token":"a","refresh_token":7}"#, "[]", ""] {
            assert!(serde_json::from_str::<TokenAnswer>(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_lifetime_is_read_as_number_or_text_and_has_bounds() {
        let year = Duration::from_hours(366 * 24);
        for (told, lifetime) in [
            ("7200", Some(Duration::from_hours(2))),
            (r#""7200""#, Some(Duration::from_hours(2))),
            ("7200.0", Some(Duration::from_hours(2))),
            ("-5", Some(Duration::ZERO)),
            ("9223372036854775807", Some(year)),
            (r#""inf""#, Some(year)),
            (r#""NaN""#, None),
            (r#""""#, None),
            ("true", None),
        ] {
            assert_eq!(read(&format!(r#"{{"access_token":"a","expires_in":{told}}}"#)).expires_in(), lifetime, "{told}");
        }
    }

    #[test]
    fn the_end_of_a_refresh_token_is_that_of_the_token_that_is_kept() {
        let (first, second) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(1_000).unwrap());
        let old = |rest: &str| read(&format!(r#"{{"access_token":"a1","refresh_token":"r1"{rest}}}"#)).into_tokens(&[], None, first);
        let told = old(r#","refresh_expires_in":5000"#);
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        assert_eq!(told.refresh_expires_at, at(5_000));
        assert_eq!(old(r#","refresh_token_expires_in":"7000""#).refresh_expires_at, at(7_000));
        assert_eq!(old(r#","refresh_expires_in":"soon""#).refresh_expires_at, None);
        for (answer, ends) in [
            (r#"{"access_token":"a2"}"#, at(5_000)),
            (r#"{"access_token":"a2","refresh_token":"r1"}"#, at(5_000)),
            (r#"{"access_token":"a2","refresh_token":"r2"}"#, None),
            (r#"{"access_token":"a2","refresh_token":"r2","refresh_expires_in":5000}"#, at(6_000)),
            (r#"{"access_token":"a2","refresh_token":"r1","refresh_token_expires_in":4500}"#, at(5_500)),
            (r#"{"access_token":"a2","refresh_expires_in":null,"refresh_token_expires_in":4500}"#, at(5_500)),
            (r#"{"access_token":"a2","refresh_expires_in":4000,"refresh_token_expires_in":4500}"#, at(5_000)),
        ] {
            assert_eq!(read(answer).into_tokens(&[], Some(&told), second).refresh_expires_at, ends, "{answer}");
        }
    }

    #[test]
    fn scopes_are_told_with_spaces_or_commas() {
        for (told, scopes) in [("a b", &["a", "b"][..]), ("a,b", &["a", "b"]), (" a, b  ", &["a", "b"]), ("", &[])] {
            let tokens = read(&format!(r#"{{"access_token":"a","scope":"{told}"}}"#)).into_tokens(&["asked"], None, Timestamp::UNIX_EPOCH);
            assert_eq!(tokens.scopes, scopes, "{told}");
        }
    }

    #[test]
    fn tokens_are_neither_shown_nor_written() {
        let answer = read(r#"{"access_token":"canary-a","refresh_token":"canary-r","token_type":"canary-t"}"#);
        assert!(!format!("{answer:?} {answer:#?}").contains("canary"));
        assert_eq!(serde_json::to_string(&answer).unwrap_err().to_string(), "a token answer is not written");
    }
}
