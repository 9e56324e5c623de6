//! The one place where a network's words become ours: what operators may read in a log or a row.
//!
//! Only codes, types and titles of an answer come here, never its messages or its body: those repeat what was sent.

use std::error::Error;
use std::fmt::Write as _;

/// The longest detail in characters.
const DETAIL_CHARS_MAX: usize = 300;

/// A name that a network gives an error fits well in this; the rest of a longer one is dropped.
const PART_CHARS_MAX: usize = 80;

/// A run this long is an id or a credential, not a word.
const WORD_CHARS_MAX: usize = 23;

/// The networks' own error numbers have up to seven digits; phone numbers and ids have more.
const DIGITS_MAX: usize = 7;

/// `status` and what the other side calls the error, scrubbed and cut to 300 characters.
pub fn of_answer(status: u16, parts: &[Option<&str>]) -> String {
    let mut detail = status.to_string();
    for part in parts.iter().flatten().filter(|part| !part.is_empty()) {
        // Writing to a String cannot fail.
        let _ = write!(detail, " {}", scrub(part, PART_CHARS_MAX));
    }
    detail.chars().take(DETAIL_CHARS_MAX).collect()
}

/// A transport error with its causes, scrubbed and cut to 300 characters; the caller has taken the address off.
pub fn of_error(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    scrub(&text, DETAIL_CHARS_MAX)
}

/// Keeps words of plain characters and replaces whatever could be a credential, a phone number or a fragment of a text in
/// another script.
fn scrub(text: &str, chars_max: usize) -> String {
    let mut clean = String::new();
    for word in text.split_whitespace() {
        if !clean.is_empty() {
            clean.push(' ');
        }
        clean.push_str(if is_plain(word) { word } else { "[...]" });
    }
    clean.chars().take(chars_max).collect()
}

fn is_plain(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "#_-.:,;()/'".contains(c);
    word.len() <= WORD_CHARS_MAX && word.chars().all(allowed) && digits <= DIGITS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_titles_stay_readable() {
        assert_eq!(of_answer(400, &[Some("OAuthException"), None, Some("1366051")]), "400 OAuthException 1366051");
        assert_eq!(of_answer(403, &[Some("client-forbidden"), Some("Client Forbidden")]), "403 client-forbidden Client Forbidden");
    }

    #[test]
    fn whatever_looks_like_a_credential_or_a_number_of_a_person_is_replaced() {
        for secret in ["EAAGm0PX4ZCpsBAKZCvQ7ZBd", "Bearer=abc", "a@b.example", "+61412345678", "0412345678", "22334455", "пароль", "x%2Fy"]
        {
            let detail = of_answer(400, &[Some(&format!("bad {secret} here"))]);
            assert_eq!(detail, "400 bad [...] here", "{secret}");
        }
    }

    #[test]
    fn no_detail_is_longer_than_its_limit() {
        let long = "word ".repeat(200);
        let parts = [Some(long.as_str()); 9];
        assert!(of_answer(500, &parts).chars().count() <= DETAIL_CHARS_MAX);
    }
}
