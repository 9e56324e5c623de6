//! Cycles over years and changes of plan: every number explained, no post lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use domain::id::UserId;
use domain::ledger::{Actor, Cycle};
use domain::plan::Plan;
use domain::plan_change::{Wish, change_plan, cycles_needed_from};
use edge::random::Random;
use embedded::CallInfo;
use journeys::{Person, SOON, Stage, play, play_disturbed};
use local::variables::tables;
use serde_json::{Value, json};
use store::{PlanStored, Store};

type Outcome = anyhow::Result<()>;

const DAY: i64 = 24 * 3_600;
const PHONE: &str = "+61412345800";

fn store(stage: &Stage) -> Store {
    Store::new(&stage.service().aws().sdk_config(), tables())
}

async fn user_id(person: &Person) -> anyhow::Result<UserId> {
    Ok(UserId::parse(&person.id().await?)?)
}

/// What a payment, or its absence, does; and the posts that lose their place by it.
async fn wish(stage: &Stage, person: &Person, wish: Wish) -> anyhow::Result<usize> {
    let (store, random) = (store(stage), Random::system());
    let now: jiff::Timestamp = person.browser.advance(1).await?.parse()?;
    let user = store.user(&user_id(person).await?).await?.expect("they are there");
    let cycles = store.cycles_from(&user.id, cycles_needed_from(now)).await?;
    let change = change_plan(wish, &user, &cycles, (now, Actor::Operator), || random.bytes())?;
    anyhow::ensure!(store.change_plan(&change.user, &change.changes, "a test").await? == PlanStored::Done);
    // Sent again by a client that did not hear the answer, it stands once.
    anyhow::ensure!(store.change_plan(&change.user, &change.changes, "a test").await? == PlanStored::Done);
    let mut held = 0;
    for cycle in change.changes.iter().map(|change| &change.cycle) {
        let cause = || domain::ledger::Cause { entropy: random.bytes(), at: now, actor: Actor::Operator, post_id: None };
        held += store.hold_beyond_quota(&cycle.user_id, cycle.span.start, cause).await?;
    }
    Ok(held)
}

/// As somebody would who writes into the table by hand.
fn change_cycle(stage: &Stage, cycle: &Cycle, expression: &str, values: &Value) -> Outcome {
    let key = json!({ "pk": { "S": format!("USER#{}", cycle.user_id) }, "sk": { "S": format!("CYCLE#{:.3}", cycle.span.start) } });
    let update = json!({ "TableName": tables().ledger, "Key": key, "UpdateExpression": expression,
        "ConditionExpression": "attribute_exists(pk)", "ExpressionAttributeValues": values });
    stage.service().aws().tables("UpdateItem", &update).map(drop)
}

async fn books_are_right(stage: &Stage, person: &Person) -> Outcome {
    let found = store(stage).audit(&user_id(person).await?).await?.differences;
    anyhow::ensure!(found.is_empty(), "{found:#?}");
    Ok(())
}

async fn cycles(person: &Person) -> anyhow::Result<Vec<Value>> {
    let page = person.browser.get("/api/analytics/cycles?limit=100").await?.expect(200)?;
    Ok(page.json["items"].as_array().cloned().unwrap_or_default())
}

/// A worker may be searching for the post at this moment: then its owner asks again.
async fn resolve_as_published(person: &Person, post: &str) -> Outcome {
    let until = Instant::now() + SOON;
    loop {
        let reply = person.browser.post(&format!("/api/posts/{post}/resolve"), Some(&json!({ "outcome": "published" }))).await?;
        if reply.status == 200 {
            return Ok(());
        }
        anyhow::ensure!(reply.json["code"] == "post_in_flight" && Instant::now() < until, "{}", reply.text);
        tokio::task::yield_now().await;
    }
}

/// Later, signed in anew: sessions end on the way.
async fn later(person: &mut Person, secs: i64) -> Outcome {
    person.browser.advance(secs).await?;
    person.browser.sign_in(PHONE).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_cycles_late_the_job_closes_three_and_tells_what_each_came_to() -> Outcome {
    play(async |stage| {
        let mut ann = stage.person(PHONE, "starter", "ann").await?;
        let post = ann.approved_on_x("In the first cycle", 0).await?;
        ann.browser.wait_for(&post, "published", SOON).await?;
        let ahead = ann.approved_on_x("Two cycles ahead", 70 * DAY).await?;
        assert_eq!(cycles(&ann).await?, Vec::<Value>::new(), "the running cycle has not come to anything yet");
        later(&mut ann, 95 * DAY).await?;
        assert_eq!(ann.browser.wait_for(&ahead, "missed", SOON).await?["subscription_cycle"], cycles(&ann).await?[0]["cycle_start"]);
        let told = cycles(&ann).await?;
        let used: Vec<_> = told.iter().map(|cycle| (cycle["posts_used"].as_u64(), cycle["successful_posts"].as_u64())).collect();
        assert_eq!(used, [(Some(0), Some(0)), (Some(0), Some(0)), (Some(1), Some(1))], "newest first");
        for pair in told.windows(2) {
            assert_eq!(pair[0]["cycle_start"], pair[1]["cycle_end"], "no gap, no overlap");
        }
        let (end, kept): (jiff::Timestamp, jiff::Timestamp) =
            (serde_json::from_value(told[0]["cycle_end"].clone())?, serde_json::from_value(told[0]["retention_expiry"].clone())?);
        assert!((729 * DAY..=731 * DAY).contains(&kept.duration_since(end).as_secs()));
        assert_eq!((&told[0]["quota"], &told[0]["total_reach"], &told[0]["engagement"]), (&json!(12), &Value::Null, &Value::Null));
        books_are_right(stage, &ann).await?;

        let page = ann.browser.get("/api/analytics/cycles?limit=2").await?.expect(200)?;
        let rest = ann.browser.get(&format!("/api/analytics/cycles?cursor={}", page.str("/next_cursor")?)).await?.expect(200)?;
        let first = &told[2]["cycle_start"];
        assert_eq!((&rest.json["items"][0]["cycle_start"], &rest.json["next_cursor"]), (first, &Value::Null));
        let foreign = page.str("/next_cursor")?;
        assert_eq!(ann.browser.get(&format!("/api/quota/history?cursor={foreign}")).await?.expect(400)?.json["code"], "invalid_cursor");
        // Two years and a month after the first cycle's end its row is gone; the job has told the others.
        later(&mut ann, 730 * DAY).await?;
        assert!(cycles(&ann).await?.iter().all(|cycle| cycle["cycle_start"] != *first));
        books_are_right(stage, &ann).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_that_is_settled_after_the_end_of_its_cycle_is_told_within_the_hour() -> Outcome {
    play(async |stage| {
        let mut ann = stage.person(PHONE, "starter", "ann").await?;
        ann.browser.fault("x", &json!({ "kind": "drop_before", "times": 1 })).await?;
        let post = ann.approved_on_x("Somebody has to look", 0).await?;
        ann.browser.wait_for(&post, "unknown", SOON).await?;
        later(&mut ann, 31 * DAY).await?;
        assert_eq!(cycles(&ann).await?[0]["posts_used"], 0);
        resolve_as_published(&ann, &post).await?;
        ann.browser.advance(3_601).await?;
        assert_eq!((&cycles(&ann).await?[0]["posts_used"], cycles(&ann).await?.len()), (&json!(1), 1));
        books_are_right(stage, &ann).await
    })
    .await
}

/// Quota, used, reserved and free of the cycle after the running one.
async fn ahead(stage: &Stage, person: &Person) -> anyhow::Result<[u32; 4]> {
    let cycles = store(stage).cycles_from(&user_id(person).await?, jiff::Timestamp::UNIX_EPOCH).await?;
    let cycle = cycles.get(1).ok_or_else(|| anyhow::anyhow!("no cycle is open ahead"))?;
    Ok([cycle.quota(), cycle.used, cycle.reserved, cycle.remaining()])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lower_plan_keeps_the_running_cycle_and_holds_of_the_next_the_posts_due_last() -> Outcome {
    play(async |stage| {
        let ann = stage.person(PHONE, "professional", "ann").await?;
        let now = ann.approved_on_x("This month", DAY).await?;
        let mut posts = Vec::new();
        for n in 0..14 {
            posts.push(ann.approved_on_x(&format!("Day {n}"), (n + 31) * DAY).await?);
        }
        assert_eq!(wish(stage, &ann, Wish::Have(Plan::Starter)).await?, 2);
        ann.has_quota([52, 0, 1, 51]).await?;
        assert_eq!(ahead(stage, &ann).await?, [12, 0, 12, 0]);
        assert_eq!(ann.browser.post_story(&now).await?["status"], "scheduled", "what is paid is had");
        for (n, post) in posts.iter().enumerate() {
            let story = ann.browser.post_story(post).await?;
            let held = story["error"]["code"] == "quota_lost";
            assert_eq!((&story["status"], held), (&json!(if held { "held" } else { "scheduled" }), n >= 12));
            if held {
                assert_eq!((&story["error"]["action"], &story["subscription_cycle"]), (&json!("upgrade_plan"), &Value::Null));
            }
        }
        let approve = format!("/api/posts/{}/approve", posts[13]);
        assert_eq!(ann.browser.post(&approve, None).await?.expect(409)?.json["code"], "quota_exhausted");
        // A held post has no slot to give back, and one that is cancelled gives its own back.
        ann.browser.post(&format!("/api/posts/{}/cancel", posts[12]), None).await?.expect(200)?;
        assert_eq!(ahead(stage, &ann).await?, [12, 0, 12, 0]);
        wish(stage, &ann, Wish::Have(Plan::Professional)).await?;
        assert_eq!(ahead(stage, &ann).await?[0], 52);
        assert_eq!(ann.browser.approve(&posts[13]).await?["error"], Value::Null);
        assert_eq!(ahead(stage, &ann).await?, [52, 0, 13, 39]);
        books_are_right(stage, &ann).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lapse_pays_to_the_end_holds_what_is_ahead_and_its_return_takes_it_back() -> Outcome {
    play(async |stage| {
        let mut ann = stage.person(PHONE, "starter", "ann").await?;
        let paid = ann.approved_on_x("Paid for", 2 * DAY).await?;
        let ahead = ann.approved_on_x("In the next cycle", 40 * DAY).await?;
        let late = ann.approved_on_x("In the next cycle, too", 41 * DAY).await?;
        assert_eq!(wish(stage, &ann, Wish::Lapse).await?, 2);
        ann.has_quota([12, 0, 1, 11]).await?;
        let approve = format!("/api/posts/{ahead}/approve");
        assert_eq!(ann.browser.post(&approve, None).await?.expect(409)?.json["code"], "no_active_plan");
        later(&mut ann, 2 * DAY).await?;
        ann.browser.wait_for(&paid, "published", SOON).await?;
        // The cycle ends, and none follows: there is no plan.
        later(&mut ann, 33 * DAY).await?;
        assert_eq!((cycles(&ann).await?.len(), &cycles(&ann).await?[0]["posts_used"]), (1, &json!(1)));
        assert_eq!(ann.browser.get("/api/quota").await?.expect(409)?.json["code"], "no_active_plan");
        books_are_right(stage, &ann).await?;
        wish(stage, &ann, Wish::Return).await?;
        ann.has_quota([12, 0, 0, 12]).await?;
        ann.browser.approve(&ahead).await?;
        ann.has_quota([12, 0, 1, 11]).await?;
        later(&mut ann, 5 * DAY).await?;
        ann.browser.wait_for(&ahead, "published", SOON).await?;
        // Nobody approved the other one again: it went on by itself.
        later(&mut ann, DAY).await?;
        ann.browser.wait_for(&late, "published", SOON).await?;
        ann.has_quota([12, 2, 0, 10]).await?;
        later(&mut ann, 31 * DAY).await?;
        assert_eq!(cycles(&ann).await?.len(), 2, "the chain goes on");
        books_are_right(stage, &ann).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_comes_back_while_its_cycle_is_closed_goes_on_in_the_next() -> Outcome {
    play(async |stage| {
        let mut ann = stage.person(PHONE, "starter", "ann").await?;
        let id = user_id(&ann).await?;
        wish(stage, &ann, Wish::Lapse).await?;
        // One call reads the cycle as the plan's return has left it, and its owner's row of before; ahead of the job's write, that is there too.
        let [cycle] = &store(stage).cycles_from(&id, jiff::Timestamp::UNIX_EPOCH).await?[..] else { anyhow::bail!("one cycle") };
        change_cycle(stage, cycle, "SET lapsed = :to", &json!({ ":to": { "BOOL": false } }))?;
        let (aws, returned) = (stage.service().aws().clone(), AtomicBool::new(false));
        let profile = json!({ "pk": { "S": format!("USER#{id}") }, "sk": { "S": "PROFILE" } });
        stage.service().aws().on_call(Box::new(move |call: &CallInfo| {
            if call.operation == "TransactWriteItems" && !returned.swap(true, Ordering::Relaxed) {
                let update = json!({ "TableName": tables().users, "Key": profile,
                    "UpdateExpression": "SET #entitled.#operator.#lapsed = :false, #rev = #rev + :one",
                    "ExpressionAttributeNames": { "#entitled": "entitled", "#operator": "operator", "#lapsed": "lapsed", "#rev": "rev" },
                    "ExpressionAttributeValues": { ":false": { "BOOL": false }, ":one": { "N": "1" } } });
                aws.tables("UpdateItem", &update).expect("the plan comes back");
            }
            None
        }));
        later(&mut ann, 31 * DAY).await?;
        stage.heal();
        let stored = store(stage).cycles_from(&id, jiff::Timestamp::UNIX_EPOCH).await?;
        let spans: Vec<_> = stored.iter().map(|cycle| (cycle.span, cycle.closed_at.is_some())).collect();
        let [(ended, true), (running, false)] = spans[..] else { anyhow::bail!("one closed and one running: {spans:?}") };
        assert_eq!(running.start, ended.end);
        books_are_right(stage, &ann).await
    })
    .await
}

/// Cycles are closed at once, and the one that stops whoever reads it stands before the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cycle_that_cannot_be_read_is_left_as_it_is_and_keeps_no_other_from_being_closed() -> Outcome {
    play_disturbed(async |stage| {
        let mut ann = stage.person(PHONE, "starter", "ann").await?;
        let bob = stage.person("+61412345801", "starter", "bob").await?;
        let (of_ann, of_bob) = (user_id(&ann).await?, user_id(&bob).await?);
        let stored = async |user: &UserId| store(stage).cycles_from(user, jiff::Timestamp::UNIX_EPOCH).await;
        let whole = stored(&of_ann).await?.remove(0);
        change_cycle(stage, &whole, "SET used = :to", &json!({ ":to": { "S": "none" } }))?;
        later(&mut ann, 31 * DAY).await?;
        let until = Instant::now() + SOON;
        while stored(&of_bob).await?.len() < 2 {
            anyhow::ensure!(Instant::now() < until, "bob's cycle is not closed");
            tokio::task::yield_now().await;
        }
        change_cycle(stage, &whole, "SET used = :to", &json!({ ":to": { "N": "0" } }))?;
        assert_eq!(stored(&of_ann).await?, [whole], "it was left as it is");
        later(&mut ann, 3_700).await?;
        assert_eq!(stored(&of_ann).await?.len(), 2, "mended, it is closed by the next run");
        books_are_right(stage, &ann).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gift_after_a_lapse_begins_a_cycle_and_the_old_one_ends_there() -> Outcome {
    play(async |stage| {
        let ann = stage.person(PHONE, "starter", "ann").await?;
        let paid = ann.approved_on_x("Paid for by the old one", 60).await?;
        wish(stage, &ann, Wish::Lapse).await?;
        ann.browser.redeem("professional").await?;
        ann.has_quota([52, 0, 0, 52]).await?;
        ann.browser.advance(3_601).await?;
        ann.browser.wait_for(&paid, "published", SOON).await?;
        ann.browser.advance(3_601).await?;
        let told = cycles(&ann).await?;
        assert_eq!((told.len(), &told[0]["posts_used"], &told[0]["quota"]), (1, &json!(1), &json!(12)));
        ann.has_quota([52, 0, 0, 52]).await?;
        books_are_right(stage, &ann).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_across_a_border_moves_the_place_and_holds_nothing_twice() -> Outcome {
    play(async |stage| {
        let ann = stage.person(PHONE, "starter", "ann").await?;
        let post = ann.approved_on_x("First here, then there", DAY).await?;
        ann.has_quota([12, 0, 1, 11]).await?;
        for (days, expected) in [(45, [12, 0, 0, 12]), (2, [12, 0, 1, 11]), (3, [12, 0, 1, 11])] {
            let story = ann.browser.post_story(&post).await?;
            let due = ann.browser.service_time(days * DAY).await?;
            let version = format!("\"{}\"", story["version"]);
            ann.browser.patch(&format!("/api/posts/{post}"), &version, &json!({ "scheduled_for": due })).await?.expect(200)?;
            ann.has_quota(expected).await?;
            books_are_right(stage, &ann).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_job_stopped_at_any_call_and_run_again_comes_to_the_same() -> Outcome {
    for fatal in 1..=4 {
        play_job_that_dies_at(fatal).await?;
    }
    Ok(())
}

/// The first `fatal` transactions of the job: their answers are lost, or they never arrive; then it runs again.
async fn play_job_that_dies_at(fatal: usize) -> Outcome {
    journeys::play_disturbed(async |stage| {
        let mut ann = stage.person(PHONE, "starter", "ann").await?;
        ann.approved_on_x("Ahead", 40 * DAY).await?;
        stage.lose_answers("dynamodb.TransactWriteItems", fatal);
        ann.browser.advance(65 * DAY).await?;
        stage.heal();
        later(&mut ann, 2 * 3_601).await?;
        let told = cycles(&ann).await?;
        assert_eq!(told.len(), 2, "{told:#?}");
        let reasons: Vec<_> = ann.browser.history().await?.iter().map(|row| row["change_reason"].clone()).collect();
        assert_eq!(reasons.iter().filter(|reason| *reason == "cycle_closed").count(), 2, "{reasons:?}");
        ann.has_quota([12, 0, 0, 12]).await?;
        books_are_right(stage, &ann).await
    })
    .await
}
