//! A client that behaves as a person's browser does: for the demo and for the tests.
//!
//! It keeps the session cookie and the CSRF token, says where it comes from, and follows a redirect only when told to. An answer that tells
//! a time in another form than the contract's is an error, whatever was asked.

mod consent;
mod errands;
mod times;

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::header::{CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A browser with its own cookies.
#[derive(Debug, Clone)]
pub struct Browser {
    client: reqwest::Client,
    base_url: String,
    /// The session cookie, `name=value`.
    pub cookie: Option<String>,
    /// The session's CSRF token.
    pub csrf_token: Option<String>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as it came.
    pub text: String,
    /// The body as JSON; `null` if it is none.
    pub json: Value,
}

impl Reply {
    /// The reply, if it has the status that was expected; else an error that shows what came.
    pub fn expect(self, status: u16) -> anyhow::Result<Self> {
        ensure!(self.status.as_u16() == status, "expected {status}, saw {} with {}", self.status, self.text);
        Ok(self)
    }

    /// A text field of the body.
    pub fn str(&self, pointer: &str) -> anyhow::Result<String> {
        text_at(&self.json, pointer)
    }

    /// Where a redirect leads.
    pub fn location(&self) -> anyhow::Result<String> {
        let location = self.headers.get(LOCATION).with_context(|| format!("{} without a Location", self.status))?;
        Ok(location.to_str()?.to_owned())
    }
}

/// A text in a JSON value, or an error that shows the value.
pub fn text_at(value: &Value, pointer: &str) -> anyhow::Result<String> {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.map(str::to_owned).with_context(|| format!("no text at {pointer} in {value}"))
}

impl Browser {
    /// A browser without cookies.
    pub fn new(base_url: &str) -> anyhow::Result<Self> {
        let client = builder().build()?;
        Ok(Self { client, base_url: base_url.to_owned(), cookie: None, csrf_token: None })
    }

    /// A browser without cookies that calls from `address`, one of this machine's loopback addresses.
    pub fn calling_from(base_url: &str, address: IpAddr) -> anyhow::Result<Self> {
        let client = builder().local_address(address).build()?;
        Ok(Self { client, base_url: base_url.to_owned(), cookie: None, csrf_token: None })
    }

    /// Where the service is.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> anyhow::Result<Reply> {
        self.request(Method::GET, path, &[], None).await
    }

    /// `POST` of JSON; without a body, an empty one.
    pub async fn post(&self, path: &str, body: Option<&Value>) -> anyhow::Result<Reply> {
        self.request(Method::POST, path, &[], body).await
    }

    /// `PATCH` of JSON under a version.
    pub async fn patch(&self, path: &str, version: &str, body: &Value) -> anyhow::Result<Reply> {
        self.request(Method::PATCH, path, &[("if-match", version)], Some(body)).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> anyhow::Result<Reply> {
        self.request(Method::DELETE, path, &[], None).await
    }

    /// Any request, with more headers.
    pub async fn request(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> anyhow::Result<Reply> {
        let mut request = self.client.request(method.clone(), self.address(path));
        if method != Method::GET {
            request = request.header(ORIGIN, &self.base_url).header("sec-fetch-site", "same-origin");
            request = self.csrf_token.iter().fold(request, |request, token| request.header("x-csrf-token", token));
        }
        request = self.cookie.iter().fold(request, |request, cookie| request.header(COOKIE, cookie));
        request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body.to_string());
        }
        reply(request).await.with_context(|| format!("{method} {path}"))
    }

    /// What another service sends us: bytes of JSON as they are, no cookie, no origin.
    pub async fn deliver(&self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> anyhow::Result<Reply> {
        let request = self.client.post(self.address(path)).header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        reply(request.body(body)).await.with_context(|| format!("delivering to {path}"))
    }

    /// A form, as a page posts it.
    pub async fn post_form(&self, address: &str, fields: &[(String, String)]) -> anyhow::Result<Reply> {
        reply(self.client.post(self.address(address)).form(fields)).await
    }

    /// Keeps the session cookie that a reply sets, or forgets it if the reply clears it.
    pub fn keep_cookie(&mut self, reply: &Reply) {
        for cookie in reply.headers.get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok()) {
            let pair = cookie.split(';').next().unwrap_or_default();
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
    }

    fn address(&self, path: &str) -> String {
        if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base_url) }
    }
}

fn builder() -> reqwest::ClientBuilder {
    // Tests make browsers by the hundred: the machine's roots are read for the first alone.
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls::client());
    client.redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT).no_proxy()
}

fn reply(request: RequestBuilder) -> BoxFuture<'static, anyhow::Result<Reply>> {
    sent(request).boxed()
}

async fn sent(request: RequestBuilder) -> anyhow::Result<Reply> {
    let response = request.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await?;
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    let reply = Reply { status, headers, text, json };
    times::are_told_alike(&reply)?;
    Ok(reply)
}
