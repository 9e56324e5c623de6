//! Texts in a form in which what was sent and what a network shows are equal.

use unicode_normalization::UnicodeNormalization;

/// NFC, with every run of white space as one space: networks trim ends and squeeze line breaks.
pub(crate) fn plain(text: &str) -> String {
    text.nfc().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Like [`plain`], with links shortened to what survives a link wrapper: a network adds a scheme to `example.com` and a slash
/// to an address without a path.
pub(crate) fn with_wrapped_links(text: &str) -> String {
    let words = plain(text);
    words.split(' ').map(bare_link).collect::<Vec<_>>().join(" ")
}

fn bare_link(word: &str) -> &str {
    let bare = word.strip_prefix("https://").or_else(|| word.strip_prefix("http://")).unwrap_or(word);
    if bare.contains('.') { bare.strip_suffix('/').unwrap_or(bare) } else { bare }
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
    }
}
