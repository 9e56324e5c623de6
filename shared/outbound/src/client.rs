//! The client: one call, one connection, one fate.
//!
//! - No redirects, no repeats, no proxies, no cookies, no decompression. HTTP/1.1 only.
//! - No connection is kept for a second call. A frozen Lambda wakes up with dead connections, and a request written to a dead one is a lost
//!   answer; a handshake costs less than a post in doubt. A kept connection would also outlive the judgement of its address.
//! - Connecting (name, TCP, TLS) ends after seconds, before any byte of the request is written. Whatever fails later is
//!   [`SendError::Lost`].
//! - Nothing of an answer is logged.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Response};
use reqwest::dns::Resolve;
use reqwest::{Client, ClientBuilder, redirect, retry};
use url::Url;

use crate::error::{ClientError, SendError};
use crate::named::Refusal;
use crate::reach::Reach;
use crate::request::Request;
use crate::resolver::{Guarded, System};

/// For name, TCP and TLS, where our configuration names the host.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The same, where others name it: servers that people run at home are slower.
const GUARDED_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The most headers of an answer. All of them together are at most some 400 KB, which is what hyper reads before it gives up.
const HEADERS_MAX: usize = 100;

/// How much of a call is waited for and read.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For the whole of it, body included.
    pub time: Duration,
    /// The longest body. A longer one is not read to its end, and its answer is lost but for its status.
    pub body_bytes_max: usize,
}

/// The client. Clones share it.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
    /// `None`: whatever our own configuration names.
    reach: Option<Reach>,
}

impl Http {
    /// For addresses that our own configuration names. With `https_only`, a plain one cannot be called at all.
    pub fn configured(https_only: bool) -> Result<Self, ClientError> {
        Self::configured_within(CONNECT_TIMEOUT, https_only)
    }

    /// For addresses that others name, as far as `reach` goes.
    pub fn guarded(reach: Reach) -> Result<Self, ClientError> {
        Self::guarded_by(reach, System)
    }

    fn configured_within(connect_timeout: Duration, https_only: bool) -> Result<Self, ClientError> {
        let client = builder().connect_timeout(connect_timeout).https_only(https_only).build().map_err(ClientError)?;
        Ok(Self { client, reach: None })
    }

    fn guarded_by(reach: Reach, names: impl Resolve + 'static) -> Result<Self, ClientError> {
        let client = builder().connect_timeout(GUARDED_CONNECT_TIMEOUT).https_only(reach.is_https_only());
        let client = client.dns_resolver(Arc::new(Guarded { names, reach: reach.clone() })).build().map_err(ClientError)?;
        Ok(Self { client, reach: Some(reach) })
    }

    /// The address under which `named` is called: another one where a double stands in. A browser is sent there, too.
    pub fn address_of(&self, named: &Url) -> Result<Url, Refusal> {
        self.reach.as_ref().map_or_else(|| Ok(named.clone()), |reach| reach.address_of(named))
    }

    /// A request to be given its headers and body, and then to [`Self::send`].
    pub fn request(&self, method: Method, url: Url) -> Request {
        Request::new(&self.client, method, url)
    }

    /// One call, once. Its address is judged here, and again when its name is looked up: the client looks no number up.
    pub async fn send(&self, request: Request, limits: Limits) -> Result<Response<Vec<u8>>, SendError> {
        let Request { builder, url: named } = request;
        let address = self.address_of(&named).map_err(SendError::Refused)?;
        let mut request = builder.timeout(limits.time).build().map_err(|error| SendError::of(error, None))?;
        *request.url_mut() = address;
        let mut response = self.client.execute(request).await.map_err(|error| SendError::of(error, None))?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| SendError::of(error, Some(status.as_u16())))? {
            if body.len() + chunk.len() > limits.body_bytes_max {
                return Err(SendError::Lost { status: Some(status.as_u16()), detail: "the answer is too long".into() });
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer = Response::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        Ok(answer)
    }
}

fn builder() -> ClientBuilder {
    Client::builder()
        // Without it, the roots are read anew for each client.
        .tls_backend_preconfigured(tls::client())
        .user_agent(concat!("Postledger/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .no_proxy()
        .http1_only()
        .http1_max_headers(HEADERS_MAX)
        .pool_max_idle_per_host(0)
}

#[cfg(test)]
mod tests;
