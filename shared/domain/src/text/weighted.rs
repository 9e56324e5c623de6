//! X's way of counting.
//!
//! After normalisation to NFC, each code point weighs 1 or 2, an emoji weighs 2 however many code points it has, and a link
//! weighs 23 however long it is (configuration 3 of <https://github.com/twitter/twitter-text>;
//! <https://docs.x.com/fundamentals/counting-characters>). Where X's own tables are larger than ours (the newest emoji), we
//! count more than X does: a text that we take is never refused for its length because of that.

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

use super::url;

/// A link's weight: that of the short address which X puts in its place.
const URL_WEIGHT: usize = 23;
/// The weight of one emoji.
const EMOJI_WEIGHT: usize = 2;

/// The length of `text` as X counts it; a post may have 280.
pub fn weighted_length(text: &str) -> u32 {
    let text: String = text.nfc().collect();
    let (mut weight, mut from) = (0, 0);
    for url in url::find(&text) {
        weight += plain_weight(&text[from..url.start]) + URL_WEIGHT;
        from = url.end;
    }
    u32::try_from(weight + plain_weight(&text[from..])).unwrap_or(u32::MAX)
}

fn plain_weight(text: &str) -> usize {
    text.graphemes(true).map(cluster_weight).sum()
}

fn cluster_weight(cluster: &str) -> usize {
    if is_emoji_sequence(cluster) { EMOJI_WEIGHT } else { cluster.chars().map(code_point_weight).sum() }
}

/// A single code point is none, emoji or not: `©` is 1 and becomes an emoji only by a selector. A digit, `#` or `*` needs its
/// keycap too.
fn is_emoji_sequence(cluster: &str) -> bool {
    let several = cluster.chars().nth(1).is_some();
    let open_keycap = cluster.starts_with(|first: char| first.is_ascii()) && !cluster.ends_with('\u{20E3}');
    several && !open_keycap && emojis::get(cluster).is_some()
}

fn code_point_weight(letter: char) -> usize {
    match letter {
        '\u{0}'..='\u{10FF}' | '\u{2000}'..='\u{200D}' | '\u{2010}'..='\u{201F}' | '\u{2032}'..='\u{2037}' => 1,
        _ => 2,
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
            ("emoji", "😀", 2),
            ("family", "👨‍👩‍👧‍👦", 2),
            ("skin tone", "👋🏽", 2),
            ("skin tones within a sequence", "👩🏽‍🤝‍👨🏿", 2),
            ("flag", "🇦🇺", 2),
            ("two flags", "🇦🇺🇳🇿", 4),
            ("flag of a part of a country", "🏴󠁧󠁢󠁷󠁬󠁳󠁿", 2),
            ("keycap", "1️⃣", 2),
            ("heart with selector", "❤️", 2),
            ("heart without", "❤", 2),
            ("copyright as a letter", "©", 1),
            ("copyright as an emoji", "©️", 2),
            ("a sequence that is no emoji counts its parts", "😀\u{200D}a", 4),
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
            let most = 2 * normal.chars().count() + URL_WEIGHT * url::find(&normal).len();
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
