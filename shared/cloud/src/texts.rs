//! Text messages to phones, through SNS, which hands them on to AWS End User Messaging.
//!
//! An accepted text may never arrive: in some countries carriers drop what comes from a sender that is registered nowhere, and SNS takes it
//! all the same. Its delivery log has the carrier's answer, under the message's id.
//!
//! Neither the number nor the text stands in an error: SNS repeats the number in its refusals, so its message is dropped.

use aws_config::retry::RetryConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;

use crate::call::{CallFailure, FailureKind};

/// A text message was not accepted.
#[derive(Debug, thiserror::Error)]
#[error("sending a text message")]
pub struct TextError(#[source] CallFailure);

impl TextError {
    /// Whether the same message may be accepted later.
    pub fn is_retryable(&self) -> bool {
        self.0.is_retryable()
    }

    /// Whether no phone can have got it: it was refused, or there were too many at the moment.
    pub fn is_surely_unsent(&self) -> bool {
        matches!(self.0.kind, FailureKind::Throttled | FailureKind::QuotaExceeded | FailureKind::Refused)
    }

    /// Whether it is the number that takes no texts: its owner has opted out, or SNS does not know it. What SNS says when it is our
    /// rights or our request that are wrong has other codes.
    pub fn is_about_the_number(&self) -> bool {
        self.0.kind == FailureKind::Refused && matches!(self.0.code.as_deref(), Some("InvalidParameter" | "OptedOut" | "OptedOutException"))
    }
}

/// A text message that SNS took. Whether a phone gets it is for carriers to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its id in SNS's delivery log.
    pub message_id: String,
}

/// The sending end.
#[derive(Debug, Clone)]
pub struct TextMessages {
    /// The service.
    pub client: Client,
}

impl TextMessages {
    /// Text messages through SNS.
    pub fn new(sdk: &aws_config::SdkConfig) -> Self {
        Self { client: Client::new(sdk) }
    }

    /// The same without a second try: SNS knows no key by which two tries are one text.
    pub fn tried_once(sdk: &aws_config::SdkConfig) -> Self {
        Self::new(&sdk.clone().into_builder().retry_config(RetryConfig::disabled()).build())
    }

    /// Sends `text` to `phone` (E.164) with the priority of a code that somebody waits for.
    pub async fn send(&self, phone: &str, text: &str) -> Result<Accepted, TextError> {
        let transactional = MessageAttributeValue::builder()
            .data_type("String")
            .string_value("Transactional")
            .build()
            .expect("an attribute with a data type is complete");
        let request = self.client.publish().phone_number(phone).message(text);
        let answer = request.message_attributes("AWS.SNS.SMS.SMSType", transactional).send().await;
        match answer {
            Ok(answer) => Ok(Accepted { message_id: answer.message_id.unwrap_or_default() }),
            Err(error) => Err(TextError(CallFailure::of("Publish", &error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_refused_is_surely_unsent() {
        for (kind, unsent) in [
            (FailureKind::Refused, true),
            (FailureKind::Throttled, true),
            (FailureKind::QuotaExceeded, true),
            (FailureKind::TimedOut, false),
            (FailureKind::Unreachable, false),
            (FailureKind::Unavailable, false),
            (FailureKind::UnreadableAnswer, false),
        ] {
            let error = TextError(CallFailure { operation: "Publish", kind, code: None, request_id: None });
            assert_eq!(error.is_surely_unsent(), unsent, "{kind}");
        }
    }

    #[test]
    fn a_number_that_opted_out_is_told_from_rights_that_are_missing() {
        for (code, kind, expected) in [
            (Some("InvalidParameter"), FailureKind::Refused, true),
            (Some("AuthorizationError"), FailureKind::Refused, false),
            (Some("Throttled"), FailureKind::Throttled, false),
            (None, FailureKind::Refused, false),
        ] {
            let error = TextError(CallFailure { operation: "Publish", kind, code: code.map(str::to_owned), request_id: None });
            assert_eq!(error.is_about_the_number(), expected, "{code:?}");
        }
    }
}
