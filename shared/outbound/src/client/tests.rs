//! Both clients over real connections of this machine, with names looked up by the tests themselves.

mod guard;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::dns::{Addrs, Name, Resolving};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::*;

const LIMITS: Limits = Limits { time: Duration::from_secs(10), body_bytes_max: 100_000 };

/// A name of this machine that only these tests know.
const OWN: &str = "own.example";

type Answer = Result<Response<Vec<u8>>, SendError>;

/// The address of `host` where the listener is.
async fn listener(host: &str) -> (TcpListener, Url) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{host}:{}/?access_token=sesame", listener.local_addr().unwrap().port())).unwrap();
    (listener, url)
}

async fn call(http: &Http, url: Url) -> Answer {
    http.send(http.request(Method::POST, url).body("hello"), LIMITS).await
}

async fn configured(url: Url) -> Answer {
    call(&Http::configured(false).unwrap(), url).await
}

/// One client of each kind for a listener: each with the name by which it reaches this machine.
fn both() -> [(Http, &'static str); 2] {
    [(Http::configured(false).unwrap(), "127.0.0.1"), (own(&[&["127.0.0.1"]]), OWN)]
}

/// A client for which [`OWN`] is this machine, or is to be.
fn own(lookups: &'static [&'static [&'static str]]) -> Http {
    Http::guarded_by(Reach::public_and([OWN.to_owned()]), Names::at(lookups)).unwrap()
}

fn public(lookups: &'static [&'static [&'static str]]) -> Http {
    Http::guarded_by(Reach::public(), Names::at(lookups)).unwrap()
}

/// What each look-up gives, whatever the name, one after the other; the last one again and again.
struct Names {
    lookups: &'static [&'static [&'static str]],
    done: Arc<AtomicUsize>,
}

impl Names {
    fn at(lookups: &'static [&'static [&'static str]]) -> Self {
        Self { lookups, done: Arc::default() }
    }
}

impl Resolve for Names {
    fn resolve(&self, _: Name) -> Resolving {
        let done = self.done.fetch_add(1, Ordering::Relaxed);
        let found = self.lookups[done.min(self.lookups.len() - 1)].iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0));
        Box::pin(async move { Ok(Box::new(found) as Addrs) })
    }
}

/// Takes one request.
async fn taken(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = [0; 4096];
    assert!(stream.read(&mut request).await.unwrap() > 0);
    stream
}

/// Takes one request, writes `answer`, closes.
async fn answer_once(listener: &TcpListener, answer: &[u8]) {
    let mut stream = taken(listener).await;
    // Whoever has read enough may be gone.
    let _ = stream.write_all(answer).await;
}

fn is_untouched(listener: TcpListener) -> bool {
    let listener = listener.into_std().unwrap();
    listener.accept().is_err()
}

#[tokio::test]
async fn a_refused_connection_is_not_sent_and_names_no_secret() {
    let (listener, url) = listener("127.0.0.1").await;
    drop(listener);
    let error = configured(url).await.unwrap_err();
    assert!(matches!(&error, SendError::NotSent { .. }), "{error:?}");
    assert!(!format!("{error:?}").contains("sesame"));
}

#[tokio::test]
async fn a_handshake_that_hangs_is_not_sent() {
    let (listener, mut url) = listener("127.0.0.1").await;
    url.set_scheme("https").unwrap();
    let http = Http::configured_within(Duration::from_millis(50), true).unwrap();
    let error = call(&http, url).await.unwrap_err();
    assert!(matches!(error, SendError::NotSent { .. }), "{error:?}");
    drop(listener);
}

#[tokio::test]
async fn a_plain_address_is_refused_where_only_tls_is_allowed() {
    let (listener, url) = listener("127.0.0.1").await;
    let error = call(&Http::configured(true).unwrap(), url.clone()).await.unwrap_err();
    assert!(matches!(error, SendError::NotSent { .. }), "{error:?}");
    assert_eq!(call(&public(&[&["127.0.0.1"]]), url).await.unwrap_err(), SendError::Refused(Refusal::NotHttps));
    assert!(is_untouched(listener));
}

#[tokio::test]
async fn a_connection_that_closes_without_an_answer_is_lost() {
    let (listener, url) = listener("127.0.0.1").await;
    let ((), answer) = tokio::join!(answer_once(&listener, b""), configured(url));
    let error = answer.unwrap_err();
    assert!(matches!(error, SendError::Lost { status: None, .. }), "{error:?}");
}

#[tokio::test]
async fn a_body_that_is_cut_is_lost_with_its_status() {
    let (listener, url) = listener("127.0.0.1").await;
    let cut = b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"data\"";
    let ((), answer) = tokio::join!(answer_once(&listener, cut), configured(url));
    assert!(matches!(answer.unwrap_err(), SendError::Lost { status: Some(201), .. }));
}

#[tokio::test]
async fn a_body_as_long_as_its_limit_is_read_and_a_longer_one_is_not() {
    for (http, host) in both() {
        for (bytes, is_read) in [(LIMITS.body_bytes_max, true), (LIMITS.body_bytes_max + 1, false), (40 * LIMITS.body_bytes_max, false)] {
            let (listener, url) = listener(host).await;
            let mut long = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
            long.resize(long.len() + bytes, b'x');
            let ((), answer) = tokio::join!(answer_once(&listener, &long), call(&http, url));
            match answer {
                Ok(answer) => assert!(is_read && answer.body().len() == bytes, "{host} {bytes}"),
                Err(error) => assert!(!is_read && matches!(error, SendError::Lost { status: Some(200), .. }), "{host} {bytes} {error:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_head_without_end_is_given_up() {
    let many = "x: y\r\n".repeat(HEADERS_MAX + 1);
    let long = format!("x: {}\r\n", "y".repeat(1_000_000));
    for (http, host) in both() {
        for (headers, is_taken) in [("x: y\r\n".repeat(HEADERS_MAX - 1), true), (many.clone(), false), (long.clone(), false)] {
            let (listener, url) = listener(host).await;
            let head = format!("HTTP/1.1 200 OK\r\n{headers}content-length: 0\r\n\r\n");
            let ((), answer) = tokio::join!(answer_once(&listener, head.as_bytes()), call(&http, url));
            assert_eq!(answer.is_ok(), is_taken, "{host} {} bytes", head.len());
        }
    }
}

/// What comes of a call to a server that never ends what it does.
async fn ended_by_the_client(call: impl Future<Output = Answer>, server: impl Future<Output = ()>) -> SendError {
    let answer = tokio::select! {
        answer = call => answer,
        () = server => panic!("the client waits longer than it was told"),
    };
    tokio::time::resume();
    answer.unwrap_err()
}

#[tokio::test]
async fn a_silent_server_is_lost_when_the_time_is_up() {
    for (http, host) in both() {
        let (listener, url) = listener(host).await;
        let silent = async {
            let _stream = taken(&listener).await;
            tokio::time::pause();
            tokio::time::sleep(2 * LIMITS.time).await;
        };
        let error = ended_by_the_client(call(&http, url), silent).await;
        assert!(matches!(error, SendError::Lost { status: None, .. }), "{host} {error:?}");
    }
}

#[tokio::test]
async fn a_server_that_drips_is_lost_when_the_time_is_up() {
    for (http, host) in both() {
        let (listener, url) = listener(host).await;
        let dripping = async {
            let mut stream = taken(&listener).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            tokio::time::pause();
            for _ in 0..40 {
                tokio::time::sleep(LIMITS.time / 20).await;
                stream.write_all(b"x").await.unwrap();
            }
        };
        let error = ended_by_the_client(call(&http, url), dripping).await;
        assert!(matches!(error, SendError::Lost { .. }), "{host} {error:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    for (http, host) in both() {
        let ((listener, url), (elsewhere, target)) = (listener(host).await, listener(host).await);
        for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
            let away = format!("HTTP/1.1 {status}\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n");
            let ((), answer) = tokio::join!(answer_once(&listener, away.as_bytes()), call(&http, url.clone()));
            assert!(answer.unwrap().status().is_redirection(), "{host} {status}");
        }
        assert!(is_untouched(elsewhere));
    }
}
