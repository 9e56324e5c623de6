use axum::routing::{get, post};
use http::header::{COOKIE, LOCATION};
use http::{HeaderMap, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};
use tracing::instrument::WithSubscriber;

use super::*;
use crate::clock::Clock;
use crate::lines::Captured;
use crate::routing::with_fallbacks;
use crate::telemetry;

mod odd_events;

fn router() -> Router {
    with_fallbacks(
        Router::new()
            .route("/api/echo", post(|body: String| async move { body }))
            .route("/api/cookies", get(|headers: HeaderMap| async move { headers[COOKIE].to_str().unwrap().to_owned() }))
            .route("/api/things/{id}", get(|client: ClientAddress| async move { client.limit_key() }))
            .route("/api/panic", get(panics))
            .route("/api/cached", get(|| async { ([(CACHE_CONTROL, "max-age=60"), (LOCATION, "/x")], "ok") })),
    )
}

async fn panics() -> &'static str {
    std::hint::black_box(None).expect("a secret: hunter2")
}

/// The event for a path by which the gateway also chose the route.
fn event(method: &str, path: &str) -> Value {
    let route = if path.starts_with("/api/things/") { "/api/things/{id}" } else { path };
    json!({
        "version": "2.0", "routeKey": format!("ANY {route}"), "rawPath": path, "rawQueryString": "", "headers": {"host": "evil.example"},
        "requestContext": {
            "stage": "$default", "requestId": "req-1", "timeEpoch": 0,
            "http": {"method": method, "path": path, "sourceIp": "203.0.113.9"},
        },
        "isBase64Encoded": false,
    })
}

async fn send(event: Value) -> ApiGatewayV2httpResponse {
    receive(router(), serde_json::from_value(event).unwrap()).await
}

fn body(response: &ApiGatewayV2httpResponse) -> String {
    String::from_utf8(response.body.as_ref().map(|body| body.to_vec()).unwrap_or_default()).unwrap()
}

#[tokio::test]
async fn odd_raw_events_are_refused_with_a_problem_that_repeats_nothing() {
    let with = |key: &str, value: Value| {
        let mut event = event("GET", "/api/cached");
        event[key] = value;
        event
    };
    let mut events = vec![
        with("rawQueryString", json!("q=marker \"<>")),
        with("rawQueryString", json!("q=marker#x")),
        with("headers", json!({"x-odd": "marker\r\nset-cookie: a=b"})),
        with("headers", json!({"bad name marker": "x"})),
        with("headers", json!({"x-long": "marker".repeat(4_000)})),
        with("cookies", json!(["a=marker\r\nb"])),
        with("requestContext", json!({})),
        with("rawPath", json!(7)),
        json!({}),
        json!([]),
        json!("marker"),
        json!(null),
    ];
    let mut bad_body = event("POST", "/api/echo");
    bad_body["isBase64Encoded"] = json!(true);
    bad_body["body"] = json!("marker*");
    events.push(bad_body);
    for path in
        ["/api/../marker", "/api/%2e%2e/marker", "/api/..\\marker", "//marker", "/https://marker", "/api/\0marker", "/git.new/marker"]
    {
        events.push(event("GET", path));
    }
    for event in events {
        let response = send(event.clone()).await;
        assert!(matches!(response.status_code, 400 | 404), "{event}: {}", response.status_code);
        assert_eq!(response.headers["content-type"], "application/problem+json");
        assert!(!serde_json::to_string(&response).unwrap().contains("marker"), "{event}");
        assert!(!response.headers.contains_key(LOCATION));
    }
}

/// What was sent, the route that a gateway chooses by the undecoded path, and the path decoded.
const DRESSED_UP: [(&str, &str, &str); 8] = [
    ("/api/%63ached", "$default", "/api/cached"),
    ("/%61pi/cached", "$default", "/api/cached"),
    ("/api%2Fcached", "$default", "/api/cached"),
    ("/api/things%2f1", "$default", "/api/things/1"),
    ("/api/things/1%2F", "ANY /api/things/{id}", "/api/things/1/"),
    ("/api/things/..%2fcached", "ANY /api/things/{id}", "/api/things/../cached"),
    ("/api/things/1%2f2", "ANY /api/things/{id}", "/api/things/1/2"),
    ("/api/things/%252e%252e", "ANY /api/things/{id}", "/api/things/%2e%2e"),
];

#[tokio::test]
async fn a_path_that_is_dressed_up_is_refused_whether_or_not_the_gateway_decodes_it() {
    for (sent, route_key, decoded) in DRESSED_UP {
        for path in [sent, decoded] {
            let mut event = event("GET", path);
            event["routeKey"] = json!(route_key);
            let response = send(event).await;
            assert!(matches!(response.status_code, 400 | 404), "{sent} as {path}: {}", response.status_code);
        }
    }
    // As it is written, it is served; below a stage, too.
    assert_eq!(send(event("GET", "/api/things/1")).await.status_code, 200);
    let mut staged = event("GET", "/api/things/1");
    staged["rawPath"] = json!("/dev/api/things/1");
    staged["requestContext"]["stage"] = json!("dev");
    assert_eq!(send(staged).await.status_code, 200);
}

#[tokio::test]
async fn odd_hosts_and_forwarded_headers_change_nothing() {
    for (name, value) in
        [("host", "a b"), ("host", ""), ("x-forwarded-proto", ""), ("x-forwarded-proto", "http, https"), ("x-forwarded-host", "evil")]
    {
        let mut event = event("GET", "/api/cached");
        event["headers"] = json!({name: value});
        assert_eq!(send(event).await.status_code, 200, "{name}: {value}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    for path in ["/api/cached", "/nowhere", "//"] {
        let response = send(event("GET", path)).await;
        for (name, value) in SECURITY_HEADERS {
            assert_eq!(response.headers[&name], value, "{path}");
        }
    }
    assert_eq!(send(event("GET", "/api/cached")).await.headers[CACHE_CONTROL], "max-age=60");
    assert_eq!(send(event("GET", "/nowhere")).await.headers[CACHE_CONTROL], "no-store");
}

#[tokio::test]
async fn bodies_and_cookies_arrive_as_they_were_sent() {
    let mut sent = event("POST", "/api/echo");
    sent["body"] = json!("aGVsbG8=");
    sent["isBase64Encoded"] = json!(true);
    assert_eq!(body(&send(sent).await), "hello");

    let mut sent = event("GET", "/api/cookies");
    sent["cookies"] = json!(["a=1", "b=2"]);
    assert_eq!(body(&send(sent).await), "a=1; b=2");

    let mut sent = event("POST", "/api/echo");
    sent["body"] = json!("a".repeat(BODY_BYTES_MAX + 1));
    assert_eq!(send(sent).await.status_code, 413);
}

#[test]
fn a_request_keeps_its_method_query_headers_and_body() {
    let mut sent = event("POST", "/api/echo");
    sent["rawQueryString"] = json!("q=a+b&q=c%20d&e");
    sent["headers"] = json!({"x-joined": "one,two", "x-apart": ["one", "two"]});
    sent["body"] = json!("a+b");
    let request = translate::request(serde_json::from_value(sent).unwrap()).unwrap();
    assert_eq!((request.method().as_str(), request.uri().to_string().as_str()), ("POST", "/api/echo?q=a+b&q=c%20d&e"));
    assert_eq!(request.headers()["x-joined"], "one,two");
    assert_eq!(request.headers().get_all("x-apart").iter().collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(&request.body()[..], b"a+b");
}

#[tokio::test]
async fn a_wrong_method_names_the_right_ones() {
    let response = send(event("DELETE", "/api/echo")).await;
    assert_eq!(response.status_code, 405);
    assert_eq!(response.headers["allow"], "POST");
    assert_eq!(serde_json::from_str::<Value>(&body(&response)).unwrap()["code"], "method_not_allowed");
}

#[tokio::test]
async fn the_callers_address_comes_from_the_gateway_alone() {
    let mut sent = event("GET", "/api/things/1");
    sent["headers"] = json!({"x-forwarded-for": "198.51.100.1"});
    assert_eq!(body(&send(sent).await), "203.0.113.9");
}

#[tokio::test]
async fn a_panic_of_a_handler_is_an_internal_problem() {
    let response = send(event("GET", "/api/panic")).await;
    assert_eq!(response.status_code, i64::from(StatusCode::INTERNAL_SERVER_ERROR.as_u16()));
    assert!(body(&response).contains("\"internal\"") && !body(&response).contains("hunter2"));
}

#[tokio::test]
async fn a_line_has_its_request_id_even_where_only_warnings_are_logged() {
    let captured = Captured::default();
    let subscriber = telemetry::scoped(tracing::Level::WARN, Clock::system(), captured.lines());
    send(event("GET", "/api/panic")).with_subscriber(subscriber).await;
    let lines = captured.read();
    assert!(lines.len() == 1 && lines[0].contains("\"request_id\":\"req-1\"") && !lines[0].contains("hunter2"), "{lines:?}");
}

#[tokio::test]
async fn the_access_log_has_the_route_and_nothing_of_the_caller() {
    let captured = Captured::default();
    let subscriber = telemetry::scoped(tracing::Level::INFO, Clock::system(), captured.lines());
    let mut sent = event("GET", "/api/things/private-id");
    sent["rawQueryString"] = json!("token=secret");
    sent["cookies"] = json!(["a=cookie-value"]);
    send(sent).with_subscriber(subscriber).await;

    let lines = captured.read();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(
        (&line["message"], &line["method"], &line["route"], &line["status"], &line["request_id"]),
        (&json!("request"), &json!("GET"), &json!("/api/things/{id}"), &json!(200), &json!("req-1"))
    );
    assert!(line["duration_ms"].is_u64());
    for secret in ["private-id", "secret", "cookie-value", "203.0.113.9", "evil"] {
        assert!(!lines[0].contains(secret), "{secret}");
    }
}

/// Events whose every part may be odd.
fn any_event() -> impl Strategy<Value = Value> {
    let method = prop_oneof![Just("GET".to_owned()), Just("POST".to_owned()), Just("get".to_owned()), Just("TRACE".to_owned()), ".{0,6}"];
    let path = prop_oneof![
        Just("/api/cached".to_owned()),
        Just("/api/echo".to_owned()),
        "/api/things/[a-z%0-9.]{0,8}",
        "/[%a-f0-9./:\\\\-]{0,20}",
        ".{0,20}"
    ];
    let headers = proptest::collection::btree_map("[a-zA-Z-]{1,12}|.{0,6}", ".{0,20}", 0..4);
    let body = proptest::option::of(prop_oneof![Just("e30=".to_owned()), ".{0,40}"]);
    let route =
        prop_oneof![Just(None), Just(Some("$default".to_owned())), Just(Some("ANY /api/things/{id}".to_owned())), ".{0,9}".prop_map(Some)];
    (route, method, path, ".{0,20}", headers, proptest::collection::vec(".{0,20}", 0..3), body, any::<bool>()).prop_map(
        |(route, method, path, query, headers, cookies, body, is_base64)| {
            let route_key = route.unwrap_or_else(|| format!("ANY {path}"));
            json!({
                "version": "2.0", "routeKey": route_key, "rawPath": path, "rawQueryString": query, "headers": headers, "cookies": cookies,
                "requestContext": {"stage": "$default", "http": {"method": method, "path": path, "sourceIp": query}},
                "body": body, "isBase64Encoded": is_base64,
            })
        },
    )
}

proptest! {
    #[test]
    fn any_event_is_answered_and_never_with_a_failure_or_a_redirect(event in any_event()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        // Read as Lambda reads it: from bytes.
        let incoming = serde_json::from_slice(&serde_json::to_vec(&event).unwrap()).unwrap();
        let response = runtime.block_on(receive(router(), incoming));
        prop_assert!((200..300).contains(&response.status_code) || (400..500).contains(&response.status_code), "{}", response.status_code);
        for (name, value) in SECURITY_HEADERS {
            prop_assert_eq!(&response.headers[&name], value);
        }
        prop_assert_eq!(response.headers.contains_key("allow"), response.status_code == 405);
    }
}
