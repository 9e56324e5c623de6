//! What a post says.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

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
