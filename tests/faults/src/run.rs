//! One run: people do what the scenario says, the cloud does what it does by itself, calls break as the plan says; then all is whole
//! again, time passes, and everything must come to rest.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::PoisonError;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use aws_sdk_sqs::types::Message;
use domain::wake_up::WakeUp;
use edge::deadline::Deadline;
use edge::sqs::each_record;
use embedded::{WAKE_UPS, queue_url};
use http::Method;
use jiff::{SignedDuration, Timestamp};
use local::variables::tables;
use publisher::Batch;
use serde_json::{Value, json};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};

use crate::actor::End;
use crate::bad_rows;
use crate::check;
use crate::money;
use crate::network::READS;
use crate::plan::{Plan, Seen};
use crate::scenario::{Deed, Scenario};
use crate::sweep::SWARM_ENDS;
use crate::watch::Edge;
use crate::world::{API_TIMEOUT, NUMBERS, RENEWALS, World, text};

/// The functions' time-outs in the template.
const PUBLISH_TIMEOUT: Duration = Duration::from_mins(1);
const SWEEP_TIMEOUT: Duration = Duration::from_secs(55);
const RESET_TIMEOUT: Duration = Duration::from_mins(5);
/// When the cycle job comes: after the cycle of a run's people has ended.
const RESET_AT: Duration = Duration::from_mins(25);
/// In one run of so many, the jobs come once more at the end, and the books are audited.
const JOBS_AGAIN_EVERY: u64 = 8;
/// So long after the last deed and the last fault everything rests, or something never will: what goes out then may be asked after for 5.5
/// hours.
const HORIZON: Duration = Duration::from_hours(6);
/// How often a person asks again after an answer that says nothing.
const ASKS_MAX: usize = 6;
/// How often somebody who leaves asks whether it is done.
const LEAVING_ASKS_MAX: usize = 300;

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Calls, faults, and what must never be and was.
    pub seen: Seen,
    /// Virtual time until everything rested.
    pub rested_after: Duration,
    /// The posts' last states.
    pub ends: Vec<String>,
    /// The steps that posts took.
    pub edges: BTreeMap<Edge, usize>,
}

/// Plays `scenario` under `plan`. The same three give the same run, call by call.
pub fn play(scenario: &Scenario, plan: Plan, seed: u64) -> Verdict {
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
    if let Some(deed) = scenario.meanwhile {
        tokio::task::spawn_local(meanwhile(world.clone(), scenario.clone(), began, deed));
    }
    let last_deed = scenario.deeds.iter().map(|(at, _)| Duration::from_secs(*at)).max().unwrap_or_default();
    let horizon = last_deed.max(SWARM_ENDS) + HORIZON;
    let rested = drive(&world, &deeds, began, horizon).await;
    let rested_after = began.elapsed();
    if !rested {
        world.injector.violation(format!("L1: not at rest after {} s", rested_after.as_secs()));
    }
    for deed in &deeds {
        deed.abort();
    }
    world.injector.heal();
    // What rests stays as it is. The two jobs ask every shard, which takes longer than many a run: so not in all of them.
    let jobs_ran = seed.is_multiple_of(JOBS_AGAIN_EVERY);
    if jobs_ran {
        world.injector.note("--- everything rests; the jobs run once more ---");
        let _swept = world.invoke("sweeper", SWEEP_TIMEOUT, sweep(world.clone())).await;
        let _closed = world.invoke("quota-reset", RESET_TIMEOUT, reset(world.clone())).await;
    }
    let ends = match check::check(&world, scenario, jobs_ran) {
        Ok(ends) => ends,
        Err(error) => {
            world.injector.violation(format!("the tables cannot be read: {error:#}"));
            Vec::new()
        }
    };
    // The audit asks the tables for everything; where nobody buys or reads numbers, the checks of the ledger have counted the same.
    if (scenario.deals_with_money() || scenario.reads_numbers() || jobs_ran)
        && let Err(error) = money::check(&world, scenario).await
    {
        world.injector.violation(format!("plans and certificates cannot be read: {error:#}"));
    }
    world.bury();
    let edges = world.watch.lock().unwrap_or_else(PoisonError::into_inner).edges().clone();
    Verdict { seen: world.injector.take(), rested_after, ends, edges }
}

impl Verdict {
    fn broken(error: &anyhow::Error) -> Self {
        let violations = vec![format!("the run could not begin: {error:#}")];
        Self { seen: Seen { violations, ..Seen::default() }, rested_after: Duration::ZERO, ends: Vec::new(), edges: BTreeMap::new() }
    }
}

/// What the cloud has to do next, as of the last call that was carried out.
#[derive(Default)]
struct Ahead {
    served: Option<u64>,
    /// A wake-up or a schedule.
    due: Option<Timestamp>,
    /// Something for the sweeper: a post that wants to be looked at, somebody's waiting posts, tokens of a consent that stopped half-way.
    wake: Option<Timestamp>,
}

impl Ahead {
    fn look(&mut self, world: &World) {
        let served = Some(world.aws.served());
        if self.served != served {
            *self = Self { served, due: world.aws.next_due().ok().flatten(), wake: earliest_wake(world) };
        }
    }
}

/// What AWS does by itself. `true`: everything came to rest.
async fn drive(world: &Rc<World>, deeds: &[tokio::task::JoinHandle<()>], began: Instant, horizon: Duration) -> bool {
    let (mut next_sweep, mut reset_done, mut ahead) = (began + sweeper::EVERY.unsigned_abs(), false, Ahead::default());
    loop {
        let now = Instant::now();
        if now.duration_since(began) > horizon {
            return false;
        }
        ahead.look(world);
        if ahead.due.is_some_and(|due| due <= world.clock.now()) {
            if let Err(error) = hand_out(world).await {
                world.injector.violation(format!("the queue failed: {error:#}"));
                return false;
            }
            ahead = Ahead::default();
            ahead.look(world);
        }
        if now >= next_sweep {
            if ahead.wake.is_some_and(|wake| wake <= world.clock.now()) {
                start(world, "sweeper", SWEEP_TIMEOUT, sweep(world.clone()));
            }
            while next_sweep <= now {
                next_sweep += sweeper::EVERY.unsigned_abs();
            }
        }
        if !reset_done && now >= began + RESET_AT {
            reset_done = true;
            start(world, "quota-reset", RESET_TIMEOUT, reset(world.clone()));
        }
        let over = deeds.iter().all(tokio::task::JoinHandle::is_finished);
        let busy = world.live.get() > 0;
        if over && !busy && ahead.due.is_none() && ahead.wake.is_none() {
            return true;
        }
        // A function at work may put something into the queue at any time; whoever waits says so when they begin and when they are done.
        let mut until = if busy { now + Duration::from_secs(1) } else { now + HORIZON };
        if let Some(due) = ahead.due {
            until = until.min(instant(world, began, due));
        }
        if let Some(wake) = ahead.wake {
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
    let swept = sweeper::sweep(&world.sweeper).await;
    bad_rows::left(&world, "a sweep", swept.ok().map(|swept| swept.failed), bad_rows::OF_A_SWEEP);
}

async fn reset(world: Rc<World>) {
    let closed = quota_reset::run(&world.quota_reset).await;
    bad_rows::left(&world, "the cycle job", closed.ok().map(|closed| closed.failed), bad_rows::OF_A_JOB);
}

/// When the sweeper has something to do next.
fn earliest_wake(world: &World) -> Option<Timestamp> {
    let after = if world.bad_rows { bad_rows::before(world.began) } else { String::new() };
    let post = world.reader.first_of(&tables().posts, "wake", &after).ok().flatten().and_then(|at| at.parse().ok());
    let note = are_returns_noted(world).then(|| world.clock.now());
    [post, note, stray_tokens(world)].into_iter().flatten().min()
}

/// When the sweeper may judge the tokens of a consent that stopped half-way.
fn stray_tokens(world: &World) -> Option<Timestamp> {
    let notes = world.reader.items(&tables().sessions, "2*Z#*", "").ok()?;
    let of_consents = notes.iter().filter(|(_, json)| json.contains("\"connection\":"));
    of_consents.filter_map(|(sk, _)| sk.split('#').next()?.parse().ok()).min()
}

/// Whether the sweeper has somebody's waiting posts to look through.
fn are_returns_noted(world: &World) -> bool {
    world.reader.items(&tables().users, "RETURN#*", "").is_ok_and(|notes| notes.iter().any(|(_, json)| !bad_rows::is_told(json)))
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
        for (wait, messages) in batches(world, messages) {
            deliver(world, wait, messages);
        }
    }
    Ok(())
}

/// How messages reach the publisher: together and at once, or each alone, in any order and some of them later.
fn batches(world: &World, messages: Vec<Message>) -> Vec<(Duration, Vec<Message>)> {
    let mut order = world.order.borrow_mut();
    let Some(dice) = order.as_mut() else { return vec![(Duration::ZERO, messages)] };
    let waits = |message| (Duration::from_secs(dice.below(2) * dice.below(30)), vec![message]);
    let mut batches: Vec<_> = messages.into_iter().map(waits).collect();
    batches.reverse();
    batches
}

/// Hands messages to a publisher, and takes those off the queue that it is done with.
fn deliver(world: &Rc<World>, wait: Duration, messages: Vec<Message>) {
    let world = world.clone();
    world.live.set(world.live.get() + 1);
    tokio::task::spawn_local(async move {
        sleep(wait).await;
        world.live.set(world.live.get() - 1);
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

async fn publish(world: Rc<World>, messages: Vec<Message>) -> SqsBatchResponse {
    let records: Vec<Value> = messages
        .iter()
        .map(|message| json!({ "messageId": message.message_id, "receiptHandle": message.receipt_handle, "body": message.body }))
        .collect();
    let Ok(event) = serde_json::from_value::<SqsEvent>(json!({ "Records": records })) else { return SqsBatchResponse::default() };
    let deps = &world.publisher;
    let deadline = Deadline::after(PUBLISH_TIMEOUT);
    let begin = |wake_ups: &[WakeUp]| Batch::of(wake_ups, deadline);
    let handle = |batch, wake_up| async move { publisher::handle(deps, &batch, &wake_up).await };
    each_record(event, &deps.metrics, &deps.clock, begin, handle).await
}

/// A person's deed at its time.
async fn act(world: Rc<World>, scenario: Scenario, at: u64, deed: Deed) {
    sleep(Duration::from_secs(at)).await;
    done(&world, &scenario, at, deed).await;
    world.changed.notify_one();
}

/// A deed at the moment at which a function stands still for it.
async fn meanwhile(world: Rc<World>, scenario: Scenario, began: Instant, deed: Deed) {
    world.injector.meanwhile().await;
    world.live.set(world.live.get() + 1);
    done(&world, &scenario, began.elapsed().as_secs(), deed).await;
    world.live.set(world.live.get() - 1);
    world.changed.notify_one();
}

async fn done(world: &Rc<World>, scenario: &Scenario, at: u64, deed: Deed) {
    match deed {
        Deed::Approve(n) => post_deed(world, scenario, n, "approve").await,
        Deed::Cancel(n) => post_deed(world, scenario, n, "cancel").await,
        Deed::Retry(n) => post_deed(world, scenario, n, "retry").await,
        Deed::Edit(n) => edit(world, scenario, n, 2).await,
        Deed::EditAgain(n) => edit(world, scenario, n, 3).await,
        Deed::Disconnect(person) => disconnect(world, scenario, person).await,
        Deed::Connect(person) => connect(world, scenario, person).await,
        Deed::Resolve(n) => resolve(world, scenario, n).await,
        Deed::Wake(n) => wake(world, scenario, n, 1).await,
        Deed::WakeLater(n) => wake(world, scenario, n, 2).await,
        Deed::WakeUnreadable => wake_unreadable(world).await,
        Deed::Poison => send(world, r#"{"nonsense": true}"#.to_owned()).await,
        Deed::Told { person, subscription, word, late_secs } => {
            sleep(Duration::from_secs(late_secs)).await;
            money::tell(world, person, (subscription, word), at).await;
        }
        Deed::Redeem(person) => money::redeem(world, person).await,
        Deed::ReadNumbers => {
            let run = {
                let world = world.clone();
                async move {
                    let read = analytics_sync::run(&world.analytics_sync).await;
                    bad_rows::left(&world, "a reading of numbers", read.ok().map(|read| read.failed), bad_rows::OF_A_JOB);
                }
            };
            let end = world.invoke(NUMBERS, RESET_TIMEOUT, run).await;
            world.injector.note(&format!("numbers were read: {end:?}"));
        }
        Deed::RenewGrants => {
            let run = {
                let world = world.clone();
                async move {
                    let looked = renewals::run(&world.renewals).await;
                    bad_rows::left(&world, "a look after grants", looked.ok().map(|looked| looked.failed), bad_rows::OF_A_JOB);
                }
            };
            let end = world.invoke(RENEWALS, renewals::TIME_OUT, run).await;
            world.injector.note(&format!("grants were looked after: {end:?}"));
        }
        Deed::CloseCycles => {
            let _end = world.invoke("quota-reset", RESET_TIMEOUT, reset(world.clone())).await;
        }
    }
}

/// A person looks at the platform and says what is there; of two posts that say the same, nobody can tell.
async fn resolve(world: &Rc<World>, scenario: &Scenario, n: usize) {
    if scenario.posts.iter().any(|post| post.same_text) {
        return;
    }
    let person = scenario.posts[n].person;
    let seen = (1..=3).any(|version| world.network.shows(&scenario.account(person), &text(n, version)));
    let body = json!({ "outcome": if seen { "published" } else { "not_published" } });
    let path = format!("/api/posts/{}/resolve", id(world, n));
    person_asks(world, person, Method::POST, path, Some(body), None).await;
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
pub(crate) async fn person_asks(
    world: &Rc<World>,
    person: usize,
    method: Method,
    path: String,
    body: Option<Value>,
    version: Option<u32>,
) -> u16 {
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

async fn disconnect(world: &Rc<World>, scenario: &Scenario, person: usize) {
    let path = format!("/api/connections/{}", world.connections[person].id);
    for _ in 0..LEAVING_ASKS_MAX {
        let asked = world.clone();
        let to = path.clone();
        let work = async move { asked.request(person, Method::DELETE, &to, None, None).await.status };
        let status = world.invoke("disconnect", API_TIMEOUT, work).await;
        world.injector.note(&format!("DELETE {path}: {status:?}"));
        if let End::Done(204 | 404) = status {
            for call in world.network.in_flight(&scenario.account(person)).into_iter().filter(|call| !READS.contains(call)) {
                world.injector.violation(format!("S17: person {person} is disconnected while {call} is under way"));
            }
            world.disconnected.borrow_mut().push((person, world.clock.now()));
            return;
        }
        sleep(Duration::from_mins(1)).await;
    }
    world.injector.violation(format!("L1: person {person} is still connected"));
}

/// The same account once more, by as many consents as it takes.
async fn connect(world: &Rc<World>, scenario: &Scenario, person: usize) {
    let begins = world.clock.now();
    for _ in 0..LEAVING_ASKS_MAX {
        let (asked, of) = (world.clone(), scenario.clone());
        let work = async move { asked.connect(&of, person).await.map(|connection| connection.id) };
        match world.invoke("connect", API_TIMEOUT, work).await {
            End::Done(Ok(id)) => {
                if id != world.connections[person].id {
                    world.injector.violation(format!("S27: the account of person {person} came back under another id"));
                }
                world.returned.borrow_mut().push((person, begins, world.clock.now()));
                return;
            }
            end => world.injector.note(&format!("person {person} is not connected yet: {end:?}")),
        }
        sleep(Duration::from_secs(10)).await;
    }
    world.injector.violation(format!("L1: person {person} cannot connect again"));
}

async fn wake(world: &Rc<World>, scenario: &Scenario, n: usize, version: u32) {
    let user = &world.people[scenario.posts[n].person].user;
    let body = json!({ "post_id": id(world, n), "user_id": user.as_str(), "version": version });
    send(world, body.to_string()).await;
}

async fn wake_unreadable(world: &Rc<World>) {
    let Ok((user, post)) = bad_rows::whose(world) else { return };
    send(world, json!({ "post_id": post, "user_id": user, "version": 1 }).to_string()).await;
}

/// Puts a message into the queue of wake-ups.
async fn send(world: &Rc<World>, body: String) {
    let _sent = world.queue.send_message().queue_url(queue_url(WAKE_UPS)).message_body(body).send().await;
    world.changed.notify_one();
}
