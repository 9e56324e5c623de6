//! What an error advises helps: for every code, somebody gets into it, does what action and message say, and the post goes out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, ensure};
use domain::billing::signature::SigningSecret;
use domain::failure::{Action, FailureCode};
use embedded::{CallInfo, Fault};
use jiff::{SignedDuration, Timestamp};
use journeys::{Door, Person, SOON, Stage, UNTIL_SEARCH_SECS, play, play_disturbed, play_with};
use local::Settings;
use serde_json::{Value, json};
use simulator::stripe::Event;
use simulator::{STARTER_PRICE, WEBHOOK_SECRET};

type Outcome = anyhow::Result<()>;

const DAY: i64 = 86_400;

/// Gets into `code` and out of it again. A new code has no way here until somebody has walked it.
async fn walk(code: FailureCode) -> Outcome {
    match code {
        FailureCode::ContentRejected => play(async |stage| refused_text(stage, code, "reject").await).await,
        FailureCode::DuplicateContent => play(async |stage| refused_text(stage, code, "duplicate").await).await,
        FailureCode::TooLate => play(too_late).await,
        FailureCode::ReportedMissing => play(reported_missing).await,
        FailureCode::ReconnectNeeded => play(reconnect_needed).await,
        FailureCode::PermissionMissing => play(permission_missing).await,
        FailureCode::ConnectionGone => play(connection_gone).await,
        FailureCode::AccountRestricted => play(account_restricted).await,
        FailureCode::PlatformDown | FailureCode::PlatformUnreachable => out_of_reach(code).await,
        FailureCode::NotConfirmed => play(not_confirmed).await,
        FailureCode::AppUnavailable => play_disturbed(async |stage| limited(stage, code, "app_limited", 15 * 60 + 1).await).await,
        FailureCode::RateLimited => play(async |stage| limited(stage, code, "rate_limited", 61).await).await,
        FailureCode::TokenUnavailable => play(token_unavailable).await,
        FailureCode::OutOfTime => play_disturbed(out_of_time).await,
        FailureCode::AnswerLost => play(answer_lost).await,
        FailureCode::QuotaLost => play(quota_lost).await,
    }
}

/// Walks all codes that advise `action`.
async fn walk_all(action: Action) -> Outcome {
    for code in FailureCode::ALL.iter().filter(|code| code.action() == action) {
        walk(*code).await.with_context(|| format!("walking {}", code.as_str()))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_edits_as_advised_sees_the_post_go_out() -> Outcome {
    walk_all(Action::Edit).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reconnects_as_advised_sees_the_post_go_out() -> Outcome {
    walk_all(Action::Reconnect).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_as_advised_sees_the_post_go_out() -> Outcome {
    walk_all(Action::Wait).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_looks_at_the_platform_as_advised_sees_the_post_go_out() -> Outcome {
    walk_all(Action::CheckPlatform).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_pays_as_advised_sees_the_post_go_out() -> Outcome {
    walk_all(Action::UpgradePlan).await
}

#[test]
fn every_code_advises_something_that_is_walked() {
    let walked = [Action::Edit, Action::Reconnect, Action::Wait, Action::CheckPlatform, Action::UpgradePlan];
    for code in FailureCode::ALL {
        assert!(walked.contains(&code.action()), "{}", code.as_str());
    }
}

/// Whether the post says this of itself, in the words of the code; gives its story.
fn says(story: Value, code: FailureCode) -> anyhow::Result<Value> {
    let words = json!({ "code": code.as_str(), "message": code.message(), "action": code.action() });
    ensure!(story["error"] == words, "expected {words}: {story:#}");
    Ok(story)
}

/// Changes a post that is over: it is a draft with its story; approves it, and sees it go out.
async fn edit_and_approve(ann: &Person, over: &Value, edit: &Value) -> anyhow::Result<Value> {
    let (post, version) = (over["id"].as_str().context("an id")?, over["version"].as_u64().context("a version")?);
    let edited = ann.browser.patch(&format!("/api/posts/{post}"), &format!("\"{version}\""), edit).await?.expect(200)?.json;
    assert_eq!((&edited["status"], &edited["version"], &edited["error"]), (&json!("draft"), &json!(version + 1), &Value::Null));
    assert_eq!((&edited["approved_at"], &edited["subscription_cycle"]), (&Value::Null, &Value::Null));
    assert_eq!((&edited["error_log"], &edited["attempt_count"]), (&over["error_log"], &over["attempt_count"]));
    ann.browser.approve(post).await?;
    let story = ann.browser.wait_for(post, "published", SOON).await?;
    for part in ["attempts", "events"] {
        let (before, now) = (over[part].as_array().context("a story")?, story[part].as_array().context("a story")?);
        assert_eq!(now[..before.len()], before[..], "what happened stays told");
    }
    Ok(story)
}

async fn retry(ann: &Person, post: &str) -> anyhow::Result<Value> {
    ann.browser.post(&format!("/api/posts/{post}/retry"), None).await?.expect(200)?;
    ann.browser.wait_for(post, "published", SOON).await
}

/// One post was paid for, and the books say so.
async fn paid_once(ann: &Person) -> Outcome {
    ann.has_quota([12, 1, 0, 11]).await?;
    ann.ledger_adds_up().await
}

async fn refused_text(stage: &mut Stage, code: FailureCode, fault: &str) -> Outcome {
    let ann = stage.person("+61412347101", "starter", "ann").await?;
    ann.browser.fault("x", &json!({ "kind": fault })).await?;
    let post = ann.approved_on_x("Not like this", 0).await?;
    let failed = says(ann.browser.wait_for(&post, "failed", SOON).await?, code)?;
    edit_and_approve(&ann, &failed, &json!({ "content": "But like this" })).await?;
    assert_eq!((ann.times_on_x("Not like this").await?, ann.times_on_x("But like this").await?), (0, 1));
    paid_once(&ann).await
}

async fn too_late(stage: &mut Stage) -> Outcome {
    let ann = stage.person("+61412347102", "starter", "ann").await?;
    let due: Timestamp = ann.browser.service_time(300).await?.parse()?;
    let body = json!({ "content": "In time", "targets": [{ "connection_id": ann.x }], "scheduled_for": due,
        "latest_at": due + SignedDuration::from_mins(2) });
    let post = ann.browser.post("/api/posts", Some(&body)).await?.expect(201)?.str("/items/0/id")?;
    stage.fail("scheduler.CreateSchedule");
    ann.browser.approve(&post).await?;
    ann.browser.advance(600).await?;
    stage.heal();
    let missed = says(ann.browser.wait_for(&post, "missed", SOON).await?, FailureCode::TooLate)?;
    // Another text alone brings no time back, and the refusal says what does.
    let path = format!("/api/posts/{post}");
    let edited = ann.browser.patch(&path, "\"1\"", &json!({ "content": "In good time" })).await?.expect(200)?.json;
    assert_eq!((&edited["status"], &edited["scheduled_for"]), (&json!("draft"), &missed["scheduled_for"]));
    let refused = ann.browser.post(&format!("{path}/approve"), None).await?.expect(422)?.json;
    assert_eq!((&refused["errors"][0]["pointer"], &refused["errors"][0]["code"]), (&json!("/scheduled_for"), &json!("due_in_past")));
    ensure!(refused["errors"][0]["detail"].as_str().is_some_and(|detail| detail.contains("Change it to a time to come")), "{refused}");
    let soon = ann.browser.service_time(60).await?;
    ann.browser.patch(&path, "\"2\"", &json!({ "scheduled_for": soon })).await?.expect(200)?;
    ann.browser.approve(&post).await?;
    ann.browser.advance(61).await?;
    ann.browser.wait_for(&post, "published", SOON).await?;
    assert_eq!((ann.times_on_x("In time").await?, ann.times_on_x("In good time").await?), (0, 1));
    paid_once(&ann).await
}

/// A post that its owner did not find, because the platform never got it.
async fn not_there(stage: &Stage, ann: &Person, text: &str) -> anyhow::Result<Value> {
    ann.browser.fault("x", &json!({ "kind": "drop_before" })).await?;
    let post = ann.approved_on_x(text, 0).await?;
    ann.browser.wait_for(&post, "unknown", SOON).await?;
    ann.browser.advance(UNTIL_SEARCH_SECS).await?;
    stage.queue_at_rest().await?;
    ann.browser.post(&format!("/api/posts/{post}/resolve"), Some(&json!({ "outcome": "not_published" }))).await?.expect(200)?;
    says(ann.browser.post_story(&post).await?, FailureCode::ReportedMissing)
}

async fn reported_missing(stage: &mut Stage) -> Outcome {
    let ann = stage.person("+61412347103", "starter", "ann").await?;
    let failed = not_there(stage, &ann, "Is it there?").await?;
    edit_and_approve(&ann, &failed, &json!({ "content": "Now it is there" })).await?;
    paid_once(&ann).await?;
    let failed = not_there(stage, &ann, "And this one?").await?;
    retry(&ann, failed["id"].as_str().context("an id")?).await?;
    assert_eq!(ann.times_on_x("And this one?").await?, 1);
    ann.has_quota([12, 2, 0, 10]).await
}

async fn reconnect_needed(stage: &mut Stage) -> Outcome {
    let ann = stage.person("+61412347104", "starter", "ann").await?;
    ann.browser.fault("x", &json!({ "kind": "token_revoked", "account": "ann" })).await?;
    let post = ann.approved_on_x("With a new grant", 0).await?;
    says(ann.browser.wait_for(&post, "held", SOON).await?, FailureCode::ReconnectNeeded)?;
    stage.queue_at_rest().await?;
    let early = ann.browser.post(&format!("/api/posts/{post}/approve"), None).await?.expect(409)?;
    assert_eq!(early.json["code"], "connection_unusable");
    assert_eq!(ann.browser.connect("x", &[("account", "ann")], &[]).await?, std::slice::from_ref(&ann.x));
    goes_on(&ann, &post).await?;
    paid_once(&ann).await
}

async fn permission_missing(stage: &mut Stage) -> Outcome {
    let ann = stage.person("+61412347105", "starter", "ann").await?;
    ann.browser.fault("facebook", &json!({ "kind": "app_refused" })).await?;
    let due = ann.browser.service_time(0).await?;
    let post = ann.browser.write("With permission", &[&ann.facebook], &due).await?.remove(0);
    ann.browser.approve(&post).await?;
    says(ann.browser.wait_for(&post, "failed", SOON).await?, FailureCode::PermissionMissing)?;
    assert_eq!(ann.browser.connect("facebook", &[], &["Demo Bakery"]).await?, std::slice::from_ref(&ann.facebook));
    retry(&ann, &post).await?;
    paid_once(&ann).await
}

async fn connection_gone(stage: &mut Stage) -> Outcome {
    let ann = stage.person("+61412347106", "starter", "ann").await?;
    let shop = ann.browser.connect("x", &[("account", "shop")], &[]).await?.remove(0);
    let [same, other, late] =
        ["By the same way", "By another way", "Late, and in time all the same"].map(|text| ann.approved_on_x(text, 300));
    let (same, other, late) = futures::future::try_join3(same, other, late).await?;
    ann.browser.delete(&format!("/api/connections/{}", ann.x)).await?.expect(204)?;
    for post in [&same, &other, &late] {
        let held = says(ann.browser.wait_for(post, "held", SOON).await?, FailureCode::ConnectionGone)?;
        if *post == other {
            let tag = format!("\"{}\"", held["version"]);
            let edit = json!({ "connection_id": shop });
            ann.browser.patch(&format!("/api/posts/{post}"), &tag, &edit).await?.expect(200)?;
        }
    }
    ann.has_quota([12, 0, 0, 12]).await?;
    ann.browser.advance(301).await?;
    goes_on(&ann, &other).await?;
    assert_eq!(ann.browser.connect("x", &[("account", "ann")], &[]).await?, std::slice::from_ref(&ann.x));
    goes_on(&ann, &same).await?;
    goes_on(&ann, &late).await?;
    for text in ["By the same way", "By another way", "Late, and in time all the same"] {
        assert_eq!(ann.times_on_x(text).await?, 1, "{text}");
    }
    ann.has_quota([12, 3, 0, 9]).await?;
    ann.ledger_adds_up().await
}

/// A held post goes on by itself: the sweeper comes within a minute.
async fn goes_on(ann: &Person, post: &str) -> Outcome {
    ann.browser.advance(61).await?;
    ann.browser.wait_for(post, "published", SOON).await.map(|_| ())
}

async fn account_restricted(stage: &mut Stage) -> Outcome {
    let ann = stage.person("+61412347107", "starter", "ann").await?;
    ann.browser.fault("facebook", &json!({ "kind": "restricted" })).await?;
    let due = ann.browser.service_time(0).await?;
    let post = ann.browser.write("Unlocked", &[&ann.facebook], &due).await?.remove(0);
    ann.browser.approve(&post).await?;
    says(ann.browser.wait_for(&post, "failed", SOON).await?, FailureCode::AccountRestricted)?;
    retry(&ann, &post).await?;
    paid_once(&ann).await
}

async fn not_confirmed(stage: &mut Stage) -> Outcome {
    let ann = stage.person("+61412347108", "starter", "ann").await?;
    ann.browser.fault("x", &json!({ "kind": "list_lag", "seconds": 30 * DAY })).await?;
    for (fault, text, is_there) in [("drop_after", "Look, I am there", true), ("drop_before", "Look, I am not", false)] {
        ann.browser.fault("x", &json!({ "kind": fault })).await?;
        let post = ann.approved_on_x(text, 0).await?;
        ann.browser.wait_for(&post, "unknown", SOON).await?;
        for wait in [UNTIL_SEARCH_SECS, 5 * 60 + 1, 15 * 60 + 1, 62 * 60] {
            ann.browser.advance(wait).await?;
            stage.queue_at_rest().await?;
        }
        says(ann.browser.wait_for(&post, "needs_review", SOON).await?, FailureCode::NotConfirmed)?;
        let seen = ann.times_on_x(text).await? == 1;
        assert_eq!(seen, is_there);
        let told = json!({ "outcome": if seen { "published" } else { "not_published" } });
        let resolved = ann.browser.post(&format!("/api/posts/{post}/resolve"), Some(&told)).await?.expect(200)?.json;
        if !seen {
            says(resolved, FailureCode::ReportedMissing)?;
            retry(&ann, &post).await?;
        }
        assert_eq!(ann.times_on_x(text).await?, 1);
    }
    ann.has_quota([12, 2, 0, 10]).await
}

async fn limited(stage: &mut Stage, code: FailureCode, fault: &str, ends_after_secs: i64) -> Outcome {
    let ann = stage.person("+61412347109", "starter", "ann").await?;
    ann.browser.fault("x", &json!({ "kind": fault, "seconds": 60 })).await?;
    let post = ann.approved_on_x("As soon as I may", 0).await?;
    says(ann.is_put_off(&post, code.as_str()).await?, code)?;
    ann.browser.advance(ends_after_secs).await?;
    ann.browser.wait_for(&post, "published", SOON).await?;
    paid_once(&ann).await
}

/// X is out of reach for a while, or for as long as we try.
async fn out_of_reach(code: FailureCode) -> Outcome {
    let mut door = Door::new().await?;
    let settings = Settings::default().with_platforms(format!("x.api=http://{}/_sim/x", door.address()));
    play_with(settings, async |stage| {
        door.lead_to(stage.service().base_url())?;
        let ann = stage.person("+61412347110", "starter", "ann").await?;
        let due: Timestamp = ann.browser.service_time(0).await?.parse()?;
        let body = json!({ "content": "Once the way is free", "targets": [{ "connection_id": ann.x }], "scheduled_for": due,
            "latest_at": due + SignedDuration::from_hours(20) });
        let post = ann.browser.post("/api/posts", Some(&body)).await?.expect(201)?.str("/items/0/id")?;
        door.close().await;
        ann.browser.approve(&post).await?;
        if code == FailureCode::PlatformUnreachable {
            says(ann.is_put_off(&post, code.as_str()).await?, code)?;
            door.open().await?;
            ann.browser.advance(5 * 60).await?;
            ann.browser.wait_for(&post, "published", SOON).await?;
        } else {
            says(tried_until_failed(&ann, &post).await?, code)?;
            door.open().await?;
            retry(&ann, &post).await?;
        }
        assert_eq!(ann.times_on_x("Once the way is free").await?, 1);
        paid_once(&ann).await
    })
    .await
}

/// Moves the clock to each try, and no further: a token that ends meanwhile would be another story.
async fn tried_until_failed(ann: &Person, post: &str) -> anyhow::Result<Value> {
    let until = Instant::now() + 6 * SOON;
    while Instant::now() < until {
        let story = ann.browser.post_story(post).await?;
        if story["status"] == "failed" {
            return Ok(story);
        }
        let now: Timestamp = ann.browser.service_time(0).await?.parse()?;
        let next = story["next_attempt_at"].as_str().map_or(Ok(now), str::parse)?;
        if next > now {
            ann.browser.advance(next.duration_since(now).as_secs() + 1).await?;
        }
    }
    anyhow::bail!("it is tried without an end")
}

async fn token_unavailable(stage: &mut Stage) -> Outcome {
    let ann = stage.person("+61412347111", "starter", "ann").await?;
    ann.browser.fault("x", &json!({ "kind": "token_expired", "account": "ann" })).await?;
    ann.browser.fault("x", &json!({ "kind": "error_before", "on": "refresh" })).await?;
    let post = ann.approved_on_x("With a renewed token", 0).await?;
    let code = FailureCode::TokenUnavailable;
    says(ann.is_put_off(&post, code.as_str()).await?, code)?;
    for _ in 0..3 {
        ann.browser.advance(70).await?;
        stage.queue_at_rest().await?;
    }
    ann.browser.wait_for(&post, "published", SOON).await?;
    paid_once(&ann).await
}

/// What became of an earlier send cannot be read: nothing is sent before it can.
async fn out_of_time(stage: &mut Stage) -> Outcome {
    let ann = stage.person("+61412347112", "starter", "ann").await?;
    let failed = not_there(stage, &ann, "In the time that is left").await?;
    let post = failed["id"].as_str().context("an id")?;
    let due = ann.browser.service_time(60).await?;
    ann.browser.post(&format!("/api/posts/{post}/retry"), Some(&json!({ "scheduled_for": due }))).await?.expect(200)?;
    let intended = AtomicBool::new(false);
    stage.service().aws().on_call(Box::new(move |call: &CallInfo| {
        intended.fetch_or(call.operation == "TransactWriteItems", Ordering::Relaxed);
        (call.operation == "BatchGetItem" && intended.load(Ordering::Relaxed)).then_some(Fault::FailBefore)
    }));
    ann.browser.advance(61).await?;
    let code = FailureCode::OutOfTime;
    says(ann.is_put_off(post, code.as_str()).await?, code)?;
    stage.heal();
    ann.browser.advance(120).await?;
    ann.browser.wait_for(post, "published", SOON).await?;
    assert_eq!(ann.times_on_x("In the time that is left").await?, 1);
    paid_once(&ann).await
}

async fn answer_lost(stage: &mut Stage) -> Outcome {
    let ann = stage.person("+61412347113", "starter", "ann").await?;
    ann.browser.fault("x", &json!({ "kind": "drop_after" })).await?;
    let post = ann.approved_on_x("Found again", 0).await?;
    says(ann.browser.wait_for(&post, "unknown", SOON).await?, FailureCode::AnswerLost)?;
    ann.browser.advance(UNTIL_SEARCH_SECS).await?;
    ann.browser.wait_for(&post, "published", SOON).await?;
    paid_once(&ann).await
}

/// A subscription ends and is taken up again.
async fn quota_lost(stage: &mut Stage) -> Outcome {
    let mut browser = stage.browser();
    browser.sign_in("+61412347114").await?;
    let user = browser.get("/api/user").await?.expect(200)?.str("/id")?;
    let began: Timestamp = browser.service_time(0).await?.parse()?;
    let x = browser.connect("x", &[("account", "ann")], &[]).await?.remove(0);
    let event = |nth: u8, kind: &'static str, status: &str| Event {
        id: format!("evt_{nth}_{status}"),
        kind,
        created: began + SignedDuration::from_secs(10 * i64::from(nth)),
        customer: format!("cus_{user}"),
        subscription: format!("sub_{user}_{}", nth / 2),
        started: began,
        status: status.to_owned(),
        price: STARTER_PRICE.to_owned(),
        user: Some(user.clone()),
        before: None,
    };
    let secret = SigningSecret::parse(WEBHOOK_SECRET.to_owned().into()).context("the simulator's secret")?;
    let told = async |event: Event| -> Outcome {
        let body = event.body();
        let now = browser.service_time(0).await?.parse()?;
        browser.deliver("/api/billing/webhook", &[("stripe-signature", &secret.header(&body, now))], body).await?.expect(200).map(|_| ())
    };
    told(event(0, "customer.subscription.created", "active")).await?;
    let due = browser.service_time(35 * DAY).await?;
    let post = browser.write("Paid for again", &[&x], &due).await?.remove(0);
    browser.approve(&post).await?;
    told(event(1, "customer.subscription.deleted", "canceled")).await?;
    says(browser.post_story(&post).await?, FailureCode::QuotaLost)?;
    told(event(2, "customer.subscription.created", "active")).await?;
    let renewed = began + SignedDuration::from_secs(32 * DAY);
    told(Event { created: renewed, ..event(3, "customer.subscription.updated", "active") }).await?;
    let mut browser = browser.clone();
    browser.advance(35 * DAY + 1).await?;
    browser.sign_in("+61412347114").await?;
    browser.wait_for(&post, "published", SOON).await.map(|_| ())
}
