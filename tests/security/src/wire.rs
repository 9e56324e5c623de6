//! Requests byte for byte, and answers as they came.

use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);
/// More than any answer of ours has.
const ANSWER_BYTES_MAX: u64 = 8 * 1_024 * 1_024;

/// A request that nothing repairs: what stands here goes out.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Any letters.
    pub method: String,
    /// Path and query, or whatever an attacker writes in their place.
    pub target: String,
    /// In this order, names repeated as they are.
    pub headers: Vec<(String, String)>,
    /// Sent with its length.
    pub body: Option<Vec<u8>>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// In the order in which they came, names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub text: String,
    /// The body as JSON; `null` if it is none.
    pub json: Value,
}

impl Request {
    /// A request without headers or body.
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), ..Self::default() }
    }

    /// Replaces a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.and(name, value)
    }

    /// Adds a header beside those of the same name.
    #[must_use]
    pub fn and(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn bytes(&self, host: &str) -> Vec<u8> {
        let own_host = self.headers.iter().all(|(name, _)| name != "host").then_some(("host", host.to_owned()));
        let length = self.body.as_ref().map(|body| ("content-length", body.len().to_string()));
        let ours = own_host.into_iter().chain([("connection", "close".to_owned())]).chain(length);
        let theirs = self.headers.iter().map(|(name, value)| (name.as_str(), value.clone()));
        let lines: Vec<_> = ours.chain(theirs).map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut bytes = format!("{} {} HTTP/1.1\r\n{}\r\n", self.method, self.target, lines.concat()).into_bytes();
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }

    /// Sends it to the service at `base_url`.
    pub async fn send(&self, base_url: &str) -> anyhow::Result<Answer> {
        let host = base_url.strip_prefix("http://").context("a local service speaks http")?;
        let sent = tokio::time::timeout(ANSWER_WITHIN, exchange(host, &self.bytes(host))).await;
        sent.context("no answer in time")?.with_context(|| format!("{} {}", self.method, self.target))
    }
}

async fn exchange(host: &str, request: &[u8]) -> anyhow::Result<Answer> {
    let mut stream = TcpStream::connect(host).await?;
    stream.write_all(request).await?;
    let mut bytes = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes).await?;
    read(&bytes)
}

fn read(bytes: &[u8]) -> anyhow::Result<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").context("an answer without an end of its head")?;
    let head = std::str::from_utf8(&bytes[..end])?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("an answer without a status")?.parse()?;
    let headers = lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let text = String::from_utf8_lossy(&bytes[end + 4..]).into_owned();
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok(Answer { status, headers: headers.collect(), text, json })
}

/// A parameter of an address, decoded; nothing if the address has none of this name.
pub fn parameter(address: &str, name: &str) -> String {
    let url = url::Url::parse(address).ok();
    let value = url.and_then(|url| url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned()));
    value.unwrap_or_default()
}

impl Answer {
    /// The first header of a name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The code of a problem, or nothing.
    pub fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }

    /// Head and body without what changes by itself: for comparing two answers, and for looking for what must not be in one.
    pub fn told(&self) -> String {
        let mut headers: Vec<_> = self.headers.iter().filter(|(name, _)| name != "date").map(|(n, v)| format!("{n}: {v}")).collect();
        headers.sort();
        format!("{}\n{}\n\n{}", self.status, headers.join("\n"), self.text)
    }

    /// The answer, if it has this status.
    pub fn expect(self, status: u16) -> anyhow::Result<Self> {
        anyhow::ensure!(self.status == status, "expected {status}, saw {}", self.told());
        Ok(self)
    }
}
