//! A request as API Gateway tells a function of it: payload format 2.0.

use std::collections::BTreeMap;

use axum::body::Body;
use http::header::{CONTENT_TYPE, COOKIE, USER_AGENT};
use http::{HeaderMap, Request, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

/// The largest body that Lambda takes in one call.
pub const BODY_BYTES_MAX: usize = 6 * 1_024 * 1_024;

/// What the gateway knows of a request beside its bytes.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The client's address.
    pub source_ip: String,
    /// Names the request in logs.
    pub request_id: String,
    /// When it came.
    pub at: Timestamp,
}

/// The event for `request` on `route`; `Err`: the gateway answers by itself.
pub(super) async fn event_of(request: Request<Body>, caller: &Caller, route: &str) -> Result<Value, StatusCode> {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    let route_key = if route == "$default" { route.to_owned() } else { format!("ANY {route}") };
    let mut event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": parts.uri.path(),
        "rawQueryString": parts.uri.query().unwrap_or_default(),
        "headers": headers(&parts.headers)?,
        "requestContext": {
            "accountId": embedded::ACCOUNT,
            "apiId": "local",
            "domainName": "localhost",
            "domainPrefix": "local",
            "http": {
                "method": parts.method.as_str(),
                "path": parts.uri.path(),
                "protocol": "HTTP/1.1",
                "sourceIp": caller.source_ip,
                "userAgent": parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default(),
            },
            "requestId": caller.request_id,
            "routeKey": route_key,
            "stage": "$default",
            "time": caller.at.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": caller.at.as_millisecond(),
        },
        "isBase64Encoded": false,
    });
    let cookies = cookies(&parts.headers)?;
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    if !bytes.is_empty() {
        match std::str::from_utf8(&bytes) {
            Ok(text) if is_text(&parts.headers) => event["body"] = json!(text),
            _ => {
                event["body"] = json!(data_encoding::BASE64.encode(&bytes));
                event["isBase64Encoded"] = json!(true);
            }
        }
    }
    Ok(event)
}

/// Whether a body of this kind travels as it is. API Gateway looks at the type, not at the bytes: a form goes as base64.
fn is_text(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("text/") || ["application/json", "application/javascript", "application/xml"].contains(&essence.as_str())
}

/// Lower-case names, repeated headers joined by commas, cookies left out.
fn headers(headers: &HeaderMap) -> Result<BTreeMap<String, String>, StatusCode> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| *name != COOKIE) {
        let value = value.to_str().map_err(|_| StatusCode::BAD_REQUEST)?;
        joined.entry(name.as_str().to_owned()).and_modify(|all| *all = format!("{all},{value}")).or_insert_with(|| value.to_owned());
    }
    Ok(joined)
}

/// One entry a cookie.
fn cookies(headers: &HeaderMap) -> Result<Vec<String>, StatusCode> {
    let mut all = Vec::new();
    for value in headers.get_all(COOKIE) {
        let value = value.to_str().map_err(|_| StatusCode::BAD_REQUEST)?;
        all.extend(value.split(';').map(|cookie| cookie.trim().to_owned()).filter(|cookie| !cookie.is_empty()));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller() -> Caller {
        Caller { source_ip: "127.0.0.1".into(), request_id: "r1".into(), at: Timestamp::UNIX_EPOCH }
    }

    #[tokio::test]
    async fn an_event_is_what_api_gateway_sends() {
        let request = Request::builder()
            .method("POST")
            .uri("/api/posts/%41?a=1&b=%20")
            .header("Cookie", "a=1; b=2")
            .header("X-Many", "one")
            .header("X-Many", "two")
            .header("User-Agent", "test")
            .header("Content-Type", "application/json; charset=utf-8")
            .body(Body::from("{}"))
            .unwrap();
        let event = event_of(request, &caller(), "/api/posts/{id}").await.unwrap();
        assert_eq!(event["rawPath"], "/api/posts/%41");
        assert_eq!(event["rawQueryString"], "a=1&b=%20");
        assert_eq!(event["cookies"], json!(["a=1", "b=2"]));
        let headers = json!({ "x-many": "one,two", "user-agent": "test", "content-type": "application/json; charset=utf-8" });
        assert_eq!(event["headers"], headers);
        assert_eq!(event["routeKey"], "ANY /api/posts/{id}");
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("{}"), &json!(false)));
        assert_eq!(event["requestContext"]["time"], "01/Jan/1970:00:00:00 +0000");
    }

    #[tokio::test]
    async fn what_is_no_text_by_its_type_or_its_bytes_travels_as_base64_and_too_much_does_not_travel() {
        let request =
            |kind: &str, body: &[u8]| Request::builder().uri("/").header("Content-Type", kind).body(Body::from(body.to_vec())).unwrap();
        let cases: [(&str, &[u8], &str, bool); 4] = [
            ("text/plain", b"a=1", "a=1", false),
            ("application/x-www-form-urlencoded", b"a=1", "YT0x", true),
            ("", b"a=1", "YT0x", true),
            ("application/json", &[0xff, 0xfe], "//4=", true),
        ];
        for (kind, body, travels, is_base64) in cases {
            let event = event_of(request(kind, body), &caller(), "$default").await.unwrap();
            assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!(travels), &json!(is_base64)), "{kind}");
        }
        let refused = event_of(request("text/plain", &vec![b'a'; BODY_BYTES_MAX + 1]), &caller(), "$default").await;
        assert_eq!(refused.unwrap_err(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}
