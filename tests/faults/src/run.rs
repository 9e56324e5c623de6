//! One run: people do what the scenario says, the cloud does what it does by itself, calls break as the plan says; then all is whole
//! again, time passes, and everything must come to rest.

use std::rc::Rc;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use aws_sdk_sqs::types::Message;
use edge::deadline::Deadline;
use edge::sqs::each_record;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use local::aws::{WAKE_UPS, queue_url};
use local::variables::tables;
use serde_json::{Value, json};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};

use crate::actor::End;
use crate::check;
use crate::plan::{Call, Hit, Plan};
use crate::scenario::{Deed, Scenario};
use crate::world::{API_TIMEOUT, World, text};

/// The functions' time-outs in the template.
const PUBLISH_TIMEOUT: Duration = Duration::from_mins(1);
const SWEEP_TIMEOUT: Duration = Duration::from_secs(55);
const RESET_TIMEOUT: Duration = Duration::from_mins(5);
/// The sweeper's schedule in the template.
const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// When the cycle job comes: after the cycle of a run's people has ended.
const RESET_AT: Duration = Duration::from_mins(25);
/// By then everything rests, or something never will.
const HORIZON: Duration = Duration::from_hours(6);
/// How often a person asks again after an answer that says nothing.
const ASKS_MAX: usize = 6;
/// How often somebody who leaves asks whether it is done.
const LEAVING_ASKS_MAX: usize = 300;

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// What must never be and was.
    pub violations: Vec<String>,
    /// The faults that fell.
    pub hits: Vec<Hit>,
    /// Every call.
    pub calls: Vec<Call>,
    /// The run in words.
    pub trace: String,
    /// Virtual time until everything rested.
    pub rested_after: Duration,
    /// The posts' last states.
    pub ends: Vec<String>,
}

/// Plays `scenario` under `plan`. The same three give the same run, call by call.
pub fn play(scenario: &Scenario, plan: Plan, seed: u64) -> Verdict {
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime needs no resources that could be missing");
    LocalSet::new().block_on(&runtime, play_in(scenario, plan, seed))
}

async fn play_in(scenario: &Scenario, plan: Plan, seed: u64) -> Verdict {
    let world = match World::open(scenario, plan, seed).await {
        Ok(world) => Rc::new(world),
        Err(error) => return Verdict::broken(&error),
    };
    let began = Instant::now();
    let deeds: Vec<_> =
        scenario.deeds.iter().map(|&(at, deed)| tokio::task::spawn_local(act(world.clone(), scenario.clone(), at, deed))).collect();
    let rested = drive(&world, &deeds, began).await;
    let rested_after = began.elapsed();
    if !rested {
        world.injector.violation(format!("L1: not at rest after {} s", HORIZON.as_secs()));
    }
    for deed in &deeds {
        deed.abort();
    }
    world.injector.note("--- everything rests; the jobs run once more ---");
    let _swept = world.invoke("sweeper", SWEEP_TIMEOUT, sweep(world.clone())).await;
    let _closed = world.invoke("quota-reset", RESET_TIMEOUT, reset(world.clone())).await;
    let ends = match check::check(&world, scenario) {
        Ok(ends) => ends,
        Err(error) => {
            world.injector.violation(format!("the tables cannot be read: {error:#}"));
            Vec::new()
        }
    };
    world.bury();
    let injector = &world.injector;
    Verdict {
        violations: injector.violations(),
        hits: injector.hits(),
        calls: injector.calls(),
        trace: injector.trace(),
        rested_after,
        ends,
    }
}

impl Verdict {
    fn broken(error: &anyhow::Error) -> Self {
        let violations = vec![format!("the run could not begin: {error:#}")];
        Self { violations, hits: Vec::new(), calls: Vec::new(), trace: String::new(), rested_after: Duration::ZERO, ends: Vec::new() }
    }
}

/// What AWS does by itself. `true`: everything came to rest.
async fn drive(world: &Rc<World>, deeds: &[tokio::task::JoinHandle<()>], began: Instant) -> bool {
    let (mut next_sweep, mut reset_done) = (began + SWEEP_EVERY, false);
    loop {
        let now = Instant::now();
        if now.duration_since(began) > HORIZON {
            return false;
        }
        if let Err(error) = hand_out(world).await {
            world.injector.violation(format!("the queue failed: {error:#}"));
            return false;
        }
        let wake = earliest_wake(world);
        if now >= next_sweep {
            if wake.is_some_and(|wake| wake <= world.clock.now()) {
                start(world, "sweeper", SWEEP_TIMEOUT, sweep(world.clone()));
            }
            while next_sweep <= now {
                next_sweep += SWEEP_EVERY;
            }
        }
        if !reset_done && now >= began + RESET_AT {
            reset_done = true;
            start(world, "quota-reset", RESET_TIMEOUT, reset(world.clone()));
        }
        let due = world.aws.next_due().ok().flatten();
        let busy = world.live.get() > 0 || !deeds.iter().all(tokio::task::JoinHandle::is_finished);
        if !busy && due.is_none() && wake.is_none() {
            return true;
        }
        let mut until = if busy { now + Duration::from_secs(1) } else { now + HORIZON };
        if let Some(due) = due {
            until = until.min(instant(world, began, due));
        }
        if let Some(wake) = wake {
            until = until.min(instant(world, began, wake).max(next_sweep));
        }
        if !reset_done {
            until = until.min(began + RESET_AT);
        }
        tokio::select! {
            biased;
            () = world.changed.notified() => {}
            () = tokio::time::sleep_until(until.max(now + Duration::from_millis(1))) => {}
        }
    }
}

fn instant(world: &World, began: Instant, at: Timestamp) -> Instant {
    let wait = at.duration_since(world.began).max(SignedDuration::ZERO);
    began + Duration::try_from(wait).unwrap_or_default()
}

fn start(world: &Rc<World>, name: &'static str, limit: Duration, work: impl Future<Output = ()> + 'static) {
    let world = world.clone();
    tokio::task::spawn_local(async move {
        let _end = world.invoke(name, limit, work).await;
    });
}

async fn sweep(world: Rc<World>) {
    let _logged = sweeper::sweep(&world.sweeper).await;
}

async fn reset(world: Rc<World>) {
    let _logged = quota_reset::run(&world.quota_reset).await;
}

/// When the next post wants to be looked at.
fn earliest_wake(world: &World) -> Option<Timestamp> {
    let scan = json!({ "TableName": tables().posts, "IndexName": "wake", "ProjectionExpression": "wake_at" });
    let scanned = world.aws.tables("Scan", &scan).ok()?;
    let items = scanned["Items"].as_array()?;
    items.iter().filter_map(|item| item["wake_at"]["S"].as_str()?.parse().ok()).min()
}

/// Fires schedules, and hands what is visible to the publisher.
async fn hand_out(world: &Rc<World>) -> anyhow::Result<()> {
    world.aws.fire_due_schedules()?;
    while world.aws.next_due()?.is_some_and(|due| due <= world.clock.now()) {
        let answer = world.queue.receive_message().queue_url(queue_url(WAKE_UPS)).max_number_of_messages(10).send().await?;
        let messages = answer.messages.unwrap_or_default();
        if messages.is_empty() {
            break;
        }
        let world = world.clone();
        tokio::task::spawn_local(async move {
            let batch = publish(world.clone(), messages.clone());
            if let End::Done(response) = world.invoke("publisher", PUBLISH_TIMEOUT, batch).await {
                for message in messages {
                    let failed = response.batch_item_failures.iter().any(|item| Some(&item.item_identifier) == message.message_id.as_ref());
                    if !failed {
                        let delete = world.queue.delete_message().queue_url(queue_url(WAKE_UPS));
                        let _comes_again = delete.set_receipt_handle(message.receipt_handle).send().await;
                    }
                }
            }
            world.changed.notify_one();
        });
    }
    Ok(())
}

async fn publish(world: Rc<World>, messages: Vec<Message>) -> SqsBatchResponse {
    let records: Vec<Value> = messages
        .iter()
        .map(|message| json!({ "messageId": message.message_id, "receiptHandle": message.receipt_handle, "body": message.body }))
        .collect();
    let Ok(event) = serde_json::from_value::<SqsEvent>(json!({ "Records": records })) else { return SqsBatchResponse::default() };
    let deps = &world.publisher;
    let deadline = Deadline::after(PUBLISH_TIMEOUT);
    each_record(event, &deps.metrics, &deps.clock, |wake_up| async move { publisher::handle(deps, &wake_up, deadline).await }).await
}

/// A person's deed at its time.
async fn act(world: Rc<World>, scenario: Scenario, at: u64, deed: Deed) {
    sleep(Duration::from_secs(at)).await;
    match deed {
        Deed::Approve(n) => post_deed(&world, &scenario, n, "approve").await,
        Deed::Cancel(n) => post_deed(&world, &scenario, n, "cancel").await,
        Deed::Retry(n) => post_deed(&world, &scenario, n, "retry").await,
        Deed::Edit(n) => edit(&world, &scenario, n, 2).await,
        Deed::EditAgain(n) => edit(&world, &scenario, n, 3).await,
        Deed::Disconnect(person) => disconnect(&world, person).await,
        Deed::Wake(n) => wake(&world, &scenario, n).await,
    }
}

fn id(world: &World, n: usize) -> String {
    world.posts.borrow()[n]["id"].as_str().unwrap_or_default().to_owned()
}

/// Writes the text of `version` from a page that shows the first.
async fn edit(world: &Rc<World>, scenario: &Scenario, n: usize, version: u32) {
    let path = format!("/api/posts/{}", id(world, n));
    let body = json!({ "content": text(n, version) });
    if person_asks(world, scenario.posts[n].person, Method::PATCH, path, Some(body), Some(1)).await == 200 {
        let before = world.edits.borrow().contains(&(n, 1));
        if before {
            world.injector.violation(format!("S9: two edits of version 1 of post {n} were granted"));
        }
        world.edits.borrow_mut().push((n, 1));
    }
}

async fn post_deed(world: &Rc<World>, scenario: &Scenario, n: usize, verb: &str) {
    let path = format!("/api/posts/{}/{verb}", id(world, n));
    person_asks(world, scenario.posts[n].person, Method::POST, path, None, None).await;
}

/// Asks until there is an answer that says something.
async fn person_asks(world: &Rc<World>, person: usize, method: Method, path: String, body: Option<Value>, version: Option<u32>) -> u16 {
    for _ in 0..ASKS_MAX {
        let (asked, of, to, what) = (world.clone(), method.clone(), path.clone(), body.clone());
        let work = async move { asked.request(person, of, &to, what.as_ref(), version).await };
        let name = path.rsplit('/').next().filter(|verb| verb.len() < 10).unwrap_or("edit").to_owned();
        if let End::Done(reply) = world.invoke(&name, API_TIMEOUT, work).await {
            world.injector.note(&format!("{method} {path}: {} {}", reply.status, reply.json["code"].as_str().unwrap_or_default()));
            if reply.status < 500 {
                return reply.status;
            }
        }
        sleep(Duration::from_secs(3)).await;
    }
    503
}

async fn disconnect(world: &Rc<World>, person: usize) {
    let path = format!("/api/connections/{}", world.connections[person].id);
    for _ in 0..LEAVING_ASKS_MAX {
        let asked = world.clone();
        let to = path.clone();
        let work = async move { asked.request(person, Method::DELETE, &to, None, None).await.status };
        let status = world.invoke("disconnect", API_TIMEOUT, work).await;
        world.injector.note(&format!("DELETE {path}: {status:?}"));
        if let End::Done(204 | 404) = status {
            world.disconnected.borrow_mut().push((person, world.clock.now()));
            return;
        }
        sleep(Duration::from_mins(1)).await;
    }
    world.injector.violation(format!("L1: person {person} is still connected"));
}

async fn wake(world: &Rc<World>, scenario: &Scenario, n: usize) {
    let user = &world.people[scenario.posts[n].person].user;
    let body = json!({ "post_id": id(world, n), "user_id": user.as_str(), "version": 1 });
    let _sent = world.queue.send_message().queue_url(queue_url(WAKE_UPS)).message_body(body.to_string()).send().await;
    world.changed.notify_one();
}
