//! The nightly audit over more people than one night can hold, and over posts whose zone has got other rules.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use domain::content::Content;
use domain::id::{ConnectionId, GroupId, PostId, UserId};
use domain::ledger::{Actor, Cause, ChangeReason, Cycle};
use domain::plan::{CYCLE, CycleSpan, Plan};
use domain::platform::PlatformName;
use domain::post::{Draft, Event, LATEST_DEFAULT, Post, Status};
use edge::clock::Clock;
use edge::host::Host;
use edge::lines::Captured;
use edge::random::Random;
use edge::telemetry;
use embedded::{Aws, CallInfo, Fault, ensure_table};
use jiff::Timestamp;
use local::variables::{source, tables};
use serde_json::{Value, json};
use store::{Store, schema};
use tracing::Level;
use tracing::instrument::WithSubscriber;

type Outcome = anyhow::Result<()>;

/// More than two pages of the table.
const PEOPLE: usize = 600;
/// What a page takes here: two fill a run.
const PAGE_SECS: i64 = 150;
const BEGAN: i64 = 1_800_000_000;

struct World {
    aws: Aws,
    job: quota_reset::Deps,
    secs: Arc<AtomicI64>,
    lines: Captured,
}

impl World {
    async fn open() -> anyhow::Result<Self> {
        let secs = Arc::new(AtomicI64::new(BEGAN));
        let read = secs.clone();
        let clock = Clock::from_fn(move || Timestamp::from_second(read.load(Ordering::Relaxed)).expect("a time of this century"));
        let aws = Aws::in_memory("us-audit-1", clock.clone())?;
        let (store, lines) = (Store::new(&aws.sdk_config(), tables()), Captured::default());
        for definition in schema::definitions(&tables()) {
            ensure_table(store.client(), definition).await?;
        }
        let variables = source(3_000, simulator::addresses(&url::Url::parse("http://localhost:3000")?), &[]);
        let host = Host { variables, clock, random: Random::system(), lines: lines.lines() };
        let job = quota_reset::Deps::new(&host, &aws.sdk_config())?;
        let world = Self { aws, job, secs, lines };
        world.people().await?;
        world.reading_takes_time(None);
        Ok(world)
    }

    /// All but one have nothing that could be wrong; that one has a cycle without history.
    async fn people(&self) -> Outcome {
        let (random, began) = (Random::system(), Timestamp::from_second(BEGAN)?);
        for _ in 0..PEOPLE {
            let id = UserId::new(began, random.bytes());
            self.aws.tables("PutItem", &json!({ "TableName": tables().users, "Item": profile(&id, began) }))?;
        }
        let id = UserId::new(began, random.bytes());
        self.aws.tables("PutItem", &json!({ "TableName": tables().users, "Item": profile(&id, began) }))?;
        let cycle = Cycle::open(id, CycleSpan { start: began, end: began + CYCLE }, Plan::Starter, began);
        let cause = Cause { entropy: random.bytes(), at: began, actor: Actor::User, post_id: None };
        let mut opening = cycle.opening(ChangeReason::PlanStarted, cause);
        opening.entries.clear();
        anyhow::ensure!(self.job.store.commit_ledger(&[opening]).await?);
        Ok(())
    }

    /// Each page of users takes its time; one operation of the tables breaks like this, if it is said.
    fn reading_takes_time(&self, breaks: Option<(&'static str, Fault)>) {
        let secs = self.secs.clone();
        self.aws.on_call(Box::new(move |call: &CallInfo| {
            if call.operation == "Scan" {
                secs.fetch_add(PAGE_SECS, Ordering::Relaxed);
            }
            breaks.filter(|(operation, _)| call.operation == *operation).map(|(_, fault)| fault)
        }));
    }

    async fn night(&self) -> anyhow::Result<quota_reset::Audited> {
        Ok(quota_reset::audit(&self.job).await?)
    }

    /// Somebody with drafts on these times in New York: an instant, and the local time that it came from.
    async fn drafts(&self, times: &[(&str, Option<&str>)]) -> anyhow::Result<UserId> {
        let (random, now) = (Random::system(), Timestamp::from_second(BEGAN)?);
        let user_id = UserId::new(now, random.bytes());
        self.aws.tables("PutItem", &json!({ "TableName": tables().users, "Item": profile(&user_id, now) }))?;
        let mut posts = Vec::new();
        for (due_at, local_time) in times {
            let (due_at, content): (Timestamp, _) = (due_at.parse()?, Content { text: "In summer".into(), ai_recommendation: None });
            let draft = Draft {
                id: PostId::new(now, random.bytes()),
                user_id: user_id.clone(),
                group_id: GroupId::new(now, random.bytes()),
                connection_id: ConnectionId::new(now, random.bytes()),
                platform: PlatformName::X,
                content_hash: content.hash(),
                due_at,
                latest_at: due_at + LATEST_DEFAULT,
                time_zone: Some("America/New_York".into()),
                local_time: local_time.map(str::parse).transpose()?,
                lead: jiff::SignedDuration::ZERO,
            };
            let written = Event { at: now, from: None, to: Status::Draft, actor: Actor::User, note: "written".into() };
            posts.push((Post::draft(draft, now), content, written));
        }
        self.job.store.create_posts(&posts, "a test").await?;
        Ok(user_id)
    }

    fn rows_of_posts(&self) -> anyhow::Result<Value> {
        Ok(self.aws.tables("Scan", &json!({ "TableName": tables().posts, "ConsistentRead": true }))?["Items"].take())
    }

    fn metric(&self, name: &str) -> String {
        let line = self.lines.read().into_iter().rev().find(|line| line.contains(name)).unwrap_or_default();
        serde_json::from_str::<Value>(&line).unwrap_or_default()[name].to_string()
    }
}

fn profile(id: &UserId, now: Timestamp) -> Value {
    let text = |text: &str| json!({ "S": text });
    json!({
        "pk": text(&format!("USER#{id}")), "sk": text("PROFILE"), "id": text(id.as_str()), "phone": text("+61412345678"),
        "created_at": text(&now.to_string()), "rev": { "N": "1" }, "writer": text("audit"),
        "entitled": { "M": { "certificates": { "M": { "terms": { "L": [] } } }, "operator": { "M": { "lapsed": { "BOOL": false } } } } },
        "paid": { "L": [] },
    })
}

#[tokio::test]
async fn what_one_night_does_not_reach_the_next_does_and_then_it_begins_anew() -> Outcome {
    let world = World::open().await?;
    let everybody = PEOPLE + 1;
    for round in 0..2 {
        let first = world.night().await?;
        assert!(first.unfinished && first.users > 0 && first.users < everybody, "{first:?}");
        assert_eq!(world.metric("audit_round_users"), format!("{}.0", first.users), "round {round}");
        let second = world.night().await?;
        assert_eq!((second.unfinished, first.users + second.users), (false, everybody), "each once: {second:?}");
        assert_eq!(world.metric("audit_round_users"), format!("{everybody}.0"));
        assert!((first.differences > 0) != (second.differences > 0), "whoever's books are wrong is found, on one of the nights");
    }
    Ok(())
}

#[tokio::test]
async fn a_night_that_stops_loses_no_user() -> Outcome {
    let world = World::open().await?;
    // The place cannot be kept: the same page is read once more.
    world.reading_takes_time(Some(("PutItem", Fault::FailBefore)));
    assert!(world.night().await.is_err());
    // It is kept, and nobody hears of it.
    let lost = Arc::new(AtomicI64::new(0));
    let (secs, count) = (world.secs.clone(), lost.clone());
    world.aws.on_call(Box::new(move |call: &CallInfo| {
        if call.operation == "Scan" {
            secs.fetch_add(PAGE_SECS, Ordering::Relaxed);
        }
        let first = call.operation == "PutItem" && count.fetch_add(1, Ordering::Relaxed) == 0;
        first.then_some(Fault::LoseAnswerAfterApply)
    }));
    let mut seen = 0;
    for _ in 0..3 {
        let night = world.night().await?;
        seen += night.users;
        if !night.unfinished {
            break;
        }
    }
    assert_eq!((seen, lost.load(Ordering::Relaxed) > 1), (PEOPLE + 1, true));
    Ok(())
}

#[tokio::test]
async fn a_user_who_cannot_be_read_is_told_and_stops_nobody_else() -> Outcome {
    let world = World::open().await?;
    let odd = |pk: &str, sk: &str| json!({ "pk": { "S": pk }, "sk": { "S": sk } });
    let id = UserId::new(Timestamp::from_second(BEGAN)?, [7; 10]);
    for (table, item) in [
        (tables().users, odd("USER#odd", "PROFILE")),
        (tables().users, profile(&id, Timestamp::from_second(BEGAN)?)),
        (tables().ledger, odd(&format!("USER#{id}"), "CYCLE#2026-01-01T00:00:00.000Z")),
    ] {
        world.aws.tables("PutItem", &json!({ "TableName": table, "Item": item }))?;
    }
    let (first, second) = (world.night().await?, world.night().await?);
    assert_eq!((first.users + second.users, first.failed + second.failed), (PEOPLE + 1, 2));
    Ok(())
}

#[tokio::test]
async fn a_post_whose_zone_has_got_other_rules_is_told_of_and_left_as_it_is() -> Outcome {
    let world = World::open().await?;
    // As if nine o'clock in June had meant another hour when they were written.
    let mut times = vec![("2027-06-01T14:00:00Z", Some("2027-06-01T09:00:00")); 24];
    let by_the_rules = ("2027-06-01T13:00:00Z", Some("2027-06-01T09:00:00"));
    let past = ("2026-06-01T14:00:00Z", Some("2026-06-01T09:00:00"));
    times.extend([by_the_rules, past, ("2027-06-01T14:00:00Z", None)]);
    let user = world.drafts(&times).await?;
    let rows = world.rows_of_posts()?;

    let told = Captured::default();
    let mut found = 0;
    for _ in 0..2 {
        let subscriber = telemetry::scoped(Level::WARN, world.job.clock.clone(), told.lines());
        found += world.night().with_subscriber(subscriber).await?.zone_changes;
    }
    let metrics = world.lines.read().into_iter().filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    let counted: Vec<_> = metrics.filter(|line| line["_aws"].is_object()).filter_map(|line| line["zone_changes"].as_f64()).collect();
    assert_eq!((found, counted), (24, vec![24.0]), "in one of two nights");

    let lines: Vec<_> = told.read().into_iter().filter(|line| line.contains("other rules")).collect();
    assert_eq!(lines.len(), 20, "more are counted and not told one by one");
    let line: Value = serde_json::from_str(&lines[0])?;
    assert!(rows.as_array().unwrap().iter().any(|row| row["id"]["S"] == line["post_id"]), "{line}");
    for (name, value) in [
        ("user_id", user.as_str()),
        ("due_at", "2027-06-01T14:00:00Z"),
        ("local_time", "2027-06-01T09:00:00"),
        ("time_zone", "America/New_York"),
        ("now_means", "2027-06-01T13:00:00Z"),
    ] {
        assert_eq!(line[name], value, "{line}");
    }
    assert_eq!(world.rows_of_posts()?, rows, "nothing is moved");
    Ok(())
}
