use std::sync::atomic::{AtomicUsize, Ordering};

use domain::id::{PostId, UserId};
use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::instrument::WithSubscriber;

use super::*;
use crate::lines::Captured;
use crate::telemetry;

fn clock() -> Clock {
    Clock::from_fn(|| Timestamp::from_second(1_764_000_000).unwrap())
}

fn wake_up(version: u32) -> String {
    let now = clock().now();
    serde_json::to_string(&WakeUp { post_id: PostId::new(now, [7; 10]), user_id: UserId::new(now, [8; 10]), version }).unwrap()
}

fn batch(records: &[(&str, String)]) -> SqsEvent {
    let records: Vec<_> = records.iter().map(|(id, body)| json!({"messageId": id, "body": body})).collect();
    serde_json::from_value(json!({"Records": records})).unwrap()
}

fn failed(response: &SqsBatchResponse) -> Vec<&str> {
    let mut ids: Vec<_> = response.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn a_panic_and_a_poisoned_record_harm_no_other() {
    let captured = Captured::default();
    let metrics = Metrics::to("publisher", captured.lines());
    let handled = AtomicUsize::new(0);
    let event = batch(&[
        ("m1", wake_up(1)),
        ("m2", "not json, with a secret".to_owned()),
        ("m3", wake_up(3)),
        ("m4", wake_up(4)),
        ("m5", wake_up(5)),
    ]);
    let subscriber = telemetry::scoped(tracing::Level::INFO, clock(), captured.lines());
    let handled_in = &handled;
    let handle = |(), wake_up: WakeUp| {
        assert_ne!(wake_up.version, 3, "before the first await");
        async move {
            tokio::task::yield_now().await;
            assert_ne!(wake_up.version, 4, "after it");
            handled_in.fetch_add(1, Ordering::Relaxed);
            if wake_up.version == 5 { RecordOutcome::Retry } else { RecordOutcome::Done }
        }
    };
    let response = each_record(event, &metrics, &clock(), |_| (), handle).with_subscriber(subscriber).await;
    assert_eq!(failed(&response), ["m2", "m3", "m4", "m5"]);
    assert_eq!(handled.load(Ordering::Relaxed), 2);

    let lines: Vec<Value> = captured.read().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let poisoned = lines.iter().find(|line| line["message"] == "a message that is no wake-up").unwrap();
    assert_eq!((&poisoned["message_id"], &poisoned["body_bytes"]), (&json!("m2"), &json!(23)));
    assert_eq!(poisoned["body_sha256"].as_str().unwrap().len(), 64);
    assert!(lines.iter().any(|line| line["record_unreadable"] == 1.0));
    assert!(!captured.read().concat().contains("secret"));
}

#[tokio::test]
async fn what_is_not_exactly_a_wake_up_is_not_handled() {
    let good: Value = serde_json::from_str(&wake_up(1)).unwrap();
    let with = |key: &str, value: Value| {
        let mut changed = good.clone();
        changed[key] = value;
        changed.to_string()
    };
    let odd = [
        String::new(),
        "{}".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        with("extra", json!(1)),
        with("version", json!(-1)),
        with("version", json!("1")),
        with("post_id", json!("../x")),
        format!("{}{}", wake_up(1), " ".repeat(WAKE_UP_BYTES_MAX)),
        wake_up(1).replace("{\"post_id\"", "{\"version\":9,\"post_id\""),
    ];
    for body in odd {
        let handled = AtomicUsize::new(0);
        let handle = |(), _| {
            handled.fetch_add(1, Ordering::Relaxed);
            async { RecordOutcome::Done }
        };
        let response = each_record(batch(&[("m1", body.clone())]), &Metrics::silent(), &clock(), |_| (), handle).await;
        assert_eq!((failed(&response), handled.load(Ordering::Relaxed)), (vec!["m1"], 0), "{body}");
    }
    assert_eq!(parse(&wake_up(7)).unwrap().version, 7);
}

#[tokio::test]
async fn the_answer_names_only_messages_of_the_event() {
    let event: SqsEvent = serde_json::from_value(json!({"Records": [
        {"messageId": "m1", "body": "?"}, {"messageId": "m1", "body": "?"}, {"messageId": "", "body": "?"}, {"body": "?"}, {"messageId": "m2"},
    ]}))
    .unwrap();
    let response = each_record(event, &Metrics::silent(), &clock(), |_| (), |(), _| async { RecordOutcome::Done }).await;
    assert_eq!(failed(&response), ["m1", "m2"]);
}

#[tokio::test]
async fn an_empty_batch_and_a_huge_one_are_answered() {
    let response = each_record(batch(&[]), &Metrics::silent(), &clock(), |_| (), |(), _| async { RecordOutcome::Done }).await;
    assert_eq!(serde_json::to_value(&response).unwrap(), json!({"batchItemFailures": []}));

    let running = AtomicUsize::new(0);
    let most = AtomicUsize::new(0);
    let (running, most) = (&running, &most);
    let records: Vec<_> = (0..1_000).map(|_| ("m", wake_up(1))).collect();
    let response = each_record(
        batch(&records),
        &Metrics::silent(),
        &clock(),
        |_| (),
        |(), _| async move {
            most.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            running.fetch_sub(1, Ordering::Relaxed);
            RecordOutcome::Done
        },
    )
    .await;
    assert!(response.batch_item_failures.is_empty());
    assert_eq!(most.load(Ordering::Relaxed), RECORDS_AT_ONCE);
}

#[tokio::test]
async fn older_posts_begin_first_and_each_is_told_of_all() {
    let made = |secs: i64| {
        let at = Timestamp::from_second(1_764_000_000 + secs).unwrap();
        let wake_up = WakeUp { post_id: PostId::new(at, [7; 10]), user_id: UserId::new(at, [8; 10]), version: 1 };
        serde_json::to_string(&wake_up).unwrap()
    };
    let event = batch(&[("m3", made(30)), ("odd", "?".to_owned()), ("m1", made(10)), ("m2", made(20))]);
    let begun = std::sync::Mutex::new(Vec::new());
    let begun_in = &begun;
    let handle = |all: usize, wake_up: WakeUp| {
        begun_in.lock().unwrap().push((all, wake_up.post_id));
        async { RecordOutcome::Done }
    };
    let response = each_record(event, &Metrics::silent(), &clock(), <[WakeUp]>::len, handle).await;
    assert_eq!(failed(&response), ["odd"]);
    let begun = begun.into_inner().unwrap();
    assert!(begun.is_sorted() && begun.len() == 3 && begun.iter().all(|(all, _)| *all == 3), "{begun:?}");
}
