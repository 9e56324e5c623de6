//! How long a text may be, as each platform counts.

mod emoji;
mod invisible;
mod url;
mod weighted;

pub(crate) use invisible::is_invisible;
pub use weighted::weighted_length;

use utoipa::ToSchema;

use self::invisible::is_blank;

use crate::platform::PlatformName;

/// How a platform counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum TextUnit {
    /// X's weighted characters ([`weighted_length`]).
    Weighted,
    /// UTF-16 code units ([`utf16_length`]).
    Utf16,
}

impl TextUnit {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Weighted => "weighted",
            Self::Utf16 => "utf16",
        }
    }

    /// The length of `text` in this unit.
    pub fn measure(self, text: &str) -> u32 {
        match self {
            Self::Weighted => weighted_length(text),
            Self::Utf16 => utf16_length(text),
        }
    }
}

/// How much text a post may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextLimit {
    /// The longest text that is accepted.
    pub max: u32,
    /// Counted how.
    pub unit: TextUnit,
}

impl TextLimit {
    /// The limit of a platform.
    ///
    /// - X: 280 weighted (<https://docs.x.com/fundamentals/counting-characters>). Longer posts of paying accounts are not
    ///   offered: the API does not tell reliably which account may write them.
    /// - Facebook: 63,206 characters. The unit is not documented; UTF-16 units never count fewer than characters.
    pub fn for_platform(platform: PlatformName) -> Self {
        match platform {
            PlatformName::X => Self { max: 280, unit: TextUnit::Weighted },
            PlatformName::Facebook => Self { max: 63_206, unit: TextUnit::Utf16 },
        }
    }
}

/// Why a text cannot be posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing but white space.
    #[error("the text is empty")]
    Empty,
    /// Over the platform's limit.
    #[error("the text counts {length} where {max} are allowed")]
    TooLong {
        /// As the platform counts.
        length: u32,
        /// The limit.
        max: u32,
    },
    /// A control character that is no line break or tab, or a code point that is no character.
    #[error("the text holds control characters")]
    ForbiddenCharacter,
}

impl TextError {
    /// The stable name in problems.
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "text_empty",
            Self::TooLong { .. } => "text_too_long",
            Self::ForbiddenCharacter => "text_forbidden_character",
        }
    }
}

/// Whether `platform` would take `text`, as far as its length and letters go.
pub fn check(platform: PlatformName, text: &str) -> Result<(), TextError> {
    if text.chars().all(is_blank) {
        return Err(TextError::Empty);
    }
    if has_forbidden(text) {
        return Err(TextError::ForbiddenCharacter);
    }
    let TextLimit { max, unit } = TextLimit::for_platform(platform);
    let length = unit.measure(text);
    if length > max { Err(TextError::TooLong { length, max }) } else { Ok(()) }
}

/// Whether `text` holds what no text of ours may hold, wherever it is kept.
pub fn has_forbidden(text: &str) -> bool {
    text.chars().any(is_forbidden)
}

/// The number of UTF-16 code units.
pub fn utf16_length(text: &str) -> u32 {
    u32::try_from(text.encode_utf16().count()).unwrap_or(u32::MAX)
}

/// Control characters but tab and line breaks, and the code points that X refuses (BOM and non-characters).
fn is_forbidden(letter: char) -> bool {
    let control = letter.is_control() && !matches!(letter, '\t' | '\n' | '\r');
    control || matches!(letter, '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_fits_exactly_is_taken_and_one_more_is_not() {
        for (platform, letter, max) in [
            (PlatformName::X, "a", 280),
            (PlatformName::X, "日", 140),
            (PlatformName::X, "👩‍👩‍👧‍👦", 140),
            (PlatformName::Facebook, "a", 63_206),
            (PlatformName::Facebook, "😀", 31_603),
        ] {
            assert_eq!(check(platform, &letter.repeat(max)), Ok(()), "{platform} {letter}");
            let over = check(platform, &format!("{}a", letter.repeat(max)));
            let limit = TextLimit::for_platform(platform).max;
            assert_eq!(over, Err(TextError::TooLong { length: limit + 1, max: limit }), "{platform} {letter}");
        }
    }

    #[test]
    fn a_text_of_blanks_is_empty() {
        for text in ["", " ", "\n\t\r\n", "\u{3000}\u{00A0}", "\u{200B}\u{200D}\u{2060}"] {
            assert_eq!(check(PlatformName::X, text), Err(TextError::Empty), "{text:?}");
        }
    }

    #[test]
    fn control_characters_are_refused_but_line_breaks_and_tabs_are_not() {
        for letter in ['\0', '\u{7}', '\u{1B}', '\u{7F}', '\u{85}', '\u{FEFF}', '\u{FFFE}', '\u{FFFF}'] {
            assert_eq!(check(PlatformName::Facebook, &format!("a{letter}b")), Err(TextError::ForbiddenCharacter), "{letter:?}");
        }
        assert_eq!(check(PlatformName::X, "a\tb\nc\r\nd"), Ok(()));
    }

    #[test]
    fn utf16_counts_a_letter_outside_the_basic_plane_twice() {
        assert_eq!(utf16_length("a日😀"), 4);
    }
}
