//! Calls to the networks, and what the end of a call proves. The client is that of `outbound`, whose doc says what it does and leaves undone.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, Method, Response, StatusCode};
use outbound::{ClientError, Limits, Reach, Refusal, Request};
use serde::de::DeserializeOwned;
use url::Url;

use crate::outcome::{Outcome, PrepareError, ReadError};

pub(crate) use outbound::SendError;

/// For the whole of a call that makes a post visible.
pub(crate) const COMMIT_TIMEOUT: Duration = Duration::from_secs(20);

// A call that makes a post visible ends by itself before the machine gives it up.
const _: () = assert!(COMMIT_TIMEOUT.as_secs() < domain::post::SEND_DEADLINE.unsigned_abs().as_secs());

/// For the whole of any other call.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(10);

const BODY_BYTES_MAX: usize = 1024 * 1024;

/// What a network answered, whatever the status.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    /// The body as `T`, or `None` when it is not one.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// As it came.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    #[cfg(test)]
    pub(crate) fn recorded(status: u16, headers: &[(&'static str, &str)], body: &str) -> Self {
        let headers = headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect();
        Self { status: StatusCode::from_u16(status).unwrap(), headers, body: body.into() }
    }
}

/// Shows the status alone: headers and body may hold secrets.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({})", self.status.as_u16())
    }
}

impl From<SendError> for Outcome {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Lost { status, detail } => Self::Unknown { http_status: status, detail },
            unsent @ (SendError::Refused(_) | SendError::NotSent { .. }) => Self::NotSent { detail: unsent.into_detail() },
        }
    }
}

impl From<SendError> for PrepareError {
    fn from(error: SendError) -> Self {
        Self::Unavailable { detail: error.into_detail() }
    }
}

impl From<SendError> for ReadError {
    fn from(error: SendError) -> Self {
        Self::Unavailable { detail: error.into_detail() }
    }
}

/// The client. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: outbound::Http,
    /// Whether the addresses are those of our configuration.
    is_configured: bool,
}

impl Http {
    /// With `https_only`, a plain address cannot be called at all.
    pub(crate) fn new(https_only: bool) -> Result<Self, ClientError> {
        Ok(Self { client: outbound::Http::configured(https_only)?, is_configured: true })
    }

    /// For addresses that others name, as far as `reach` goes.
    pub(crate) fn guarded(reach: Reach) -> Result<Self, ClientError> {
        Ok(Self { client: outbound::Http::guarded(reach)?, is_configured: false })
    }

    /// The address under which `named` is called, and to which a browser is sent.
    pub(crate) fn address_of(&self, named: &Url) -> Result<Url, Refusal> {
        self.client.address_of(named)
    }

    /// A request to be given its headers and body, and then to [`Self::send`].
    pub(crate) fn request(&self, method: Method, url: Url) -> Request {
        self.client.request(method, url)
    }

    /// One call, once. It ends within `timeout`, body included.
    pub(crate) async fn send(&self, request: Request, timeout: Duration) -> Result<Answer, SendError> {
        let host = request.host().map(str::to_owned);
        let answer = self.client.send(request, Limits { time: timeout, body_bytes_max: BODY_BYTES_MAX }).await?;
        if self.is_configured {
            warn_of_sunset(host.as_deref(), &answer);
        }
        let (head, body) = answer.into_parts();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}

/// The clients that the adapters share.
#[derive(Debug, Clone)]
pub(crate) struct Clients {
    /// For what our configuration names.
    pub(crate) configured: Http,
    /// For what people and documents name.
    pub(crate) named: Http,
}

/// Versions end on a date that the networks announce in a header (RFC 8594).
fn warn_of_sunset(host: Option<&str>, answer: &Response<Vec<u8>>) {
    if answer.headers().contains_key("sunset") || answer.headers().contains_key("deprecation") {
        tracing::warn!(host, "the network announces the end of the version that we call");
    }
}
