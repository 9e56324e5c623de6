//! What in a text is more than text: links, mentions and tags. The network finds none of them: whoever posts says where they are, in bytes of UTF-8
//! (<https://docs.bsky.app/docs/advanced-guides/post-richtext>, lexicon `app.bsky.richtext.facet`).

use std::ops::Range;

use domain::platform::Handle;
use domain::text;
use url::Url;

/// The longest tag (`maxGraphemes` and `maxLength` of the lexicon).
const TAG_GRAPHEMES_MAX: u32 = 64;
const TAG_BYTES_MAX: usize = 640;

/// What stands behind an address or a tag and belongs to the sentence.
const CLOSING: &[char] = &['.', ',', ';', ':', '!', '?', '…', '\'', '"', '»', '”', '’', ')', ']', '}', '>'];

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Where it is, in bytes.
    pub(super) bytes: Range<usize>,
    /// What it is.
    pub(super) what: What,
}

/// What a part of a text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// A link to this address.
    Link(String),
    /// A mention of the account that has this handle.
    Mention(Handle),
    /// A tag, without its sign.
    Tag(String),
}

/// All of them in `text`, in order; none reaches into another.
pub(super) fn find(text: &str) -> Vec<Found> {
    let mut found: Vec<_> = addresses(text).chain(bare(text)).chain(words(text)).collect();
    found.sort_by_key(|one| one.bytes.start);
    let mut end = 0;
    found.retain(|one| {
        one.bytes.start >= end && {
            end = one.bytes.end;
            true
        }
    });
    found
}

/// Links with a scheme: up to the next space, whatever their host.
fn addresses(text: &str) -> impl Iterator<Item = Found> {
    text.match_indices("://").filter_map(|(colon, _)| {
        let behind = |scheme: &&str| {
            colon.checked_sub(scheme.len()).and_then(|start| text.get(start..colon)).is_some_and(|it| it.eq_ignore_ascii_case(scheme))
        };
        let start = colon - ["https", "http"].iter().find(|scheme| behind(scheme))?.len();
        let is_within = text[..start].ends_with(|before: char| before.is_alphanumeric());
        let address = trimmed(text[start..].split(char::is_whitespace).next()?);
        let is_address = !is_within && Url::parse(address).is_ok_and(|url| url.has_host());
        is_address.then(|| Found { bytes: start..start + address.len(), what: What::Link(address.to_owned()) })
    })
}

/// Without the punctuation at its end. A closing parenthesis that was opened within belongs to the address.
fn trimmed(run: &str) -> &str {
    let mut address = run;
    while let Some(rest) = address.strip_suffix(CLOSING) {
        if address.ends_with(')') && rest.matches('(').count() > rest.matches(')').count() {
            break;
        }
        address = rest;
    }
    address
}

/// Names of hosts without a scheme, as people write them.
fn bare(text: &str) -> impl Iterator<Item = Found> {
    text::links(text).into_iter().filter_map(|bytes| {
        let uri = format!("https://{}", &text[bytes.clone()]);
        let has_scheme = text[bytes.clone()].contains("://");
        (!has_scheme && Url::parse(&uri).is_ok()).then_some(Found { bytes, what: What::Link(uri) })
    })
}

/// Mentions and tags: words behind a sign, where the sign begins a word.
fn words(text: &str) -> impl Iterator<Item = Found> {
    text.match_indices(['@', '#', '＃']).filter_map(|(start, sign)| {
        let begins = text[..start].chars().next_back().is_none_or(|before| before.is_whitespace() || "([{\"'«“‘".contains(before));
        let word = &text[start + sign.len()..];
        let (length, what) = if sign == "@" { mention(word) } else { tag(word) }.filter(|_| begins)?;
        Some(Found { bytes: start..start + sign.len() + length, what })
    })
}

fn mention(word: &str) -> Option<(usize, What)> {
    let run = word.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.' && letter != '-').next()?;
    let name = run.trim_end_matches(['.', '-']);
    let goes_on = word[run.len()..].starts_with(|next: char| next == '@' || next == '_' || next.is_alphanumeric());
    Handle::parse(name).ok().filter(|_| !goes_on).map(|handle| (name.len(), What::Mention(handle)))
}

/// A tag is more than a number, and has no end that is punctuation.
fn tag(word: &str) -> Option<(usize, What)> {
    let ends = |letter: char| {
        letter.is_whitespace() || matches!(letter, '#' | '＃' | '\u{AD}' | '\u{200A}'..='\u{200D}' | '\u{2060}' | '\u{20E2}')
    };
    let is_punctuation = |letter: char| {
        letter.is_ascii_punctuation()
            || CLOSING.contains(&letter)
            || matches!(letter, '\u{3001}'..='\u{3003}' | '！' | '，' | '．' | '：' | '；' | '？')
    };
    let tag = word.split(ends).next()?.trim_end_matches(is_punctuation);
    let says_something = tag.chars().any(|letter| !letter.is_numeric() && !is_punctuation(letter));
    let is_short = tag.len() <= TAG_BYTES_MAX && text::graphemes_length(tag) <= TAG_GRAPHEMES_MAX;
    (says_something && is_short && !tag.starts_with('\u{FE0F}')).then(|| (tag.len(), What::Tag(tag.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<(&str, String)> {
        let name = |what: &What| match what {
            What::Link(uri) => uri.clone(),
            What::Mention(handle) => format!("@{}", handle.as_str()),
            What::Tag(tag) => format!("#{tag}"),
        };
        find(text).iter().map(|found| (&text[found.bytes.clone()], name(&found.what))).collect()
    }

    #[test]
    fn links_are_found_with_and_without_a_scheme() {
        for (text, expected) in [
            ("See https://example.com/a?b=c#d.", vec![("https://example.com/a?b=c#d", "https://example.com/a?b=c#d")]),
            (
                "(https://en.wikipedia.org/wiki/Rust_(language))",
                vec![("https://en.wikipedia.org/wiki/Rust_(language)", "https://en.wikipedia.org/wiki/Rust_(language)")],
            ),
            (
                "Https://Example.com http://localhost.newending/x",
                vec![("Https://Example.com", "Https://Example.com"), ("http://localhost.newending/x", "http://localhost.newending/x")],
            ),
            (
                "日本 example.com/日、😀 bsky.app",
                vec![("example.com/日、😀", "https://example.com/日、😀"), ("bsky.app", "https://bsky.app")],
            ),
            ("https://a.example/@b.example/#c http", vec![("https://a.example/@b.example/#c", "https://a.example/@b.example/#c")]),
            ("xhttps://a Node.js http:// https://! ://a.b", vec![]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|(text, uri)| (text, uri.to_owned())).collect();
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn mentions_are_names_of_hosts_behind_an_at() {
        for (text, expected) in [
            ("@Jay.bsky.social.", vec!["@Jay.bsky.social"]),
            ("hi (@a.example) “@b.example”", vec!["@a.example", "@b.example"]),
            ("me@a.example @nobody @a@b.example @a.example@b @a.exämple /@a.example @a.1", vec![]),
        ] {
            let found: Vec<_> =
                find(text).into_iter().filter(|one| matches!(one.what, What::Mention(_))).map(|one| &text[one.bytes]).collect();
            assert_eq!(found, expected, "{text}");
        }
        assert_eq!(shown("@Jay.bsky.social"), [("@Jay.bsky.social", "@jay.bsky.social".to_owned())]);
    }

    #[test]
    fn tags_say_something() {
        for (text, expected) in [
            ("#rust, #日本語! (#a_b) #1st ＃wide", vec!["#rust", "#日本語", "#a_b", "#1st", "＃wide"]),
            ("#1 # #! a#b ##x #\u{FE0F}", vec![]),
            ("#a#b #c.d. #e’s", vec!["#a", "#c.d", "#e’s"]),
            ("#😀", vec!["#😀"]),
        ] {
            let found: Vec<_> = shown(text).into_iter().map(|(part, _)| part).collect();
            assert_eq!(found, expected, "{text}");
        }
        for (length, count) in [(64, 1), (65, 0)] {
            assert_eq!(find(&format!("#{}", "é".repeat(length))).len(), count, "{length}");
        }
    }

    #[test]
    fn places_are_bytes() {
        let found = find("é😀 #ü @a.example https://b.example");
        let places: Vec<_> = found.into_iter().map(|one| (one.bytes.start, one.bytes.end)).collect();
        assert_eq!(places, [(7, 10), (11, 21), (22, 39)]);
    }
}
