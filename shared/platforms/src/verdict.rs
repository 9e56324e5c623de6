//! What an answer that is not a success means: the rows of the adapters' tables end here.

use domain::failure::FailureCode;
use jiff::Timestamp;

use crate::outcome::{Outcome, PrepareError, ReadError};

/// The class of an error, as the tables name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Surely not accepted, and a repeat would not help.
    Rejected(FailureCode),
    /// The access token was refused.
    TokenRefused,
    /// The account has this text already.
    Duplicate,
    /// A limit.
    Limited,
    /// A limit of our app's, for everybody.
    AppLimited,
    /// It proves nothing.
    Ambiguous,
}

/// An answer, judged.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) class: Class,
    pub(crate) status: u16,
    /// The end of a limit, if the network told it.
    pub(crate) until: Option<Timestamp>,
    /// Scrubbed.
    pub(crate) detail: String,
}

impl From<Verdict> for Outcome {
    fn from(Verdict { class, status: http_status, until, detail }: Verdict) -> Self {
        match class {
            Class::Rejected(code) => Self::Rejected { code, http_status, detail },
            Class::TokenRefused => Self::TokenRefused { http_status },
            Class::Duplicate => Self::Duplicate { post_id: None, url: None, http_status },
            Class::Limited => Self::Limited { until, http_status },
            // The end that an answer may tell is that of the account's own limit.
            Class::AppLimited => Self::AppLimited { until: None, http_status, detail },
            Class::Ambiguous => Self::Unknown { http_status: Some(http_status), detail },
        }
    }
}

impl From<Verdict> for PrepareError {
    fn from(Verdict { class, status: http_status, until, detail }: Verdict) -> Self {
        match class {
            Class::Rejected(code) => Self::Rejected { code, http_status, detail },
            Class::Duplicate => Self::Rejected { code: FailureCode::DuplicateContent, http_status, detail },
            Class::AppLimited => Self::Rejected { code: FailureCode::AppUnavailable, http_status, detail },
            Class::TokenRefused => Self::TokenRefused { http_status },
            Class::Limited => Self::Limited { until, http_status },
            Class::Ambiguous => Self::Unavailable { detail },
        }
    }
}

impl From<Verdict> for ReadError {
    fn from(verdict: Verdict) -> Self {
        match verdict.class {
            Class::TokenRefused => Self::TokenRefused,
            Class::Limited => Self::Limited { until: verdict.until },
            Class::AppLimited => Self::AppLimited { detail: verdict.detail },
            Class::Rejected(_) | Class::Duplicate | Class::Ambiguous => Self::Unavailable { detail: verdict.detail },
        }
    }
}
