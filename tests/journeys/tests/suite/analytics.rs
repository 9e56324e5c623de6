//! What platforms tell of published posts: when it is asked for, what it comes to, and that it disturbs nothing.

use std::sync::atomic::Ordering;
use std::time::Instant;

use journeys::{Person, SOON, Stage, play, play_disturbed, play_with};
use local::Settings;
use serde_json::{Value, json};

type Outcome = anyhow::Result<()>;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const PHONE: &str = "+61412345700";

/// A post that went out at once, on X or on the Page.
async fn published(person: &Person, on: &str, text: &str) -> anyhow::Result<String> {
    let connection = if on == "x" { &person.x } else { &person.facebook };
    let due = person.browser.service_time(0).await?;
    let post = person.browser.write(text, &[connection], &due).await?.remove(0);
    person.browser.approve(&post).await?;
    person.browser.wait_for(&post, "published", SOON).await?;
    Ok(post)
}

pub(crate) async fn numbers(person: &Person, post: &str) -> anyhow::Result<Value> {
    Ok(person.browser.get(&format!("/api/posts/{post}/analytics")).await?.expect(200)?.json)
}

/// Waits until a post's analytics are as wanted.
pub(crate) async fn until(person: &Person, post: &str, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let end = Instant::now() + SOON;
    loop {
        let told = numbers(person, post).await?;
        if wanted(&told) {
            return Ok(told);
        }
        anyhow::ensure!(Instant::now() < end, "{told:#}");
        tokio::task::yield_now().await;
    }
}

/// Later, signed in anew where sessions end on the way.
async fn later(person: &mut Person, secs: i64) -> Outcome {
    person.browser.advance(secs).await?;
    if secs >= DAY { person.browser.sign_in(PHONE).await.map(drop) } else { Ok(()) }
}

fn at(value: &Value) -> jiff::Timestamp {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or(jiff::Timestamp::MIN)
}

/// Told at `now` or later.
fn told_since(now: &Value) -> impl Fn(&Value) -> bool {
    let since = at(now);
    move |told| at(&told["captured_at"]) >= since
}

async fn reads(person: &Person, platform: &str) -> anyhow::Result<i64> {
    Ok(person.browser.platform_calls(platform).await?["metrics"].as_i64().unwrap_or_default())
}

/// The hours of age at which a post was told, as time goes by in steps that are shorter than any rung.
async fn ladder(person: &mut Person, platform: &str) -> anyhow::Result<Vec<i64>> {
    let post = published(person, platform, &format!("Followed on {platform}")).await?;
    let story = person.browser.post_story(&post).await?;
    let (published_at, mut ages, mut last) = (at(&story["published_at"]), Vec::new(), Value::Null);
    assert_eq!(numbers(person, &post).await?["captured_at"], Value::Null);
    loop {
        let told = numbers(person, &post).await?;
        if told["next_sync_at"].is_null() {
            assert_eq!(told["watching"], "ended");
            return Ok(ages);
        }
        let now = at(&json!(person.browser.service_time(0).await?));
        let wait = at(&told["next_sync_at"]).duration_since(now).as_secs();
        later(person, wait.max(1) + 601).await?;
        let told = until(person, &post, |told| told["captured_at"] != last && !told["captured_at"].is_null()).await?;
        if last.is_null() {
            assert_eq!(reads(person, platform).await?, 1);
        }
        last = told["captured_at"].clone();
        ages.push((at(&last).duration_since(published_at).as_secs() - 300) / HOUR);
        assert!(ages.len() < 10, "it does not end: {ages:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_asked_on_the_ladder_and_x_once_a_day() -> Outcome {
    play(async |stage| {
        let mut ann = stage.person(PHONE, "starter", "ann").await?;
        assert_eq!(ladder(&mut ann, "facebook").await?, [1, 6, 24, 72, 168, 336, 720]);
        assert_eq!(reads(&ann, "facebook").await?, 7, "one call each");
        let ages = ladder(&mut ann, "x").await?;
        assert!(ages[0] == 1 && ages.ends_with(&[72, 168, 336, 720]), "{ages:?}");
        assert!(stage.log().iter().any(|line| line.contains("numbers_told")), "what was read is counted");
        // Whatever day it was: of one hour, six hours and a day, at most one on each.
        assert!((5..=6).contains(&ages.len()), "{ages:?}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_whose_answer_is_lost_costs_no_second_one_that_day() -> Outcome {
    play(async |stage| {
        let mut ann = stage.person(PHONE, "starter", "ann").await?;
        let post = published(&ann, "x", "Read once").await?;
        ann.browser.fault("x", &json!({ "kind": "drop_after", "on": "metrics" })).await?;
        later(&mut ann, HOUR + 601).await?;
        until(&ann, &post, |told| at(&told["next_sync_at"]) > at(&json!("2026-01-01T00:00:00Z")) && told["captured_at"].is_null()).await?;
        let end = Instant::now() + SOON;
        while reads(&ann, "x").await? < 1 {
            anyhow::ensure!(Instant::now() < end, "it was not read");
            tokio::task::yield_now().await;
        }
        let asked = ann.browser.service_time(0).await?;
        let told = until(&ann, &post, |told| at(&told["next_sync_at"]).duration_since(at(&json!(asked))).as_secs() > 20 * HOUR).await?;
        assert_eq!(told["captured_at"], Value::Null);
        later(&mut ann, 25 * HOUR).await?;
        until(&ann, &post, |told| !told["captured_at"].is_null()).await?;
        assert_eq!(reads(&ann, "x").await?, 2);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_that_fall_or_are_not_told_any_more_harm_nothing() -> Outcome {
    play(async |stage| {
        let mut ann = stage.person(PHONE, "starter", "ann").await?;
        let (page, x) = (published(&ann, "facebook", "On the Page").await?, published(&ann, "x", "On X").await?);
        later(&mut ann, DAY).await?;
        let first = until(&ann, &page, |told| !told["captured_at"].is_null()).await?;
        let on_x = until(&ann, &x, |told| !told["captured_at"].is_null()).await?;
        assert_eq!(on_x["reach"], Value::Null, "what X does not tell is null, never 0");
        assert!(first["reach"].as_u64() > Some(0) && first["clicks"].as_u64() > Some(0) && on_x["engagement"].as_u64() > Some(0));
        for platform in ["facebook", "x"] {
            ann.browser.fault(platform, &json!({ "kind": "metric_missing" })).await?;
            ann.browser.fault(platform, &json!({ "kind": "numbers_fall" })).await?;
        }
        later(&mut ann, 3 * DAY).await?;
        let now = json!(ann.browser.service_time(-DAY).await?);
        for (post, before) in [(&page, &first), (&x, &on_x)] {
            let told = until(&ann, post, told_since(&now)).await?;
            assert!(told["likes"].as_u64() < before["likes"].as_u64(), "what the platform takes back is taken back");
            assert_eq!(told["clicks"], before["clicks"], "what it does not tell any more is what it told last");
            assert!(told["comments"].is_u64() && told["shares"].is_u64(), "and the rest is told: {told:#}");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_that_is_gone_is_marked_and_one_of_a_gone_account_is_left() -> Outcome {
    play(async |stage| {
        let mut ann = stage.person(PHONE, "starter", "ann").await?;
        let (page, x) = (published(&ann, "facebook", "Soon gone").await?, published(&ann, "x", "Its account goes").await?);
        later(&mut ann, HOUR + 601).await?;
        let told = until(&ann, &page, |told| !told["captured_at"].is_null()).await?;
        until(&ann, &x, |told| !told["captured_at"].is_null()).await?;
        let id = ann.browser.post_story(&page).await?["platform_post_id"].as_str().unwrap_or_default().to_owned();
        ann.browser.delete(&format!("/_sim/facebook/posts/{id}")).await?.expect(204)?;
        ann.browser.delete(&format!("/api/connections/{}", ann.x)).await?.expect(204)?;
        later(&mut ann, DAY).await?;
        let gone = until(&ann, &page, |told| told["watching"] == "deleted").await?;
        assert_eq!((&gone["reach"], &gone["next_sync_at"]), (&told["reach"], &Value::Null), "its last numbers stay");
        let left = until(&ann, &x, |told| told["watching"] == "disconnected").await?;
        assert_eq!(left["next_sync_at"], Value::Null);
        assert_eq!(ann.browser.post_story(&page).await?["status"], "published", "a post is what it was");
        let log = stage.log();
        assert!(log.iter().any(|line| line.contains("a post's numbers wait") && line.contains("Disconnected")), "and it is told");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_needs_its_owner_is_waited_for() -> Outcome {
    play(async |stage| {
        let mut ann = stage.person(PHONE, "starter", "ann").await?;
        let post = published(&ann, "facebook", "Connected again later").await?;
        ann.browser.fault("facebook", &json!({ "kind": "token_revoked" })).await?;
        later(&mut ann, HOUR + 601).await?;
        until(&ann, &post, |told| told["watching"] == "needs_reauth").await?;
        let connections = ann.browser.get("/api/connections").await?.expect(200)?.json;
        assert!(connections.to_string().contains("needs_reauth"), "the owner sees it at once: {connections}");
        assert_eq!(reads(&ann, "facebook").await?, 1);
        ann.browser.connect("facebook", &[], &["Demo Bakery"]).await?;
        later(&mut ann, DAY + 601).await?;
        let told = until(&ann, &post, |told| !told["captured_at"].is_null()).await?;
        assert_eq!(told["watching"], "following");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_reading_keeps_nobody_from_posting() -> Outcome {
    play(async |stage| {
        let mut ann = stage.person(PHONE, "starter", "ann").await?;
        let mut posts = Vec::new();
        for (n, platform) in ["x", "x", "x", "facebook", "facebook", "facebook"].into_iter().enumerate() {
            posts.push((platform, published(&ann, platform, &format!("Number {n}")).await?));
        }
        for platform in ["x", "facebook"] {
            ann.browser.fault(platform, &json!({ "kind": "rate_limited", "on": "metrics", "times": 100, "seconds": 7_200 })).await?;
        }
        later(&mut ann, HOUR + 601).await?;
        for (_, post) in &posts {
            until(&ann, post, |told| told["captured_at"].is_null() && at(&told["next_sync_at"]) > at(&json!("2026-01-01T00:00:00Z")))
                .await?;
        }
        let limited = ann.browser.service_time(HOUR).await?;
        for (_, post) in &posts {
            until(&ann, post, |told| at(&told["next_sync_at"]) >= at(&json!(limited))).await?;
        }
        // Posting asks for nothing that reading has used up, and is not told to wait.
        for platform in ["x", "facebook"] {
            let fresh = published(&ann, platform, "Posted meanwhile").await?;
            assert_eq!(ann.browser.post_story(&fresh).await?["attempt_count"], 1);
        }
        let connections = ann.browser.get("/api/connections").await?.expect(200)?.json;
        assert!(!connections.to_string().contains("limited"), "{connections}");
        for platform in ["x", "facebook"] {
            ann.browser.request(reqwest::Method::DELETE, &format!("/_sim/{platform}/faults"), &[], None).await?.expect(204)?;
        }
        later(&mut ann, DAY).await?;
        for (_, post) in &posts {
            until(&ann, post, |told| !told["captured_at"].is_null()).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_takes_nothing_from_our_app_pauses_reading_and_posting_alike() -> Outcome {
    play_disturbed(async |stage| {
        let mut ann = stage.person(PHONE, "starter", "ann").await?;
        let post = published(&ann, "x", "Before the credits ended").await?;
        ann.browser.fault("x", &json!({ "kind": "app_limited", "on": "metrics" })).await?;
        later(&mut ann, HOUR + 601).await?;
        until(&ann, &post, |told| told["captured_at"].is_null() && at(&told["next_sync_at"]) > at(&json!("2026-01-01T00:00:00Z"))).await?;
        let end = Instant::now() + SOON;
        while !stage.log().iter().any(|line| line.contains("platform_paused")) {
            anyhow::ensure!(Instant::now() < end, "nobody was told");
            tokio::task::yield_now().await;
        }
        let waiting = ann.approved_on_x("After it", 0).await?;
        ann.is_put_off(&waiting, "app_unavailable").await?;
        later(&mut ann, 1_200).await?;
        ann.browser.wait_for(&waiting, "published", SOON).await?;
        until(&ann, &post, |told| !told["captured_at"].is_null()).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_are_told_of_a_field_that_was_asked_for_and_did_not_come() -> Outcome {
    play_disturbed(async |stage| {
        let mut ann = stage.person(PHONE, "starter", "ann").await?;
        let post = published(&ann, "x", "Before the field was renamed").await?;
        ann.browser.fault("x", &json!({ "kind": "field_dropped" })).await?;
        later(&mut ann, HOUR + 601).await?;
        until(&ann, &post, |told| !told["captured_at"].is_null() && !told["likes"].is_null()).await?;
        let end = Instant::now() + SOON;
        let is_told = |line: &String| line.contains("\"fields_missing\":1") && line.contains("repost_count");
        while !stage.log().iter().any(is_told) {
            anyhow::ensure!(Instant::now() < end, "nobody was told");
            tokio::task::yield_now().await;
        }
        Ok(())
    })
    .await
}

/// Reading numbers changes none of the ledger.
async fn books_are_right(stage: &Stage, person: &Person) -> Outcome {
    let store = store::Store::new(&stage.service().aws().sdk_config(), local::variables::tables());
    let found = store.audit(&domain::id::UserId::parse(&person.id().await?)?).await?.differences;
    anyhow::ensure!(found.is_empty(), "{found:#?}");
    Ok(())
}

async fn cycles(person: &Person) -> anyhow::Result<Vec<Value>> {
    let page = person.browser.get("/api/analytics/cycles?limit=100").await?.expect(200)?;
    Ok(page.json["items"].as_array().cloned().unwrap_or_default())
}

/// Waits until the newest closed cycle is the sum of these posts, as the posts themselves tell it, and tells another time than `before`.
async fn cycle_is_sum_of(person: &Person, posts: &[&str], before: &Value) -> anyhow::Result<Value> {
    let end = Instant::now() + SOON;
    loop {
        let (mut reach, mut engagement, mut untold) = (0, 0, 0);
        for post in posts {
            let told = numbers(person, post).await?;
            untold += usize::from(told["captured_at"].is_null());
            reach += told["reach"].as_u64().unwrap_or_default();
            engagement += told["engagement"].as_u64().unwrap_or_default();
        }
        let closed = cycles(person).await?;
        let is_sum = |cycle: &&Value| cycle["total_reach"] == reach && cycle["engagement"] == engagement;
        if let Some(cycle) = closed.first().filter(|cycle| untold == 0 && is_sum(cycle) && cycle["captured_at"] != *before) {
            return Ok(cycle.clone());
        }
        anyhow::ensure!(Instant::now() < end, "{reach} and {engagement}, {untold} untold: {closed:#?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_cycle_is_the_sum_of_its_posts_and_follows_them_afterwards() -> Outcome {
    play(async |stage| {
        let mut ann = stage.person(PHONE, "starter", "ann").await?;
        let early = published(&ann, "facebook", "At the beginning").await?;
        later(&mut ann, 28 * DAY).await?;
        let on_x = published(&ann, "x", "Near the end").await?;
        let on_page = published(&ann, "facebook", "Near the end, too").await?;
        assert_eq!(cycles(&ann).await?, Vec::<Value>::new(), "sums of a running cycle are not told as those of a closed one");
        later(&mut ann, 2 * DAY + 2 * HOUR).await?;
        let posts = [early.as_str(), &on_x, &on_page];
        let closed = cycle_is_sum_of(&ann, &posts, &Value::Null).await?;
        assert!(closed["captured_at"].is_string() && closed["next_sync_at"].is_string(), "{closed:#}");
        assert_eq!(closed["posts_used"], 3);
        ann.browser.fault("facebook", &json!({ "kind": "numbers_fall" })).await?;
        later(&mut ann, 10 * DAY).await?;
        cycle_is_sum_of(&ann, &posts, &closed["captured_at"]).await?;
        later(&mut ann, 31 * DAY).await?;
        let end = Instant::now() + SOON;
        while !cycles(&ann).await?.last().is_some_and(|cycle| cycle["next_sync_at"].is_null()) {
            anyhow::ensure!(Instant::now() < end, "its posts are old, and still asked for");
            tokio::task::yield_now().await;
        }
        books_are_right(stage, &ann).await
    })
    .await
}

/// Sums stay right, whatever is cut off: the first calls of the job lose their answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_job_stopped_at_any_write_and_run_again_comes_to_the_same() -> Outcome {
    for (operation, fatal) in [("dynamodb.PutItem", 2), ("dynamodb.BatchGetItem", 3)] {
        play_disturbed(async |stage| {
            let mut ann = stage.person(PHONE, "starter", "ann").await?;
            let first = published(&ann, "facebook", "One").await?;
            let second = published(&ann, "facebook", "Two").await?;
            later(&mut ann, 29 * DAY).await?;
            until(&ann, &first, |told| !told["captured_at"].is_null()).await?;
            until(&ann, &second, |told| !told["captured_at"].is_null()).await?;
            let third = published(&ann, "facebook", "Three").await?;
            let yet = stage.lose_answers(operation, fatal);
            ann.browser.advance(HOUR + 601).await?;
            ann.browser.advance(HOUR).await?;
            crate::until("no answer is lost", || yet.load(Ordering::Relaxed) == 0).await?;
            stage.heal();
            later(&mut ann, 2 * DAY).await?;
            cycle_is_sum_of(&ann, &[&first, &second, &third], &Value::Null).await.map(drop)
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn totals_of_a_period_add_up_platform_by_platform() -> Outcome {
    play(async |stage| {
        let mut ann = stage.person(PHONE, "starter", "ann").await?;
        let none = ann.browser.get("/api/analytics/totals").await?.expect(200)?.json;
        assert_eq!(none, json!({ "items": [], "next_cursor": null }));
        let posts = [published(&ann, "facebook", "One").await?, published(&ann, "facebook", "Two").await?];
        let on_x = published(&ann, "x", "Three").await?;
        let middle = ann.browser.service_time(1_800).await?;
        later(&mut ann, 2 * HOUR).await?;
        let (mut reach, mut likes) = (0, 0);
        for post in &posts {
            let told = until(&ann, post, |told| !told["captured_at"].is_null()).await?;
            reach += told["reach"].as_u64().unwrap_or_default();
            likes += told["likes"].as_u64().unwrap_or_default();
        }
        let told = until(&ann, &on_x, |told| !told["captured_at"].is_null()).await?;
        let late = published(&ann, "x", "After the period").await?;
        let period = |from: &str, to: &str| format!("/api/analytics/totals?from={from}&to={to}");
        let (start, now) = (ann.browser.service_time(-DAY).await?, ann.browser.service_time(1).await?);
        let totals = ann.browser.get(&period(&start, &middle)).await?.expect(200)?.json;
        let (x, page) = (&totals["items"][0], &totals["items"][1]);
        assert_eq!(
            (&x["platform"], &x["posts"], &x["engagement"], &x["reach"]),
            (&json!("x"), &json!(1), &told["engagement"], &Value::Null)
        );
        assert_eq!(
            (&page["posts"], &page["posts_told"], &page["reach"], &page["likes"]),
            (&json!(2), &json!(2), &json!(reach), &json!(likes))
        );
        assert!(page["captured_at"].is_string() && page["next_sync_at"].is_string());
        let whole = ann.browser.get(&period(&start, &now)).await?.expect(200)?.json;
        assert_eq!((&whole["items"][0]["posts"], &whole["items"][0]["posts_told"]), (&json!(2), &json!(1)), "{late} is not told yet");
        for bad in [period(&now, &start), period("2020-01-01T00:00:00Z", &now), "/api/analytics/totals?from=yesterday".to_owned()] {
            ann.browser.get(&bad).await?.expect(400)?;
        }
        let bob = stage.person("+61412345701", "starter", "bob").await?;
        assert_eq!(bob.browser.get(&period(&start, &now)).await?.expect(200)?.json["items"], json!([]));
        bob.browser.get(&format!("/api/posts/{on_x}/analytics")).await?.expect(404)?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exports_are_ones_own_end_clearly_and_hold_no_formula() -> Outcome {
    play(async |stage| {
        let mut ann = stage.person(PHONE, "professional", "ann").await?;
        let evil = published(&ann, "facebook", "=HYPERLINK(\"https://evil.example\",\"here\")").await?;
        for text in ["@SUM(A1)", "-1+1", "+1", "plain, with \"quotes\"\nand lines"] {
            ann.written_on_x(text, DAY).await?;
        }
        later(&mut ann, 2 * HOUR).await?;
        let told = until(&ann, &evil, |told| !told["captured_at"].is_null()).await?;
        let file = ann.browser.get("/api/export/posts.csv").await?.expect(200)?;
        assert_eq!(file.headers["content-type"], "text/csv; charset=utf-8");
        assert!(!file.headers.contains_key("link"), "all of it is here");
        let lines: Vec<_> = file.text.split("\r\n").filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.len(), 6, "{}", file.text);
        assert!(
            lines[0].starts_with("\"id\",\"platform\",") && lines[1].contains("\"'=HYPERLINK(\"\"https://evil.example\"\",\"\"here\"\")\"")
        );
        assert!(lines[1].contains(&format!(",{},", told["reach"])), "{}", lines[1]);
        for cell in [",\"'@SUM(A1)\",", ",\"'-1+1\",", ",\"'+1\",", ",\"plain, with \"\"quotes\"\"\nand lines\","] {
            assert!(file.text.contains(cell), "{cell} in {}", file.text);
        }
        let bob = stage.person("+61412345701", "starter", "bob").await?;
        let none = bob.browser.get("/api/export/posts.csv").await?.expect(200)?;
        assert_eq!(none.text.lines().count(), 1, "a stranger's posts are not there: {}", none.text);
        ann.browser.get("/api/export/posts.csv?user_id=somebody").await?.expect(400)?;
        ann.browser.get("/api/export/posts.csv?cursor=AAAA").await?.expect(400)?;
        stage.browser().get("/api/export/posts.csv").await?.expect(401)?;

        later(&mut ann, 31 * DAY).await?;
        let cycles = ann.browser.get("/api/export/cycles.csv").await?.expect(200)?;
        let lines: Vec<_> = cycles.text.split("\r\n").filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.len(), 2, "{}", cycles.text);
        assert!(lines[0].starts_with("\"cycle_start\",\"cycle_end\",\"quota\","));
        let mut dan = stage.browser();
        dan.sign_in("+61412345702").await?;
        let none = dan.get("/api/export/cycles.csv").await?.expect(200)?;
        assert_eq!(none.text.lines().count(), 1, "a stranger's cycles are not there: {}", none.text);
        for query in [format!("user_id={}", ann.id().await?), "from=2026-01-01T00:00:00Z".to_owned(), "cursor=".to_owned()] {
            let refused = dan.get(&format!("/api/export/cycles.csv?{query}")).await?.expect(400)?;
            assert_eq!(refused.json["code"], "malformed_request", "{query}");
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_export_goes_on_where_its_link_leads() -> Outcome {
    play(async |stage: &mut Stage| {
        let ann = stage.person(PHONE, "professional", "ann").await?;
        let due = ann.browser.service_time(DAY).await?;
        let long = "long ".repeat(12_000);
        let count = 80;
        for n in 0..count {
            ann.browser.write(&format!("{n} {long}"), &[&ann.facebook], &due).await?;
        }
        let (mut address, mut rows, mut files) = ("/api/export/posts.csv".to_owned(), 0, 0);
        loop {
            let file = ann.browser.get(&address).await?.expect(200)?;
            files += 1;
            rows += file.text.split("\r\n").filter(|line| !line.is_empty()).count() - 1;
            let Some(link) = file.headers.get("link") else { break };
            let link = link.to_str()?;
            address = link.trim_start_matches('<').split('>').next().unwrap_or_default().to_owned();
            anyhow::ensure!(link.ends_with("; rel=\"next\"") && files < 9, "{link}");
        }
        assert_eq!((rows, files), (count, 2));
        Ok(())
    })
    .await
}

/// How a post's metrics stand: when they are read next, and why.
fn standing(told: &Value) -> (&Value, &str) {
    (&told["next_sync_at"], told["watching"].as_str().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_is_turned_off_is_not_asked_and_goes_on_once_it_is_on_again() -> Outcome {
    play_with(&[("METRICS_PACE", "x=off")], async |stage| {
        let mut ann = stage.person(PHONE, "starter", "ann").await?;
        let (on_x, on_page) = (published(&ann, "x", "Not followed").await?, published(&ann, "facebook", "Followed").await?);
        assert_eq!(standing(&numbers(&ann, &on_x).await?), (&Value::Null, "off"), "also before its first hour is over");
        later(&mut ann, 2 * HOUR).await?;
        until(&ann, &on_page, |told| !told["captured_at"].is_null()).await?;
        later(&mut ann, DAY).await?;
        until(&ann, &on_page, |told| at(&told["next_sync_at"]) > at(&told["captured_at"])).await?;
        let told = numbers(&ann, &on_x).await?;
        assert_eq!((standing(&told), &told["captured_at"]), ((&Value::Null, "off"), &Value::Null));
        assert_eq!(reads(&ann, "x").await?, 0, "not one call");
        assert!(stage.log().iter().any(|line| line.contains("\"numbers_turned_off\":1")), "what is passed over is counted");
        let totals = ann.browser.get("/api/analytics/totals").await?.expect(200)?.json;
        assert_eq!((&totals["items"][0]["next_sync_at"], &totals["items"][0]["posts_told"]), (&Value::Null, &json!(0)));
        let file = ann.browser.get("/api/export/posts.csv").await?.expect(200)?.text;
        assert!(file.lines().any(|line| line.contains("Not followed") && line.ends_with(",\"off\"")), "{file}");

        stage.restart_with(Settings::default()).await;
        let signed_in = std::mem::replace(&mut ann.browser, stage.browser());
        (ann.browser.cookie, ann.browser.csrf_token) = (signed_in.cookie, signed_in.csrf_token);
        let on_again = numbers(&ann, &on_x).await?;
        assert!(on_again["next_sync_at"].is_string() && on_again["watching"] == "following", "{on_again:#}");
        later(&mut ann, 3 * DAY).await?;
        let told = until(&ann, &on_x, |told| !told["captured_at"].is_null()).await?;
        assert_eq!(
            (reads(&ann, "x").await?, &told["watching"]),
            (1, &json!("following")),
            "the rungs that have passed are not made up for"
        );
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_is_slowed_is_asked_on_fewer_rungs() -> Outcome {
    play_with(&[("METRICS_PACE", "*=6,facebook=3")], async |stage| {
        let mut ann = stage.person(PHONE, "starter", "ann").await?;
        assert_eq!(ladder(&mut ann, "facebook").await?, [1, 72, 720]);
        assert_eq!(reads(&ann, "facebook").await?, 3);
        assert_eq!(ladder(&mut ann, "x").await?, [1, 720]);
        Ok(())
    })
    .await
}
