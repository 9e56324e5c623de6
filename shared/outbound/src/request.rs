//! A request, while it is made.

use std::fmt::Display;

use http::{HeaderMap, Method};
use reqwest::{Client, RequestBuilder};
use serde::Serialize;
use url::Url;

/// A request to be given its headers and body, and then to [`Http::send`](crate::Http::send): the client's own builder could send itself, past
/// guard and limits.
pub struct Request {
    pub(crate) builder: RequestBuilder,
    /// As it was named: the builder turns user name and password into a header.
    pub(crate) url: Url,
}

impl Request {
    pub(crate) fn new(client: &Client, method: Method, url: Url) -> Self {
        Self { builder: client.request(method, url.clone()), url }
    }

    /// The host that it is for.
    pub fn host(&self) -> Option<&str> {
        self.url.host_str()
    }

    /// One header. A value that can be none fails the call before it is sent.
    #[must_use]
    pub fn header(self, name: &'static str, value: &str) -> Self {
        Self { builder: self.builder.header(name, value), ..self }
    }

    /// Headers in the places of those of the same names.
    #[must_use]
    pub fn headers(self, headers: HeaderMap) -> Self {
        Self { builder: self.builder.headers(headers), ..self }
    }

    /// `Authorization: Bearer`.
    #[must_use]
    pub fn bearer_auth(self, token: &str) -> Self {
        Self { builder: self.builder.bearer_auth(token), ..self }
    }

    /// `Authorization: Basic`.
    #[must_use]
    pub fn basic_auth(self, name: impl Display, password: Option<impl Display>) -> Self {
        Self { builder: self.builder.basic_auth(name, password), ..self }
    }

    /// A form as its body.
    #[must_use]
    pub fn form<T: Serialize + ?Sized>(self, fields: &T) -> Self {
        Self { builder: self.builder.form(fields), ..self }
    }

    /// JSON as its body.
    #[must_use]
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Self {
        Self { builder: self.builder.json(value), ..self }
    }

    /// Its body as it is.
    #[must_use]
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { builder: self.builder.body(body.into()), ..self }
    }
}
