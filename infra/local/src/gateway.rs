//! What API Gateway is in the cloud: it turns requests into events, finds the function, and turns its answer into a response.

mod cors;
mod event;
mod paths;

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_lambda_events::encodings::Body as EventBody;
use axum::body::Body;
use http::header::SET_COOKIE;
use http::{HeaderValue, Response, StatusCode};
use serde_json::Value;

pub use cors::Cors;
pub use event::{BODY_BYTES_MAX, Caller};

use event::event_of;
use paths::Paths;

/// The functions behind the gateway, each with the paths that it answers. `F` is whatever names a function: its router where all
/// run in this process, its name where each is a process of its own.
#[derive(Debug)]
pub struct Gateway<F> {
    paths: Paths,
    functions: Vec<F>,
}

/// The function could not be invoked, or its answer is none: what API Gateway answers with 500.
#[derive(Debug, thiserror::Error)]
#[error("the function did not answer")]
pub struct NoAnswer;

impl<F> Gateway<F> {
    /// `functions`: paths as API Gateway writes them, and who answers them.
    pub fn new(functions: Vec<(&[&str], F)>) -> Self {
        let (mut paths, mut all) = (Paths::default(), Vec::new());
        for (index, (served, function)) in functions.into_iter().enumerate() {
            for path in served {
                paths.add(path, index);
            }
            all.push(function);
        }
        Self { paths, functions: all }
    }

    /// Answers one request by what `invoke` makes of its event.
    pub async fn answer(
        &self,
        caller: &Caller,
        request: http::Request<Body>,
        invoke: impl AsyncFnOnce(&F, Value) -> Result<ApiGatewayV2httpResponse, NoAnswer>,
    ) -> Response<Body> {
        let Some(found) = self.paths.find(request.uri().path()) else { return plain(StatusCode::NOT_FOUND, "Not Found") };
        let event = match event_of(request, caller, found.route).await {
            Ok(event) => event,
            Err(StatusCode::PAYLOAD_TOO_LARGE) => return plain(StatusCode::PAYLOAD_TOO_LARGE, "Request Too Long"),
            Err(status) => return plain(status, status.canonical_reason().unwrap_or_default()),
        };
        match invoke(&self.functions[found.function], event).await {
            Ok(answer) => response_of(answer),
            Err(NoAnswer) => plain(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
        }
    }
}

/// API Gateway's own answers: not ours to shape.
fn plain(status: StatusCode, message: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(serde_json::json!({ "message": message }).to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A function's answer as the client gets it.
fn response_of(answer: ApiGatewayV2httpResponse) -> Response<Body> {
    let body = match answer.body {
        None | Some(EventBody::Empty) => Body::empty(),
        Some(EventBody::Binary(bytes)) => Body::from(bytes),
        Some(EventBody::Text(text)) if answer.is_base64_encoded => match data_encoding::BASE64.decode(text.as_bytes()) {
            Ok(bytes) => Body::from(bytes),
            Err(_) => return plain(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
        },
        Some(EventBody::Text(text)) => Body::from(text),
        Some(_) => return plain(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
    };
    let mut response = Response::new(body);
    let status = u16::try_from(answer.status_code).ok().and_then(|status| StatusCode::from_u16(status).ok());
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = answer.headers;
    for cookie in answer.cookies {
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(SET_COOKIE, value);
        }
    }
    response
}
