//! The shapes that the services answer in.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// An answer on its way to the SDK.
#[derive(Debug)]
pub struct Answer {
    /// Its status in HTTP.
    pub status: u16,
    /// Its `content-type`.
    pub content_type: &'static str,
    /// The `x-amzn-errortype` header, by which REST services name an error.
    pub error_type: Option<&'static str>,
    /// Its text.
    pub body: String,
}

/// What a service says instead of doing it.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    /// A refusal with status 400, as most are.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into() }
    }

    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::new("InternalServerError", error.to_string()).with_status(500)
    }
}

/// How a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Json10,
    Json11,
    RestJson,
    QueryXml,
}

impl Protocol {
    /// The answer to a call that a service has decided.
    pub(crate) fn answer(self, outcome: Result<String, Refusal>) -> Answer {
        match outcome {
            Ok(body) => Answer { status: 200, content_type: self.content_type(), error_type: None, body },
            Err(refusal) => self.refuse(&refusal),
        }
    }

    fn refuse(self, refusal: &Refusal) -> Answer {
        let Refusal { status, code, message } = refusal;
        let body = match self {
            Self::QueryXml => {
                let kind = if *status < 500 { "Sender" } else { "Receiver" };
                let error = format!("<Type>{kind}</Type><Code>{code}</Code><Message>{}</Message>", escaped(message));
                format!("<ErrorResponse><Error>{error}</Error><RequestId>local</RequestId></ErrorResponse>")
            }
            _ => to_json(&serde_json::json!({ "__type": code, "message": message, "Message": message })),
        };
        Answer { status: *status, content_type: self.content_type(), error_type: Some(code), body }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Json10 => "application/x-amz-json-1.0",
            Self::Json11 => "application/x-amz-json-1.1",
            Self::RestJson => "application/json",
            Self::QueryXml => "text/xml",
        }
    }
}

/// Reads a request. Members that this engine does not know are left out, as the services do.
pub(crate) fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::new("SerializationException", error.to_string()))
}

/// Writes an answer.
pub(crate) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("an answer is made of texts, numbers and lists of them")
}

/// What an operation says that this engine does not have.
pub(crate) fn unknown_operation(operation: &str) -> Refusal {
    Refusal::new("UnknownOperationException", format!("{operation} is not served on this machine"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
