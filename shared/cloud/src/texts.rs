//! Text messages to phones, through SNS.
//!
//! Neither the number nor the text stands in an error: SNS repeats the number in its refusals, so its message is dropped.

use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;

use crate::call::CallFailure;

/// A text message was not accepted.
#[derive(Debug, thiserror::Error)]
#[error("sending a text message")]
pub struct TextError(#[source] CallFailure);

impl TextError {
    /// Whether the same message may be accepted later.
    pub fn is_retryable(&self) -> bool {
        self.0.is_retryable()
    }
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

    /// Sends `text` to `phone` (E.164) with the priority of a code that somebody waits for. `Ok` means accepted, not delivered.
    pub async fn send(&self, phone: &str, text: &str) -> Result<(), TextError> {
        let transactional = MessageAttributeValue::builder()
            .data_type("String")
            .string_value("Transactional")
            .build()
            .expect("an attribute with a data type is complete");
        let request = self.client.publish().phone_number(phone).message(text);
        let answer = request.message_attributes("AWS.SNS.SMS.SMSType", transactional).send().await;
        answer.map(drop).map_err(|error| TextError(CallFailure::of("Publish", &error)))
    }
}
