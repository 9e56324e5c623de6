//! The one HTTP client, and what the end of a call proves.
//!
//! - No redirects, no repeats, no proxies, no cookies. HTTP/1.1 only: one call, one connection, one fate.
//! - No connection is kept for a second call. A frozen Lambda wakes up with dead connections, and a request written to a dead
//!   one is a lost answer; a handshake costs less than a post in doubt.
//! - Connecting (name, TCP, TLS) ends after 3 seconds, before any byte of the request is written. Whatever fails later is
//!   [`SendError::Lost`].

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use reqwest::{Client, RequestBuilder, redirect, retry};
use serde::de::DeserializeOwned;
use url::Url;

use crate::detail;
use crate::outcome::{Outcome, ReadError};

/// For the whole of a call that makes a post visible.
pub(crate) const COMMIT_TIMEOUT: Duration = Duration::from_secs(20);

// A call that makes a post visible ends by itself before the machine gives it up.
const _: () = assert!(COMMIT_TIMEOUT.as_secs() < domain::post::SEND_DEADLINE.unsigned_abs().as_secs());

/// For the whole of any other call.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(10);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
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

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SendError {
    /// Not a byte of the request was written.
    #[error("not sent: {detail}")]
    NotSent { detail: String },
    /// It was, or may have been.
    #[error("the answer was lost: {detail}")]
    Lost { status: Option<u16>, detail: String },
}

impl SendError {
    /// For operators.
    pub(crate) fn into_detail(self) -> String {
        match self {
            Self::NotSent { detail } | Self::Lost { detail, .. } => detail,
        }
    }

    fn of(error: reqwest::Error, status: Option<u16>) -> Self {
        let error = error.without_url();
        let detail = detail::of_error(&error);
        if status.is_none() && (error.is_connect() || error.is_builder()) {
            Self::NotSent { detail }
        } else {
            Self::Lost { status, detail }
        }
    }
}

impl From<SendError> for Outcome {
    fn from(error: SendError) -> Self {
        match error {
            SendError::NotSent { detail } => Self::NotSent { detail },
            SendError::Lost { status, detail } => Self::Unknown { http_status: status, detail },
        }
    }
}

impl From<SendError> for ReadError {
    fn from(error: SendError) -> Self {
        Self::Unavailable { detail: error.into_detail() }
    }
}

/// The client. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Http(Client);

impl Http {
    /// With `https_only`, a plain address cannot be called at all.
    pub(crate) fn new(https_only: bool) -> Result<Self, reqwest::Error> {
        Self::connecting_within(CONNECT_TIMEOUT, https_only)
    }

    fn connecting_within(connect_timeout: Duration, https_only: bool) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            // Without it, the roots are read anew for each client.
            .tls_backend_preconfigured(tls::client())
            .user_agent(concat!("Postledger/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .no_proxy()
            .http1_only()
            .https_only(https_only)
            .pool_max_idle_per_host(0)
            .connect_timeout(connect_timeout)
            .timeout(COMMIT_TIMEOUT)
            .build()?;
        Ok(Self(client))
    }

    /// A request to be given its headers and body, and then to [`Self::send`].
    pub(crate) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.0.request(method, url)
    }

    /// One call, once. It ends within `timeout`, body included.
    pub(crate) async fn send(&self, request: RequestBuilder, timeout: Duration) -> Result<Answer, SendError> {
        let mut response = request.timeout(timeout).send().await.map_err(|error| SendError::of(error, None))?;
        let status = response.status();
        warn_of_sunset(&response);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| SendError::of(error, Some(status.as_u16())))? {
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(SendError::Lost { status: Some(status.as_u16()), detail: "the answer is too long".into() });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers: response.headers().clone(), body })
    }
}

/// Versions end on a date that the networks announce in a header (RFC 8594).
fn warn_of_sunset(response: &reqwest::Response) {
    if response.headers().contains_key("sunset") || response.headers().contains_key("deprecation") {
        tracing::warn!(host = response.url().host_str(), "the network announces the end of the version that we call");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn listener() -> (TcpListener, Url) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/?access_token=sesame", listener.local_addr().unwrap())).unwrap();
        (listener, url)
    }

    async fn call(url: Url) -> Result<Answer, SendError> {
        let http = Http::new(false).unwrap();
        http.send(http.request(Method::POST, url).body("hello"), CALL_TIMEOUT).await
    }

    /// Takes one request, writes `answer`, closes.
    async fn answer_once(listener: TcpListener, answer: Vec<u8>) {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        stream.write_all(&answer).await.unwrap();
    }

    #[tokio::test]
    async fn a_refused_connection_is_not_sent_and_names_no_secret() {
        let (listener, url) = listener().await;
        drop(listener);
        let error = call(url).await.err().unwrap();
        assert!(matches!(&error, SendError::NotSent { .. }), "{error:?}");
        assert!(!format!("{error:?}").contains("sesame"));
    }

    #[tokio::test]
    async fn a_handshake_that_hangs_is_not_sent() {
        let (listener, mut url) = listener().await;
        url.set_scheme("https").unwrap();
        let http = Http::connecting_within(Duration::from_millis(50), true).unwrap();
        let error = http.send(http.request(Method::POST, url), CALL_TIMEOUT).await.err().unwrap();
        assert!(matches!(error, SendError::NotSent { .. }), "{error:?}");
        drop(listener);
    }

    #[tokio::test]
    async fn a_plain_address_is_refused_where_only_tls_is_allowed() {
        let (_listener, url) = listener().await;
        let http = Http::new(true).unwrap();
        let error = http.send(http.request(Method::POST, url), CALL_TIMEOUT).await.err().unwrap();
        assert!(matches!(error, SendError::NotSent { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_connection_that_closes_without_an_answer_is_lost() {
        let (listener, url) = listener().await;
        let ((), answer) = tokio::join!(answer_once(listener, Vec::new()), call(url));
        let error = answer.err().unwrap();
        assert!(matches!(error, SendError::Lost { status: None, .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_body_that_is_cut_is_lost_with_its_status() {
        let (listener, url) = listener().await;
        let cut = b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"data\"".to_vec();
        let ((), answer) = tokio::join!(answer_once(listener, cut), call(url));
        assert!(matches!(answer.err().unwrap(), SendError::Lost { status: Some(201), .. }));
    }

    #[tokio::test]
    async fn a_body_without_end_is_not_read_to_its_end() {
        let (listener, url) = listener().await;
        let mut long = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        long.resize(long.len() + BODY_BYTES_MAX + 1, b'x');
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await.unwrap();
            let _ = stream.write_all(&long).await;
        };
        let ((), answer) = tokio::join!(serve, call(url));
        assert!(matches!(answer.err().unwrap(), SendError::Lost { status: Some(200), .. }));
    }

    #[tokio::test]
    async fn a_silent_server_is_lost_when_the_time_is_up() {
        let (listener, url) = listener().await;
        let http = Http::new(false).unwrap();
        let error = http.send(http.request(Method::POST, url), Duration::from_millis(100)).await.err().unwrap();
        assert!(matches!(error, SendError::Lost { status: None, .. }), "{error:?}");
        drop(listener);
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        let (listener, url) = listener().await;
        let away = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_vec();
        let ((), answer) = tokio::join!(answer_once(listener, away), call(url));
        assert_eq!(answer.ok().unwrap().status, StatusCode::FOUND);
    }
}
