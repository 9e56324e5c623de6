//! What the guard lets through, and what it stops.

use std::sync::Mutex;

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::network::Network;

/// A look-up without end.
struct Never;

impl Resolve for Never {
    fn resolve(&self, _: Name) -> Resolving {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_up_without_end_is_not_sent() {
    let http = Http::guarded_by(Reach::public(), Never).unwrap();
    let before = Instant::now();
    let error = call(&http, Url::parse("https://slow.example/").unwrap()).await.unwrap_err();
    assert!(matches!(error, SendError::NotSent { .. }), "{error:?}");
    assert_eq!(before.elapsed().as_secs(), GUARDED_CONNECT_TIMEOUT.as_secs());
}

#[tokio::test]
async fn what_is_refused_by_its_form_is_not_connected_to() {
    let (listener, url) = listener("127.0.0.1").await;
    let port = url.port().unwrap();
    for (address, refusal) in [
        (format!("http://127.0.0.1:{port}/"), Refusal::NotHttps),
        (format!("https://127.0.0.1:{port}/"), Refusal::Port),
        (format!("https://u:p@public.example:{port}/"), Refusal::UserInfo),
        (format!("https://public.example:{port}/"), Refusal::Port),
        ("https://127.0.0.1/".to_owned(), Refusal::Number),
        ("https://[::ffff:127.0.0.1]/".to_owned(), Refusal::Number),
        ("https://0x7f.1/".to_owned(), Refusal::Number),
        ("https://localhost/".to_owned(), Refusal::Name),
    ] {
        let refused = call(&public(&[&["127.0.0.1"]]), Url::parse(&address).unwrap()).await.unwrap_err();
        assert_eq!(refused, SendError::Refused(refusal), "{address}");
    }
    assert!(is_untouched(listener));
}

#[tokio::test]
async fn a_name_with_one_private_address_is_refused_for_all_of_them() {
    for (http, network) in [
        (public(&[&["1.1.1.1", "127.0.0.1"]]), Network::Loopback),
        (public(&[&["169.254.169.254"]]), Network::LinkLocal),
        (public(&[&["2606:4700::1111", "fd00::1"]]), Network::Private),
        (own(&[&["::ffff:10.0.0.1"]]), Network::Private),
    ] {
        let refused = call(&http, Url::parse("https://trap.example/").unwrap()).await.unwrap_err();
        assert_eq!(refused, SendError::Refused(Refusal::NotPublic(network)));
    }
}

#[tokio::test]
async fn a_name_that_changes_is_judged_at_each_call_by_the_one_look_up_that_is_connected_to() {
    let (listener, url) = listener(OWN).await;
    let names = Names::at(&[&["127.0.0.1"], &["10.0.0.1"], &["127.0.0.1"]]);
    let done = Arc::clone(&names.done);
    let http = Http::guarded_by(Reach::public_and([OWN.to_owned()]), names).unwrap();
    let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
    let ((), first) = tokio::join!(answer_once(&listener, answer), call(&http, url.clone()));
    assert_eq!((first.unwrap().status(), done.load(Ordering::Relaxed)), (StatusCode::NO_CONTENT, 1));
    assert_eq!(call(&http, url.clone()).await.unwrap_err(), SendError::Refused(Refusal::Elsewhere));
    let ((), third) = tokio::join!(answer_once(&listener, answer), call(&http, url));
    assert_eq!((third.unwrap().status(), done.load(Ordering::Relaxed)), (StatusCode::NO_CONTENT, 3));
}

#[tokio::test]
async fn a_double_is_called_in_the_place_of_every_host() {
    let (listener, base) = listener("127.0.0.1").await;
    let http = Http::guarded(Reach::double(base.join("/_sim/mastodon").unwrap())).unwrap();
    let line = Mutex::new(String::new());
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let read = stream.read(&mut request).await.unwrap();
        *line.lock().unwrap() = String::from_utf8_lossy(&request[..read]).lines().next().unwrap().to_owned();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    };
    let named = Url::parse("https://mastodon.example/api/v1/apps?x=1").unwrap();
    let ((), answer) = tokio::join!(serve, call(&http, named));
    assert_eq!(answer.unwrap().body(), b"ok");
    assert_eq!(*line.lock().unwrap(), "POST /_sim/mastodon/mastodon.example/api/v1/apps?x=1 HTTP/1.1");
}
