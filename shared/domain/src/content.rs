//! What a post says.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

use crate::text::is_blank;

/// The text of a post and what came with it. The adapter decides the limits of a text ([`crate::text`]).
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// Sent to the platform byte for byte.
    pub text: String,
    /// A note that the frontend keeps beside the text; never sent.
    pub ai_recommendation: Option<String>,
}

impl Content {
    /// Names the bytes that would be sent; approval fixes it.
    pub fn hash(&self) -> ContentHash {
        ContentHash(data_encoding::HEXLOWER.encode(&Sha256::digest(self.text.as_bytes())))
    }

    /// Whether both look the same on a platform that composes letters anew and drops or joins what is blank, though their bytes differ.
    pub fn looks_like(&self, other: &Self) -> bool {
        let seen = |content: &Self| content.text.nfc().filter(|letter| !is_blank(*letter)).collect::<String>();
        seen(self) == seen(other)
    }
}

/// Posts are their owners' business: not even a debug line shows them.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes)", self.text.len())
    }
}

/// SHA-256 of the text, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentHash(String);

impl ContentHash {
    /// The stored form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes a stored hash back; it is only ever compared with a fresh one.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_in_spaces_or_in_how_letters_are_composed_looks_the_same() {
        let content = |text: &str| Content { text: text.to_owned(), ai_recommendation: None };
        let looks_like = |one: &str, other: &str| content(one).looks_like(&content(other));
        for alike in ["Fresh bread", "Fresh  bread", "Fresh bread\n", "Fresh\u{a0}bread", "Fresh\u{200b} bread", " Fresh\r\nbread"] {
            assert!(looks_like(alike, "Fresh bread"), "{alike:?}");
        }
        assert!(looks_like("Caf\u{e9}", "Cafe\u{301}"));
        for other in ["fresh bread", "Fresh bread.", "Fresh breads", "Fresh https://a.example", ""] {
            assert!(!looks_like(other, "Fresh bread"), "{other:?}");
        }
    }
}
