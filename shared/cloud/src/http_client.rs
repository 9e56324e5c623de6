//! The SDK's HTTP client: `reqwest` with the roots that the process has read, so that there is one TLS stack and one set of roots.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use reqwest::{Body, Client, redirect, retry};

/// Connect and read time-out.
type TimeOuts = (Option<Duration>, Option<Duration>);

/// The connections of all clients of a process: one pool for each pair of time-outs. Our clients have one pair, and whoever looks for
/// credentials outside Lambda a second one.
///
/// Left to itself, the SDK makes a pool for each service and parses all root certificates for it, and once before to see whether it can.
#[derive(Debug, Clone)]
pub(crate) struct Pools(Arc<Mutex<HashMap<TimeOuts, SharedHttpConnector>>>);

impl Pools {
    /// With the pool of clients that connect within `connect_timeout`: a start has more of a processor than the first request.
    pub(crate) fn open(connect_timeout: Duration) -> Self {
        let time_outs = (Some(connect_timeout), None);
        Self(Arc::new(Mutex::new(HashMap::from([(time_outs, pool(time_outs))]))))
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl HttpClient for Pools {
    fn http_connector(&self, settings: &HttpConnectorSettings, _components: &RuntimeComponents) -> SharedHttpConnector {
        // Only whole entries are ever put in, so a panic elsewhere leaves nothing half-written.
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let time_outs = (settings.connect_timeout(), settings.read_timeout());
        pools.entry(time_outs).or_insert_with(|| pool(time_outs)).clone()
    }
}

/// The SDK repeats calls by itself and follows no redirect; so this client does neither.
fn pool((connect, read): TimeOuts) -> SharedHttpConnector {
    let mut client = Client::builder()
        .tls_backend_preconfigured(tls::client())
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .http1_only();
    if let Some(connect) = connect {
        client = client.connect_timeout(connect);
    }
    if let Some(read) = read {
        client = client.read_timeout(read);
    }
    SharedHttpConnector::new(Pool(client.build().expect("the TLS configuration is the kind that the client takes")))
}

/// Connections that are kept for the next call.
#[derive(Debug)]
struct Pool(Client);

impl HttpConnector for Pool {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?.map(Body::wrap);
            let answer = client.execute(request.try_into().map_err(failed)?).await.map_err(failed)?;
            HttpResponse::try_from(http::Response::from(answer).map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// What the SDK goes by when it decides whether to repeat a call.
fn failed(error: reqwest::Error) -> ConnectorError {
    if error.is_timeout() {
        ConnectorError::timeout(error.into())
    } else if error.is_builder() {
        ConnectorError::user(error.into())
    } else {
        ConnectorError::io(error.into())
    }
}
