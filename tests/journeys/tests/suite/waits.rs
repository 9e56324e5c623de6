//! Posts that wait: for their time, and for a platform that does not take them at present.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use embedded::{CallInfo, Fault};
use jiff::{SignedDuration, Timestamp};
use journeys::{Person, SOON, Stage, play, play_disturbed};
use serde_json::{Value, json};

use crate::until;

type Outcome = anyhow::Result<()>;

/// How long the posts of these stories may go out after their time.
const ALLOWED_SECS: i64 = 600;

/// A post on X that is due now and may go out for ten minutes, approved.
async fn hurried(person: &Person, text: &str) -> anyhow::Result<String> {
    let due: Timestamp = person.browser.service_time(0).await?.parse()?;
    let latest = due + SignedDuration::from_secs(ALLOWED_SECS);
    let body = json!({ "content": text, "targets": [{ "connection_id": person.x }], "scheduled_for": due, "latest_at": latest });
    let post = person.browser.post("/api/posts", Some(&body)).await?.expect(201)?.str("/items/0/id")?;
    person.browser.approve(&post).await?;
    Ok(post)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_whose_end_is_a_guess_leaves_each_post_one_last_try() -> Outcome {
    // Ours of the whole app, and one of the account alone: neither says when it ends, and a quarter of an hour is waited.
    for (kind, code) in [("app_limited", "app_unavailable"), ("automated", "rate_limited")] {
        play_disturbed(async |stage| {
            let ann = stage.person("+61412345631", "starter", "ann").await?;
            ann.browser.fault("x", &json!({ "kind": kind })).await?;
            let met = hurried(&ann, "The one that meets it").await?;
            ann.is_put_off(&met, code).await?;
            let told = hurried(&ann, "The one that is told").await?;
            ann.is_put_off(&told, code).await?;
            assert_eq!(ann.browser.platform_calls("x").await?["publish"], 1, "{kind}");
            // Half a minute before the last moment of the one, and a little less before that of the other.
            ann.browser.advance(ALLOWED_SECS - 28).await?;
            for post in [&met, &told] {
                ann.browser.wait_for(post, "published", SOON).await?;
            }
            ann.has_quota([12, 2, 0, 10]).await
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_last_try_that_is_refused_and_a_limit_that_the_platform_has_timed_miss_the_post() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345632", "starter", "ann").await?;
        for _ in 0..2 {
            ann.browser.fault("x", &json!({ "kind": "automated" })).await?;
        }
        let post = hurried(&ann, "Refused twice").await?;
        ann.is_put_off(&post, "rate_limited").await?;
        ann.browser.advance(ALLOWED_SECS - 29).await?;
        let story = ann.browser.wait_for(&post, "missed", SOON).await?;
        assert_eq!(story["attempts"].as_array().map(Vec::len), Some(2));
        ann.browser.advance(15 * 60).await?;
        ann.browser.fault("x", &json!({ "kind": "rate_limited", "seconds": ALLOWED_SECS + 60 })).await?;
        let post = hurried(&ann, "Told to wait").await?;
        let story = ann.browser.wait_for(&post, "missed", SOON).await?;
        assert_eq!(story["attempts"].as_array().map(Vec::len), Some(1), "nothing is tried against the platform's own word");
        ann.has_quota([12, 0, 0, 12]).await
    })
    .await
}

/// Fails the first calls of an operation; counts those that go through.
fn refuse_first(stage: &Stage, operation: &'static str, times: usize) -> Arc<AtomicUsize> {
    let (left, passed) = (AtomicUsize::new(times), Arc::new(AtomicUsize::new(0)));
    let counted = passed.clone();
    stage.service().aws().on_call(Box::new(move |call: &CallInfo| {
        if call.operation != operation {
            return None;
        }
        if left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            return Some(Fault::FailBefore);
        }
        counted.fetch_add(1, Ordering::Relaxed);
        None
    }));
    passed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_refuses_an_early_wake_up_for_a_moment_makes_no_post_late() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345633", "starter", "ann").await?;
        let post = ann.approved_on_x("On the second", 300).await?;
        // More than one sending of the message tries.
        let passed = refuse_first(stage, "SendMessage", 4);
        // Its schedule has fired by then, wherever in its minute.
        ann.browser.advance(282).await?;
        until("its wake-up is sent on", || passed.load(Ordering::Relaxed) > 0).await?;
        ann.browser.advance(18).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        assert_eq!(ann.times_on_x("On the second").await?, 1);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_stops_before_the_message_of_a_post_that_is_due_in_two_minutes_makes_it_no_later() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345634", "starter", "ann").await?;
        stage.fail("sqs.SendMessage");
        let post = ann.approved_on_x("Soon, and never woken", 150).await?;
        let passed = refuse_first(stage, "SendMessage", 0);
        // The sweeper finds it unarmed, a minute before its time, and the publisher arranges its second.
        ann.browser.advance(91).await?;
        until("its wake-up is sent on", || passed.load(Ordering::Relaxed) > 0).await?;
        ann.browser.advance(60).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        assert_eq!(ann.times_on_x("Soon, and never woken").await?, 1);
        Ok(())
    })
    .await
}

/// How late posts were of which nothing but our own time was in the way, so far.
fn own_lateness(stage: &Stage) -> Vec<f64> {
    let lines = stage.log().into_iter().filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    lines.filter_map(|line| line["own_lateness_seconds"].as_f64()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_that_a_limit_has_kept_is_not_told_as_late_by_us() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345635", "starter", "ann").await?;
        ann.browser.fault("x", &json!({ "kind": "rate_limited", "seconds": 300 })).await?;
        let kept = ann.approved_on_x("Kept by a limit", 0).await?;
        ann.is_put_off(&kept, "rate_limited").await?;
        ann.browser.advance(310).await?;
        ann.browser.wait_for(&kept, "published", SOON).await?;
        assert!(own_lateness(stage).is_empty());
        let free = ann.written_on_x("Kept by nothing but its owner", 0).await?;
        ann.browser.advance(310).await?;
        ann.browser.approve(&free).await?;
        ann.browser.wait_for(&free, "published", SOON).await?;
        until("it is told", || !own_lateness(stage).is_empty()).await?;
        assert!(matches!(own_lateness(stage)[..], [late] if late < 60.0), "approved when it was due: {:?}", own_lateness(stage));
        Ok(())
    })
    .await
}
