//! A row that cannot be read, or that stops whoever works on it: every job tells of it, and does the rest of its work.

use std::time::Instant;

use domain::content::Content;
use domain::failure::FailureCode;
use domain::id::{ConnectionId, GroupId, PostId, UserId};
use domain::ledger::Actor;
use domain::platform::PlatformName;
use domain::post::{Draft, Event, Post, State};
use edge::clock::Clock;
use edge::host::Host;
use edge::lines::Captured;
use edge::random::Random;
use embedded::{Aws, ensure_table};
use jiff::{SignedDuration, Timestamp};
use journeys::{Person, SOON, Stage, play_disturbed};
use local::variables::{source, tables};
use serde_json::{Value, json};
use store::{Store, schema};
use sweeper::Swept;

use crate::until;

type Outcome = anyhow::Result<()>;

/// The last change that a row may say that it has seen: whoever changes it once more panics.
const LAST_REV: &str = "18446744073709551615";
const DAY: i64 = 24 * 3_600;
/// How a list tells operators of a row that it leaves out.
const LEFT_OUT: &str = "a stored row cannot be read and is left out";

/// The row of a table whose sort key begins with `sk` and that holds `id` somewhere.
fn row(aws: &Aws, table: &str, sk: &str, id: &str) -> anyhow::Result<Value> {
    let scanned = aws.tables("Scan", &json!({ "TableName": table, "ConsistentRead": true }))?;
    let rows = scanned["Items"].as_array().cloned().unwrap_or_default();
    let is_it = |row: &Value| row["sk"]["S"].as_str().is_some_and(|of| of.starts_with(sk)) && row.to_string().contains(id);
    rows.into_iter().find(is_it).ok_or_else(|| anyhow::anyhow!("no {sk} of {id}"))
}

/// Changes one attribute of a row, past everything.
fn spoil(aws: &Aws, table: &str, mut row: Value, name: &str, value: Value) -> Outcome {
    row[name] = value;
    aws.tables("PutItem", &json!({ "TableName": table, "Item": row })).map(drop)
}

/// Makes a row of a running service unreadable, by one attribute that holds a word which is none of ours.
fn make_odd(stage: &Stage, table: &str, (sk, id): (&str, &str), name: &str) -> Outcome {
    let aws = stage.service().aws();
    spoil(aws, table, row(aws, table, sk, id)?, name, json!({ "S": "odd" }))
}

/// Puts copies of a row beside it, alike but for their ids, which come after the row's own.
fn copies(stage: &Stage, table: &str, row: &Value, id: &str, count: usize) -> Outcome {
    let (aws, row) = (stage.service().aws(), row.to_string());
    for number in 0..count {
        let item: Value = serde_json::from_str(&row.replace(id, &format!("7{}{number:016}", &id[1..10])))?;
        aws.tables("PutItem", &json!({ "TableName": table, "Item": item }))?;
    }
    Ok(())
}

/// The ids of a list that has a query, page by page.
async fn ids(person: &Person, list: &str) -> anyhow::Result<Vec<String>> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = person.browser.get(&format!("{list}{cursor}")).await?.expect(200)?;
        let items = page.json["items"].as_array().cloned().unwrap_or_default();
        all.extend(items.iter().map(|item| item["id"].as_str().unwrap_or_default().to_owned()));
        let Some(next) = page.json["next_cursor"].as_str() else { return Ok(all) };
        anyhow::ensure!(!items.is_empty(), "an empty page of {list} before its end");
        cursor = format!("&cursor={next}");
    }
}

/// The sum of what a metric has counted so far.
fn counted(stage: &Stage, name: &str) -> f64 {
    stage.log().iter().filter_map(|line| serde_json::from_str::<Value>(line).ok()).filter_map(|line| line[name].as_f64()).sum()
}

/// How many lines of the log hold this.
fn lines(stage: &Stage, text: &str) -> usize {
    stage.log().iter().filter(|line| line.contains(text)).count()
}

fn is_told(stage: &Stage, message: &str, id: &str) -> bool {
    stage.log().iter().any(|line| line.contains("\"level\":\"ERROR\"") && line.contains(message) && line.contains(id))
}

/// Posts that are held and whose last moment has passed.
fn overdue(user: &UserId, now: Timestamp, number: u8) -> (Post, Content, Event) {
    let (due_at, content) = (now - SignedDuration::from_hours(3), Content { text: "Too late".into(), ai_recommendation: None });
    let draft = Draft {
        id: PostId::new(due_at, [number; 10]),
        user_id: user.clone(),
        group_id: GroupId::new(due_at, [number; 10]),
        connection_id: ConnectionId::new(due_at, [number; 10]),
        platform: PlatformName::X,
        content_hash: content.hash(),
        due_at,
        latest_at: due_at + SignedDuration::from_hours(1),
        time_zone: None,
        local_time: None,
        lead: jiff::SignedDuration::ZERO,
    };
    let post = Post { state: State::Held { code: FailureCode::ConnectionGone }, ..Post::draft(draft, due_at) };
    let event = Event { at: due_at, from: None, to: post.status(), actor: Actor::User, note: "written".into() };
    (post, content, event)
}

#[tokio::test]
async fn posts_that_stop_the_sweeper_or_cannot_be_read_keep_no_other_waiting() -> Outcome {
    let clock = Clock::from_fn(|| Timestamp::from_second(1_800_000_000).expect("a time of this century"));
    let aws = Aws::in_memory("us-bad-rows-1", clock.clone())?;
    let store = Store::new(&aws.sdk_config(), tables());
    for definition in schema::definitions(&tables()) {
        ensure_table(store.client(), definition).await?;
    }
    let variables = source(3_000, simulator::addresses(&url::Url::parse("http://localhost:3000")?), &[]);
    let lines = Captured::default();
    let deps =
        sweeper::Deps::new(&Host { variables, clock: clock.clone(), random: Random::system(), lines: lines.lines() }, &aws.sdk_config())?;
    let (now, user) = (clock.now(), UserId::new(clock.now(), [1; 10]));
    let posts: Vec<_> = (0..4).map(|number| overdue(&user, now, number)).collect();
    anyhow::ensure!(store.create_posts(&posts, "a test").await?);
    let id = |number: usize| posts[number].0.id.to_string();
    for (number, name, value) in [(0, "rev", json!({ "N": LAST_REV })), (1, "status", json!({ "S": "odd" }))] {
        let key = format!("POST#{}", id(number));
        let spoilt = row(&aws, &tables().posts, &key, "\"state\"")?;
        spoil(&aws, &tables().posts, spoilt, name, value)?;
    }
    let swept = sweeper::sweep(&deps).await?;
    assert_eq!(swept, Swept { found: 4, missed: 2, failed: 2, ..Swept::default() });
    let metric = lines.read().into_iter().find(|line| line.contains("sweep_failures")).unwrap_or_default();
    assert_eq!(serde_json::from_str::<Value>(&metric)?["sweep_failures"], 2.0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_that_stops_the_publisher_harms_no_other_of_its_batch() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345781", "starter", "ann").await?;
        let (bad, good) = (ann.approved_on_x("Bad", 3_000).await?, ann.approved_on_x("Good", 3_000).await?);
        let aws = stage.service().aws();
        let spoilt = row(aws, &tables().posts, &format!("POST#{bad}"), "\"state\"")?;
        spoil(aws, &tables().posts, spoilt, "rev", json!({ "N": LAST_REV }))?;
        ann.browser.advance(3_000).await?;
        ann.browser.wait_for(&good, "published", SOON).await?;
        until("it is told", || counted(stage, "record_panicked") > 0.0 && is_told(stage, "a record's handler panicked", &bad)).await?;
        assert_eq!((ann.times_on_x("Good").await?, ann.times_on_x("Bad").await?), (1, 0));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cycle_that_stops_the_cycle_job_keeps_no_other_open() -> Outcome {
    play_disturbed(async |stage| {
        let (ann, mut bob) = (stage.person("+61412345782", "starter", "ann").await?, stage.person("+61412345783", "starter", "bob").await?);
        let (aws, user) = (stage.service().aws(), ann.id().await?);
        let spoilt = row(aws, &tables().ledger, "CYCLE#", &user)?;
        spoil(aws, &tables().ledger, spoilt, "rev", json!({ "N": LAST_REV }))?;
        ann.browser.advance(31 * DAY).await?;
        until("it is told", || counted(stage, "cycle_failures") > 0.0 && is_told(stage, "a cycle's closing panicked", &user)).await?;
        bob.browser.sign_in("+61412345783").await?;
        let end = Instant::now() + SOON;
        loop {
            let told = bob.browser.get("/api/analytics/cycles").await?.expect(200)?;
            if told.json["items"].as_array().is_some_and(|cycles| !cycles.is_empty()) {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < end, "Bob's cycle is not closed");
        }
    })
    .await
}

/// A post that went out at once.
async fn published(person: &Person, text: &str) -> anyhow::Result<String> {
    let post = person.approved_on_x(text, 0).await?;
    person.browser.wait_for(&post, "published", SOON).await?;
    Ok(post)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_of_numbers_that_stops_the_reader_keeps_no_other_unread() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345784", "starter", "ann").await?;
        let (bad, good) = (published(&ann, "Bad numbers").await?, published(&ann, "Good numbers").await?);
        let aws = stage.service().aws();
        let spoilt = row(aws, &tables().posts, "METRICS#", &bad)?;
        spoil(aws, &tables().posts, spoilt, "rev", json!({ "N": LAST_REV }))?;
        // On X a post is read once a day.
        ann.browser.advance(3 * 3_600).await?;
        until("it is told", || counted(stage, "numbers_failed") > 0.0 && is_told(stage, "reading a post's numbers panicked", &bad)).await?;
        let end = Instant::now() + SOON;
        loop {
            let told = ann.browser.get(&format!("/api/posts/{good}/analytics")).await?.expect(200)?;
            if !told.json["captured_at"].is_null() {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < end, "{}", told.text);
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_post_that_cannot_be_looked_at_keeps_no_other_of_its_owner_waiting() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345785", "starter", "ann").await?;
        let [stops, odd, good] = [
            ann.approved_on_x("Stops whoever changes it", 20_000).await?,
            ann.approved_on_x("Cannot be read", 20_000).await?,
            ann.approved_on_x("Goes on", 20_000).await?,
        ];
        let path = format!("/api/connections/{}", ann.x);
        ann.browser.delete(&path).await?.expect(204)?;
        ann.browser.wait_for(&good, "held", SOON).await?;
        let aws = stage.service().aws();
        for (post, name, value) in [(&stops, "rev", json!({ "N": LAST_REV })), (&odd, "status", json!({ "S": "odd" }))] {
            let spoilt = row(aws, &tables().posts, &format!("POST#{post}"), "\"state\"")?;
            spoil(aws, &tables().posts, spoilt, name, value)?;
        }
        ann.browser.connect("x", &[("account", "ann")], &[]).await?;
        ann.browser.advance(61).await?;
        ann.browser.wait_for(&good, "scheduled", SOON).await?;
        assert!(is_told(stage, "a waiting post could not be looked at", &stops));
        assert!(is_told(stage, LEFT_OUT, &odd));
        assert!(counted(stage, "sweep_failures") >= 2.0);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_waiting_posts_that_cannot_be_read_a_round_names_ten_and_counts_the_rest() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345796", "starter", "ann").await?;
        let post = ann.approved_on_x("Cannot be read", 20_000).await?;
        let table = tables().posts;
        let mut odd = row(stage.service().aws(), &table, &format!("POST#{post}"), "\"state\"")?;
        odd["status"] = json!({ "S": "odd" });
        copies(stage, &table, &odd, &post, 25)?;
        // So the waiting posts of their owner are looked through.
        ann.browser.delete(&format!("/api/connections/{}", ann.facebook)).await?.expect(204)?;
        let rest = "more stored rows cannot be read and are left out";
        let before = stage.log().len();
        ann.browser.advance(61).await?;
        until("a round has told of them", || counted(stage, "sweep_failures") >= 25.0).await?;
        let log = stage.log();
        let told = |text: &str| log[before..].iter().filter(|line| line.contains(text)).count();
        let rounds = told(rest);
        assert!(rounds > 0 && is_told(stage, rest, "\"rows\":15"));
        // Another round may be half-way.
        assert!((10 * rounds..=10 * (rounds + 1)).contains(&told(LEFT_OUT)), "{} in {rounds} rounds", told(LEFT_OUT));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_that_cannot_be_read_is_left_out_of_lists_and_no_page_fails_for_it() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345786", "starter", "ann").await?;
        let mut posts = Vec::new();
        for n in 0..5 {
            posts.push(ann.written_on_x(&format!("Post {n}"), 3_000).await?);
        }
        let table = tables().posts;
        make_odd(stage, &table, (&format!("POST#{}", posts[1]), "\"state\""), "status")?;
        let aws = stage.service().aws();
        spoil(aws, &table, row(aws, &table, &format!("POST#{}#CONTENT", posts[3]), "")?, "text", json!({ "L": [] }))?;
        make_odd(stage, &table, (&format!("POST#{}#EVENT#", posts[0]), ""), "to")?;

        let mut left = [posts[0].clone(), posts[2].clone(), posts[4].clone()];
        for query in ["limit=1", "limit=2", "limit=100", "limit=1&status=draft"] {
            assert_eq!(ids(&ann, &format!("/api/posts?{query}")).await?, left, "{query}");
        }
        left.reverse();
        assert_eq!(ids(&ann, "/api/posts?limit=1&order=desc").await?, left);
        let file = ann.browser.get("/api/export/posts.csv").await?.expect(200)?;
        assert_eq!(file.text.lines().count(), 1 + left.len());
        assert_eq!(ann.browser.post_story(&posts[0]).await?["events"], json!([]));
        ann.browser.get(&format!("/api/posts/{}", posts[1])).await?.expect(500)?;
        assert!(posts[..2].iter().chain([&posts[3]]).all(|post| is_told(stage, LEFT_OUT, post)));
        assert!(counted(stage, "row_unreadable") > 0.0);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_cannot_be_read_is_left_out_of_an_accounts_other_lists() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345787", "starter", "ann").await?;
        let (bad, good) = (published(&ann, "Bad numbers").await?, published(&ann, "Good numbers").await?);
        make_odd(stage, &tables().posts, ("METRICS#", &bad), "watching")?;
        ann.browser.advance(61).await?;
        let totals = ann.browser.get("/api/analytics/totals").await?.expect(200)?;
        assert_eq!(totals.json["items"][0]["posts"], 1);
        ann.browser.get("/api/export/posts.csv").await?.expect(200)?;
        ann.browser.get(&format!("/api/posts/{good}/analytics")).await?.expect(200)?;
        ann.browser.get(&format!("/api/posts/{bad}/analytics")).await?.expect(500)?;

        let history = ids(&ann, "/api/quota/history?limit=1").await?;
        make_odd(stage, &tables().ledger, ("HISTORY#", &history[1]), "reason")?;
        assert_eq!(ids(&ann, "/api/quota/history?limit=1").await?, [&history[..1], &history[2..]].concat());

        stage.browser().sign_in("+61412345787").await?;
        let sessions = ids(&ann, "/api/sessions?limit=1").await?;
        let kept = row(stage.service().aws(), &tables().sessions, "SESSION", &sessions[0])?;
        make_odd(stage, &tables().sessions, ("SESSION", &sessions[0]), "last_seen_at")?;
        assert_eq!(ids(&ann, "/api/sessions?limit=1").await?, sessions[1..]);
        assert!(is_told(stage, LEFT_OUT, &format!("{} of {}", sessions[0], ann.id().await?)), "operators can find it");
        assert_eq!(lines(stage, kept["pk"]["S"].as_str().unwrap_or_default()), 0, "its key comes of a cookie");

        make_odd(stage, &tables().users, ("CONNECTION#", &ann.facebook), "health")?;
        assert_eq!(ids(&ann, "/api/connections?limit=1").await?, std::slice::from_ref(&ann.x));
        let first_page = ann.browser.get("/api/user/status").await?.expect(200)?;
        assert_eq!(first_page.json["connections"].as_array().map(Vec::len), Some(1));
        ann.browser.connect("x", &[("account", "another")], &[]).await?;
        assert!([&bad, &history[1], &ann.facebook].into_iter().all(|id| is_told(stage, LEFT_OUT, id)));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_page_is_told_without_an_old_cycle_that_cannot_be_read_and_never_without_the_running_one() -> Outcome {
    play_disturbed(async |stage| {
        let mut ann = stage.person("+61412345788", "starter", "ann").await?;
        ann.browser.advance(31 * DAY).await?;
        ann.browser.sign_in("+61412345788").await?;
        let old = ann.browser.get("/api/analytics/cycles").await?.expect(200)?.str("/items/0/cycle_start")?;
        let running = ann.browser.get("/api/quota").await?.expect(200)?.str("/cycle_start")?;
        let key = |kind: &str, start: &str| format!("{kind}#{}", &start[.."2026-11-24T09:00:00".len()]);
        make_odd(stage, &tables().ledger, (&key("ANALYTICS", &old), ""), "quota")?;
        assert_eq!(ann.browser.get("/api/analytics/cycles").await?.expect(200)?.json["items"], json!([]));
        make_odd(stage, &tables().ledger, (&key("CYCLE", &old), ""), "plan")?;
        let told = ann.browser.get("/api/user/status").await?.expect(200)?;
        assert_eq!(told.json["quota"]["cycle_start"], json!(running));
        make_odd(stage, &tables().ledger, (&key("CYCLE", &running), ""), "plan")?;
        ann.browser.get("/api/user/status").await?.expect(500)?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_that_cannot_be_read_keeps_its_account_for_an_hour_at_most_and_no_other_post_from_being_held() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345789", "starter", "ann").await?;
        let (odd, good) = (ann.approved_on_x("Cannot be read", 3_000).await?, ann.approved_on_x("Is held", 20_000).await?);
        make_odd(stage, &tables().posts, (&format!("POST#{odd}"), "\"state\""), "status")?;
        // It has a quota slot: for all that anybody knows it is under way.
        let path = format!("/api/connections/{}", ann.x);
        for _ in 0..2 {
            ann.browser.delete(&path).await?.expect(202)?;
        }
        assert_eq!(ann.browser.post_story(&good).await?["status"], "held");
        assert!(is_told(stage, LEFT_OUT, &odd) && counted(stage, "row_unreadable") > 0.0);
        ann.browser.advance(3_700).await?;
        assert_eq!(ids(&ann, "/api/connections?limit=1").await?, std::slice::from_ref(&ann.facebook));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_cannot_be_read_keeps_no_post_of_another_waiting_and_its_own_are_not_called_lost() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345790", "starter", "ann").await?;
        let good = ann.approved_on_x("Goes on", 20_000).await?;
        let due = ann.browser.service_time(20_000).await?;
        let odd = ann.browser.write("Its account cannot be read", &[&ann.facebook], &due).await?.remove(0);
        ann.browser.approve(&odd).await?;
        ann.browser.delete(&format!("/api/connections/{}", ann.x)).await?.expect(204)?;
        ann.browser.wait_for(&good, "held", SOON).await?;
        make_odd(stage, &tables().users, ("CONNECTION#", &ann.facebook), "health")?;
        ann.browser.connect("x", &[("account", "ann")], &[]).await?;
        ann.browser.advance(61).await?;
        ann.browser.wait_for(&good, "scheduled", SOON).await?;
        assert_eq!(ann.browser.post_story(&odd).await?["status"], "scheduled");
        assert!(is_told(stage, "a waiting post could not be looked at", &odd));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_rows_that_one_list_leaves_out_ten_are_named_all_are_counted_and_few_reads_are_made() -> Outcome {
    const ODD: usize = 200;
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345791", "starter", "ann").await?;
        let posts = [ann.written_on_x("First", 3_000).await?, ann.written_on_x("Last", 6_000).await?];
        let table = tables().posts;
        let mut odd = row(stage.service().aws(), &table, &format!("POST#{}", posts[0]), "\"state\"")?;
        odd["status"] = json!({ "S": "odd" });
        copies(stage, &table, &odd, &posts[0], ODD)?;

        ann.browser.get("/api/posts?limit=100").await?.expect(200)?;
        assert_eq!(lines(stage, LEFT_OUT), 10);
        assert!(is_told(stage, "more stored rows cannot be read and are left out", "\"rows\":190"));
        assert_eq!((lines(stage, "row_unreadable"), lines(stage, "\"row_unreadable\":200.0")), (1, 1));

        let before = stage.calls("dynamodb.Query");
        assert_eq!(ids(&ann, "/api/posts?limit=1").await?, posts);
        // The sweeper may have come meanwhile.
        let queries = stage.calls("dynamodb.Query") - before;
        assert!(queries < 50, "{queries} queries for two pages");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_is_empty_before_a_lists_end_however_many_rows_before_it_cannot_be_read() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345792", "starter", "ann").await?;
        let posts = [ann.written_on_x("First", 3_000).await?, ann.written_on_x("Last", 6_000).await?];
        let (aws, table, key) = (stage.service().aws(), tables().posts, format!("POST#{}", posts[0]));
        let (post, mut content) = (row(aws, &table, &key, "\"state\"")?, row(aws, &table, &format!("{key}#CONTENT"), "")?);
        content["text"] = json!({ "L": [] });
        copies(stage, &table, &post, &posts[0], 110)?;
        copies(stage, &table, &content, &posts[0], 110)?;
        assert_eq!(ids(&ann, "/api/posts?limit=1").await?, posts);

        let list = "/api/quota/history?limit=1&order=desc";
        let history = ids(&ann, list).await?;
        let mut odd = row(aws, &tables().ledger, "HISTORY#", &history[0])?;
        odd["reason"] = json!({ "S": "odd" });
        copies(stage, &tables().ledger, &odd, &history[0], 60)?;
        assert_eq!(ids(&ann, list).await?, history);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_that_cannot_be_read_are_among_the_hundred_that_a_person_may_connect() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345793", "starter", "ann").await?;
        let mut odd = row(stage.service().aws(), &tables().users, "CONNECTION#", &ann.x)?;
        odd["health"] = json!({ "S": "odd" });
        // X and Facebook stand already.
        copies(stage, &tables().users, &odd, &ann.x, 98)?;
        let ended = ann.browser.consent("x", "allow", &[("account", "another")]).await?;
        assert_eq!(ended.query(), Some("error=too_many_connections"));
        ann.browser.delete(&format!("/api/connections/{}", ann.facebook)).await?.expect(204)?;
        ann.browser.connect("x", &[("account", "another")], &[]).await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_one_read_does_not_reach_is_not_called_gone() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345794", "starter", "ann").await?;
        let post = ann.approved_on_x("Waits", 20_000).await?;
        let standing = row(stage.service().aws(), &tables().users, "CONNECTION#", &ann.x)?;
        copies(stage, &tables().users, &standing, &ann.x, 210)?;
        // So the waiting posts of its owner are looked through.
        ann.browser.delete(&format!("/api/connections/{}", ann.facebook)).await?.expect(204)?;
        ann.browser.advance(61).await?;
        assert_eq!(ann.browser.post_story(&post).await?["status"], "scheduled");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_cannot_be_read_is_told_once_a_round_however_many_posts_go_out_by_it() -> Outcome {
    play_disturbed(async |stage| {
        let ann = stage.person("+61412345795", "starter", "ann").await?;
        let due = ann.browser.service_time(20_000).await?;
        let mut posts = Vec::new();
        for n in 0..8 {
            let post = ann.browser.write(&format!("Post {n}"), &[&ann.facebook], &due).await?.remove(0);
            ann.browser.approve(&post).await?;
            posts.push(post);
        }
        let before = lines(stage, "\"message\":\"swept\"");
        make_odd(stage, &tables().users, ("CONNECTION#", &ann.facebook), "health")?;
        ann.browser.delete(&format!("/api/connections/{}", ann.x)).await?.expect(204)?;
        ann.browser.advance(61).await?;
        let told = lines(stage, "a waiting post could not be looked at");
        let rounds = lines(stage, "\"message\":\"swept\"") - before;
        assert!((1..=rounds).contains(&told), "{told} lines in {rounds} rounds");
        assert_eq!(lines(stage, "\"sweep_failures\":1.0"), told, "each of them is counted");
        for post in &posts {
            assert_eq!(ann.browser.post_story(post).await?["status"], "scheduled");
        }
        Ok(())
    })
    .await
}
