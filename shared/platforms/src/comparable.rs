//! Texts in a form in which what was sent and what a network shows are equal.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// NFC, with every run of white space as one space: networks trim ends and squeeze line breaks.
pub(crate) fn plain(text: &str) -> String {
    text.nfc().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What may stand behind an address and is no part of it.
const CLOSING: &[char] = &[')', ']', '}', '"', '\'', '»', '”', '’', '.', ',', ';', ':', '!', '?', '…'];

/// Like [`plain`], with links shortened to what survives a link wrapper: a network adds a scheme to `example.com` and a slash
/// to an address without a path, also where brackets, quotes or letters stand beside it.
pub(crate) fn with_wrapped_links(text: &str) -> String {
    plain(text).split(' ').map(|word| without_slash(&without_scheme(word)).into_owned()).collect::<Vec<_>>().join(" ")
}

/// Without the scheme of its address; one that stands within an address is a part of it.
fn without_scheme(word: &str) -> Cow<'_, str> {
    let within = |before: &str| before.ends_with(|end: char| end.is_ascii_alphanumeric() || "/=&?%#:._~+-".contains(end));
    let cut = ["https://", "http://"].into_iter().filter_map(|scheme| word.split_once(scheme)).find(|(before, _)| !within(before));
    cut.map_or(Cow::Borrowed(word), |(before, address)| Cow::Owned(format!("{before}{address}")))
}

/// Without the slash at the end of its address.
fn without_slash(word: &str) -> Cow<'_, str> {
    let (address, closing) = word.split_at(word.trim_end_matches(CLOSING).len());
    match address.strip_suffix('/') {
        Some(bare) if bare.contains('.') => Cow::Owned(format!("{bare}{closing}")),
        _ => Cow::Borrowed(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_composition_make_no_difference() {
        assert_eq!(plain(" cafe\u{301}\r\n\r\nnow\u{a0}open "), "café now open");
    }

    #[test]
    fn a_link_is_the_same_with_and_without_its_wrapping() {
        let sent = with_wrapped_links("see example.com and http://a.example/x?y=1");
        assert_eq!(sent, with_wrapped_links("see https://example.com/ and https://a.example/x?y=1"));
        assert_ne!(sent, with_wrapped_links("see https://example.com/ and https://a.example/x?y=2"));
        for (sent, shown) in [
            ("(example.com)", "(http://example.com)"),
            ("\"example.com\", he said", "\"https://example.com/\", he said"),
            ("詳細はexample.com", "詳細はhttp://example.com"),
            ("https://example.com.", "https://example.com/."),
            ("https://example.com/a/", "example.com/a"),
        ] {
            assert_eq!(with_wrapped_links(sent), with_wrapped_links(shown), "{sent}");
        }
        for (one, other) in [
            ("and/or", "and/or/"),
            ("a/ b", "a b"),
            ("example.com/a", "example.com/b"),
            ("https://a.example/?to=http://b.example", "https://a.example/?to=https://b.example"),
        ] {
            assert_ne!(with_wrapped_links(one), with_wrapped_links(other), "{one}");
        }
    }
}
