//! What a network tells of a published post.

use domain::analytics::Numbers;
use domain::failure::FailureCode;
use jiff::Timestamp;

use crate::http::SendError;
use crate::verdict::{Class, Verdict};

/// Which post.
#[derive(Debug, Clone, Copy)]
pub struct Published<'a> {
    /// The network's id.
    pub id: &'a str,
    /// When it became visible.
    pub at: Timestamp,
}

/// A post's numbers at this moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// What the network does not tell is `None`.
    pub numbers: Numbers,
    /// Fields that were asked for and did not come, by the network's names: it may have taken them away. Operators are told.
    pub missing: Vec<&'static str>,
    /// Much of what the account may ask for is used up: leave the rest to posting, and read its other posts later.
    pub busy: bool,
}

/// Why there are no numbers.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumbersError {
    /// The post is not there any more.
    #[error("the post is gone")]
    Gone,
    /// The access token was refused. A refresh may help.
    #[error("the token was refused")]
    TokenRefused,
    /// The account does not let us read; only its owner can mend it.
    #[error("not allowed: {detail}")]
    NotAllowed {
        /// Scrubbed, for operators.
        detail: String,
    },
    /// A limit of the account's. It need not be one of posting.
    #[error("limited")]
    Limited {
        /// When the network says that it ends.
        until: Option<Timestamp>,
    },
    /// The network takes nothing from our app at present, whatever it is.
    #[error("the app is limited: {detail}")]
    AppLimited {
        /// Scrubbed, for operators.
        detail: String,
    },
    /// Anything else.
    #[error("the platform did not answer: {detail}")]
    Unavailable {
        /// For operators.
        detail: String,
    },
}

impl From<Verdict> for NumbersError {
    fn from(verdict: Verdict) -> Self {
        let Verdict { class, until, detail, .. } = verdict;
        match class {
            Class::TokenRefused => Self::TokenRefused,
            Class::Limited => Self::Limited { until },
            Class::AppLimited => Self::AppLimited { detail },
            Class::Rejected(FailureCode::PermissionMissing | FailureCode::AccountRestricted) => Self::NotAllowed { detail },
            Class::Rejected(_) | Class::Duplicate | Class::Ambiguous => Self::Unavailable { detail },
        }
    }
}

impl From<SendError> for NumbersError {
    fn from(error: SendError) -> Self {
        Self::Unavailable { detail: error.into_detail() }
    }
}
