//! Looking for a secret in whatever form it may have taken.

use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};

/// A secret that a test knows.
#[derive(Debug, Clone)]
pub struct Canary {
    /// What it is; failures name this and not the secret.
    pub name: String,
    plain: String,
    forms: Vec<String>,
    /// Six digits stand in many numbers by chance: such a secret counts where nothing of a word is around it.
    whole_word: Option<String>,
}

impl Canary {
    /// A secret of at least eight bytes.
    pub fn new(name: impl Into<String>, secret: &str) -> Self {
        assert!(secret.len() >= 8, "a short secret is found everywhere");
        let mut forms = encoded(secret.as_bytes());
        forms.extend([secret.to_owned(), percent(secret), percent(secret).to_ascii_lowercase()]);
        forms.push(serde_json::Value::from(secret).to_string().trim_matches('"').to_owned());
        Self { name: name.into(), plain: secret.to_owned(), forms, whole_word: None }
    }

    /// A code of few digits.
    pub fn code(name: impl Into<String>, digits: &str) -> Self {
        Self { name: name.into(), plain: digits.to_owned(), forms: encoded(digits.as_bytes()), whole_word: Some(digits.to_owned()) }
    }

    /// The secret itself, to plant it.
    pub fn plain(&self) -> &str {
        &self.plain
    }

    /// Whether `text` holds the secret.
    pub fn is_in(&self, text: &str) -> bool {
        let word = |word: &String| text.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|found| found == word);
        self.forms.iter().any(|form| text.contains(form.as_str())) || self.whole_word.as_ref().is_some_and(word)
    }
}

/// Hex in both cases, and base64 in both alphabets wherever the secret begins inside a group of three bytes.
fn encoded(secret: &[u8]) -> Vec<String> {
    let mut forms = vec![HEXLOWER.encode(secret), HEXUPPER.encode(secret)];
    for offset in 0..3 {
        // What stands before and behind it changes the letters at its ends: only those in between are its own.
        let padded = [&vec![0; offset], secret].concat();
        let first = (offset * 8).div_ceil(6);
        let letters = padded.len() * 8 / 6;
        for base64 in [BASE64.encode(&padded), BASE64URL.encode(&padded)] {
            forms.push(base64[first..letters].to_owned());
        }
    }
    forms
}

/// As a form or an address writes it.
fn percent(text: &str) -> String {
    let letter = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(letter).collect()
}

/// Every place that holds a canary, `place: canary`, except its homes: `is_home(canary, place)`.
pub fn found<'a>(
    canaries: &[Canary],
    places: impl Iterator<Item = (&'a str, &'a str)>,
    is_home: impl Fn(&Canary, &str) -> bool,
) -> Vec<String> {
    let mut found = Vec::new();
    for (place, text) in places {
        let here = canaries.iter().filter(|canary| canary.is_in(text) && !is_home(canary, place));
        found.extend(here.map(|canary| format!("{place}: {}", canary.name)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_form_and_at_every_offset() {
        let secret = "Planted+secret/7f3a é";
        let canary = Canary::new("planted", secret);
        assert!(canary.is_in(&format!("a {secret} b")));
        assert!(canary.is_in(&percent(secret)));
        assert!(canary.is_in(&HEXLOWER.encode(secret.as_bytes())));
        assert!(canary.is_in(&HEXUPPER.encode(secret.as_bytes())));
        for before in ["", "a", "ab", "abc", "abcd"] {
            for after in ["", "z", "zy", "zyx"] {
                let text = format!("{before}{secret}{after}");
                assert!(canary.is_in(&BASE64.encode(text.as_bytes())), "{before} {after}");
                assert!(canary.is_in(&BASE64URL.encode(text.as_bytes())), "{before} {after}");
            }
        }
        assert!(!canary.is_in("Planted+secret/7f3b é"));
    }

    #[test]
    fn a_code_counts_as_a_word_and_not_inside_a_number() {
        let canary = Canary::code("code", "123456");
        assert!(canary.is_in("your code is 123456.") && canary.is_in("{\"code\":\"123456\"}"));
        assert!(!canary.is_in("2026-11-24T00:00:00.123456Z") && !canary.is_in("1234567"));
        assert!(canary.is_in(&BASE64.encode(b"code=123456&x")));
    }

    #[test]
    fn a_home_is_spared_and_everything_else_told_without_the_secret() {
        let canaries = [Canary::new("token", "0123456789abcdef")];
        let places = [("vault a", "0123456789abcdef"), ("log", "x 0123456789abcdef"), ("table", "nothing")];
        let found = found(&canaries, places.into_iter(), |_, place| place.starts_with("vault"));
        assert_eq!(found, ["log: token"]);
    }
}
