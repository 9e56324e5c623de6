use axum::Router;
use axum::routing::{get, post};
use domain::id::PostId;
use http::StatusCode;
use tower::ServiceExt;

use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Thing {
    name: String,
    count: u8,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    limit: Option<u8>,
}

async fn make(Json(thing): Json<Thing>) -> (StatusCode, Json<String>) {
    (StatusCode::CREATED, Json(format!("{}{}", thing.name, thing.count)))
}

async fn retry(thing: Option<Json<Thing>>) -> Json<bool> {
    Json(thing.is_some())
}

fn router() -> Router {
    Router::new()
        .route("/things", post(make).get(|Query(page): Query<Page>| async move { Json(page.limit) }))
        .route("/retry", post(retry))
        .route("/empty", post(|_: Empty| async { StatusCode::NO_CONTENT }))
        .route("/posts/{id}", get(|Path(id): Path<PostId>| async move { id.to_string() }))
}

async fn ask(request: Request) -> (u16, String) {
    let response = router().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(bytes.into()).unwrap())
}

async fn send(path: &str, content_type: Option<&str>, body: impl Into<Body>) -> (u16, String) {
    let request = content_type.into_iter().fold(Request::post(path), |request, value| request.header(CONTENT_TYPE, value));
    ask(request.body(body.into()).unwrap()).await
}

async fn ask_for(path: &str) -> (u16, String) {
    ask(Request::get(path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_sound_body_is_read_and_answered_in_json() {
    for content_type in ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\""] {
        let (status, body) = send("/things", Some(content_type), r#"{"name": "a", "count": 1}"#).await;
        assert_eq!((status, body.as_str()), (201, "\"a1\""), "{content_type}");
    }
}

#[tokio::test]
async fn each_kind_of_bad_body_has_its_code_and_is_not_repeated() {
    let nested = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    let table: &[(&[u8], u16, &str)] = &[
        (b"", 400, "malformed_json"),
        (b"{", 400, "malformed_json"),
        (b"marker", 400, "malformed_json"),
        (b"{\"name\": \"marker\", \"count\": 1} marker", 400, "malformed_json"),
        (b"{\"name\": \"a\", \"count\": 1, \"marker\": 1}", 400, "malformed_json"),
        (b"{\"name\": \"a\", \"name\": \"marker\", \"count\": 1}", 400, "malformed_json"),
        (b"{\"name\": \"\xff\", \"count\": 1}", 400, "malformed_json"),
        (b"{\"name\": \"\\ud800\", \"count\": 1}", 400, "malformed_json"),
        (nested.as_bytes(), 422, "validation_failed"),
        (b"{\"name\": 7, \"count\": 1}", 422, "validation_failed"),
        (b"{\"name\": \"a\", \"count\": \"marker\"}", 422, "validation_failed"),
        (b"{\"name\": \"a\", \"count\": 256}", 422, "validation_failed"),
        (b"{\"name\": \"a\"}", 422, "validation_failed"),
        (b"null", 422, "validation_failed"),
        (b"[\"marker\", 1]", 422, "validation_failed"),
    ];
    for (sent, status, code) in table {
        let (got, body) = send("/things", Some("application/json"), sent.to_vec()).await;
        assert_eq!(got, *status, "{body}");
        assert!(body.contains(&format!("\"{code}\"")), "{body}");
        assert!(!body.contains("marker"), "{body}");
    }
    let (_, body) = send("/things", Some("application/json"), "{\n  \"name\": 7}").await;
    assert!(body.contains("line 2, column"), "{body}");
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only whether it is read matters")]
struct Order {
    text: String,
    items: Vec<Object<Thing>>,
    #[serde(default)]
    side: Option<Side>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Side {
    Left,
    Right,
}

#[test]
fn the_field_at_fault_is_named_by_its_pointer_with_what_it_takes_and_its_value_is_not_repeated() {
    for (body, pointer, code, told) in [
        (r#"{"items":[]}"#, "/text", "value_missing", "This field is needed. Give it too."),
        (r#"{"text":7,"items":[]}"#, "/text", "value_of_wrong_kind", "Give a text here."),
        (r#"{"text":null,"items":[]}"#, "/text", "value_of_wrong_kind", "Give a text here."),
        (r#"{"text":"a","items":"evil"}"#, "/items", "value_of_wrong_kind", "Give a list here."),
        (r#"{"text":"a","items":"evil, expected evil"}"#, "/items", "value_of_wrong_kind", "Give a list here."),
        (
            r#"{"text":"a","items":[{"name":"a","count":1},{"name":"b"}]}"#,
            "/items/1/count",
            "value_missing",
            "This field is needed. Give it too.",
        ),
        (r#"{"text":"a","items":[{"name":"a","count":"evil"}]}"#, "/items/0/count", "value_of_wrong_kind", "Give a whole number here."),
        (r#"{"text":"a","items":[{"name":"a","count":256}]}"#, "/items/0/count", "value_of_wrong_kind", "Give a whole number here."),
        (r#"{"text":"a","items":[["a",1]]}"#, "/items/0", "value_of_wrong_kind", "Give an object here."),
        (r#"{"text":"a","items":[],"side":"evil"}"#, "/side", "value_unknown", "This value is not known here: it takes `left` or `right`."),
        (r#"{"text":"a","items":[],"side":7}"#, "/side", "value_of_wrong_kind", "Give a value of the kind that the contract names here."),
        (r#"["evil"]"#, "", "value_of_wrong_kind", "Give an object here."),
        (r#"{"text":"a","text":"evil","items":[]}"#, "/text", "name_repeated", "Give this key once."),
    ] {
        let problem = parse::<Order>(body.as_bytes()).unwrap_err();
        let [error] = problem.errors() else { panic!("one field is at fault: {body}") };
        assert_eq!((error.pointer.as_ref(), error.code.as_str(), error.detail.as_ref()), (pointer, code, told), "{body}");
    }
    let unknown = parse::<Order>(br#"{"text":"a","items":[{"name":"a","count":1,"evil":2}]}"#).unwrap_err();
    let [error] = unknown.errors() else { panic!("one object is at fault") };
    assert_eq!(
        (unknown.code(), error.pointer.as_ref(), error.code),
        (ProblemCode::MalformedJson, "/items/0", crate::problem::FieldCode::NameUnknown)
    );
    assert!(error.detail.contains("it takes `name` or `count`") && !error.detail.contains("evil"), "{}", error.detail);
}

#[test]
fn nesting_is_bounded() {
    let nested = format!("{{\"a\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(parse::<serde_json::Value>(nested.as_bytes()).unwrap_err().code(), ProblemCode::MalformedJson);
}

#[tokio::test]
async fn other_media_types_are_refused() {
    let body = r#"{"name": "a", "count": 1}"#;
    for content_type in [None, Some(""), Some("text/plain"), Some("application/json; charset=latin1"), Some("application/jsonp")] {
        assert_eq!(send("/things", content_type, body).await.0, 415, "{content_type:?}");
    }
    let twice = Request::post("/things").header(CONTENT_TYPE, "application/json").header(CONTENT_TYPE, "text/plain");
    assert_eq!(ask(twice.body(Body::from(body)).unwrap()).await.0, 415);
    let packed = Request::post("/things").header(CONTENT_TYPE, "application/json").header(CONTENT_ENCODING, "gzip");
    assert_eq!(ask(packed.body(Body::from(body)).unwrap()).await.0, 415);
}

#[tokio::test]
async fn a_large_body_is_refused() {
    let body = format!("\"{}\"", "a".repeat(BODY_BYTES_MAX));
    assert_eq!(send("/things", Some("application/json"), body).await.0, 413);
}

#[tokio::test]
async fn a_call_without_input_takes_nothing_or_an_empty_object() {
    assert_eq!(send("/empty", None, "").await.0, 204);
    assert_eq!(send("/empty", Some("application/json"), "").await.0, 204);
    assert_eq!(send("/empty", Some("application/json"), " {} ").await.0, 204);
    assert_eq!(send("/empty", Some("application/json"), r#"{"a": 1}"#).await.0, 400);
    assert_eq!(send("/empty", Some("application/json"), "7").await.0, 422);
    assert_eq!(send("/empty", Some("text/plain"), "{}").await.0, 415);
    assert_eq!(send("/empty", None, "a=b").await.0, 415);
}

#[tokio::test]
async fn an_optional_body_may_be_absent_but_not_odd() {
    assert_eq!(send("/retry", None, "").await, (200, "false".to_owned()));
    assert_eq!(send("/retry", Some("application/json"), r#"{"name": "a", "count": 1}"#).await, (200, "true".to_owned()));
    assert_eq!(send("/retry", Some("application/json"), "{").await.0, 400);
    assert_eq!(send("/retry", None, "{}").await.0, 415);
}

#[tokio::test]
async fn the_query_is_read_strictly() {
    assert_eq!(ask_for("/things?limit=7").await, (200, "7".to_owned()));
    assert_eq!(ask_for("/things").await, (200, "null".to_owned()));
    for query in ["limit=256", "limit=x", "limit=1&limit=2", "other=1", "limit="] {
        let (status, body) = ask_for(&format!("/things?{query}")).await;
        assert_eq!(status, 400, "{query}");
        assert!(body.contains("malformed_request"));
    }
}

#[tokio::test]
async fn an_id_that_cannot_be_is_not_found() {
    assert_eq!(ask_for("/posts/01ARZ3NDEKTSV4RRFFQ69G5FAV").await.0, 200);
    for id in ["7", "01arz3ndektsv4rrffq69g5fav", "%ff", "..%20"] {
        let (status, body) = ask_for(&format!("/posts/{id}")).await;
        assert_eq!(status, 404, "{id}");
        assert!(body.contains("not_found"));
    }
}
