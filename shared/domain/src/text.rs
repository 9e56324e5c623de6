//! How long a text may be, as each platform counts.

mod emoji;
mod graphemes;
mod invisible;
mod unit;
mod url;
mod weighted;
mod weighted_graphemes;

pub use graphemes::{emoji_bytes_length, graphemes_length};
pub use unit::{TextUnit, utf16_length};
pub use weighted::weighted_length;
pub use weighted_graphemes::{weighted_graphemes_length, with_short_mentions};

pub(crate) use invisible::is_invisible;

use std::ops::Range;

use self::invisible::is_blank;
use crate::field_code::FieldCode;
use crate::platform::{Facts, PlatformName};

/// How much text a post may hold, as a platform's [descriptor](crate::platform::Descriptor) says, or a server of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextRule {
    /// The longest text that is accepted.
    pub max: u32,
    /// Counted how.
    pub unit: TextUnit,
    /// The most bytes in UTF-8, where they have a limit of their own.
    pub bytes_max: Option<u32>,
}

impl TextRule {
    /// Whether the network that is called `name` and has this rule would take `text`.
    pub fn check(self, name: &'static str, text: &str) -> Result<(), TextError> {
        check_letters(text)?;
        let length = self.unit.measure(text);
        if length > self.max {
            return Err(TextError::TooLong { name, length, max: self.max });
        }
        let bytes = unit::counted(text.len());
        match self.bytes_max {
            Some(max) if bytes > max => Err(TextError::TooManyBytes { name, bytes, max }),
            _ => Ok(()),
        }
    }
}

/// Why a text cannot be posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing but white space and invisible letters.
    #[error("the text shows nothing")]
    Empty,
    /// Over the platform's limit.
    #[error("the text counts {length} where {name} takes {max}")]
    TooLong {
        /// Who counts.
        name: &'static str,
        /// As the platform counts.
        length: u32,
        /// The limit.
        max: u32,
    },
    /// Short enough, and over the platform's limit of bytes.
    #[error("the text has {bytes} bytes where {name} takes {max}")]
    TooManyBytes {
        /// Who counts.
        name: &'static str,
        /// In UTF-8.
        bytes: u32,
        /// The limit.
        max: u32,
    },
    /// A control character that is no line break or tab, or a code point that is no character.
    #[error("the text holds a character that no text may hold")]
    ForbiddenCharacter {
        /// Which one.
        letter: char,
        /// Where it stands, counted in characters from 1.
        place: usize,
    },
}

impl TextError {
    /// The stable name in problems.
    pub fn code(self) -> FieldCode {
        match self {
            Self::Empty => FieldCode::TextEmpty,
            Self::TooLong { .. } | Self::TooManyBytes { .. } => FieldCode::TextTooLong,
            Self::ForbiddenCharacter { .. } => FieldCode::TextForbiddenCharacter,
        }
    }

    /// What is wrong and what to do, in plain sentences.
    pub fn detail(self) -> String {
        match self {
            Self::Empty => "The text shows nothing. Write something that can be seen.".to_owned(),
            Self::TooLong { name, length, max } => {
                format!("The text counts {length} on {name}, which takes {max}. Shorten it by {}.", length.saturating_sub(max))
            }
            Self::TooManyBytes { name, bytes, max } => format!(
                "The text has {bytes} bytes on {name}, which takes {max}. Shorten it: {} too many, and most emoji and accents have several.",
                bytes.saturating_sub(max)
            ),
            Self::ForbiddenCharacter { letter, place } => {
                format!("Character {place} is U+{:04X}, which no text may hold. Remove it.", u32::from(letter))
            }
        }
    }
}

/// Whether `platform` would take `text`, as far as its length and letters go, where no account is at hand.
pub fn check(platform: PlatformName, text: &str) -> Result<(), TextError> {
    check_for(platform, &platform.descriptor().usual_facts(), text)
}

/// Whether `platform` would take `text` from an account with these facts.
pub fn check_for(platform: PlatformName, facts: &Facts<'_>, text: &str) -> Result<(), TextError> {
    let descriptor = platform.descriptor();
    descriptor.text_for(facts).check(descriptor.display_name, text)
}

/// Whether any platform would take the letters of `text`: something is to be seen, and nothing is forbidden.
pub fn check_letters(text: &str) -> Result<(), TextError> {
    if text.chars().all(is_blank) { Err(TextError::Empty) } else { check_forbidden(text) }
}

/// Refuses what no text of ours may hold, wherever it is kept.
pub fn check_forbidden(text: &str) -> Result<(), TextError> {
    match text.chars().enumerate().find(|(_, letter)| is_forbidden(*letter)) {
        Some((before, letter)) => Err(TextError::ForbiddenCharacter { letter, place: before + 1 }),
        None => Ok(()),
    }
}

/// Where the links in `text` are, in bytes and in order: addresses with `http://` or `https://`, and names of hosts without, under a
/// top-level domain that X's counter knows. For networks that leave it to whoever posts what is a link.
pub fn links(text: &str) -> Vec<Range<usize>> {
    url::find_bytes(text, &url::PLAIN)
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
            let (name, limit) = (platform.descriptor().display_name, platform.descriptor().text.max);
            assert_eq!(over, Err(TextError::TooLong { name, length: limit + 1, max: limit }), "{platform} {letter}");
        }
    }

    #[test]
    fn a_text_that_is_short_enough_may_have_too_many_bytes() {
        let rule = TextRule { max: 300, unit: TextUnit::Graphemes, bytes_max: Some(3_000) };
        // A family is one cluster and 25 bytes.
        let text = |families: usize, accents: usize, letters: usize| {
            format!("{}{}{}", "👨‍👩‍👧‍👦".repeat(families), "é".repeat(accents), "a".repeat(letters))
        };
        let name = "Bluesky";
        for (text, expected) in [
            (text(112, 12, 176), Ok(())),
            (text(112, 13, 175), Err(TextError::TooManyBytes { name, bytes: 3_001, max: 3_000 })),
            (text(112, 13, 176), Err(TextError::TooLong { name, length: 301, max: 300 })),
        ] {
            assert_eq!(rule.check(name, &text), expected, "{} bytes", text.len());
        }
        let refused = rule.check(name, &text(112, 13, 175)).unwrap_err();
        assert_eq!(refused.code(), FieldCode::TextTooLong);
        let told = "The text has 3001 bytes on Bluesky, which takes 3000. Shorten it: 1 too many, and most emoji and accents have several.";
        assert_eq!(refused.detail(), told);
    }

    #[test]
    fn links_are_found_with_and_without_a_scheme_and_by_their_bytes() {
        let text = "日 example.com/日, (https://例え.jp) x@example.com Node.js 😀http://a.de/b(c)";
        let found: Vec<_> = links(text).into_iter().map(|link| &text[link]).collect();
        assert_eq!(found, ["example.com/日", "https://例え.jp", "http://a.de/b(c)"]);
    }

    #[test]
    fn a_text_of_blanks_is_empty() {
        for text in ["", " ", "\n\t\r\n", "\u{3000}\u{00A0}", "\u{200B}\u{200D}\u{2060}"] {
            assert_eq!(check(PlatformName::X, text), Err(TextError::Empty), "{text:?}");
        }
    }

    #[test]
    fn a_text_of_invisible_letters_alone_is_empty() {
        let invisible = [
            '\u{AD}',
            '\u{34F}',
            '\u{61C}',
            '\u{115F}',
            '\u{1160}',
            '\u{17B4}',
            '\u{180E}',
            '\u{200E}',
            '\u{200F}',
            '\u{202E}',
            '\u{2061}',
            '\u{2066}',
            '\u{2069}',
            '\u{2800}',
            '\u{3164}',
            '\u{FE0F}',
            '\u{FEFF}',
            '\u{FFA0}',
            '\u{FFF9}',
            '\u{1D159}',
            '\u{1D173}',
            '\u{E0001}',
            '\u{E0100}',
        ];
        for letter in invisible {
            for platform in PlatformName::ALL {
                assert_eq!(check(platform, &format!("{letter} {letter}")), Err(TextError::Empty), "{letter:?}");
            }
        }
        assert_eq!(check(PlatformName::X, &String::from_iter(invisible)), Err(TextError::Empty));
        // Beside something that is seen they belong to it, and Arabic's own number signs are seen.
        for text in ["❤\u{FE0F}", "\u{200F}שלום", "\u{3164}.", "\u{601}", "⠁"] {
            assert_eq!(check(PlatformName::Facebook, text), Ok(()), "{text:?}");
        }
    }

    #[test]
    fn control_characters_are_refused_but_line_breaks_and_tabs_are_not() {
        for letter in ['\0', '\u{7}', '\u{1B}', '\u{7F}', '\u{85}', '\u{FEFF}', '\u{FFFE}', '\u{FFFF}'] {
            let refused = TextError::ForbiddenCharacter { letter, place: 2 };
            assert_eq!(check(PlatformName::Facebook, &format!("日{letter}b\0")), Err(refused), "{letter:?}");
        }
        assert_eq!(check_forbidden("a\u{7}").unwrap_err().detail(), "Character 2 is U+0007, which no text may hold. Remove it.");
        assert_eq!(check(PlatformName::X, "a\tb\nc\r\nd"), Ok(()));
    }
}
