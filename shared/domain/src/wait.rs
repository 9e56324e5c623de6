//! How long something is put off, and on whose word.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A time before which it is not tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// The platform has named it: before then a try is in vain.
    Told(Timestamp),
    /// Nobody knows. It is our guess, which may be wrong, and costs no post its last try.
    Guessed(Timestamp),
}

impl Wait {
    /// When it ends.
    pub fn until(self) -> Timestamp {
        match self {
            Self::Told(until) | Self::Guessed(until) => until,
        }
    }
}
