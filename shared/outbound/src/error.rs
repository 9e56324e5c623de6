//! Why there is no answer.

use std::error::Error;

use crate::detail;
use crate::named::Refusal;

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The address is none that may be called. Not a byte was written.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// Not a byte of the request was written.
    #[error("not sent: {detail}")]
    NotSent {
        /// For operators.
        detail: String,
    },
    /// It was, or may have been.
    #[error("the answer was lost: {detail}")]
    Lost {
        /// The answer's, if it came so far.
        status: Option<u16>,
        /// For operators.
        detail: String,
    },
}

impl SendError {
    /// For operators.
    pub fn into_detail(self) -> String {
        match self {
            Self::Refused(refusal) => refusal.to_string(),
            Self::NotSent { detail } | Self::Lost { detail, .. } => detail,
        }
    }

    pub(crate) fn of(error: reqwest::Error, status: Option<u16>) -> Self {
        if let Some(refusal) = refusal(&error) {
            return Self::Refused(refusal);
        }
        let error = error.without_url();
        let detail = detail::of_error(&error);
        if status.is_none() && (error.is_connect() || error.is_builder()) {
            Self::NotSent { detail }
        } else {
            Self::Lost { status, detail }
        }
    }
}

/// What our resolver said, below what the client made of it.
fn refusal(error: &reqwest::Error) -> Option<Refusal> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(refusal) = error.downcast_ref() {
            return Some(*refusal);
        }
        cause = error.source();
    }
    None
}

/// The machine has no usable TLS.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client could not be built")]
pub struct ClientError(#[source] pub(crate) reqwest::Error);
