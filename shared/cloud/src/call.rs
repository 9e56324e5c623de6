//! Why a call to AWS failed, without what it carried.
//!
//! An SDK error keeps the raw answer, and its `Debug` shows it: for a vault or a text message that is the secret itself.
//! So none leaves this crate; what leaves says the operation, the kind of failure, the service's code and the request's id.

use std::fmt;

use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

/// The codes by which the services that we call say "slower".
const THROTTLING_CODES: [&str; 8] = [
    "Throttled",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "RequestThrottled",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "OverLimit",
];

/// What kind of failure a call met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// Too many calls at the moment.
    Throttled,
    /// The account holds as many of these as it may (Scheduler says so with 402); room comes back as others end.
    QuotaExceeded,
    /// No answer in time: the call may have been carried out.
    TimedOut,
    /// No connection, or it broke: the call may have been carried out.
    Unreachable,
    /// The service failed (5xx): the call may have been carried out.
    Unavailable,
    /// An answer that could not be read: the call may have been carried out.
    UnreadableAnswer,
    /// The service, or the SDK before it, says no; sending the same again changes nothing.
    Refused,
}

impl FailureKind {
    /// Whether the same call may succeed later.
    pub fn is_retryable(self) -> bool {
        self != Self::Refused
    }

    fn of_answer(status: u16, code: Option<&str>) -> Self {
        match (status, code) {
            (_, Some(code)) if THROTTLING_CODES.contains(&code) => Self::Throttled,
            (429, _) => Self::Throttled,
            (402, _) | (_, Some("ServiceQuotaExceededException" | "LimitExceededException")) => Self::QuotaExceeded,
            (500.., _) => Self::Unavailable,
            _ => Self::Refused,
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Throttled => "throttled",
            Self::QuotaExceeded => "quota exceeded",
            Self::TimedOut => "timed out",
            Self::Unreachable => "unreachable",
            Self::Unavailable => "unavailable",
            Self::UnreadableAnswer => "unreadable answer",
            Self::Refused => "refused",
        })
    }
}

/// A call that failed after the SDK's own retries.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{operation}: {kind}, code {}, request {}", code.as_deref().unwrap_or("-"), request_id.as_deref().unwrap_or("-"))]
pub struct CallFailure {
    /// The API operation.
    pub operation: &'static str,
    /// What kind of failure it was.
    pub kind: FailureKind,
    /// The service's error code.
    pub code: Option<String>,
    /// The request's id, for AWS support.
    pub request_id: Option<String>,
}

impl CallFailure {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }

    pub(crate) fn of<E: ProvideErrorMetadata>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self {
        let meta = error.as_service_error().map(ProvideErrorMetadata::meta);
        let code = meta.and_then(|meta| meta.code()).map(str::to_owned);
        let request_id = meta.and_then(|meta| meta.extra("aws_request_id")).map(str::to_owned);
        let kind = match error {
            SdkError::TimeoutError(_) => FailureKind::TimedOut,
            SdkError::DispatchFailure(dispatch) if dispatch.is_timeout() => FailureKind::TimedOut,
            SdkError::DispatchFailure(_) => FailureKind::Unreachable,
            SdkError::ResponseError(_) => FailureKind::UnreadableAnswer,
            SdkError::ServiceError(answer) => FailureKind::of_answer(answer.raw().status().as_u16(), code.as_deref()),
            // A request that could not be built, and kinds that a newer SDK may add.
            _ => FailureKind::Refused,
        };
        Self { operation, kind, code, request_id }
    }

    /// A refusal that stands inside a successful answer, as for one entry of a batch.
    pub(crate) fn of_entry(operation: &'static str, code: &str, sender_fault: bool) -> Self {
        let kind = FailureKind::of_answer(if sender_fault { 400 } else { 500 }, Some(code));
        Self { operation, kind, code: Some(code.to_owned()), request_id: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_scheduler_and_throttling_are_worth_another_try_and_a_refusal_is_not() {
        let cases = [
            (402, Some("ServiceQuotaExceededException"), FailureKind::QuotaExceeded, true),
            (402, None, FailureKind::QuotaExceeded, true),
            (429, None, FailureKind::Throttled, true),
            (400, Some("ThrottlingException"), FailureKind::Throttled, true),
            (403, Some("RequestThrottled"), FailureKind::Throttled, true),
            (500, Some("InternalServerException"), FailureKind::Unavailable, true),
            (503, None, FailureKind::Unavailable, true),
            (400, Some("ValidationException"), FailureKind::Refused, false),
            (403, Some("AccessDeniedException"), FailureKind::Refused, false),
        ];
        for (status, code, kind, retryable) in cases {
            assert_eq!(FailureKind::of_answer(status, code), kind, "{status} {code:?}");
            assert_eq!(kind.is_retryable(), retryable, "{kind}");
        }
    }
}
