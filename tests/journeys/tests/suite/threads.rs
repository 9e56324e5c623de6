//! Threads: a post is a container first, which tells what became of it, and a grant that is extended for as long as we look after it.

use std::time::Instant;

use journeys::{Person, SOON, Stage, UNTIL_SEARCH_SECS, play, play_disturbed};
use serde_json::{Value, json};

use crate::until;

type Outcome = anyhow::Result<()>;

const THREADS: &str = "threads";
const DAY: i64 = 24 * 3_600;
/// A fifth of 60 days, and what chance adds to it at most.
const A_WHILE: i64 = 15 * DAY + 3_600;

/// The person's account.
async fn account(person: &Person) -> anyhow::Result<String> {
    Ok(person.browser.connect(THREADS, &[("account", "ann")], &[]).await?.remove(0))
}

async fn approved(person: &Person, account: &str, text: &str) -> anyhow::Result<String> {
    let due = person.browser.service_time(0).await?;
    let post = person.browser.write(text, &[account], &due).await?.remove(0);
    person.browser.approve(&post).await?;
    Ok(post)
}

/// How often Threads was asked for a container, to publish one, and for its posts.
async fn calls(person: &Person) -> anyhow::Result<[u64; 3]> {
    let calls = person.browser.platform_calls(THREADS).await?;
    Ok(["prepare", "publish", "list"].map(|operation| calls[operation].as_u64().unwrap_or_default()))
}

/// Waits until an operation was called so often.
async fn is_called(person: &Person, operation: &str, times: u64) -> Outcome {
    let end = Instant::now() + SOON;
    loop {
        let seen = person.browser.platform_calls(THREADS).await?[operation].as_u64().unwrap_or_default();
        if seen >= times {
            return Ok(());
        }
        anyhow::ensure!(Instant::now() < end, "{operation}: {seen} calls, and not {times}");
        tokio::task::yield_now().await;
    }
}

/// What a doubt comes to once a look can be believed.
async fn cleared_up(stage: &Stage, person: &Person, post: &str) -> anyhow::Result<Value> {
    person.browser.wait_for(post, "unknown", SOON).await?;
    person.browser.advance(UNTIL_SEARCH_SECS).await?;
    let story = person.browser.wait_for(post, "published", SOON).await?;
    stage.queue_at_rest().await?;
    Ok(story)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_goes_out_by_a_container_and_has_its_address() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345931", "starter", "ann").await?;
        let account = account(&ann).await?;
        let text = "Good morning 🌱";
        let post = approved(&ann, &account, text).await?;
        let story = ann.browser.wait_for(&post, "published", SOON).await?;
        let shown = ann.browser.on_platform(THREADS, text).await?;
        assert_eq!((shown.len(), &shown[0]["id"]), (1, &story["platform_post_id"]));
        assert!(story["platform_url"].as_str().is_some_and(|url| url.starts_with("https://www.threads.net/@ann/post/")), "{story}");
        assert_eq!(calls(&ann).await?, [1, 1, 0]);
        ann.has_quota([12, 1, 0, 11]).await?;
        ann.ledger_adds_up().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_whose_answer_is_lost_is_found_by_its_container_and_not_sent_again() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345932", "starter", "ann").await?;
        let account = account(&ann).await?;
        // Twins: by their text nobody could tell them apart.
        for times in 1..=2 {
            ann.browser.fault(THREADS, &json!({ "kind": "drop_after" })).await?;
            let post = approved(&ann, &account, "Twins").await?;
            let story = cleared_up(stage, &ann, &post).await?;
            assert!(story["platform_post_id"].as_str().is_some_and(|id| id.starts_with("container-")), "{story}");
            assert_eq!(story["platform_url"], Value::Null, "Threads does not say which post it became");
            assert_eq!(ann.browser.on_platform(THREADS, "Twins").await?.len(), times);
        }
        assert_eq!(calls(&ann).await?, [2, 2, 0]);
        ann.has_quota([12, 2, 0, 10]).await?;
        ann.ledger_adds_up().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_that_was_not_published_is_published_itself() -> Outcome {
    for kind in ["drop_before", "error_before", "not_ready"] {
        play(async |stage| {
            let ann = stage.person("+61412345933", "starter", "ann").await?;
            let account = account(&ann).await?;
            ann.browser.fault(THREADS, &json!({ "kind": kind })).await?;
            let post = approved(&ann, &account, "At the second try").await?;
            let story = cleared_up(stage, &ann, &post).await?;
            let shown = ann.browser.on_platform(THREADS, "At the second try").await?;
            assert_eq!((shown.len(), &shown[0]["id"]), (1, &story["platform_post_id"]), "{kind}");
            assert_eq!(calls(&ann).await?, [1, 2, 0], "{kind}: no second container");
            ann.has_quota([12, 1, 0, 11]).await?;
            ann.ledger_adds_up().await
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_that_threads_is_at_work_on_holds_the_post_back_and_is_published_once() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345934", "starter", "ann").await?;
        let account = account(&ann).await?;
        ann.browser.fault(THREADS, &json!({ "kind": "in_progress" })).await?;
        let post = approved(&ann, &account, "In a minute").await?;
        is_called(&ann, "look_up", 1).await?;
        ann.browser.wait_for(&post, "scheduled", SOON).await?;
        assert_eq!((ann.browser.on_platform(THREADS, "In a minute").await?.len(), calls(&ann).await?[1]), (0, 0));
        ann.has_quota([12, 0, 1, 11]).await?;
        ann.browser.delete("/_sim/threads/faults").await?.expect(204)?;
        ann.browser.advance(61).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        assert_eq!(ann.browser.on_platform(THREADS, "In a minute").await?.len(), 1);
        assert_eq!(calls(&ann).await?, [1, 1, 0], "the same container");
        ann.has_quota([12, 1, 0, 11]).await?;
        ann.ledger_adds_up().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_is_made_ahead_and_nothing_shows_before_its_time() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345937", "starter", "ann").await?;
        let account = account(&ann).await?;
        let due = ann.browser.service_time(600).await?;
        let post = ann.browser.write("In ten minutes", &[&account], &due).await?.remove(0);
        ann.browser.approve(&post).await?;
        stage.queue_at_rest().await?;
        assert_eq!(calls(&ann).await?, [0, 0, 0]);
        ann.browser.advance(400).await?;
        is_called(&ann, "look_up", 1).await?;
        ann.browser.wait_for(&post, "scheduled", SOON).await?;
        assert_eq!((ann.browser.on_platform(THREADS, "In ten minutes").await?.len(), calls(&ann).await?), (0, [1, 0, 0]));
        ann.browser.advance(201).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        assert_eq!((ann.browser.on_platform(THREADS, "In ten minutes").await?.len(), calls(&ann).await?), (1, [1, 1, 0]));
        ann.has_quota([12, 1, 0, 11]).await?;
        ann.ledger_adds_up().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_threads_refuses_before_anything_is_visible_says_what_helps() -> Outcome {
    // A refusal of our app is told to operators.
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345935", "starter", "ann").await?;
        let account = account(&ann).await?;
        for (kind, status, code) in [
            ("reject", "failed", "content_rejected"),
            ("restricted", "failed", "account_restricted"),
            ("dead_version", "scheduled", "app_unavailable"),
        ] {
            ann.browser.fault(THREADS, &json!({ "kind": kind, "on": "prepare" })).await?;
            let post = approved(&ann, &account, kind).await?;
            if status == "scheduled" {
                ann.is_put_off(&post, code).await?;
                let is_told = |line: &String| line.contains("the platform takes nothing from our app");
                assert!(stage.log().iter().any(is_told), "whoever runs the app can mend it");
                ann.browser.advance(16 * 60).await?;
                ann.browser.wait_for(&post, "published", SOON).await?;
            } else {
                assert_eq!(ann.browser.wait_for(&post, status, SOON).await?["error"]["code"], code, "{kind}");
            }
        }
        ann.browser.fault(THREADS, &json!({ "kind": "token_revoked" })).await?;
        let post = approved(&ann, &account, "Not any more").await?;
        let held = ann.browser.wait_for(&post, "held", SOON).await?;
        assert_eq!((&held["error"]["code"], &held["error"]["action"]), (&json!("reconnect_needed"), &json!("reconnect")));
        assert_eq!(calls(&ann).await?[1], 1, "one post went out");
        ann.has_quota([12, 1, 0, 11]).await?;
        ann.ledger_adds_up().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_posts_nothing_outlives_its_token() -> Outcome {
    play(async |stage| {
        let phone = "+61412345936";
        let mut ann = stage.person(phone, "starter", "ann").await?;
        let account = account(&ann).await?;
        let renewed = |stage: &Stage| {
            let is_of_threads = |line: &&String| line.contains("tokens renewed") && line.contains("\"threads\"");
            stage.log().iter().filter(is_of_threads).count()
        };
        // 75 days, of which no token lives more than 60.
        for times in 1..=5 {
            ann.browser.advance(A_WHILE).await?;
            until("the grant is extended", || renewed(stage) == times).await?;
        }
        assert_eq!(ann.browser.platform_calls(THREADS).await?["refresh"], 5);
        ann.browser.sign_in(phone).await?;
        let post = approved(&ann, &account, "Here again").await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        // Of the cycle that runs by now.
        ann.has_quota([12, 1, 0, 11]).await
    })
    .await
}
