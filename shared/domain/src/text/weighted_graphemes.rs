//! Mastodon's way of counting: clusters, links by one weight, and mentions without another server's name.
//!
//! The server counts what stands for the text (`StatusLengthValidator` of <https://github.com/mastodon/mastodon>;
//! <https://docs.joinmastodon.org/user/posting/#text>). Other software counts every link whole; a text that fits by this count may be
//! refused there.

mod mention;

use std::ops::Range;

use super::graphemes::graphemes_length;
use super::url;

/// What a link counts (`characters_reserved_per_url` of `/api/v2/instance`; every server of Mastodon's own has this).
const URL_WEIGHT: usize = 23;

/// What counts as something else than what it is.
struct Entity {
    /// Its bytes in the text.
    bytes: Range<usize>,
    stands_for: StandsFor,
}

enum StandsFor {
    Link,
    /// This much of its beginning.
    Beginning(Range<usize>),
}

/// The length of `text` as Mastodon counts it. A server says how much it takes; its software's own maximum is 500.
pub fn weighted_graphemes_length(text: &str) -> u32 {
    let (mut countable, mut at) = (String::with_capacity(text.len()), 0);
    for Entity { bytes, stands_for } in entities(text) {
        // What begins inside of another one counts with it.
        if bytes.start < at {
            continue;
        }
        countable.push_str(&text[at..bytes.start]);
        match stands_for {
            StandsFor::Link => countable.extend(std::iter::repeat_n('x', URL_WEIGHT)),
            StandsFor::Beginning(name) => countable.push_str(&text[name]),
        }
        at = bytes.end;
    }
    countable.push_str(&text[at..]);
    graphemes_length(&countable)
}

/// The text as Mastodon shows its mentions: without the names of servers.
pub fn with_short_mentions(text: &str) -> String {
    let (mut short, mut at) = (String::with_capacity(text.len()), 0);
    for mention in mention::remote(text) {
        short.push_str(&text[at..mention.name_end]);
        at = mention.bytes.end;
    }
    short.push_str(&text[at..]);
    short
}

/// Links and remote mentions, in order of their beginning.
fn entities(text: &str) -> Vec<Entity> {
    let links = url::find_bytes(text, &url::MASTODON).into_iter().map(|bytes| Entity { bytes, stands_for: StandsFor::Link });
    let mentions = mention::remote(text).into_iter().map(|mention| {
        let name = mention.bytes.start..mention.name_end;
        Entity { bytes: mention.bytes, stands_for: StandsFor::Beginning(name) }
    });
    let mut entities: Vec<_> = links.chain(mentions).collect();
    entities.sort_by_key(|entity| entity.bytes.start);
    entities
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_link_is_23_however_long_it_is() {
        for (why, text, expected) in [
            ("empty", "", 0),
            ("emoji", "👨‍👩‍👧‍👦é", 2),
            ("short link", "http://t.co", 23),
            ("long link", "See https://example.com/a/very/long/path/that/does/not/matter?and=a&query=too.", 28),
            ("any case", "HTTPS://EXAMPLE.COM/a", 23),
            ("wide letters in a path", "https://example.com/日本/語.", 24),
            ("a sign in a path that X ends at", "https://example.com/a—b", 23),
            ("pair of parentheses", "https://example.com/a.(b)c.(d)", 23),
            ("parenthesis left open", "https://example.com/a(b", 25),
            ("query in any script", "https://example.com/?q=日本!", 24),
            ("without a scheme", "example.com/abc", 15),
            ("without a name that is known", "https://example.rareplumbing", 28),
            ("behind a letter", "ahttps://example.com", 20),
            ("other schemes", "gemini://example.com/a/long/path ftp://example.com", 41),
            ("around emoji", "😀https://example.com/😀😀 😀", 26),
            ("no combining mark hides", "https://example.com \u{301}", 24),
        ] {
            assert_eq!(weighted_graphemes_length(text), expected, "{why}: {text}");
        }
    }

    #[test]
    fn a_remote_mention_counts_its_name_alone() {
        for (why, text, expected) in [
            ("local", "@someone", 8),
            ("remote", "@someone@example.social", 8),
            ("with a point behind", "Hi @some.one@example.social.", 13),
            ("in parentheses", "(@a@b.example)", 4),
            ("host in any script", "@a@münchen.example", 2),
            ("behind a letter", "mail@someone@example.social", 27),
            ("behind an accent", "e\u{301}@a@b.example", 13),
            ("in a path", "/@a@b.example", 13),
            ("mail address", "someone@example.com", 19),
            ("a third part", "@a@b.example@c", 14),
            ("a scheme behind", "@a@http://example.com", 21),
            ("within a link", "https://example.com/@a@b.example", 23),
            ("two", "@a@b.example @c@d.example", 5),
            ("dots before the host", "@a@.example", 11),
        ] {
            assert_eq!(weighted_graphemes_length(text), expected, "{why}: {text}");
        }
    }

    #[test]
    fn a_mention_is_shown_without_its_server() {
        for (text, shown) in [
            ("Hi @a.b@c.example, @d and @e@f.example!", "Hi @a.b, @d and @e!"),
            ("mail@a@b.example", "mail@a@b.example"),
            ("@日本@b.example 日本", "@日本@b.example 日本"),
            ("", ""),
        ] {
            assert_eq!(with_short_mentions(text), shown, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_counts_no_more_than_its_clusters_and_links(text in "(\\PC|https?://|[a-z]{1,9}\\.com|@[a-z]{1,3}@|[/?.()@#:日é_-]){0,60}") {
            let links = url::find_bytes(&text, &url::MASTODON).len();
            let most = usize::try_from(graphemes_length(&text)).unwrap() + links * URL_WEIGHT;
            prop_assert!(usize::try_from(weighted_graphemes_length(&text)).unwrap() <= most);
        }
    }
}
