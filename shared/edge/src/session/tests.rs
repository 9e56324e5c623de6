use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::routing::get;
use domain::id::{SessionId, UserId};
use http::header::{CONTENT_TYPE, COOKIE, ORIGIN};
use jiff::{SignedDuration, Timestamp};
use tower::ServiceExt;

use super::*;

const FRONTEND: &str = "https://app.example.com";

fn token() -> SessionToken {
    SessionToken::from_entropy([7; 32])
}

fn start() -> Timestamp {
    Timestamp::from_second(1_764_000_000).unwrap()
}

/// A service with one stored session, asked `later` after it began.
struct Fixture {
    router: Router,
    lookups: Arc<AtomicUsize>,
    /// The uses that were noted.
    extended: Arc<Mutex<Vec<Timestamp>>>,
    /// What noting one answers.
    answer: Arc<Mutex<Result<bool, Problem>>>,
}

fn service(later: SignedDuration) -> Fixture {
    let lookups = Arc::new(AtomicUsize::new(0));
    let counter = lookups.clone();
    let find = move |hash: SessionHash| {
        counter.fetch_add(1, Ordering::Relaxed);
        let session = Session::open(SessionId::new(start(), [1; 10]), UserId::new(start(), [2; 10]), None, start());
        async move { Ok((hash == token().hash()).then_some(session)) }
    };
    let extended = Arc::new(Mutex::new(Vec::new()));
    let (noted, answer) = (extended.clone(), Arc::new(Mutex::new(Ok(true))));
    let answers = answer.clone();
    let extend = move |_: SessionHash, session: Session| {
        noted.lock().unwrap().push(session.last_seen_at);
        std::future::ready(answers.lock().unwrap().clone())
    };
    let sessions = Sessions::new(find, extend);
    let clock = Clock::from_fn(move || start() + later);
    let show = |signed_in: SignedIn| async move { signed_in.session.user_id.to_string() };
    let origins = [FRONTEND.to_owned()];
    let full = Router::new().route("/thing", get(show).post(show).patch(show).put(show).delete(show));
    let full = require_session(full, sessions.clone(), clock.clone(), &origins);
    let resumed = require_session_without_token(Router::new().route("/resume", get(show).post(show)), sessions, clock, &origins);
    Fixture { router: full.merge(resumed), lookups, extended, answer }
}

async fn ask(service: &Fixture, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let request = headers.iter().fold(Request::builder().method(method).uri(path), |request, (name, value)| request.header(*name, *value));
    let response = service.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let problem = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/problem+json");
    let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
    if !problem {
        return (status, "ok".to_owned());
    }
    let body: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    (status, body["code"].as_str().unwrap().to_owned())
}

fn own_cookie() -> String {
    format!("{SESSION_COOKIE}={}", token().expose())
}

#[tokio::test]
async fn without_one_sound_cookie_a_session_is_required_and_nothing_is_looked_up() {
    let service = service(SignedDuration::ZERO);
    let twice = format!("{0}; {0}", own_cookie());
    for cookie in ["a=b", "__Host-session=", "__Host-session=guess", &twice] {
        let answer = ask(&service, "GET", "/thing", &[(COOKIE.as_str(), cookie)]).await;
        assert_eq!(answer, (401, "session_required".to_owned()), "{cookie}");
    }
    assert_eq!(service.lookups.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn an_unknown_or_dead_session_has_expired() {
    let unknown = format!("{SESSION_COOKIE}={}", SessionToken::from_entropy([8; 32]).expose());
    let answer = ask(&service(SignedDuration::ZERO), "GET", "/thing", &[(COOKIE.as_str(), &unknown)]).await;
    assert_eq!(answer, (401, "session_expired".to_owned()));
    let late = service(SignedDuration::from_hours(8 * 24));
    assert_eq!(ask(&late, "GET", "/thing", &[(COOKIE.as_str(), &own_cookie())]).await, (401, "session_expired".to_owned()));
}

#[tokio::test]
async fn reading_needs_the_cookie_alone() {
    let service = service(SignedDuration::ZERO);
    for method in ["GET", "HEAD"] {
        let headers = [(COOKIE.as_str(), own_cookie()), ("sec-fetch-site", "cross-site".to_owned())];
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(ask(&service, method, "/thing", &headers).await.0, 200);
    }
}

#[tokio::test]
async fn changing_state_needs_the_sessions_own_csrf_token() {
    let service = service(SignedDuration::ZERO);
    let own = token().csrf_token();
    let other = SessionToken::from_entropy([8; 32]).csrf_token();
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let cookie = own_cookie();
        let cookie = (COOKIE.as_str(), cookie.as_str());
        assert_eq!(ask(&service, method, "/thing", &[cookie, (CSRF_HEADER, own.expose())]).await.0, 200);
        let refused = (403, "csrf_rejected".to_owned());
        assert_eq!(ask(&service, method, "/thing", &[cookie]).await, refused);
        for wrong in ["", "guess", other.expose(), &own.expose()[1..], &token().expose()] {
            assert_eq!(ask(&service, method, "/thing", &[cookie, (CSRF_HEADER, wrong)]).await, refused, "{method}");
        }
        let twice = [cookie, (CSRF_HEADER, own.expose()), (CSRF_HEADER, own.expose())];
        assert_eq!(ask(&service, method, "/thing", &twice).await, refused);
    }
}

#[tokio::test]
async fn another_sites_request_is_refused_with_or_without_a_token() {
    let service = service(SignedDuration::ZERO);
    let (cookie, csrf) = (own_cookie(), token().csrf_token());
    for path in ["/thing", "/resume"] {
        let with = |extra: &[(&'static str, &'static str)]| {
            let mut headers = vec![(COOKIE.as_str(), cookie.as_str()), (CSRF_HEADER, csrf.expose())];
            headers.extend(extra);
            headers
        };
        for extra in [
            vec![(ORIGIN.as_str(), "https://evil.example")],
            vec![(ORIGIN.as_str(), "null")],
            vec![(ORIGIN.as_str(), "")],
            vec![(ORIGIN.as_str(), "https://app.example.com.evil.example")],
            vec![(ORIGIN.as_str(), "http://app.example.com")],
            vec![(ORIGIN.as_str(), FRONTEND), (ORIGIN.as_str(), "https://evil.example")],
            vec![("sec-fetch-site", "cross-site")],
            vec![(ORIGIN.as_str(), FRONTEND), ("sec-fetch-site", "Cross-Site")],
        ] {
            let answer = ask(&service, "POST", path, &with(&extra)).await;
            assert_eq!(answer, (403, "csrf_rejected".to_owned()), "{path} {extra:?}");
        }
        for extra in [vec![(ORIGIN.as_str(), FRONTEND)], vec![("sec-fetch-site", "same-site")], vec![("sec-fetch-site", "none")]] {
            assert_eq!(ask(&service, "POST", path, &with(&extra)).await.0, 200, "{path} {extra:?}");
        }
    }
    assert_eq!(service.lookups.load(Ordering::Relaxed), 6);
}

#[tokio::test]
async fn resuming_a_session_needs_no_csrf_token() {
    let service = service(SignedDuration::ZERO);
    assert_eq!(ask(&service, "POST", "/resume", &[(COOKIE.as_str(), &own_cookie())]).await.0, 200);
    assert_eq!(ask(&service, "POST", "/resume", &[]).await, (401, "session_required".to_owned()));
}

#[tokio::test]
async fn use_is_noted_every_fifth_minute_and_never_for_what_was_refused() {
    let (cookie, csrf) = (own_cookie(), token().csrf_token());
    let cookie = (COOKIE.as_str(), cookie.as_str());
    let fresh = service(SignedDuration::from_secs(299));
    assert_eq!(ask(&fresh, "GET", "/thing", &[cookie]).await.0, 200);
    assert!(fresh.extended.lock().unwrap().is_empty());
    let later = service(SignedDuration::from_mins(5));
    assert_eq!(ask(&later, "POST", "/thing", &[cookie, (CSRF_HEADER, "guess")]).await.0, 403);
    assert!(later.extended.lock().unwrap().is_empty());
    assert_eq!(ask(&later, "POST", "/thing", &[cookie, (CSRF_HEADER, csrf.expose())]).await.0, 200);
    assert_eq!(*later.extended.lock().unwrap(), [start() + SignedDuration::from_mins(5)]);
}

#[tokio::test]
async fn a_session_that_ended_while_its_request_came_is_over_and_a_silent_table_ends_none() {
    let service = service(SignedDuration::from_hours(1));
    let cookie = own_cookie();
    for (extended, status) in [(Ok(false), 401), (Err(Problem::unavailable(SignedDuration::from_secs(1))), 200)] {
        *service.answer.lock().unwrap() = extended;
        assert_eq!(ask(&service, "GET", "/thing", &[(COOKIE.as_str(), &cookie)]).await.0, status);
    }
}

#[tokio::test]
async fn a_failed_lookup_is_its_own_answer() {
    let find = |_: SessionHash| async { Err(Problem::unavailable(SignedDuration::from_secs(1))) };
    let sessions = Sessions::new(find, |_, _| async { Ok(true) });
    let router = require_session(Router::new().route("/thing", get(|| async { "ok" })), sessions, Clock::system(), &[]);
    let service = Fixture { router, ..service(SignedDuration::ZERO) };
    assert_eq!(ask(&service, "GET", "/thing", &[(COOKIE.as_str(), &own_cookie())]).await, (503, "unavailable".to_owned()));
}

#[test]
fn a_signed_in_debug_line_shows_no_token() {
    let session = Session::open(SessionId::new(start(), [1; 10]), UserId::new(start(), [2; 10]), None, start());
    let signed_in = SignedIn { session, token_hash: token().hash(), csrf_token: token().csrf_token() };
    assert!(!format!("{signed_in:?}").contains(token().csrf_token().expose()));
}
