//! Posts of which nobody knows whether they are on the platform: what an owner says of them, and what the platform's late word says.

use anyhow::Context;
use journeys::{Person, SOON, Stage, UNTIL_SEARCH_SECS, play};
use local::variables::tables;
use reqwest::Method;
use serde_json::{Value, json};

type Outcome = anyhow::Result<()>;

/// Leaves the row of the first try as a worker does that had lost the post when it learned that it is there.
pub(crate) fn told_late(stage: &Stage, post: &str) -> Outcome {
    let item = |sk: String| -> anyhow::Result<(Value, Value)> {
        let scanned = stage.service().aws().tables("Scan", &json!({ "TableName": tables().posts, "ConsistentRead": true }))?;
        let items = scanned["Items"].as_array().cloned().unwrap_or_default();
        let item = items.into_iter().find(|item| item["sk"]["S"] == sk).context("no such row")?;
        Ok((json!({ "pk": item["pk"], "sk": item["sk"] }), item))
    };
    let (_, row) = item(format!("POST#{post}"))?;
    let intents = [&row["state"]["M"]["intent_last_at"], &row["unseen"]["L"][0]["M"]["last_at"]];
    let sent_at = intents.into_iter().find(|at| at["S"].is_string()).context("no send in doubt, and none that was")?;
    let (key, _) = item(format!("POST#{post}#TRY#000001"))?;
    let there = json!({
        "platform_post_id": { "S": "4711" }, "url": { "S": "https://x.com/ann/status/4711" },
        "made_at": sent_at, "known": { "S": "by_answer" },
    });
    let learned = json!({ "M": { "published": { "M": there } } });
    let late = json!({ "M": { "version": { "N": "1" }, "sent_at": sent_at, "learned": learned } });
    let told = json!({
        "TableName": tables().posts, "Key": key, "UpdateExpression": "SET late = :late", "ExpressionAttributeValues": { ":late": late },
    });
    stage.service().aws().tables("UpdateItem", &told)?;
    Ok(())
}

/// What its owner says of a post, having looked.
const ABSENT: &str = "not_published";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_seen_of_an_older_version_is_not_said_of_a_newer_one() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345701", "starter", "ann").await?;
        for _ in 0..2 {
            ann.browser.fault("x", &json!({ "kind": "drop_before" })).await?;
        }
        let post = ann.approved_on_x("Which of me was it?", 0).await?;
        let says = async |version: &str| {
            let path = format!("/api/posts/{post}/resolve");
            ann.browser.request(Method::POST, &path, &[("if-match", version)], Some(&json!({ "outcome": ABSENT }))).await
        };
        for version in ["\"1\"", "\"2\""] {
            ann.browser.wait_for(&post, "unknown", SOON).await?;
            ann.browser.advance(UNTIL_SEARCH_SECS).await?;
            stage.queue_at_rest().await?;
            if version == "\"2\"" {
                assert_eq!(says("\"1\"").await?.expect(412)?.json["code"], "stale_version", "the page shows the try before");
                assert_eq!(says("1").await?.expect(400)?.json["code"], "malformed_request", "and this is no entity tag");
                ann.has_quota([12, 0, 1, 11]).await?;
            }
            assert_eq!(says(version).await?.expect(200)?.json["error"]["code"], "reported_missing");
            ann.has_quota([12, 0, 0, 12]).await?;
            if version == "\"1\"" {
                ann.browser.post(&format!("/api/posts/{post}/retry"), None).await?.expect(200)?;
            }
        }
        ann.ledger_adds_up().await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_platforms_late_word_outranks_an_owner_who_saw_nothing() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345702", "starter", "ann").await?;
        ann.browser.fault("x", &json!({ "kind": "drop_before" })).await?;
        let post = ann.approved_on_x("Am I there?", 0).await?;
        ann.browser.wait_for(&post, "unknown", SOON).await?;
        ann.browser.advance(UNTIL_SEARCH_SECS).await?;
        stage.queue_at_rest().await?;
        told_late(stage, &post)?;
        let said = ann.browser.post(&format!("/api/posts/{post}/resolve"), Some(&json!({ "outcome": ABSENT }))).await?.expect(200)?;
        assert_eq!((&said.json["status"], &said.json["platform_post_id"]), (&json!("published"), &json!("4711")));
        assert_eq!(said.json["platform_url"], "https://x.com/ann/status/4711");
        let story = ann.browser.post_story(&post).await?;
        let ending = story["events"].as_array().unwrap().last().unwrap();
        assert_eq!(ending["note"], "the platform had told, late, that it is there");
        ann.has_quota([12, 1, 0, 11]).await?;
        ann.ledger_adds_up().await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_worker_has_told_to_be_there_is_not_sent_again() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345705", "starter", "ann").await?;
        ann.browser.fault("x", &json!({ "kind": "drop_before" })).await?;
        let post = ann.approved_on_x("Am I gone?", 0).await?;
        ann.browser.wait_for(&post, "unknown", SOON).await?;
        ann.browser.advance(UNTIL_SEARCH_SECS).await?;
        stage.queue_at_rest().await?;
        ann.browser.post(&format!("/api/posts/{post}/resolve"), Some(&json!({ "outcome": ABSENT }))).await?.expect(200)?;
        told_late(stage, &post)?;
        ann.browser.post(&format!("/api/posts/{post}/retry"), None).await?.expect(200)?;
        ann.browser.wait_for(&post, "unknown", SOON).await?;
        ann.browser.advance(UNTIL_SEARCH_SECS).await?;
        let story = ann.browser.wait_for(&post, "published", SOON).await?;
        assert_eq!((&story["platform_post_id"], ann.times_on_x("Am I gone?").await?), (&json!("4711"), 0), "the simulated X holds no 4711");
        ann.has_quota([12, 1, 0, 11]).await?;
        ann.ledger_adds_up().await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_customer_sent_from_a_shared_account_is_never_taken_for_ones_own() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345706", "starter", "our_shop").await?;
        let bob = stage.person("+61412345707", "starter", "our_shop").await?;
        // Ann's is lost on its way, and of Bob's only the answer.
        for kind in ["drop_before", "drop_after"] {
            ann.browser.fault("x", &json!({ "kind": kind })).await?;
        }
        let anns = ann.approved_on_x("We are open on Sunday", 0).await?;
        ann.browser.wait_for(&anns, "unknown", SOON).await?;
        let bobs = bob.approved_on_x("We are open on Sunday", 0).await?;
        bob.browser.wait_for(&bobs, "unknown", SOON).await?;
        ann.browser.advance(UNTIL_SEARCH_SECS).await?;
        for (person, post) in [(&ann, &anns), (&bob, &bobs)] {
            let story = person.browser.wait_for(post, "needs_review", SOON).await?;
            assert_eq!(story["error"]["action"], "check_platform");
            person.has_quota([12, 0, 1, 11]).await?;
        }
        let says = async |person: &Person, post: &str, outcome: &str| {
            person.browser.post(&format!("/api/posts/{post}/resolve"), Some(&json!({ "outcome": outcome }))).await
        };
        says(&ann, &anns, ABSENT).await?.expect(200)?;
        let found = says(&bob, &bobs, "published").await?.expect(200)?.json;
        let sent = bob.browser.post_story(&bobs).await?["attempts"][0]["started_at"].clone();
        assert_eq!(found["published_at"], sent, "when it was sent, not when its owner looked");
        ann.has_quota([12, 0, 0, 12]).await?;
        bob.has_quota([12, 1, 0, 11]).await?;
        ann.ledger_adds_up().await?;
        bob.ledger_adds_up().await
    })
    .await
}

/// What may show yet of a post that was deleted, or says something else by now, may be what another customer's search finds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_that_nobody_saw_is_a_rival_though_its_post_is_deleted_or_changed() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345708", "starter", "our_shop").await?;
        let bob = stage.person("+61412345709", "starter", "our_shop").await?;
        for text in ["We are open on Monday", "We are open on Tuesday"] {
            let anns = nobody_saw(stage, &ann, text).await?;
            let path = format!("/api/posts/{anns}");
            if text.ends_with("Monday") {
                ann.browser.delete(&path).await?.expect(204)?;
            } else {
                ann.browser.patch(&path, "\"1\"", &json!({ "content": "We are closed" })).await?.expect(200)?;
            }
            goes_to_a_person(stage, &bob, text).await?;
        }
        bob.has_quota([12, 0, 2, 10]).await?;
        ann.ledger_adds_up().await?;
        bob.ledger_adds_up().await
    })
    .await
}

/// A post that gets its old text back after another is what was sent then: whichever of its sends is shown is its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_that_nobody_saw_is_not_forgotten_by_a_text_that_comes_back() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345710", "starter", "our_shop").await?;
        let post = nobody_saw(stage, &ann, "We are open on Friday").await?;
        let path = format!("/api/posts/{post}");
        for (version, text) in [("\"1\"", "We are closed"), ("\"2\"", "We are open on Friday")] {
            ann.browser.patch(&path, version, &json!({ "content": text })).await?.expect(200)?;
        }
        ann.browser.fault("x", &json!({ "kind": "drop_after" })).await?;
        let due = ann.browser.service_time(0).await?;
        ann.browser.patch(&path, "\"3\"", &json!({ "scheduled_for": due })).await?.expect(200)?;
        ann.browser.approve(&post).await?;
        ann.browser.wait_for(&post, "unknown", SOON).await?;
        ann.browser.advance(UNTIL_SEARCH_SECS).await?;
        let story = ann.browser.wait_for(&post, "published", SOON).await?;
        assert!(story["platform_post_id"].is_string(), "{story}");
        ann.has_quota([12, 1, 0, 11]).await?;
        ann.ledger_adds_up().await
    })
    .await
}

/// The platform has said, late, that the first send is there. Meanwhile its owner has written another text, and then the old one again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_worker_has_told_to_be_there_is_not_sent_again_after_a_text_that_comes_back() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345711", "starter", "ann").await?;
        let post = nobody_saw(stage, &ann, "Am I there twice?").await?;
        told_late(stage, &post)?;
        let path = format!("/api/posts/{post}");
        for (version, text) in [("\"1\"", "I say something else"), ("\"2\"", "Am I there twice?")] {
            ann.browser.patch(&path, version, &json!({ "content": text })).await?.expect(200)?;
        }
        let due = ann.browser.service_time(0).await?;
        ann.browser.patch(&path, "\"3\"", &json!({ "scheduled_for": due })).await?.expect(200)?;
        ann.browser.approve(&post).await?;
        ann.browser.wait_for(&post, "unknown", SOON).await?;
        ann.browser.advance(UNTIL_SEARCH_SECS).await?;
        let story = ann.browser.wait_for(&post, "published", SOON).await?;
        assert_eq!((&story["platform_post_id"], ann.times_on_x("Am I there twice?").await?), (&json!("4711"), 0));
        ann.has_quota([12, 1, 0, 11]).await?;
        ann.ledger_adds_up().await
    })
    .await
}

/// A post on X that was lost on its way, of which its owner said that it is not there.
pub(crate) async fn nobody_saw(stage: &Stage, person: &Person, text: &str) -> anyhow::Result<String> {
    person.browser.fault("x", &json!({ "kind": "drop_before" })).await?;
    let post = person.approved_on_x(text, 0).await?;
    person.browser.wait_for(&post, "unknown", SOON).await?;
    person.browser.advance(UNTIL_SEARCH_SECS).await?;
    stage.queue_at_rest().await?;
    person.browser.post(&format!("/api/posts/{post}/resolve"), Some(&json!({ "outcome": ABSENT }))).await?.expect(200)?;
    Ok(post)
}

/// A post on X with this text whose answer is lost is not called published, though X shows it.
async fn goes_to_a_person(stage: &Stage, person: &Person, text: &str) -> Outcome {
    person.browser.fault("x", &json!({ "kind": "drop_after" })).await?;
    let post = person.approved_on_x(text, 0).await?;
    person.browser.wait_for(&post, "unknown", SOON).await?;
    person.browser.advance(UNTIL_SEARCH_SECS).await?;
    stage.queue_at_rest().await?;
    let story = person.browser.wait_for(&post, "needs_review", SOON).await?;
    anyhow::ensure!(story["error"]["action"] == "check_platform" && person.times_on_x(text).await? == 1, "{story}");
    Ok(())
}

/// X squeezes white space: of two that differ in nothing else, nobody can tell which is shown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_look_alike_on_the_platform_none_is_taken_for_the_other() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345703", "starter", "ann").await?;
        for kind in ["drop_before", "drop_after"] {
            ann.browser.fault("x", &json!({ "kind": kind })).await?;
        }
        let posts = [ann.approved_on_x("We look alike", 0).await?, ann.approved_on_x("We  look alike", 0).await?];
        for post in &posts {
            ann.browser.wait_for(post, "unknown", SOON).await?;
        }
        ann.browser.advance(UNTIL_SEARCH_SECS).await?;
        for post in &posts {
            let story = ann.browser.wait_for(post, "needs_review", SOON).await?;
            assert_eq!(story["attempts"][1]["outcome"], "not_found");
        }
        ann.has_quota([12, 0, 2, 10]).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_with_a_long_story_is_removed_with_all_of_it() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412345704", "starter", "ann").await?;
        let post = ann.written_on_x("Text 0", 3_600).await?;
        // More rows than one transaction may change.
        for version in 1..=230 {
            let text = json!({ "content": format!("Text {version}") });
            ann.browser.patch(&format!("/api/posts/{post}"), &format!("\"{version}\""), &text).await?.expect(200)?;
        }
        let rows = || -> anyhow::Result<usize> {
            let scanned = stage.service().aws().tables("Scan", &json!({ "TableName": tables().posts, "ConsistentRead": true }))?;
            let items = scanned["Items"].as_array().cloned().unwrap_or_default();
            Ok(items.iter().filter(|item| item["sk"]["S"].as_str().is_some_and(|sk| sk.contains(&post))).count())
        };
        assert_eq!(rows()?, 233, "the post, its content and 231 steps");
        let path = format!("/api/posts/{post}");
        // It is stopped half way: what is left is a post that can be removed, and not rows that nobody finds.
        stage.fail_after("dynamodb.TransactWriteItems", 1);
        ann.browser.delete(&path).await?.expect(503)?;
        stage.heal();
        assert_eq!(rows()?, 233 - 38);
        ann.browser.get(&path).await?.expect(200)?;
        ann.browser.delete(&path).await?.expect(204)?;
        assert_eq!(rows()?, 0);
        ann.browser.get(&path).await?.expect(404)?;
        Ok(())
    })
    .await
}
