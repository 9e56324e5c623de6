use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use axum::routing::{get, post};
use domain::id::{SessionId, UserId};
use domain::idempotency::Progress;
use domain::people::session::{Session, SessionToken};
use http::header::{ALLOW, RETRY_AFTER};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tower::ServiceExt;

use super::*;
use crate::routing::with_fallbacks;

/// A service whose routes count their runs, and the records behind it.
#[derive(Clone)]
struct Fixture {
    records: Arc<Mutex<HashMap<String, Record>>>,
    runs: Arc<AtomicUsize>,
    later_secs: Arc<AtomicI64>,
    /// The next so many writes of records fail.
    failing: Arc<AtomicUsize>,
    /// The slow route waits for a permit.
    gate: Arc<Semaphore>,
}

impl Fixture {
    fn new() -> Self {
        Self {
            records: Arc::default(),
            runs: Arc::default(),
            later_secs: Arc::default(),
            failing: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
        }
    }

    fn put(&self, record: Record) -> Result<Option<Record>, Problem> {
        if self.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(Problem::unavailable(SignedDuration::from_secs(1)));
        }
        let mut records = self.records.lock().unwrap();
        let name = record.name.as_str().to_owned();
        match records.get(&name) {
            Some(standing) if standing.rev + 1 != record.rev => Ok(Some(standing.clone())),
            None if record.rev != 1 => panic!("a record that nobody stored"),
            _ => {
                records.insert(name, record);
                Ok(None)
            }
        }
    }

    fn router(&self) -> Router {
        let (this, later) = (self.clone(), self.later_secs.clone());
        let put = move |record| std::future::ready(this.put(record));
        let clock = Clock::from_fn(move || at(later.load(Ordering::SeqCst)));
        let count = self.runs.clone();
        let run = move || count.fetch_add(1, Ordering::SeqCst) + 1;
        let (made, slow, gate) = (run.clone(), run.clone(), self.gate.clone());
        let counter = Arc::new(AtomicUsize::new(0));
        let random = Random::from_fn(move |bytes| {
            let next = counter.fetch_add(1, Ordering::SeqCst).to_be_bytes();
            bytes.iter_mut().zip(next.iter().rev()).for_each(|(byte, next)| *byte = *next);
        });
        let refuse = run.clone();
        let problem = move |axum::extract::Path(code): axum::extract::Path<String>| {
            refuse();
            let passes = code.strip_prefix("passing-");
            let code = ProblemCode::ALL.iter().copied().find(|known| known.as_str() == passes.unwrap_or(&code)).unwrap();
            let problem = Problem::new(code);
            std::future::ready(if passes.is_some() { problem.with_retry_after(SignedDuration::from_secs(60)) } else { problem })
        };
        let status = move |axum::extract::Path(status): axum::extract::Path<u16>| {
            run();
            std::future::ready(StatusCode::from_u16(status).unwrap())
        };
        let routes = Router::new()
            .route("/made", post(move |Run(seed)| async move { (StatusCode::CREATED, [(ETAG, "\"1\"")], told(made(), seed.as_ref())) }))
            .route("/made/other", post(|| async { "other" }).get(|| async { "read" }))
            .route("/status/{status}", post(status))
            .route("/problem/{code}", post(problem))
            .route("/cookie", post(|| async { ([(SET_COOKIE, "a=secret")], "secret") }))
            .route("/large", post(|| async { "ü".repeat(600_000) }))
            .route(
                "/slow",
                post(move || async move {
                    gate.acquire().await.unwrap().forget();
                    told(slow(), None)
                }),
            )
            .route("/read", get(|| async { "read" }));
        with_fallbacks(Keys::new(put, clock, random).honoured(routes))
    }

    async fn send(&self, request: Request) -> Answer {
        let response = self.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, RESPONSE_BYTES_MAX).await.unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    async fn post(&self, path: &str, key: &str, body: &str) -> Answer {
        self.send(request(path, key, body, 1)).await
    }
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        body["code"].as_str().unwrap().to_owned()
    }

    fn is_replayed(&self) -> bool {
        self.headers.contains_key(REPLAYED_HEADER)
    }
}

fn told(run: usize, seed: Option<&Seed>) -> String {
    let seed = seed.map_or("-".to_owned(), |seed| format!("{} {:?}", seed.is_repeat(), seed.entropy("thing", 0)));
    format!("run {run} {seed}")
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_764_000_000 + secs).unwrap()
}

fn request(path: &str, key: &str, body: &str, user: u8) -> Request {
    let session = Session::open(SessionId::new(at(0), [user; 10]), UserId::new(at(0), [user; 10]), None, at(0));
    let token = SessionToken::from_entropy([user; 32]);
    let signed_in = SignedIn { session, token_hash: token.hash(), csrf_token: token.csrf_token() };
    let request = Request::builder().method("POST").uri(path).header(KEY_HEADER, key).extension(signed_in);
    request.body(Body::from(body.to_owned())).unwrap()
}

#[tokio::test]
async fn the_same_request_is_made_once_and_answered_the_same() {
    let service = Fixture::new();
    let first = service.post("/made", "k1", "{}").await;
    let again = service.post("/made", "k1", "{}").await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!((&first.body, &first.headers[ETAG]), (&again.body, &again.headers[ETAG]));
    assert!(!first.is_replayed() && again.is_replayed());
    assert_eq!(service.runs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn without_a_key_and_for_a_read_nothing_is_kept() {
    let service = Fixture::new();
    let mut plain = request("/made", "k1", "{}", 1);
    plain.headers_mut().remove(KEY_HEADER);
    assert_eq!(service.send(plain).await.body, "run 1 -");
    let mut read = request("/read", "not a key", "", 1);
    *read.method_mut() = Method::GET;
    assert_eq!(service.send(read).await.body, "read");
    assert!(service.records.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_key_names_one_request() {
    let service = Fixture::new();
    service.post("/made", "k1", "{\"a\":1}").await;
    for (path, body) in [("/made", "{\"a\":2}"), ("/made", ""), ("/made/other", "{\"a\":1}"), ("/made?x", "{\"a\":1}")] {
        let refused = service.post(path, "k1", body).await;
        assert_eq!((refused.status, refused.code().as_str()), (422, "idempotency_key_reused"), "{path} {body}");
    }
    assert_eq!(service.runs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_key_names_a_request_for_one_version() {
    let service = Fixture::new();
    let meant = |tags: &[&str]| {
        let mut request = request("/made", "k1", "{}", 1);
        for tag in tags {
            request.headers_mut().append(IF_MATCH, tag.parse().unwrap());
        }
        request
    };
    assert_eq!(service.send(meant(&["\"1\""])).await.status, 201);
    assert!(service.send(meant(&["\"1\""])).await.is_replayed());
    for tags in [&["\"2\""][..], &[], &["*"], &["\"1\"", "\"2\""]] {
        let refused = service.send(meant(tags)).await;
        assert_eq!((refused.status, refused.code().as_str()), (422, "idempotency_key_reused"), "{tags:?}");
    }
    assert_eq!(service.runs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_key_counts_for_one_user_or_one_address() {
    let service = Fixture::new();
    let from = |address: [u8; 4]| {
        let mut request = request("/made", "k1", "{}", 1);
        request.extensions_mut().remove::<SignedIn>();
        request.extensions_mut().insert(ClientAddress::new(IpAddr::V4(Ipv4Addr::from(address))));
        request
    };
    for _ in 0..2 {
        for request in [request("/made", "k1", "{}", 1), request("/made", "k1", "{}", 2), from([10, 0, 0, 1]), from([10, 0, 0, 2])] {
            assert_eq!(service.send(request).await.status, 201);
        }
    }
    assert_eq!(service.runs.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn odd_keys_are_malformed_and_nothing_runs() {
    let service = Fixture::new();
    for key in ["", " ", "a b", "\u{fc}", &"k".repeat(129)] {
        let refused = service.post("/made", key, "{}").await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "malformed_request"), "{key:?}");
        assert!(!refused.body.contains(&"k".repeat(10)));
    }
    let mut twice = request("/made", "k1", "{}", 1);
    twice.headers_mut().append(KEY_HEADER, HeaderValue::from_static("k1"));
    assert_eq!(service.send(twice).await.status, 400);
    assert_eq!(service.runs.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_second_of_two_at_once_is_told_to_wait() {
    let service = Fixture::new();
    let runner = service.clone();
    let first = tokio::spawn(async move { runner.post("/slow", "k1", "{}").await });
    while service.records.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let second = service.post("/slow", "k1", "{}").await;
    assert_eq!(
        (second.status, second.code().as_str(), &second.headers[RETRY_AFTER]),
        (409, "idempotency_in_flight", &HeaderValue::from(1))
    );
    assert_eq!(service.post("/slow", "k1", "{\"a\":1}").await.code(), "idempotency_key_reused");
    service.gate.add_permits(1);
    assert_eq!(first.await.unwrap().body, "run 1 -");
    assert_eq!(service.post("/slow", "k1", "{}").await.body, "run 1 -");
}

#[tokio::test]
async fn a_run_that_vanished_gives_way_after_its_lease_and_its_heir_makes_the_same_ids() {
    let service = Fixture::new();
    let first = service.post("/made", "k1", "{}").await.body;
    // As if the first had been cut off before its answer was stored.
    for record in service.records.lock().unwrap().values_mut() {
        (record.rev, record.progress) = (1, Progress::Running { until: at(60) });
    }
    assert_eq!(service.post("/made", "k1", "{}").await.status, 409);
    service.later_secs.store(60, Ordering::SeqCst);
    let second = service.post("/made", "k1", "{}").await.body;
    assert_eq!(first.replace("run 1 false", ""), second.replace("run 2 true", ""));
}

#[tokio::test]
async fn a_run_that_comes_back_after_its_lease_does_not_overwrite_its_heir() {
    let service = Fixture::new();
    let runner = service.clone();
    let first = tokio::spawn(async move { runner.post("/slow", "k1", "{}").await });
    while service.records.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    service.later_secs.store(61, Ordering::SeqCst);
    let runner = service.clone();
    let second = tokio::spawn(async move { runner.post("/slow", "k1", "{}").await });
    while service.records.lock().unwrap().values().next().unwrap().run == 1 {
        tokio::task::yield_now().await;
    }
    service.gate.add_permits(1);
    assert_eq!(first.await.unwrap().body, "run 1 -");
    assert_eq!(service.post("/slow", "k1", "{}").await.code(), "idempotency_in_flight");
    service.gate.add_permits(1);
    assert_eq!(second.await.unwrap().body, "run 2 -");
    assert_eq!(service.post("/slow", "k1", "{}").await.body, "run 2 -");
}

#[tokio::test]
async fn only_final_answers_are_kept() {
    let service = Fixture::new();
    for (status, is_kept) in [
        (200, true),
        (204, true),
        (303, true),
        (400, true),
        (404, true),
        (409, false),
        (422, true),
        (401, false),
        (403, false),
        (413, false),
        (415, false),
        (429, false),
        (500, false),
        (503, false),
    ] {
        let (path, key) = (format!("/status/{status}"), format!("k{status}"));
        let before = service.runs.load(Ordering::SeqCst);
        let first = service.post(&path, &key, "").await;
        let again = service.post(&path, &key, "").await;
        assert_eq!((first.status, again.status, again.is_replayed()), (status, status, is_kept));
        assert_eq!(service.runs.load(Ordering::SeqCst) - before, if is_kept { 1 } else { 2 }, "{status}");
    }
}

#[tokio::test]
async fn of_conflicts_only_the_one_that_does_not_pass_by_itself_is_kept() {
    let service = Fixture::new();
    let conflicts = ProblemCode::ALL.iter().filter(|code| code.status() == StatusCode::CONFLICT);
    let mut rows: Vec<_> = conflicts.map(|code| (code.as_str().to_owned(), *code == ProblemCode::StateConflict)).collect();
    assert!(rows.len() > 4);
    rows.push(("passing-state_conflict".to_owned(), false));
    for (code, is_kept) in rows {
        let path = format!("/problem/{code}");
        let before = service.runs.load(Ordering::SeqCst);
        let (first, again) = (service.post(&path, &code, "").await, service.post(&path, &code, "").await);
        assert_eq!((first.status, again.status, again.is_replayed()), (409, 409, is_kept), "{code}");
        assert_eq!(service.runs.load(Ordering::SeqCst) - before, if is_kept { 1 } else { 2 }, "{code}");
    }
}

#[tokio::test]
async fn an_answer_that_sets_a_cookie_is_never_kept() {
    let service = Fixture::new();
    for _ in 0..2 {
        let answer = service.post("/cookie", "k1", "").await;
        assert!(answer.headers.contains_key(SET_COOKIE) && !answer.is_replayed());
    }
    assert!(!format!("{:?}", service.records.lock().unwrap()).contains("secret"));
}

#[tokio::test]
async fn a_large_answer_comes_back_whole() {
    let service = Fixture::new();
    let (first, again) = (service.post("/large", "k1", "").await, service.post("/large", "k1", "").await);
    assert!(again.is_replayed() && first.body == again.body && first.body.len() == 1_200_000);
}

#[tokio::test]
async fn a_key_is_free_again_after_a_day() {
    let service = Fixture::new();
    service.post("/made", "k1", "{}").await;
    service.later_secs.store(86_399, Ordering::SeqCst);
    assert!(service.post("/made", "k1", "{}").await.is_replayed());
    service.later_secs.store(86_400, Ordering::SeqCst);
    assert!(service.post("/made", "k1", "{\"other\":1}").await.body.starts_with("run 2 false"));
}

#[tokio::test]
async fn a_claim_that_cannot_be_stored_runs_nothing() {
    let service = Fixture::new();
    service.failing.store(1, Ordering::SeqCst);
    assert_eq!(service.post("/made", "k1", "{}").await.code(), "unavailable");
    assert_eq!(service.runs.load(Ordering::SeqCst), 0);
    assert_eq!(service.post("/made", "k1", "{}").await.status, 201);
}

#[tokio::test]
async fn an_answer_that_cannot_be_stored_is_given_all_the_same() {
    let service = Fixture::new();
    let runner = service.clone();
    let first = tokio::spawn(async move { runner.post("/slow", "k1", "{}").await });
    while service.records.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    service.failing.store(1, Ordering::SeqCst);
    service.gate.add_permits(1);
    assert_eq!(first.await.unwrap().status, 200);
    assert_eq!(service.post("/slow", "k1", "{}").await.code(), "idempotency_in_flight");
}

#[tokio::test]
async fn a_method_that_the_address_does_not_take_is_told_before_the_key_is_read() {
    let service = Fixture::new();
    let refused = service.post("/read", "not a key", "{}").await;
    assert_eq!((refused.status, refused.headers.contains_key(ALLOW)), (405, true));
}
