//! The sweeper by itself: parts of it that fail keep no others waiting, and a round that can do nothing says so.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_sqs::config::retry::RetryConfig;
use domain::id::{ConnectionId, UserId};
use edge::clock::Clock;
use edge::host::Host;
use edge::lines::Captured;
use edge::random::Random;
use embedded::{Aws, CallInfo, Fault, ensure_table};
use jiff::{SignedDuration, Timestamp};
use local::variables::{source, tables};
use serde_json::json;
use store::{Leftover, Store, schema};
use sweeper::Swept;

type Outcome = anyhow::Result<()>;

/// Tables of its own, in which nobody else works, and a sweeper that tries each call once.
async fn open(region: &str) -> anyhow::Result<(Aws, Store, sweeper::Deps, Captured)> {
    let clock = Clock::from_fn(|| Timestamp::from_second(1_800_000_000).expect("a time of this century"));
    let aws = Aws::in_memory(region, clock.clone())?;
    let store = Store::new(&aws.sdk_config(), tables());
    for definition in schema::definitions(&tables()) {
        ensure_table(store.client(), definition).await?;
    }
    let variables = source(3_000, simulator::addresses(&url::Url::parse("http://localhost:3000")?), &[]);
    let lines = Captured::default();
    let host = Host { variables, clock, random: Random::system(), lines: lines.lines() };
    let sdk = aws.sdk_config().to_builder().retry_config(RetryConfig::disabled()).build();
    Ok((aws, store, sweeper::Deps::new(&host, &sdk)?, lines))
}

/// The first `times` queries find no service.
fn fail_queries(aws: &Aws, times: usize) {
    let left = AtomicUsize::new(times);
    aws.on_call(Box::new(move |call: &CallInfo| {
        let fails =
            call.operation == "Query" && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        fails.then_some(Fault::FailBefore)
    }));
}

#[tokio::test]
async fn a_round_that_can_read_no_shard_fails_and_one_that_can_read_some_does_not() -> Outcome {
    let (aws, _, deps, _) = open("us-sweep-1").await?;
    let shards = Store::wake_shards(0).count();
    fail_queries(&aws, shards);
    assert!(sweeper::sweep(&deps).await.is_err());
    fail_queries(&aws, shards - 1);
    assert_eq!(sweeper::sweep(&deps).await?, Swept { failed: shards - 1, ..Swept::default() });
    fail_queries(&aws, 0);
    assert_eq!(sweeper::sweep(&deps).await?, Swept::default());
    Ok(())
}

#[tokio::test]
async fn neither_notes_that_cannot_be_read_nor_disconnects_keep_other_secrets_waiting() -> Outcome {
    let (aws, store, deps, lines) = open("us-sweep-2").await?;
    let now = deps.clock.now();
    // More than one read shows.
    let odd_ones = 30;
    for odd in 0..odd_ones {
        let sk = format!("2020-01-01T00:00:00.000Z#{odd}");
        let item = json!({ "pk": { "S": "LEFTOVERS" }, "sk": { "S": sk }, "leftover": { "S": "odd" } });
        aws.tables("PutItem", &json!({ "TableName": tables().sessions, "Item": item }))?;
    }
    let user_id = UserId::new(now, [1; 10]);
    let long_ago = now - SignedDuration::from_hours(3);
    for n in 0..5 {
        let connection_id = ConnectionId::new(long_ago, [n; 10]);
        store.note_leftover(&Leftover::Disconnect { user_id: user_id.clone(), connection_id, at: long_ago }).await?;
    }
    let connection_id = ConnectionId::new(now, [9; 10]);
    let (secret_id, at) = (connection_id.clone(), now - SignedDuration::from_hours(2));
    store.note_leftover(&Leftover::Connection { user_id, connection_id, secret_id, at }).await?;
    let told = || lines.read().iter().filter(|line| line.contains("\"row_unreadable\":30.0")).count();
    assert_eq!((sweeper::sweep(&deps).await?, told()), (Swept { tidied: 1, ..Swept::default() }, 1));
    assert_eq!((sweeper::sweep(&deps).await?, told()), (Swept::default(), 1), "they are told of once");
    let scanned = aws.tables("Scan", &json!({ "TableName": tables().sessions, "ConsistentRead": true }))?;
    let kept = scanned["Items"].as_array().into_iter().flatten().filter(|item| item["leftover"]["S"] == "odd").count();
    assert_eq!(kept, odd_ones, "none of them is lost");
    let in_a_week = store.leaving_out(|_| {}).leftovers(now + SignedDuration::from_hours(7 * 24 + 1)).await?;
    assert_eq!(in_a_week.odd.len(), odd_ones, "and each is tried again");
    Ok(())
}
