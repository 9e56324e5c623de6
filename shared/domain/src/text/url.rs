//! Finds what X turns into a link.
//!
//! X's rule is a regular expression with the whole list of top-level domains in it; this is a compact form of it:
//!
//! - with `http://` or `https://`, any domain whose last label could be a top-level domain;
//! - without a scheme, a domain of Latin letters under a top-level domain that is [listed](top_level::is_listed).
//!
//! A domain without a scheme under a rarer top-level domain is counted letter by letter, so it may weigh less here than at X.
//! Not links: what follows `@`, `#`, `$` or a letter (mail addresses, tags), host names without a dot, and IP addresses.

use std::ops::Range;

use super::top_level;

/// X takes nothing longer for a link.
const URL_BYTES_MAX: usize = 4096;

/// The links in `text`, in order; they do not overlap.
pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    let (mut links, mut previous, mut looked_at) = (Vec::new(), None, 0);
    for (start, letter) in text.char_indices() {
        let rest = &text[start..];
        // Each run of letters is looked at once: the time taken grows with the text, not with its square.
        if start >= looked_at || scheme_length(rest) > 0 {
            let inside = links.last().is_some_and(|link: &Range<usize>| start < link.end);
            if let Some(link) = link_at(rest, previous).filter(|_| !inside) {
                looked_at = start + link.end;
                links.push(start + link.start..start + link.end);
            } else if may_begin(previous, scheme_length(rest) > 0) {
                looked_at = looked_at.max(start + host(rest, false).len());
            }
        }
        previous = Some(letter);
    }
    links
}

fn link_at(text: &str, previous: Option<char>) -> Option<Range<usize>> {
    let scheme = scheme_length(text);
    if !may_begin(previous, scheme > 0) {
        return None;
    }
    let domain_end = scheme + domain_length(&text[scheme..], scheme > 0)?;
    // `foo_bar.com` is no link, but `foo_bar.example.com` holds one.
    if previous == Some('_') && scheme == 0 && text[..domain_end].matches('.').count() < 2 {
        return None;
    }
    let length = domain_end + tail_length(&text[domain_end..], scheme > 0);
    (length <= URL_BYTES_MAX).then_some(first_letter(text)..length)
}

/// Whether a link may follow `previous`.
fn may_begin(previous: Option<char>, has_scheme: bool) -> bool {
    previous.is_none_or(|letter| {
        let joined = letter.is_ascii_alphanumeric() || matches!(letter, '@' | '＠' | '#' | '＃' | '$');
        !joined && (has_scheme || !matches!(letter, '-' | '.' | '/'))
    })
}

/// X leaves an accented letter at the beginning out of the link.
fn first_letter(text: &str) -> usize {
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if !first.is_ascii() && second.is_alphanumeric() => first.len_utf8(),
        _ => 0,
    }
}

fn scheme_length(text: &str) -> usize {
    let starts = |scheme: &&str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    ["https://", "http://"].iter().find(|scheme| starts(scheme)).map_or(0, |scheme| scheme.len())
}

/// The domain at the start of `text`: up to the last label that can be a top-level domain.
fn domain_length(text: &str, has_scheme: bool) -> Option<usize> {
    if !text.starts_with(char::is_alphanumeric) {
        return None;
    }
    let host = host(text, has_scheme).split("..").next().unwrap_or_default();
    let (mut listed, mut plausible) = (None, None);
    for (dot, _) in host.match_indices('.') {
        let Some(length) = top_level_length(&text[dot + 1..]) else { continue };
        if host[..dot].ends_with(['-', '_']) {
            continue;
        }
        let end = dot + 1 + length;
        plausible = Some(end);
        if top_level::is_listed(&text[dot + 1..end]) {
            listed = Some(end);
        }
    }
    listed.or(plausible.filter(|_| has_scheme))
}

/// The letters at the start of `text` that can stand in a domain.
fn host(text: &str, has_scheme: bool) -> &str {
    let belongs = |letter: char| in_bare_host(letter) || (has_scheme && (letter.is_alphanumeric() || letter == '_'));
    text.find(|letter| !belongs(letter)).map_or(text, |end| &text[..end])
}

/// The letters at the start of `text` if they could be a top-level domain.
fn top_level_length(text: &str) -> Option<usize> {
    let punycode = text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("xn--"));
    let belongs = |byte: &u8| byte.is_ascii_alphabetic() || (punycode && (byte.is_ascii_digit() || *byte == b'-'));
    let length = text.bytes().take_while(belongs).count();
    let ends = !text[length..].starts_with(|next: char| next.is_ascii_alphanumeric() || matches!(next, '@' | '+' | '-'));
    (ends && (2..=63).contains(&length)).then_some(length)
}

/// Port, path and query after a domain. Without a scheme they belong to the link only if there is a path.
fn tail_length(text: &str, has_scheme: bool) -> usize {
    let port = match text.strip_prefix(':').map(|rest| rest.bytes().take_while(u8::is_ascii_digit).count()) {
        Some(digits) if digits > 0 => 1 + digits,
        _ => 0,
    };
    let path = if text[port..].starts_with('/') { path_length(&text[port..]) } else { 0 };
    if path == 0 && !has_scheme {
        return 0;
    }
    let query = if text[port + path..].starts_with('?') { query_length(&text[port + path..]) } else { 0 };
    port + path + query
}

/// A path may hold punctuation and pairs of parentheses, but does not end in punctuation: that belongs to the sentence.
fn path_length(text: &str) -> usize {
    let (mut at, mut end) = (0, 0);
    while let Some(letter) = text[at..].chars().next() {
        if letter == '(' {
            let Some(length) = parenthesis_length(&text[at..]) else { break };
            at += length;
            end = at;
        } else if in_path(letter) {
            at += letter.len_utf8();
            if ends_path(letter) {
                end = at;
            }
        } else {
            break;
        }
    }
    end
}

/// `(…)` with something in it and no parentheses inside.
fn parenthesis_length(text: &str) -> Option<usize> {
    let inside = &text[1..];
    let close = inside.find(|letter| !in_path(letter))?;
    (close > 0 && inside[close..].starts_with(')')).then_some(close + 2)
}

fn query_length(text: &str) -> usize {
    let in_query = |letter: char| letter.is_ascii_alphanumeric() || "!?*'@();:&=+$/%#[]-_.,~|".contains(letter);
    let ends_query = |letter: char| letter.is_ascii_alphanumeric() || "-_&=#/".contains(letter);
    let letters = text.bytes().map(char::from).take_while(|letter| in_query(*letter)).collect::<Vec<_>>();
    letters.iter().rposition(|letter| ends_query(*letter)).map_or(0, |last| last + 1)
}

fn in_path(letter: char) -> bool {
    ends_path(letter) || "!*';:,.$%[]~@|&".contains(letter)
}

fn ends_path(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "+-=_#/".contains(letter) || is_accented(letter) || matches!(letter, '\u{400}'..='\u{4FF}')
}

/// The letters of a domain that needs no scheme.
fn in_bare_host(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.') || is_accented(letter)
}

fn is_accented(letter: char) -> bool {
    matches!(letter, '\u{C0}'..='\u{24F}' | '\u{300}'..='\u{36F}' | '\u{1E00}'..='\u{1EFF}') && !matches!(letter, '×' | '÷')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn links(text: &str) -> Vec<&str> {
        find(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn links_are_found_where_x_finds_them() {
        for (text, expected) in [
            ("https://example.com", vec!["https://example.com"]),
            ("HTTPS://EXAMPLE.COM", vec!["HTTPS://EXAMPLE.COM"]),
            ("(https://example.com/a)", vec!["https://example.com/a"]),
            ("https://example.com/a_(b)", vec!["https://example.com/a_(b)"]),
            ("https://example.com/a(b", vec!["https://example.com/a"]),
            ("https://example.com/a.", vec!["https://example.com/a"]),
            ("https://example.com/?q=a&b=c!", vec!["https://example.com/?q=a&b=c"]),
            ("https://example.com?q=1", vec!["https://example.com?q=1"]),
            ("https://example.com:8080/a", vec!["https://example.com:8080/a"]),
            ("https://example.com: yes", vec!["https://example.com"]),
            ("https://sub_domain.example.co.uk/x", vec!["https://sub_domain.example.co.uk/x"]),
            ("https://münchen.de/straße", vec!["https://münchen.de/straße"]),
            ("https://example.com日本", vec!["https://example.com"]),
            ("https://example.rare-name.plumbing/x", vec!["https://example.rare-name.plumbing/x"]),
            ("https://example.xn--p1ai/x", vec!["https://example.xn--p1ai/x"]),
            ("example.com and example.org/x, t.co", vec!["example.com", "example.org/x", "t.co"]),
            ("日本example.com", vec!["example.com"]),
            ("example.com.au.", vec!["example.com.au"]),
            ("example.com.However", vec!["example.com"]),
            ("münchen.de", vec!["münchen.de"]),
            ("ébay.com", vec!["bay.com"]),
            ("foo_bar.example.com", vec!["bar.example.com"]),
            ("example.com?q=1 example.com:80/x", vec!["example.com", "example.com:80/x"]),
            ("https://a.com https://b.com", vec!["https://a.com", "https://b.com"]),
        ] {
            assert_eq!(links(text), expected, "{text}");
        }
    }

    #[test]
    fn what_x_counts_letter_by_letter_is_no_link() {
        for text in [
            "",
            "no links",
            "end.However",
            "e.g.",
            "v1.2.3",
            "...",
            "a..com",
            ".com",
            "https://",
            "https://localhost/x",
            "https://192.168.0.1/x",
            "xhttps://localhost",
            "someone@example.com",
            "first.last@example.com",
            "#example.com",
            "$example.com",
            "@example.com",
            "-.com",
            "foo_bar.com",
            "example.rareplumbing",
            "https://example.c",
            "http://-a.com",
        ] {
            assert_eq!(links(text), Vec::<&str>::new(), "{text}");
        }
        assert!(find(&format!("https://example.com/{}", "a".repeat(URL_BYTES_MAX))).is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic_and_links_do_not_overlap(text in "(\\PC|https?://|[a-z]{1,9}\\.com|[/?.()@#:日é]){0,60}") {
            let found = find(&text);
            for pair in found.windows(2) {
                prop_assert!(pair[0].end <= pair[1].start);
            }
            for link in found {
                prop_assert!(!text[link].is_empty());
            }
        }
    }
}
