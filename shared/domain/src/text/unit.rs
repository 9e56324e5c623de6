//! What the networks count by.

use utoipa::ToSchema;

use super::graphemes::{emoji_bytes_length, graphemes_length};
use super::weighted::weighted_length;
use super::weighted_graphemes::weighted_graphemes_length;

/// How a platform counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum TextUnit {
    /// X's weighted characters ([`weighted_length`]).
    Weighted,
    /// UTF-16 code units ([`utf16_length`]).
    Utf16,
    /// What a reader takes for one character ([`graphemes_length`]).
    Graphemes,
    /// The same, where a link is 23 and a mention of another server's account lacks its domain ([`weighted_graphemes_length`]).
    WeightedGraphemes,
    /// UTF-16 code units, where an emoji is its bytes in UTF-8 ([`emoji_bytes_length`]).
    EmojiBytes,
}

impl TextUnit {
    /// Every unit.
    pub const ALL: [Self; 5] = [Self::Weighted, Self::Utf16, Self::Graphemes, Self::WeightedGraphemes, Self::EmojiBytes];

    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Weighted => "weighted",
            Self::Utf16 => "utf16",
            Self::Graphemes => "graphemes",
            Self::WeightedGraphemes => "weighted_graphemes",
            Self::EmojiBytes => "emoji_bytes",
        }
    }

    /// The length of `text` in this unit.
    pub fn measure(self, text: &str) -> u32 {
        match self {
            Self::Weighted => weighted_length(text),
            Self::Utf16 => utf16_length(text),
            Self::Graphemes => graphemes_length(text),
            Self::WeightedGraphemes => weighted_graphemes_length(text),
            Self::EmojiBytes => emoji_bytes_length(text),
        }
    }
}

/// The number of UTF-16 code units.
pub fn utf16_length(text: &str) -> u32 {
    counted(text.encode_utf16().count())
}

/// A length as the contract has it. No text that is longer than it can say is ever stored.
pub(super) fn counted(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_has_one_name_everywhere() {
        let told = serde_json::to_value(<TextUnit as utoipa::PartialSchema>::schema()).unwrap();
        assert_eq!(told["enum"], serde_json::json!(TextUnit::ALL.map(TextUnit::as_str)));
    }

    #[test]
    fn utf16_counts_a_letter_outside_the_basic_plane_twice() {
        assert_eq!(utf16_length("a日😀"), 4);
    }
}
