//! Counting by what a reader takes for one character: the extended grapheme clusters of Unicode's annex 29.

use icu_properties::CodePointSetData;
use icu_properties::props::ExtendedPictographic;
use unicode_segmentation::UnicodeSegmentation;

use super::unit::counted;

/// The number of grapheme clusters. Bluesky allows 300 (`maxGraphemes` of its lexicon's `app.bsky.feed.post`,
/// <https://atproto.com/specs/lexicon#string>), and 3,000 bytes.
pub fn graphemes_length(text: &str) -> u32 {
    counted(text.graphemes(true).count())
}

/// The length of `text` as Threads counts it; a post may have 500.
///
/// "Emojis are counted as the number of UTF-8 bytes" (<https://developers.facebook.com/docs/threads/posts>). An emoji is a cluster that
/// holds a letter which may be a picture: what is drawn as a letter, such as "©", counts no less here than there. How all else is counted
/// is not documented; UTF-16 units never count fewer than characters.
pub fn emoji_bytes_length(text: &str) -> u32 {
    let length = |cluster: &str| if cluster.chars().any(may_be_emoji) { cluster.len() } else { cluster.encode_utf16().count() };
    counted(text.graphemes(true).map(length).sum())
}

/// Pictures, those to come among them; what makes a keycap; the letters of flags; skin tones.
fn may_be_emoji(letter: char) -> bool {
    matches!(letter, '\u{20E3}' | '\u{1F1E6}'..='\u{1F1FF}' | '\u{1F3FB}'..='\u{1F3FF}')
        || CodePointSetData::new::<ExtendedPictographic>().contains(letter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cluster_is_one_on_bluesky_and_an_emoji_its_bytes_on_threads() {
        for (why, text, graphemes, threads) in [
            ("empty", "", 0, 0),
            ("ASCII", "Hello, world", 12, 12),
            ("end of a line", "a\r\nb\n", 4, 5),
            ("accent, composed", "caf\u{E9}", 4, 4),
            ("accent, decomposed", "cafe\u{301}", 4, 5),
            ("CJK", "日本語", 3, 3),
            ("Hangul in parts", "\u{1112}\u{1161}\u{11AB}", 1, 3),
            ("conjunct of Devanagari", "क्ष", 1, 3),
            ("letter outside the basic plane", "𠮷", 1, 2),
            ("emoji", "😀", 1, 4),
            ("family", "👨‍👩‍👧‍👦", 1, 25),
            ("skin tone", "👋🏽", 1, 8),
            ("flags", "🇦🇺🇳🇿", 2, 16),
            ("flag of a part of a country", "🏴󠁧󠁢󠁷󠁬󠁳󠁿", 1, 28),
            ("keycap", "1️⃣", 1, 7),
            ("digit", "1#*", 3, 3),
            ("heart as a picture", "❤️", 1, 6),
            ("heart as a letter", "❤", 1, 3),
            ("copyright", "©", 1, 2),
            ("a link counts whole", "https://example.com/a", 21, 21),
        ] {
            assert_eq!((graphemes_length(text), emoji_bytes_length(text)), (graphemes, threads), "{why}: {text}");
        }
    }

    proptest! {
        #[test]
        fn no_count_exceeds_the_bytes_nor_falls_below_the_clusters(text in "\\PC{0,60}") {
            let (graphemes, threads) = (graphemes_length(&text), emoji_bytes_length(&text));
            prop_assert!(graphemes <= threads && usize::try_from(threads).unwrap() <= text.len());
        }
    }
}
