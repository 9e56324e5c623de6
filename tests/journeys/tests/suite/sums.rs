//! What a cycle's posts come to does not depend on which cycles are looked at beside it.

use std::time::Instant;

use anyhow::Context;
use domain::id::UserId;
use jiff::{SignedDuration, Timestamp};
use journeys::{Person, SOON, Stage, UNTIL_SEARCH_SECS, play};
use local::variables::tables;
use serde_json::{Value, json};
use store::Store;

use crate::analytics::{numbers, until};
use crate::doubts::{nobody_saw, told_late};

type Outcome = anyhow::Result<()>;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const PHONE: &str = "+61412345720";

/// Later, and signed in anew.
async fn later(person: &mut Person, secs: i64) -> Outcome {
    person.browser.advance(secs).await?;
    person.browser.sign_in(PHONE).await.map(drop)
}

async fn on_the_page(person: &Person, text: &str) -> anyhow::Result<String> {
    let due = person.browser.service_time(0).await?;
    let post = person.browser.write(text, &[&person.facebook], &due).await?.remove(0);
    person.browser.approve(&post).await?;
    person.browser.wait_for(&post, "published", SOON).await?;
    Ok(post)
}

/// The simulated X holds no such post: what it told is written here.
fn has_reached(stage: &Stage, post: &str, people: u64) -> Outcome {
    let aws = stage.service().aws();
    let scanned = aws.tables("Scan", &json!({ "TableName": tables().posts, "ConsistentRead": true }))?;
    let is_row = |item: &&Value| item["sk"]["S"].as_str().is_some_and(|sk| sk.starts_with("METRICS#") && sk.ends_with(post));
    let rows: Vec<_> = scanned["Items"].as_array().into_iter().flatten().filter(is_row).collect();
    anyhow::ensure!(rows.len() == 1, "{rows:#?}");
    let mut row = rows[0].clone();
    row["numbers"]["M"]["reach"] = json!({ "N": people.to_string() });
    row["observed_at"] = row["published_at"].clone();
    aws.tables("PutItem", &json!({ "TableName": tables().posts, "Item": row }))?;
    Ok(())
}

async fn closed(person: &Person, query: &str) -> anyhow::Result<Vec<Value>> {
    let page = person.browser.get(&format!("/api/analytics/cycles?{query}")).await?.expect(200)?;
    Ok(page.json["items"].as_array().cloned().unwrap_or_default())
}

fn at(value: &Value) -> anyhow::Result<Timestamp> {
    Ok(value.as_str().context("no time")?.parse()?)
}

/// A post is sent in one cycle and not found by its owner. Tried again, it is paid for by the next cycle, and its first send is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_that_a_later_cycle_paid_for_is_in_its_sum_whichever_cycles_are_looked_at() -> Outcome {
    play(async |stage| {
        let mut ann = stage.person(PHONE, "starter", "ann").await?;
        let begun: Timestamp = ann.browser.service_time(0).await?.parse()?;
        let early = nobody_saw(stage, &ann, "Am I there already?").await?;
        told_late(stage, &early)?;
        let old = [on_the_page(&ann, "One of the first cycle").await?, on_the_page(&ann, "Two of the first cycle").await?];
        later(&mut ann, 31 * DAY).await?;

        ann.browser.post(&format!("/api/posts/{early}/retry"), None).await?.expect(200)?;
        let (is_taken, end) =
            (|story: &Value| ["unknown", "published"].iter().any(|status| story["status"] == *status), Instant::now() + SOON);
        while !is_taken(&ann.browser.post_story(&early).await?) {
            anyhow::ensure!(Instant::now() < end, "nobody tries it again");
        }
        ann.browser.advance(UNTIL_SEARCH_SECS).await?;
        let story = ann.browser.wait_for(&early, "published", SOON).await?;
        let (published_at, paid_by) = (at(&story["published_at"])?, at(&story["subscription_cycle"])?);
        assert!(published_at < paid_by, "{story:#}");
        let new = on_the_page(&ann, "One of the second cycle").await?;
        later(&mut ann, HOUR + 601).await?;
        until(&ann, &early, |told| told["watching"] == "deleted").await?;
        has_reached(stage, &early, 7)?;
        assert_eq!(numbers(&ann, &early).await?["reach"], 7);

        later(&mut ann, 35 * DAY).await?;
        later(&mut ann, 2 * HOUR).await?;
        let reach = async |post: &str| {
            let told = until(&ann, post, |told| told["next_sync_at"].is_null() && told["reach"].is_u64()).await?;
            told["reach"].as_u64().context("no reach")
        };
        let (first, second) = (reach(&old[0]).await? + reach(&old[1]).await?, reach(&new).await? + 7);
        let (mut all, end) = (Vec::new(), Instant::now() + SOON);
        while all.len() < 2 {
            all = closed(&ann, "limit=100").await?;
            anyhow::ensure!(Instant::now() < end, "{all:#?}");
        }
        let sums: Vec<_> = all.iter().map(|cycle| (cycle["posts_used"].clone(), cycle["total_reach"].clone())).collect();
        assert_eq!(sums, [(json!(2), json!(second)), (json!(2), json!(first))], "{all:#?}");
        assert_eq!(closed(&ann, "limit=1").await?, all[..1], "on a page of its own it is the same");
        let file = ann.browser.get("/api/export/cycles.csv").await?.expect(200)?.text.replace('"', "");
        assert!(file.contains(&format!(",2,2,{second},")) && file.contains(&format!(",2,2,{first},")), "{file}");

        // A period tells what was published in it, whichever cycle paid.
        let period = format!("/api/analytics/totals?from={begun}&to={}", begun + SignedDuration::from_hours(24));
        let totals = ann.browser.get(&period).await?.expect(200)?.json;
        assert_eq!((&totals["items"][0]["posts"], &totals["items"][0]["reach"]), (&json!(1), &json!(7)), "{totals:#}");
        assert_eq!((&totals["items"][1]["posts"], &totals["items"][1]["reach"]), (&json!(2), &json!(first)), "{totals:#}");

        // Where more posts are there than are added up, the newest cycles are told in full.
        let rows = Store::new(&stage.service().aws().sdk_config(), tables());
        let user = UserId::parse(&ann.id().await?)?;
        let (older, newer) = (at(&all[1]["cycle_start"])?, at(&all[0]["cycle_start"])?);
        assert_eq!(newer, paid_by);
        let now = ann.browser.service_time(0).await?.parse()?;
        for (most, is_whole) in [(3, true), (2, false)] {
            let paid = rows.watches_paid(&user, (older, newer), now, most).await?;
            assert_eq!((paid.watches.len(), paid.whole_since <= older), (most + 1, is_whole), "{paid:#?}");
            assert!(paid.whole_since <= newer, "{paid:#?}");
        }
        let differences = rows.audit(&user).await?.differences;
        assert!(differences.is_empty(), "{differences:?}");
        Ok(())
    })
    .await
}
