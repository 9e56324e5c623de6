//! Finds what X turns into a link, as its published counter does (npm `twitter-text` 3.1.0), and what Mastodon does, which took the same
//! counter and changed its [grammar].
//!
//! The counter has one regular expression with the whole list of top-level domains in it, and looks at what that finds once more.
//! Here is the same in one walk over the text, so that no text takes long. The units are UTF-16 code units, which the counter reads.
//!
//! - With `http://` or `https://`, a domain in any script under a [top-level domain](top_level) that is known.
//! - Without a scheme, on X alone, the part of such a domain that is in Latin letters.
//!
//! Not links: what follows `@`, `#`, `$` or a letter (mail addresses, tags), host names without a dot, and IP addresses.

mod domain;
mod grammar;
mod letters;
mod punycode;
mod tail;
mod top_level;

use std::ops::Range;

use domain::Domains;
use grammar::Grammar;

pub(super) use grammar::{MASTODON, PLAIN, X};

/// The counter takes nothing longer for a link; it adds a scheme to each, also to one that has its own.
const UNITS_MAX: usize = 4096;
/// What stands in front of a domain without a scheme.
const ASSUMED_SCHEME_UNITS: usize = "https://".len();
/// The longest name behind `t.co/`.
const SHORT_NAME_UNITS_MAX: usize = 40;

/// What looks like a link.
struct Candidate {
    start: usize,
    has_scheme: bool,
    domain: Range<usize>,
    /// Port, path and query.
    tail: Range<usize>,
    has_path: bool,
}

/// The links in `text`, in order of their beginning. An odd one may reach into the next, which the counter passes over.
pub(super) fn find(text: &[u16], grammar: &Grammar) -> Vec<Range<usize>> {
    let (mut links, mut domains, mut at) = (Vec::new(), Domains::new(text), 0);
    while at < text.len() {
        let Some(candidate) = candidate_at(text, at, &mut domains, grammar) else {
            at += 1;
            continue;
        };
        if candidate.has_scheme {
            links.extend(with_scheme(text, &candidate, grammar));
        } else if grammar.takes_bare {
            links.extend(bare(text, &candidate));
        }
        at = candidate.tail.end;
    }
    links
}

/// The same by bytes of a text, without those that an odd one reaches into.
pub(super) fn find_bytes(text: &str, grammar: &Grammar) -> Vec<Range<usize>> {
    let units: Vec<u16> = text.encode_utf16().collect();
    let found = find(&units, grammar);
    if found.is_empty() {
        return Vec::new();
    }
    // For each unit, and for the end, the byte at which its letter begins.
    let letters = text.char_indices().flat_map(|(at, letter)| std::iter::repeat_n(at, letter.len_utf16()));
    let offsets: Vec<usize> = letters.chain([text.len()]).collect();
    let mut links: Vec<_> = found.into_iter().map(|link| offsets[link.start]..offsets[link.end]).collect();
    let mut end = 0;
    links.retain(|link| {
        link.start >= end && {
            end = link.end;
            true
        }
    });
    links
}

/// The candidate behind the unit at `at`, or, at the beginning of the text, at that unit itself.
fn candidate_at(text: &[u16], at: usize, domains: &mut Domains, grammar: &Grammar) -> Option<Candidate> {
    let behind = if letters::forbids_link(text[at]) { None } else { candidate(text, at + 1, domains, grammar) };
    behind.or_else(|| if at == 0 { candidate(text, 0, domains, grammar) } else { None })
}

fn candidate(text: &[u16], start: usize, domains: &mut Domains, grammar: &Grammar) -> Option<Candidate> {
    let rest = text.get(start..)?;
    let scheme = grammar.schemes.iter().find_map(|scheme| letters::prefix_length(rest, scheme));
    let domain_start = start + scheme.unwrap_or(0);
    let domain = domain_start..domains.end(domain_start)?;
    let path_start = domain.end + tail::port_length(&text[domain.end..]);
    let path_end = path_start + tail::path_length(&text[path_start..], grammar);
    let end = path_end + tail::query_length(&text[path_end..], grammar);
    Some(Candidate { start, has_scheme: scheme.is_some(), tail: domain.end..end, domain, has_path: path_end > path_start })
}

/// The link of a candidate with a scheme. One to `t.co` is the short name with its query and no more.
fn with_scheme(text: &[u16], candidate: &Candidate, grammar: &Grammar) -> Option<Range<usize>> {
    let Candidate { start, domain, tail, .. } = candidate;
    let is_short = (domain.start - start) + (tail.end - start) <= UNITS_MAX;
    if !is_short || !domain::is_valid(&text[domain.clone()]) {
        return None;
    }
    let after = &text[domain.start..tail.end];
    let Some((prefix, name)) = letters::prefix_length(after, "t.co/").map(|prefix| (prefix, tail::short_name_length(&after[prefix..])))
    else {
        return Some(*start..tail.end);
    };
    match name {
        0 => Some(*start..tail.end),
        name if name > SHORT_NAME_UNITS_MAX => None,
        name => Some(*start..domain.start + prefix + name + tail::query_length(&after[prefix + name..], grammar)),
    }
}

/// The links of a candidate without a scheme: each part in Latin letters that is a domain by itself. Port, path and query are the
/// last one's, if there is a path.
fn bare(text: &[u16], candidate: &Candidate) -> Vec<Range<usize>> {
    let Candidate { start, domain, tail, has_path, .. } = candidate;
    let is_short = ASSUMED_SCHEME_UNITS + (tail.end - start) <= UNITS_MAX;
    let follows = start.checked_sub(1).map(|before| text[before]);
    if follows.is_some_and(letters::forbids_bare_link) || !is_short || !domain::is_valid(&text[domain.clone()]) {
        return Vec::new();
    }
    let mut links = domain::latin_parts(&text[domain.clone()]);
    for link in &mut links {
        *link = start + link.start..start + link.end;
    }
    if let Some(last) = links.last_mut().filter(|_| *has_path) {
        // The counter takes as many units, also where letters of another script stand between this part and the path.
        last.end += tail.len();
    }
    links
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn links(text: &str) -> Vec<String> {
        let units: Vec<u16> = text.encode_utf16().collect();
        find(&units, &X).into_iter().map(|range| String::from_utf16_lossy(&units[range])).collect()
    }

    #[test]
    fn links_are_found_where_x_finds_them() {
        for (text, expected) in [
            ("https://example.com", vec!["https://example.com"]),
            ("HTTPS://EXAMPLE.COM", vec!["HTTPS://EXAMPLE.COM"]),
            ("(https://example.com/a)", vec!["https://example.com/a"]),
            ("https://example.com/a_(b)", vec!["https://example.com/a_(b)"]),
            ("https://example.com/a(b(c)d)", vec!["https://example.com/a(b(c)d)"]),
            ("https://example.com/a(b)(c).", vec!["https://example.com/a(b)(c)"]),
            ("https://example.com/a.(b)", vec!["https://example.com/a"]),
            ("https://example.com/a.(b)c", vec!["https://example.com/a.(b)c"]),
            ("https://example.com/a(b", vec!["https://example.com/a"]),
            ("https://example.com/a()", vec!["https://example.com/a"]),
            ("https://example.com/a.", vec!["https://example.com/a"]),
            ("https://example.com/a–b", vec!["https://example.com/a–b"]),
            ("https://example.com/?q=a&b=c!", vec!["https://example.com/?q=a&b=c"]),
            ("https://example.com?q=1", vec!["https://example.com?q=1"]),
            ("https://example.com:8080/a", vec!["https://example.com:8080/a"]),
            ("https://example.com: yes", vec!["https://example.com"]),
            ("https://sub_domain.example.co.uk/x", vec!["https://sub_domain.example.co.uk/x"]),
            ("https://münchen.de/straße", vec!["https://münchen.de/straße"]),
            ("https://пример.рф/путь", vec!["https://пример.рф/путь"]),
            ("https://example.com日本", vec!["https://example.com"]),
            ("https://example.rare-name.plumbing/x", vec!["https://example.rare-name.plumbing/x"]),
            ("https://example.xn--p1ai/x", vec!["https://example.xn--p1ai/x"]),
            ("https://t.co/abc/def", vec!["https://t.co/abc"]),
            ("https://t.co/abc?d=e", vec!["https://t.co/abc?d=e"]),
            ("example.com and example.org/x, t.co", vec!["example.com", "example.org/x", "t.co"]),
            ("日本example.com", vec!["example.com"]),
            ("example.com日本.example.org/x", vec!["example.com", "example.org/x"]),
            ("example.рф", vec!["example.рф"]),
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
            "Node.js",
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
            "пример.рф",
            "example.rareplumbing",
            "https://example.rareplumbing",
            "https://example.c",
            "http://-a.com",
            "http://xn--日.com",
        ] {
            assert_eq!(links(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn what_is_too_long_is_no_link() {
        for (text, count) in [
            (format!("https://example.com/{}", "a".repeat(UNITS_MAX - "https://https://example.com/".len())), 1),
            (format!("https://example.com/{}", "a".repeat(UNITS_MAX - "https://https://example.com/".len() + 1)), 0),
            (format!("example.com/{}", "a".repeat(UNITS_MAX)), 0),
            (format!("https://t.co/{}", "a".repeat(SHORT_NAME_UNITS_MAX)), 1),
            (format!("https://t.co/{}", "a".repeat(SHORT_NAME_UNITS_MAX + 1)), 0),
            (format!("https://{}.com", "a".repeat(63)), 1),
            (format!("https://{}.com", "a".repeat(64)), 0),
            (format!("https://{}.com", "日".repeat(60)), 0),
        ] {
            assert_eq!(links(&text).len(), count, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic_and_links_are_in_order(text in "(\\PC|https?://|[a-z]{1,9}\\.com|[/?.()@#:日é_-]){0,60}") {
            let units: Vec<u16> = text.encode_utf16().collect();
            for grammar in [&X, &MASTODON, &PLAIN] {
                let found = find(&units, grammar);
                for pair in found.windows(2) {
                    prop_assert!(pair[0].start < pair[1].start);
                }
                for link in found {
                    prop_assert!(link.start < link.end && link.end <= units.len());
                }
            }
        }
    }
}
