//! Posts that have lost their account or their quota slot: they say so at once, and go on by themselves when both are back.

use std::time::Instant;

use domain::id::UserId;
use domain::ledger::{Actor, Cause};
use domain::plan::Plan;
use domain::plan_change::{Wish, change_plan, cycles_needed_from};
use edge::random::Random;
use journeys::{Person, SOON, Stage, play, play_disturbed};
use local::variables::tables;
use serde_json::{Value, json};
use store::{PlanStored, Store};

type Outcome = anyhow::Result<()>;

const DAY: i64 = 24 * 3_600;
/// The sweeper's next round, in seconds.
const A_ROUND: i64 = 61;

/// What a payment, or its absence, does.
async fn wish(stage: &Stage, person: &Person, wish: Wish) -> Outcome {
    let store = Store::new(&stage.service().aws().sdk_config(), tables());
    let (random, now): (_, jiff::Timestamp) = (Random::system(), person.browser.advance(1).await?.parse()?);
    let user = store.user(&UserId::parse(&person.id().await?)?).await?.expect("they are there");
    let cycles = store.cycles_from(&user.id, cycles_needed_from(now)).await?;
    let change = change_plan(wish, &user, &cycles, (now, Actor::Operator), || random.bytes())?;
    anyhow::ensure!(store.change_plan(&change.user, &change.changes, "a test").await? == PlanStored::Done);
    for cycle in change.changes.iter().map(|change| &change.cycle) {
        let cause = || Cause { entropy: random.bytes(), at: now, actor: Actor::Operator, post_id: None };
        store.hold_beyond_quota(&cycle.user_id, cycle.span.start, cause).await?;
    }
    Ok(())
}

/// The post's status, and what it says of why.
async fn says(person: &Person, post: &str) -> anyhow::Result<(String, Value, Value)> {
    let story = person.browser.post_story(post).await?;
    let error = |field: &str| story["error"][field].clone();
    Ok((story["status"].as_str().unwrap_or_default().to_owned(), error("code"), error("action")))
}

/// Waits until the post says so.
async fn comes_to_say(person: &Person, post: &str, expected: &(String, Value, Value)) -> Outcome {
    let until = Instant::now() + SOON;
    loop {
        let said = says(person, post).await?;
        if said == *expected {
            return Ok(());
        }
        anyhow::ensure!(Instant::now() < until, "{said:?} and not {expected:?}");
        tokio::task::yield_now().await;
    }
}

fn held_for(code: &str, action: &str) -> (String, Value, Value) {
    ("held".to_owned(), json!(code), json!(action))
}

async fn disconnect(person: &Person) -> Outcome {
    person.browser.delete(&format!("/api/connections/{}", person.x)).await?.expect(204).map(drop)
}

async fn connect(person: &Person, account: &str) -> anyhow::Result<String> {
    Ok(person.browser.connect("x", &[("account", account)], &[]).await?.remove(0))
}

async fn refusal(person: &Person, post: &str, verb: &str) -> anyhow::Result<Value> {
    Ok(person.browser.post(&format!("/api/posts/{post}/{verb}"), None).await?.expect(409)?.json["code"].clone())
}

async fn listed(person: &Person, status: &str) -> anyhow::Result<usize> {
    let page = person.browser.get(&format!("/api/posts?status={status}")).await?.expect(200)?;
    Ok(page.json["items"].as_array().map_or(0, Vec::len))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disconnected_account_holds_its_posts_at_once_and_the_same_account_lets_them_go_on() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412347001", "starter", "ann").await?;
        let soon = ann.approved_on_x("In a quarter of an hour", 900).await?;
        let later = ann.approved_on_x("In two days", 2 * DAY).await?;
        disconnect(&ann).await?;
        for post in [&soon, &later] {
            assert_eq!(says(&ann, post).await?, held_for("connection_gone", "reconnect"));
            assert_eq!(refusal(&ann, post, "approve").await?, "connection_unusable");
        }
        assert_eq!((listed(&ann, "held").await?, listed(&ann, "scheduled").await?), (2, 0));
        ann.has_quota([12, 0, 0, 12]).await?;
        assert_ne!(connect(&ann, "bob").await?, ann.x, "another account is another connection");
        assert_eq!(connect(&ann, "ann").await?, ann.x);
        ann.browser.advance(A_ROUND).await?;
        for post in [&soon, &later] {
            let story = ann.browser.wait_for(post, "scheduled", SOON).await?;
            assert_eq!((&story["version"], &story["error"]), (&json!(2), &Value::Null));
        }
        ann.has_quota([12, 0, 2, 10]).await?;
        ann.browser.advance(900).await?;
        ann.browser.wait_for(&soon, "published", SOON).await?;
        assert_eq!(ann.times_on_x("In a quarter of an hour").await?, 1);
        ann.has_quota([12, 1, 1, 10]).await?;
        Ok(())
    })
    .await
}

/// No cycle follows any more. What is paid for in the running one goes on all the same, and may be moved within it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_cycle_that_is_the_last_a_held_post_goes_on_and_a_scheduled_one_is_moved() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412347011", "starter", "ann").await?;
        let (held, moved) = (ann.approved_on_x("Held", 2 * DAY).await?, ann.approved_on_x("Moved", 3 * DAY).await?);
        wish(stage, &ann, Wish::Lapse).await?;
        let (near, far) = (ann.browser.service_time(5 * DAY).await?, ann.browser.service_time(40 * DAY).await?);
        let path = format!("/api/posts/{moved}");
        ann.browser.patch(&path, "\"1\"", &json!({ "scheduled_for": near })).await?.expect(200)?;
        let refused = ann.browser.patch(&path, "\"2\"", &json!({ "scheduled_for": far })).await?.expect(409)?;
        assert_eq!(refused.json["code"], "no_active_plan");
        ann.has_quota([12, 0, 2, 10]).await?;
        disconnect(&ann).await?;
        assert_eq!(says(&ann, &held).await?, held_for("connection_gone", "reconnect"));
        connect(&ann, "ann").await?;
        ann.browser.advance(A_ROUND).await?;
        for post in [&held, &moved] {
            ann.browser.wait_for(post, "scheduled", SOON).await?;
        }
        ann.has_quota([12, 0, 2, 10]).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disconnect_that_stops_half_way_is_told_by_the_sweeper() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412347002", "starter", "ann").await?;
        let mut posts = Vec::new();
        for n in 1..=5 {
            posts.push(ann.approved_on_x(&format!("Day {n}"), n * DAY).await?);
        }
        // Marked, two posts held, and no more.
        stage.fail_after("dynamodb.TransactWriteItems", 3);
        ann.browser.delete(&format!("/api/connections/{}", ann.x)).await?.expect(503)?;
        assert_eq!(listed(&ann, "held").await?, 2);
        stage.heal();
        ann.browser.advance(A_ROUND).await?;
        for post in &posts {
            ann.browser.wait_for(post, "held", SOON).await?;
        }
        ann.has_quota([12, 0, 0, 12]).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_whose_grant_is_gone_holds_what_is_due_and_soon_all_the_rest_until_it_is_back() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412347003", "starter", "ann").await?;
        let later = ann.approved_on_x("In two days", 2 * DAY).await?;
        ann.browser.fault("x", &json!({ "kind": "token_revoked", "account": "ann" })).await?;
        let due = ann.approved_on_x("Due now", 0).await?;
        let story = ann.browser.wait_for(&due, "held", SOON).await?;
        assert_eq!((&story["error"]["code"], &story["error"]["action"]), (&json!("reconnect_needed"), &json!("reconnect")));
        ann.browser.advance(A_ROUND).await?;
        ann.browser.wait_for(&later, "held", SOON).await?;
        assert_eq!(says(&ann, &later).await?, held_for("reconnect_needed", "reconnect"));
        ann.has_quota([12, 0, 0, 12]).await?;
        assert_eq!(connect(&ann, "ann").await?, ann.x);
        ann.browser.advance(A_ROUND).await?;
        ann.browser.wait_for(&due, "published", SOON).await?;
        ann.browser.wait_for(&later, "scheduled", SOON).await?;
        assert_eq!(ann.times_on_x("Due now").await?, 1);
        ann.has_quota([12, 1, 1, 10]).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn held_posts_go_on_in_the_order_of_their_times_as_far_as_slots_reach() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412347004", "professional", "ann").await?;
        let mut posts = Vec::new();
        for n in 0..15 {
            posts.push(ann.approved_on_x(&format!("Day {n}"), (n + 31) * DAY).await?);
        }
        wish(stage, &ann, Wish::Have(Plan::Starter)).await?;
        for post in &posts[12..] {
            assert_eq!(says(&ann, post).await?, held_for("quota_lost", "upgrade_plan"));
            assert_eq!(refusal(&ann, post, "approve").await?, "quota_exhausted");
        }
        // One slot comes free.
        ann.browser.post(&format!("/api/posts/{}/cancel", posts[0]), None).await?.expect(200)?;
        ann.browser.advance(A_ROUND).await?;
        ann.browser.wait_for(&posts[12], "scheduled", SOON).await?;
        for post in &posts[13..] {
            assert_eq!(says(&ann, post).await?, held_for("quota_lost", "upgrade_plan"));
        }
        // The larger plan is back.
        wish(stage, &ann, Wish::Have(Plan::Professional)).await?;
        ann.browser.advance(A_ROUND).await?;
        for post in &posts[13..] {
            ann.browser.wait_for(post, "scheduled", SOON).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_lapses_and_returns_costs_no_planned_post() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412347005", "starter", "ann").await?;
        let ahead = ann.approved_on_x("In the next cycle", 40 * DAY).await?;
        wish(stage, &ann, Wish::Lapse).await?;
        assert_eq!(says(&ann, &ahead).await?, held_for("quota_lost", "upgrade_plan"));
        assert_eq!(refusal(&ann, &ahead, "approve").await?, "no_active_plan");
        ann.browser.advance(A_ROUND).await?;
        wish(stage, &ann, Wish::Return).await?;
        ann.browser.advance(A_ROUND).await?;
        let story = ann.browser.wait_for(&ahead, "scheduled", SOON).await?;
        assert_eq!(story["error"], Value::Null);
        // A certificate brings back what another plan had lost.
        wish(stage, &ann, Wish::Lapse).await?;
        assert_eq!(says(&ann, &ahead).await?.0, "held");
        ann.browser.redeem("professional").await?;
        ann.browser.advance(A_ROUND).await?;
        ann.browser.wait_for(&ahead, "scheduled", SOON).await.map(drop)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_without_account_and_slot_says_what_is_still_missing() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412347006", "starter", "ann").await?;
        let ahead = ann.approved_on_x("In the next cycle", 40 * DAY).await?;
        disconnect(&ann).await?;
        wish(stage, &ann, Wish::Lapse).await?;
        assert_eq!(says(&ann, &ahead).await?, held_for("connection_gone", "reconnect"));
        connect(&ann, "ann").await?;
        ann.browser.advance(A_ROUND).await?;
        comes_to_say(&ann, &ahead, &held_for("quota_lost", "upgrade_plan")).await?;
        wish(stage, &ann, Wish::Return).await?;
        ann.browser.advance(A_ROUND).await?;
        ann.browser.wait_for(&ahead, "scheduled", SOON).await.map(drop)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_post_that_is_missed_says_why_and_what_that_advises_helps() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412347007", "starter", "ann").await?;
        let post = ann.approved_on_x("Too late by then", 300).await?;
        disconnect(&ann).await?;
        ann.browser.advance(2 * 3_600).await?;
        let story = ann.browser.wait_for(&post, "missed", SOON).await?;
        assert_eq!((&story["error"]["code"], &story["error"]["action"]), (&json!("connection_gone"), &json!("reconnect")));
        assert_eq!(refusal(&ann, &post, "retry").await?, "connection_unusable");
        connect(&ann, "ann").await?;
        ann.browser.post(&format!("/api/posts/{post}/retry"), None).await?.expect(200)?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        ann.has_quota([12, 1, 0, 11]).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_post_can_be_approved_before_the_sweeper_comes_edited_and_called_off() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412347008", "starter", "ann").await?;
        let [approved, edited, cancelled] = ["Approved", "Edited", "Called off"].map(|text| ann.approved_on_x(text, 2 * DAY));
        let (approved, edited, cancelled) = (approved.await?, edited.await?, cancelled.await?);
        disconnect(&ann).await?;
        assert_eq!(ann.browser.delete(&format!("/api/posts/{cancelled}")).await?.expect(409)?.json["code"], "state_conflict");
        let patch = json!({ "content": "Edited while it was held" });
        let reply = ann.browser.patch(&format!("/api/posts/{edited}"), "\"1\"", &patch).await?.expect(200)?;
        assert_eq!((&reply.json["status"], &reply.json["version"]), (&json!("held"), &json!(2)));
        ann.browser.post(&format!("/api/posts/{cancelled}/cancel"), None).await?.expect(200)?;
        connect(&ann, "ann").await?;
        let story = ann.browser.approve(&approved).await?;
        assert_eq!((&story["status"], &story["version"]), (&json!("scheduled"), &json!(2)));
        ann.browser.advance(A_ROUND).await?;
        let story = ann.browser.wait_for(&edited, "scheduled", SOON).await?;
        assert_eq!((&story["version"], &story["content"]), (&json!(3), &json!("Edited while it was held")));
        assert_eq!(says(&ann, &cancelled).await?.0, "cancelled");
        ann.has_quota([12, 0, 2, 10]).await
    })
    .await
}

/// Its cycle is full; in the next there are slots.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_post_that_is_moved_to_where_slots_are_goes_on() -> Outcome {
    play(async |stage| {
        let ann = stage.person("+61412347009", "professional", "ann").await?;
        let mut posts = Vec::new();
        for n in 0..13 {
            posts.push(ann.approved_on_x(&format!("Day {n}"), (n + 31) * DAY).await?);
        }
        wish(stage, &ann, Wish::Have(Plan::Starter)).await?;
        assert_eq!(says(&ann, &posts[12]).await?.0, "held");
        let due = ann.browser.service_time(65 * DAY).await?;
        let path = format!("/api/posts/{}", posts[12]);
        ann.browser.patch(&path, "\"1\"", &json!({ "scheduled_for": due })).await?.expect(200)?;
        ann.browser.advance(A_ROUND).await?;
        let story = ann.browser.wait_for(&posts[12], "scheduled", SOON).await?;
        assert!(story["subscription_cycle"].as_str() > ann.browser.post_story(&posts[0]).await?["subscription_cycle"].as_str());
        Ok(())
    })
    .await
}
