//! API Gateway's payload format 2.0 ↔ `http`.

use std::panic::catch_unwind;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body as EventBody;
use axum::body::Bytes;
use axum::response::Response;
use data_encoding::BASE64;
use http::header::{HOST, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use lambda_http::Request;
use lambda_http::request::LambdaRequest;

use super::client::{ClientAddress, RequestId};
use super::guard::malformed;
use super::{BODY_BYTES_MAX, RESPONSE_BYTES_MAX};
use crate::problem::{Problem, ProblemCode, chain};

/// The stage that leaves no prefix in the path.
const DEFAULT_STAGE: &str = "$default";
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Builds the request of an event that passed the guard. Path and query reach the router byte for byte; the host does not reach it.
///
/// `lambda_http` makes the request, of an event in which nothing is left that it rewrites or panics on.
pub(super) fn request(mut event: ApiGatewayV2httpRequest) -> Result<Request, Problem> {
    let client = ClientAddress::from_source_ip(event.request_context.http.source_ip.as_deref());
    let request_id = RequestId::from_context(event.request_context.request_id.as_deref());
    let body = body(event.body.take(), event.is_base64_encoded)?;
    let path = without_stage(event.raw_path.as_deref().unwrap_or_default(), event.request_context.stage.as_deref()).to_owned();
    let query = event.raw_query_string.clone().unwrap_or_default();

    let mut request = converted(plain(event, path.clone()))?;
    // `lambda_http` must have understood what we did.
    if request.uri().path() != path || request.uri().query().unwrap_or_default() != query {
        return Err(malformed());
    }
    *request.body_mut() = body;
    let extensions = request.extensions_mut();
    // What `lambda_http` leaves there holds the caller's address in a form that can be printed.
    extensions.clear();
    extensions.insert(client);
    extensions.insert(request_id);
    Ok(request)
}

/// What `lambda_http` may see of the event. It would make an address of host, scheme, domain and stage, and panics on a body that is
/// no base64.
fn plain(mut event: ApiGatewayV2httpRequest, path: String) -> ApiGatewayV2httpRequest {
    event.headers.remove(HOST);
    event.headers.remove(X_FORWARDED_PROTO);
    event.request_context.domain_name = None;
    event.request_context.stage = None;
    event.raw_path = Some(path);
    (event.body, event.is_base64_encoded) = (None, false);
    // API Gateway takes the cookies out of the headers; where it did, its list alone counts. An empty list must not empty the header.
    event.cookies = event.cookies.filter(|cookies| !cookies.is_empty());
    event
}

/// What `lambda_http` makes of the event. A panic of it is a fault of ours, who let the event through.
pub(super) fn converted(event: ApiGatewayV2httpRequest) -> Result<Request, Problem> {
    catch_unwind(|| Request::from(LambdaRequest::ApiGatewayV2(event))).map_err(|_| {
        tracing::error!("an event could not be made a request");
        Problem::new(ProblemCode::Internal)
    })
}

pub(super) fn without_stage<'a>(path: &'a str, stage: Option<&str>) -> &'a str {
    let Some(stage) = stage.filter(|stage| !stage.is_empty() && *stage != DEFAULT_STAGE) else { return path };
    match path.strip_prefix('/').and_then(|path| path.strip_prefix(stage)) {
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

fn body(body: Option<String>, is_base64: bool) -> Result<EventBody, Problem> {
    let Some(text) = body else { return Ok(EventBody::Empty) };
    // The encoded form bounds the decoded one, so that nothing large is decoded first.
    let encoded_max = BASE64.encode_len(BODY_BYTES_MAX);
    if text.len() > if is_base64 { encoded_max } else { BODY_BYTES_MAX } {
        return Err(Problem::new(ProblemCode::PayloadTooLarge));
    }
    if !is_base64 {
        return Ok(EventBody::Text(text));
    }
    let bytes = BASE64.decode(text.as_bytes()).map_err(|_| malformed())?;
    if bytes.len() > BODY_BYTES_MAX { Err(Problem::new(ProblemCode::PayloadTooLarge)) } else { Ok(EventBody::Binary(bytes)) }
}

/// A longer text, with its escapes, goes as base64.
const TEXT_SENT_BYTES_MAX: usize = 5 * 1_024 * 1_024;

/// The event's answer: cookies apart, and each other header once, since the format has one value a name.
pub(super) async fn response(response: Response) -> ApiGatewayV2httpResponse {
    let (parts, body) = response.into_parts();
    let mut answer = ApiGatewayV2httpResponse::default();
    answer.status_code = i64::from(parts.status.as_u16());
    answer.cookies = parts.headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()).map(str::to_owned).collect();
    answer.headers = single_valued(&parts.headers);
    match axum::body::to_bytes(body, RESPONSE_BYTES_MAX).await {
        Ok(bytes) => set_body(&mut answer, bytes),
        Err(error) => {
            tracing::error!(error = chain(&error), "an answer could not be sent");
            answer.status_code = i64::from(ProblemCode::Internal.status().as_u16());
        }
    }
    answer
}

fn single_valued(headers: &HeaderMap) -> HeaderMap {
    let mut single = HeaderMap::with_capacity(headers.keys_len());
    for name in headers.keys().filter(|name| *name != SET_COOKIE) {
        let values: Vec<_> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        if let Ok(value) = HeaderValue::from_str(&values.join(", ")) {
            single.insert(name, value);
        }
    }
    single
}

fn set_body(answer: &mut ApiGatewayV2httpResponse, bytes: Bytes) {
    if bytes.is_empty() {
        return;
    }
    let (body, is_binary) = match String::from_utf8(bytes.into()) {
        Ok(text) if sent_bytes(&text) <= TEXT_SENT_BYTES_MAX => (EventBody::Text(text), false),
        // Its letters are four thirds as long and none of them grows on the way.
        Ok(text) => (EventBody::Binary(text.into_bytes()), true),
        Err(error) => (EventBody::Binary(error.into_bytes()), true),
    };
    (answer.body, answer.is_base64_encoded) = (Some(body), is_binary);
}

/// What a text comes to inside the answer, which is JSON itself: what has escapes of its own is escaped once more.
fn sent_bytes(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..=0x1f => 6,
        _ => 1,
    };
    text.bytes().map(escaped).sum()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[tokio::test]
    async fn the_longest_answer_fits_whatever_its_letters_are() {
        // Lambda takes 6 MB: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
        let lambda_bytes_max = 6 * 1_024 * 1_024;
        for letter in ["a", "\"", "\\", "\n", "\u{1}", "\u{e4}"] {
            let text = letter.repeat(RESPONSE_BYTES_MAX / letter.len());
            let answer = response(Response::new(Body::from(text.clone()))).await;
            assert!(serde_json::to_vec(&answer).unwrap().len() < lambda_bytes_max, "{letter:?}");
            let read = match answer.body.unwrap() {
                EventBody::Text(text) => text,
                EventBody::Binary(bytes) => String::from_utf8(bytes).unwrap(),
                _ => String::new(),
            };
            assert!(read == text, "{letter:?}");
        }
        let short = response(Response::new(Body::from("\"".repeat(1_000)))).await;
        assert!(!short.is_base64_encoded);
    }

    #[test]
    fn a_stage_is_stripped_only_where_it_is_a_whole_segment() {
        assert_eq!(without_stage("/dev/api/user", Some("dev")), "/api/user");
        assert_eq!(without_stage("/dev", Some("dev")), "/");
        assert_eq!(without_stage("/device/api", Some("dev")), "/device/api");
        assert_eq!(without_stage("/api/user", Some("$default")), "/api/user");
        assert_eq!(without_stage("/$default/api", Some("$default")), "/$default/api");
        assert_eq!(without_stage("/api/user", None), "/api/user");
    }

    #[test]
    fn bodies_are_decoded_strictly_and_bounded() {
        assert_eq!(body(Some("e30=".to_owned()), true).unwrap(), EventBody::Binary(b"{}".to_vec()));
        assert_eq!(body(None, true).unwrap(), EventBody::Empty);
        for bad in ["e30", "e30=\n", "***", "e3 0="] {
            assert_eq!(body(Some(bad.to_owned()), true).unwrap_err().code(), ProblemCode::MalformedRequest, "{bad}");
        }
        assert_eq!(body(Some("a".repeat(BODY_BYTES_MAX)), false).unwrap().len(), BODY_BYTES_MAX);
        let large = BASE64.encode(&vec![b'a'; BODY_BYTES_MAX + 1]);
        for (text, is_base64) in [("a".repeat(BODY_BYTES_MAX + 1), false), (large, true)] {
            assert_eq!(body(Some(text), is_base64).unwrap_err().code(), ProblemCode::PayloadTooLarge);
        }
    }

    #[tokio::test]
    async fn several_cookies_leave_one_by_one_and_other_headers_joined() {
        let mut from = Response::new(Body::from(vec![0xff, 0xfe]));
        for value in ["a=1; Secure", "b=2; Secure"] {
            from.headers_mut().append(SET_COOKIE, HeaderValue::from_static(value));
        }
        for value in ["origin", "accept"] {
            from.headers_mut().append(http::header::VARY, HeaderValue::from_static(value));
        }
        let answer = response(from).await;
        assert_eq!(answer.cookies, ["a=1; Secure", "b=2; Secure"]);
        assert!(!answer.headers.contains_key(SET_COOKIE));
        assert_eq!(answer.headers["vary"], "origin, accept");
        assert!(answer.is_base64_encoded);
        assert_eq!(serde_json::to_value(&answer).unwrap()["body"], "//4=");
    }
}
