//! HTTP: from API Gateway's event to a router and back.
//!
//! [`answer`] is the one entry. Lambda calls it through [`run_http`], and a local gateway that builds the same events
//! calls it directly, so that both run the same code from the first byte on.

mod client;
mod guard;
mod translate;

use std::convert::Infallible;
use std::time::Instant;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use axum::Router;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue};
use lambda_runtime::{LambdaEvent, service_fn};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tower::ServiceExt;
use tracing::Instrument;

pub use client::{ClientAddress, RequestId};
pub use guard::{COOKIES_MAX, HEADERS_BYTES_MAX, PATH_BYTES_MAX, QUERY_BYTES_MAX};

use crate::guarded::guarded;
use crate::problem::{Problem, ProblemCode};
use crate::routing::RouteTemplate;

/// The largest body that is taken, decoded.
pub const BODY_BYTES_MAX: usize = 1_024 * 1_024;
/// The largest body that is given; Lambda itself stops at 6 MB, encoded.
pub const RESPONSE_BYTES_MAX: usize = 4 * 1_024 * 1_024;

/// What every answer carries.
pub const SECURITY_HEADERS: [(HeaderName, HeaderValue); 4] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000; includeSubDomains")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
];

/// An event, or something that is not one. Refusing the latter is our job: the runtime would fail the invocation and log
/// the value at fault.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Incoming {
    Readable(Box<ApiGatewayV2httpRequest>),
    Unreadable(IgnoredAny),
}

/// Serves `router` until Lambda stops the process.
pub async fn run_http(router: Router) -> Result<(), lambda_runtime::Error> {
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Incoming>| {
        let router = router.clone();
        async move { Ok::<_, Infallible>(receive(router, event.payload).await) }
    }))
    .await
}

async fn receive(router: Router, incoming: Incoming) -> ApiGatewayV2httpResponse {
    match incoming {
        Incoming::Readable(event) => answer(router, *event).await,
        Incoming::Unreadable(_) => {
            tracing::warn!("an event that is not an HTTP request");
            finished(guard::malformed().into_response()).await
        }
    }
}

/// Answers one event, whatever it holds: odd ones with a problem, panics of a handler with 500.
///
/// Writes one log line a request, with the route's template in place of the path, and without query, cookies or address.
pub async fn answer(router: Router, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
    let started = Instant::now();
    let request_id = RequestId::from_context(event.request_context.request_id.as_deref());
    // At the highest level, so that it is there for every line that is logged at all.
    let span = tracing::error_span!("request", request_id = request_id.as_str());
    async move {
        let method = event.request_context.http.method.clone();
        let response = routed(router, event).await;
        let route = response.extensions().get::<RouteTemplate>().map_or("unmatched", |route| route.0.as_str());
        let status = response.status().as_u16();
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(method = known_method(&method), route, status, duration_ms, "request");
        finished(response).await
    }
    .instrument(span)
    .await
}

/// A method by name; one that a caller made up does not reach the log.
fn known_method(method: &http::Method) -> &'static str {
    ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"].into_iter().find(|name| *name == method.as_str()).unwrap_or("other")
}

async fn routed(router: Router, event: ApiGatewayV2httpRequest) -> Response {
    let request = match guard::check(&event).and_then(|()| translate::request(event)) {
        Ok(request) => request,
        Err(problem) => return problem.into_response(),
    };
    match guarded(router.oneshot(request)).await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => {
            tracing::error!("a handler panicked");
            Problem::new(ProblemCode::Internal).into_response()
        }
    }
}

async fn finished(mut response: Response) -> ApiGatewayV2httpResponse {
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        headers.insert(name, value);
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    translate::response(response).await
}

#[cfg(test)]
mod tests;
