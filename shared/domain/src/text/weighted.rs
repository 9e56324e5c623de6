//! X's way of counting.
//!
//! After normalisation to NFC, each code point weighs 1 or 2, an emoji weighs 2 however many code points it has, and a link
//! weighs 23 however long it is (configuration 3 of <https://github.com/twitter/twitter-text>;
//! <https://docs.x.com/fundamentals/counting-characters>). The measure is X's published counter, npm `twitter-text` 3.1.0, with its
//! lists: `tests/text-length` compares the two over thousands of texts.

use unicode_normalization::UnicodeNormalization;

use super::unit::counted;
use super::{emoji, url};

/// A link's weight: that of the short address which X puts in its place.
const URL_WEIGHT: usize = 23;
/// The weight of one emoji.
const EMOJI_WEIGHT: usize = 2;

/// The length of `text` as X counts it; a post may have 280.
pub fn weighted_length(text: &str) -> u32 {
    let text: String = text.nfc().collect();
    // The counter reads code units; here and there that shows.
    let units: Vec<u16> = text.encode_utf16().collect();
    let mut links = url::find(&units, &url::X).into_iter().peekable();
    let mut emoji = emoji::sequences(&text).into_iter().peekable();
    let (mut at, mut weight) = (0, 0);
    while at < units.len() {
        // What begins inside of the last link counts with it.
        while links.next_if(|link| link.start < at).is_some() {}
        while emoji.next_if(|sequence| sequence.start < at).is_some() {}
        let (end, more) = if let Some(link) = links.next_if(|link| link.start == at) {
            (link.end, URL_WEIGHT)
        } else if let Some(sequence) = emoji.next_if(|sequence| sequence.start == at) {
            (sequence.end, EMOJI_WEIGHT)
        } else {
            letter(&units, at)
        };
        at = end;
        weight += more;
    }
    counted(weight)
}

/// The end of the letter at `at`, and its weight.
fn letter(text: &[u16], at: usize) -> (usize, usize) {
    match text[at..] {
        [0xD800..=0xDBFF, 0xDC00..=0xDFFF, ..] => (at + 2, 2),
        [0..=0x10FF | 0x2000..=0x200D | 0x2010..=0x201F | 0x2032..=0x2037, ..] => (at + 1, 1),
        _ => (at + 1, 2),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_weigh_what_x_says() {
        let long = format!("https://example.com/{}", "a".repeat(180));
        for (why, text, expected) in [
            ("empty", "", 0),
            ("ASCII", "Hello, world", 12),
            ("accent, composed", "caf\u{E9}", 4),
            ("accent, decomposed", "cafe\u{301}", 4),
            ("Cyrillic", "Привет", 6),
            ("Hangul jamo below U+10FF compose, and a syllable weighs 2", "\u{1112}\u{1161}\u{11AB}", 2),
            ("last of the light range", "\u{10FF}", 1),
            ("first after it", "\u{1100}", 2),
            ("dashes and quotes", "–—‘’“”", 6),
            ("ellipsis", "…", 2),
            ("prime", "′", 1),
            ("CJK", "日本語", 6),
            ("kana and letters", "aあb", 4),
            ("link of ten characters", "http://t.c", 10),
            ("link of eleven characters", "http://t.co", 23),
            ("link of 200 characters", &long, 23),
            ("link in a sentence", "See https://example.com/a?b=c#d.", 28),
            ("link without scheme", "example.com", 23),
            ("link between wide letters", "日https://example.com/日", 27),
        ] {
            assert_eq!(weighted_length(text), expected, "{why}: {text}");
        }
        assert_eq!(long.len(), 200);
    }

    #[test]
    fn names_with_dots_are_links_only_under_a_top_level_domain_that_x_knows() {
        for (text, expected) in [
            ("Next.js Vue.js Node.js D3.js", 28),
            ("acme.inc", 23),
            ("shop.swiss", 23),
            ("forms.gle/x", 23),
            ("firma.gmbh", 23),
            ("firma.ltd", 23),
            ("my.bank", 23),
            ("example.рф", 23),
            ("http://пример.рф", 23),
            ("пример.рф", 9),
        ] {
            assert_eq!(weighted_length(text), expected, "{text}");
        }
    }

    #[test]
    fn odd_hosts_and_paths_weigh_what_x_says() {
        let label = |length: usize| format!("http://{}.com", "a".repeat(length));
        for (text, expected) in [
            ("http://foo_bar.com", 18),
            ("http://foo_bar.example.com", 23),
            ("foo_bar.example.com", 27),
            (&label(63), 23),
            (&label(64), 75),
            ("https://example.com/a–b", 23),
            ("https://example.com/a—b", 25),
            ("https://example.com/(a(b)c)", 23),
            ("https://example.com/[a](b)'", 28),
            ("https://t.co/abc’s", 25),
            ("https://t.co/abc's", 25),
            ("https://t.co/abc/def", 27),
            ("xn--日.com", 10),
            ("first.last@example.com", 22),
            ("😀example.com", 25),
        ] {
            assert_eq!(weighted_length(text), expected, "{text}");
        }
    }

    #[test]
    fn a_link_in_two_scripts_counts_where_x_counts_it() {
        assert_eq!(weighted_length("example.com日本.example.org/x"), 51);
        assert_eq!(weighted_length("example.com日.рф/path"), 27);
    }

    #[test]
    fn an_emoji_that_x_knows_weighs_two_and_a_later_one_its_parts() {
        for (why, text, expected) in [
            ("one code point", "😀", 2),
            ("family", "👨‍👩‍👧‍👦", 2),
            ("family of three and a boy beside it", "👨‍👩‍👦‍👧", 5),
            ("kiss", "👩‍❤️‍💋‍👨", 2),
            ("skin tone", "👋🏽", 2),
            ("skin tone at work", "👩🏽‍⚕️", 2),
            ("by sex", "🏋️‍♀️", 2),
            ("by sex, with a skin tone", "🏋🏽‍♀️", 2),
            ("flag", "🇦🇺", 2),
            ("two flags", "🇦🇺🇳🇿", 4),
            ("flag of a part of a country", "🏴󠁧󠁢󠁷󠁬󠁳󠁿", 2),
            ("keycap", "1️⃣", 2),
            ("keycap without selector", "1⃣", 2),
            ("heart with selector", "❤️", 2),
            ("heart without", "❤", 2),
            ("copyright as a letter", "©", 1),
            ("copyright as an emoji", "©️", 2),
            ("a selector that the picture does not need", "👍️", 4),
            ("selector and skin tone", "☝️🏽", 2),
            ("what is no emoji", "😀\u{200D}a", 4),
            ("Emoji 12: skin tones within a sequence", "👩🏽‍🤝‍👨🏿", 8),
            ("Emoji 12.1: neither woman nor man", "🧑🏽‍🎓", 5),
            ("Emoji 13.1", "❤️‍🔥", 5),
            ("Emoji 14: two tones", "🫱🏻‍🫲🏿", 9),
            ("Emoji 15.1", "🐦‍🔥", 5),
            ("Emoji 16: flag of Sark", "🇨🇶", 4),
            ("eye in a bubble as X's pictures spell it", "👁‍🗨", 2),
            ("and as Unicode does", "👁️‍🗨️", 5),
        ] {
            assert_eq!(weighted_length(text), expected, "{why}: {text}");
        }
    }

    #[test]
    fn a_post_of_280_is_counted_to_the_letter() {
        let link = "https://example.com/a/very/long/path/that/does/not/matter";
        let text = format!("{} {link}", "a".repeat(280 - 24));
        assert_eq!(weighted_length(&text), 280);
        assert_eq!(weighted_length(&format!("{text} b")), 282);
    }

    proptest! {
        #[test]
        fn no_text_outweighs_its_letters_and_links(text in "(\\PC|https?://|[a-z]{1,9}\\.com|[/?.()@#]){0,60}") {
            let normal: String = text.nfc().collect();
            let units: Vec<u16> = normal.encode_utf16().collect();
            let most = 2 * normal.chars().count() + URL_WEIGHT * url::find(&units, &url::X).len();
            prop_assert!(usize::try_from(weighted_length(&text)).unwrap() <= most);
        }

        #[test]
        fn composed_and_decomposed_weigh_the_same(text in "\\PC{0,60}") {
            let decomposed: String = text.nfd().collect();
            prop_assert_eq!(weighted_length(&text), weighted_length(&decomposed));
        }

        #[test]
        fn texts_without_links_weigh_the_sum_of_their_words(words in proptest::collection::vec("[a-z日é]{1,8}", 1..20)) {
            let sum: u32 = words.iter().map(|word| weighted_length(word)).sum();
            prop_assert_eq!(weighted_length(&words.join(" ")), sum + u32::try_from(words.len()).unwrap() - 1);
        }
    }
}
