//! What `lambda_http` makes of odd events by itself, and what comes of them here.

use axum::routing::any;
use http::Uri;
use lambda_http::request::RequestContext;
use tracing::dispatcher::with_default;

use super::*;

const PATH: &str = "/api/things/1";

/// What a handler answers that repeats the address as it arrived.
async fn answer_to(event: &Value) -> ApiGatewayV2httpResponse {
    let router = Router::new().route("/api/things/{id}", any(|uri: Uri| async move { uri.to_string() }));
    receive(router, serde_json::from_value(event.clone()).unwrap()).await
}

/// An event for [`PATH`] in which `changes` are made, also one level down.
fn changed(changes: &Value) -> Value {
    let mut event = event("GET", PATH);
    for (key, value) in changes.as_object().unwrap() {
        if let (Some(old), Some(new)) = (event[key].as_object_mut(), value.as_object()) {
            old.extend(new.clone());
        } else {
            event[key] = value.clone();
        }
    }
    event
}

fn read(event: &Value) -> ApiGatewayV2httpRequest {
    serde_json::from_value(event.clone()).unwrap()
}

/// The address that `lambda_http` makes of an event by itself; none: it panics.
fn by_itself(event: &Value) -> Option<String> {
    let request = translate::converted(read(event)).ok()?;
    Some(request.uri().path_and_query().unwrap().to_string())
}

#[tokio::test]
async fn odd_hosts_schemes_and_stages_leave_the_address_as_it_was_sent() {
    // What is changed, and the address that `lambda_http` makes by itself; none: it panics.
    let odd = [
        (json!({"headers": {"host": "a b"}}), None),
        (json!({"headers": {"host": "a:b"}}), None),
        (json!({"headers": {"host": ""}}), Some("/things/1")),
        (json!({"headers": {"host": "a/b"}}), Some("/b/api/things/1")),
        (json!({"headers": {"host": "a?"}}), Some("/?/api/things/1")),
        (json!({"headers": {"x-forwarded-proto": ""}}), None),
        (json!({"headers": {"x-forwarded-proto": "http, https"}}), None),
        (json!({"requestContext": {"stage": "dev"}}), Some("/dev/api/things/1")),
        (json!({"requestContext": {"stage": ""}}), Some("//api/things/1")),
        (json!({"requestContext": {"stage": "dev"}, "rawPath": "/dev/api/things/1"}), Some("/dev/api/things/1")),
    ];
    for (changes, made) in odd {
        let event = changed(&changes);
        assert_eq!(by_itself(&event).as_deref(), made, "{changes}");
        let response = answer_to(&event).await;
        assert_eq!((response.status_code, body(&response).as_str()), (200, PATH), "{changes}");
    }
    // Without a Host, `lambda_http` reads the domain.
    let mut hostless = changed(&json!({"requestContext": {"domainName": "a b"}}));
    hostless["headers"] = json!({});
    assert_eq!(by_itself(&hostless), None);
    assert_eq!(body(&answer_to(&hostless).await), PATH);
}

#[tokio::test]
async fn odd_paths_queries_and_bodies_are_refused_as_malformed() {
    let long = "a".repeat(70_000);
    let odd = [
        (json!({"rawPath": "/api/things/../admin"}), Some("/api/admin")),
        (json!({"rawPath": "/api/things/%2e%2E/admin"}), Some("/api/admin")),
        (json!({"rawPath": "/api/things\\1"}), Some(PATH)),
        (json!({"rawPath": "/api/thi\tngs/1"}), Some(PATH)),
        (json!({"rawPath": "/api/things/1#2"}), Some(PATH)),
        (json!({"rawPath": "/api/things/a b"}), Some("/api/things/a%20b")),
        (json!({"rawPath": "/api/things/\u{fc}"}), Some("/api/things/%C3%BC")),
        (json!({"rawPath": "api/things/1"}), Some("/things/1")),
        (json!({"rawPath": ":api"}), None),
        (json!({"rawPath": format!("/{long}")}), None),
        (json!({"rawQueryString": "a=1#2"}), Some("/api/things/1?a=1")),
        (json!({"rawQueryString": "a b"}), None),
        (json!({"rawQueryString": "a=\""}), None),
        (json!({"rawQueryString": "a=<b>"}), None),
        (json!({"rawQueryString": long}), None),
        (json!({"body": "***", "isBase64Encoded": true}), None),
        (json!({"body": "e30", "isBase64Encoded": true}), None),
    ];
    for (changes, made) in odd {
        let event = changed(&changes);
        assert_eq!(by_itself(&event).as_deref(), made, "{changes}");
        let response = answer_to(&event).await;
        assert_eq!(response.status_code, 400, "{changes}");
        assert!(body(&response).contains("\"malformed_request\""), "{changes}");
    }
}

#[test]
fn cookies_are_neither_dropped_nor_emptied() {
    let cookies = |request: lambda_http::Request| request.headers().get(COOKIE).map(|value| value.to_str().unwrap().to_owned());

    let event = read(&changed(&json!({"cookies": [], "headers": {"cookie": "a=1"}})));
    assert_eq!(cookies(translate::converted(event.clone()).unwrap()).as_deref(), Some(""));
    assert_eq!(cookies(translate::request(event).unwrap()).as_deref(), Some("a=1"));

    let event = read(&changed(&json!({"cookies": ["a=1\r\nb"]})));
    assert_eq!(cookies(translate::converted(event.clone()).unwrap()), None);
    assert_eq!(guard::check(&event).unwrap_err().code(), ProblemCode::MalformedRequest);
}

#[test]
fn a_handler_sees_no_host_and_nothing_of_the_event_but_the_caller_and_the_id() {
    let event = read(&changed(&json!({"headers": {"x-forwarded-proto": "http"}})));
    assert!(translate::converted(event.clone()).unwrap().extensions().get::<RequestContext>().is_some());

    let request = translate::request(event).unwrap();
    assert!(request.headers().is_empty());
    assert_eq!(request.uri().authority(), None);
    let extensions = request.extensions();
    assert_eq!(extensions.len(), 2);
    assert_eq!(extensions.get::<RequestId>().unwrap().as_str(), "req-1");
    assert_eq!(extensions.get::<ClientAddress>().unwrap().limit_key(), "203.0.113.9");
}

#[test]
fn a_panic_of_lambda_http_is_an_internal_problem_with_a_line() {
    let captured = Captured::default();
    let event = read(&changed(&json!({"headers": {"host": "hunter2 hunter2"}})));
    let converted =
        with_default(&telemetry::scoped(tracing::Level::ERROR, Clock::system(), captured.lines()), || translate::converted(event));
    assert_eq!(converted.unwrap_err().code(), ProblemCode::Internal);
    let lines = captured.read();
    assert!(lines.len() == 1 && lines[0].contains("an event could not be made a request") && !lines[0].contains("hunter2"), "{lines:?}");
}

proptest! {
    #[test]
    fn what_passes_the_check_arrives_byte_for_byte(
        path in "(/([a-zA-Z0-9._~!$&'()*+,;=:@-]|%[46][0-9a-f]){1,8}){1,4}/?",
        query in "[!$-;=?-~]{0,40}",
        host in "[ -~]{0,12}",
    ) {
        let event = read(&changed(&json!({
            "rawPath": path, "routeKey": format!("ANY {path}"), "rawQueryString": query,
            "headers": {"host": host, "x-forwarded-proto": host}, "requestContext": {"domainName": host},
        })));
        if guard::check(&event).is_ok() {
            let request = translate::request(event).unwrap();
            prop_assert_eq!(request.uri().path(), path);
            prop_assert_eq!(request.uri().query().unwrap_or_default(), query);
        }
    }
}
