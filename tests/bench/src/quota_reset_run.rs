//! The cycle job over many users whose cycles have all ended, on the embedded engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use domain::id::UserId;
use domain::ledger::{Actor, Cause, ChangeReason, Cycle};
use domain::plan::{CYCLE, CycleSpan, Plan};
use edge::clock::Clock;
use edge::host::Host;
use edge::lines::Lines;
use edge::random::Random;
use embedded::{Aws, ensure_table};
use jiff::{SignedDuration, Timestamp};
use local::variables::{source, tables};
use serde_json::{Value, json};
use store::{Store, schema};

/// How many users, if nobody says.
const USERS: usize = 100_000;
/// What one `BatchWriteItem` takes.
const BATCH: usize = 25;
/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Runs of the job, at most: each stops after four minutes.
const RUNS_MAX: usize = 60;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many users there are.
    #[arg(default_value_t = USERS)]
    users: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { users: USERS }
    }
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let users = options.users;
    let folder = tempfile::tempdir()?;
    let began = Timestamp::from_second(1_800_000_000)?;
    let started = Instant::now();
    // A day after everybody's cycle has ended; the runs see time pass.
    let ended = began + CYCLE + SignedDuration::from_hours(24);
    let clock = Clock::from_fn(move || ended + SignedDuration::try_from(started.elapsed()).unwrap_or_default());
    let aws = Aws::open(folder.path(), clock.clone())?;
    let store = Store::new(&aws.sdk_config(), tables());
    for definition in schema::definitions(&tables()) {
        ensure_table(store.client(), definition).await?;
    }
    println!("quota-reset: {users} users");
    sign_up(&aws, &store, users, began).await?;
    println!("  everybody signed up after {:.0} s", started.elapsed().as_secs_f64());

    let addresses = simulator::addresses(&url::Url::parse("http://localhost:3000")?);
    let host = Host { variables: source(3_000, addresses, &[]), clock, random: Random::system(), lines: Lines::silent() };
    let deps = quota_reset::Deps::new(&host, &aws.sdk_config())?;
    let (before, memory) = (aws.calls(), Memory::watch());
    let (started, mut closed, mut runs) = (Instant::now(), 0, 0);
    loop {
        let run = quota_reset::run(&deps).await?;
        ensure!(run.failed == 0, "{run:?}");
        closed += run.closed;
        runs += 1;
        println!("  run {runs}: {run:?}; {} MB", memory.now_bytes()? / 1_000_000);
        if !run.unfinished {
            break;
        }
        ensure!(runs < RUNS_MAX, "the runs do not end");
    }
    let elapsed = started.elapsed();
    ensure!(closed == users, "{closed} cycles were closed");
    let (first, last, most) = memory.ended();
    println!("  {:.0} users/s, {runs} runs of four minutes at most", figure(closed) / elapsed.as_secs_f64());
    let mut calls = aws.calls();
    for (operation, count) in &mut calls {
        *count -= before.get(operation).copied().unwrap_or(0);
    }
    for (operation, count) in calls.iter().filter(|(_, count)| **count > 0) {
        println!("  {operation}: {:.3} a user", figure(usize::try_from(*count)?) / figure(users));
    }
    println!("  memory: {} MB at the start, {} MB at the end, {} MB at most", first / 1_000_000, last / 1_000_000, most / 1_000_000);

    // The same once more: there is nothing left to do.
    let again = quota_reset::run(&deps).await?;
    ensure!((again.closed, again.opened) == (0, 0), "{again:?}");
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn figure(count: usize) -> f64 {
    count as f64
}

/// Users with a plan whose first cycle is open, as signing up and redeeming a certificate leave them.
async fn sign_up(aws: &Aws, store: &Store, users: usize, began: Timestamp) -> anyhow::Result<()> {
    let random = Random::system();
    let ids: Vec<UserId> = (0..users).map(|_| UserId::new(began, random.bytes())).collect();
    for chunk in ids.chunks(BATCH) {
        let puts: Vec<Value> = chunk.iter().map(|id| json!({ "PutRequest": { "Item": profile(id, began) } })).collect();
        aws.tables("BatchWriteItem", &json!({ "RequestItems": { (tables().users): puts } }))?;
        for id in chunk {
            let cycle = Cycle::open(id.clone(), CycleSpan { start: began, end: began + CYCLE }, Plan::Starter, began);
            let cause = Cause { entropy: random.bytes(), at: began, actor: Actor::User, post_id: None };
            ensure!(store.commit_ledger(&[cycle.opening(ChangeReason::PlanStarted, cause)]).await?, "a cycle was there before");
        }
    }
    Ok(())
}

fn profile(id: &UserId, began: Timestamp) -> Value {
    let text = |text: &str| json!({ "S": text });
    let began = began.to_string();
    let terms = json!({ "L": [{ "M": { "plan": text("starter"), "cycles": { "N": "12" } } }] });
    let entitled = json!({ "M": { "certificates": { "M": { "anchor": text(&began), "terms": terms } }, "operator": { "M": { "lapsed": { "BOOL": false } } } } });
    json!({
        "pk": text(&format!("USER#{id}")), "sk": text("PROFILE"), "id": text(id.as_str()), "phone": text("+61412345678"),
        "created_at": text(&began), "entitled": entitled, "paid": { "L": [] }, "rev": { "N": "1" }, "writer": text("bench"),
    })
}

/// The memory of this process, looked at from a thread of its own.
struct Memory {
    most_bytes: Arc<AtomicU64>,
    first_bytes: u64,
    ended: Arc<AtomicBool>,
}

impl Memory {
    fn watch() -> Self {
        let first_bytes = resident_bytes().unwrap_or_default();
        let (most_bytes, ended) = (Arc::new(AtomicU64::new(first_bytes)), Arc::new(AtomicBool::new(false)));
        let (most, end) = (most_bytes.clone(), ended.clone());
        std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                most.fetch_max(resident_bytes().unwrap_or_default(), Ordering::Relaxed);
                std::thread::sleep(LOOK_EVERY);
            }
        });
        Self { most_bytes, first_bytes, ended }
    }

    fn now_bytes(&self) -> anyhow::Result<u64> {
        let now = resident_bytes()?;
        self.most_bytes.fetch_max(now, Ordering::Relaxed);
        Ok(now)
    }

    /// The first look, the last and the highest.
    fn ended(self) -> (u64, u64, u64) {
        let last = self.now_bytes().unwrap_or_default();
        self.ended.store(true, Ordering::Relaxed);
        (self.first_bytes, last, self.most_bytes.load(Ordering::Relaxed))
    }
}

/// What the kernel says that this process holds.
fn resident_bytes() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("reading the memory of this process")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1_024)
}
