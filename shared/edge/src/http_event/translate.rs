//! API Gateway's payload format 2.0 ↔ `http`.

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body as EventBody;
use axum::body::{Body, Bytes};
use axum::response::Response;
use data_encoding::BASE64;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Request, Uri};

use super::client::{ClientAddress, RequestId};
use super::guard::malformed;
use super::{BODY_BYTES_MAX, RESPONSE_BYTES_MAX};
use crate::problem::{Problem, ProblemCode, chain};

/// The stage that leaves no prefix in the path.
const DEFAULT_STAGE: &str = "$default";

/// Builds the request of an event that passed the guard. Path and query reach the router byte for byte; the host stays
/// a header that nothing believes.
pub(super) fn request(event: ApiGatewayV2httpRequest) -> Result<Request<Body>, Problem> {
    let uri = uri(&event)?;
    let client = ClientAddress::from_source_ip(event.request_context.http.source_ip.as_deref());
    let request_id = RequestId::from_context(event.request_context.request_id.as_deref());
    let method = event.request_context.http.method;
    let body = body(event.body, event.is_base64_encoded)?;
    let headers = with_cookies(event.headers, event.cookies.as_deref().unwrap_or_default())?;

    let mut request = Request::new(Body::from(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    request.extensions_mut().insert(client);
    request.extensions_mut().insert(request_id);
    Ok(request)
}

fn uri(event: &ApiGatewayV2httpRequest) -> Result<Uri, Problem> {
    let path = without_stage(event.raw_path.as_deref().unwrap_or_default(), event.request_context.stage.as_deref());
    let query = event.raw_query_string.as_deref().unwrap_or_default();
    let text = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    let uri: Uri = text.parse().map_err(|_| malformed())?;
    // The parser must have understood what we did.
    if uri.path() == path && uri.query().unwrap_or_default() == query { Ok(uri) } else { Err(malformed()) }
}

pub(super) fn without_stage<'a>(path: &'a str, stage: Option<&str>) -> &'a str {
    let Some(stage) = stage.filter(|stage| !stage.is_empty() && *stage != DEFAULT_STAGE) else { return path };
    match path.strip_prefix('/').and_then(|path| path.strip_prefix(stage)) {
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

fn body(body: Option<String>, is_base64: bool) -> Result<Bytes, Problem> {
    let Some(text) = body else { return Ok(Bytes::new()) };
    // The encoded form bounds the decoded one, so that nothing large is decoded first.
    let encoded_max = BASE64.encode_len(BODY_BYTES_MAX);
    if text.len() > if is_base64 { encoded_max } else { BODY_BYTES_MAX } {
        return Err(Problem::new(ProblemCode::PayloadTooLarge));
    }
    let bytes = if is_base64 { BASE64.decode(text.as_bytes()).map_err(|_| malformed())? } else { text.into_bytes() };
    if bytes.len() > BODY_BYTES_MAX { Err(Problem::new(ProblemCode::PayloadTooLarge)) } else { Ok(bytes.into()) }
}

/// API Gateway takes the cookies out of the headers; where it did, its list alone counts.
fn with_cookies(mut headers: HeaderMap, cookies: &[String]) -> Result<HeaderMap, Problem> {
    if !cookies.is_empty() {
        let value = HeaderValue::from_str(&cookies.join("; ")).map_err(|_| malformed())?;
        headers.insert(COOKIE, value);
    }
    Ok(headers)
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
        assert_eq!(body(Some("e30=".to_owned()), true).unwrap(), "{}");
        assert_eq!(body(None, true).unwrap(), "");
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
