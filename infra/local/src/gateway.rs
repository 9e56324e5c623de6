//! What API Gateway is in the cloud: it turns requests into events, finds the function, and turns its answer into a response.

mod event;
mod paths;

use std::sync::Arc;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body as EventBody;
use axum::Router;
use axum::body::Body;
use http::header::SET_COOKIE;
use http::{HeaderValue, Response, StatusCode};

pub use event::{BODY_BYTES_MAX, Caller, event_of};
pub use paths::Paths;

/// The functions behind the gateway, each with the paths that it answers.
#[derive(Clone)]
pub struct Gateway {
    paths: Arc<Paths>,
    functions: Arc<Vec<Router>>,
}

impl Gateway {
    /// `functions`: paths as API Gateway writes them, and who answers them.
    pub fn new(functions: Vec<(&[&str], Router)>) -> Self {
        let mut paths = Paths::default();
        let mut routers = Vec::new();
        for (index, (served, router)) in functions.into_iter().enumerate() {
            for path in served {
                paths.add(path, index);
            }
            routers.push(router);
        }
        Self { paths: Arc::new(paths), functions: Arc::new(routers) }
    }

    /// Answers one request through the entry code that Lambda runs.
    pub async fn answer(&self, caller: &Caller, request: http::Request<Body>) -> Response<Body> {
        let Some(found) = self.paths.find(request.uri().path()) else { return plain(StatusCode::NOT_FOUND, "Not Found") };
        let event = match event_of(request, caller, found.route).await {
            Ok(event) => event,
            Err(StatusCode::PAYLOAD_TOO_LARGE) => return plain(StatusCode::PAYLOAD_TOO_LARGE, "Request Too Long"),
            Err(status) => return plain(status, status.canonical_reason().unwrap_or_default()),
        };
        // Through JSON, as Lambda gets it.
        match serde_json::from_value::<ApiGatewayV2httpRequest>(event) {
            Ok(event) => response_of(edge::http_event::answer(self.functions[found.function].clone(), event).await),
            Err(_) => plain(StatusCode::BAD_REQUEST, "Bad Request"),
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
pub fn response_of(answer: ApiGatewayV2httpResponse) -> Response<Body> {
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
