//! What each step of a post's life calls, and how many units the tables reckon for it.
//!
//! Counted on the embedded services, with a clock that stands still. Each step is played for one post, and ten seconds before for a post of
//! another account. So what a function reads once in five minutes, such as an app's secret, is read already. A year of posts
//! is behind them.

mod stage;

use std::collections::BTreeMap;
use std::fmt;

use anyhow::ensure;
use embedded::Metered;
use futures::FutureExt;
use futures::future::BoxFuture;

use stage::{Post, Stage};

/// How many posts an account is assumed to make in a month…
pub const POSTS_A_MONTH: u32 = 30;
/// …and of how many months they are there.
pub const MONTHS_KEPT: u32 = 12;

/// A page that its owner looks at: the first one of the frontend.
pub const LOOK: &str = "look";
/// A draft is written.
pub const CREATE: &str = "create";
/// It is approved, for a time some half an hour ahead.
pub const APPROVE: &str = "approve";
/// Its schedule wakes the publisher a minute early.
pub const WAKE_EARLY: &str = "wake early";
/// The same where its tokens will be dead.
pub const EARLY_RENEWING: &str = "wake early, tokens dead";
/// It goes out, with tokens that live.
pub const PUBLISH: &str = "publish";
/// It goes out after its tokens were renewed.
pub const PUBLISH_RENEWING: &str = "publish, tokens dead";
/// Its metrics are read once: what a run takes more for it than one that finds nothing.
pub const RUNG: &str = "rung";
/// The same after its tokens were renewed.
pub const RUNG_RENEWING: &str = "rung, tokens dead";
/// A round of the sweeper that finds nothing.
pub const SWEEP: &str = "idle sweep";
/// A run of analytics-sync that finds nothing.
pub const SYNC: &str = "idle reading";
/// A run of renewals that finds nothing.
pub const RENEWALS: &str = "idle renewals";
/// The grants of two accounts are renewed that have posted nothing for long.
pub const RENEW: &str = "renew two dormant grants";
/// A run of quota-reset that finds nothing.
pub const RESET: &str = "idle closing";
/// A cycle is closed and the next one opened.
pub const CLOSE: &str = "close a cycle";
/// The nightly audit of one user.
pub const AUDIT: &str = "audit a user";
/// A network.
pub const X: &str = "x";
/// A network.
pub const FACEBOOK: &str = "facebook";

/// How long before its time a post is written and approved, in seconds.
const AHEAD: i64 = 1_800;
/// How long before its time a schedule wakes.
const EARLY: i64 = 75;
/// How long after the warming account's post the counted one is due.
const APART: i64 = 10;
/// The age of the first rung.
const FIRST_RUNG: i64 = 3_600;
/// Longer than any cycle.
const A_CYCLE: i64 = 32 * 86_400;
/// Longer than a quarter of what a grant of X lives.
const DORMANT: i64 = 50 * 86_400;

/// One step on one network; on none where all are alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Which.
    pub name: &'static str,
    /// On which network.
    pub on: &'static str,
    /// How often each `service.operation` is called.
    pub calls: BTreeMap<String, u64>,
    /// Read units of the tables.
    pub read_units: f64,
    /// Write units of the tables.
    pub write_units: f64,
}

/// All that was counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// In the order of a post's life.
    pub steps: Vec<Step>,
    /// How many metrics of our own have a value in an hour in which posts go out and nothing fails.
    pub metrics_busy: usize,
    /// How many have one in an hour in which nothing happens.
    pub metrics_idle: usize,
}

impl Counted {
    /// A step by its name and network.
    pub fn step(&self, name: &str, on: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == name && (step.on == on || step.on.is_empty()))
    }
}

impl Step {
    fn of(name: &'static str, on: &'static str, metered: &BTreeMap<String, Metered>) -> anyhow::Result<Self> {
        let refused = metered.iter().filter(|(_, metered)| metered.refused > 0).map(|(operation, _)| operation).collect::<Vec<_>>();
        ensure!(refused.is_empty(), "{name} on {on}: refused are {refused:?}");
        Ok(Self {
            name,
            on,
            calls: metered.iter().map(|(operation, metered)| (operation.clone(), metered.calls)).collect(),
            read_units: metered.values().map(|metered| metered.read_units).sum(),
            write_units: metered.values().map(|metered| metered.write_units).sum(),
        })
    }

    /// What this step took more than `less`.
    fn beyond(self, less: &Self) -> Self {
        let calls = self.calls.into_iter().map(|(operation, calls)| {
            let before = less.calls.get(&operation).copied().unwrap_or(0);
            (operation, calls.saturating_sub(before))
        });
        Self {
            calls: calls.filter(|(_, calls)| *calls > 0).collect(),
            read_units: self.read_units - less.read_units,
            write_units: self.write_units - less.write_units,
            ..self
        }
    }

    /// How often a service is called.
    pub fn calls_of(&self, service: &str) -> u64 {
        self.calls.iter().filter(|(operation, _)| operation.split('.').next() == Some(service)).map(|(_, calls)| calls).sum()
    }
}

/// Plays all steps and counts them. It takes some seconds.
pub fn count() -> BoxFuture<'static, anyhow::Result<Counted>> {
    async {
        let stage = Box::pin(Stage::open()).await?;
        Box::pin(play(&stage)).await
    }
    .boxed()
}

async fn play(stage: &Stage) -> anyhow::Result<Counted> {
    Box::pin(stage.post_for_a_year()).await?;
    let mut steps = vec![counted(stage, LOOK, "", stage.get("/api/user/status")).await?];
    let sync = counted(stage, SYNC, "", stage.read_numbers(0)).await?;
    let (x, facebook) = (stage.accounts(X), stage.accounts(FACEBOOK));

    let quiet = stage.lines();
    steps.extend(Box::pin(life(stage, X, x, 0)).await?);
    steps.extend(Box::pin(life(stage, FACEBOOK, facebook, 1_900)).await?);
    for (on, begun) in [(X, 0), (FACEBOOK, 1_900)] {
        steps.push(rung(stage, (RUNG, on), begun, &sync).await?);
    }
    let metrics_busy = stage.metrics_since(quiet);

    // X's tokens live for two hours: those that consents brought are dead by the first of these, and those that it brings by the last rung.
    for step in Box::pin(life(stage, X, x, 7_400)).await? {
        match step.name {
            WAKE_EARLY => steps.push(Step { name: EARLY_RENEWING, ..step }),
            PUBLISH => steps.push(Step { name: PUBLISH_RENEWING, ..step }),
            _ => {}
        }
    }
    stage.set_clock(7_400 + AHEAD + APART + FIRST_RUNG);
    stage.read_numbers(2).await?;
    Box::pin(life(stage, X, x, 13_000)).await?;
    steps.push(rung(stage, (RUNG_RENEWING, X), 13_000, &sync).await?);

    // Notes of what was connected are followed first.
    for minute in 0..4 {
        stage.set_clock(18_600 + minute * 60);
        stage.sweep().await?;
    }
    let quiet = stage.lines();
    steps.push(counted(stage, SWEEP, "", stage.sweep()).await?);
    steps.push(sync);
    let renewals = counted(stage, RENEWALS, "", stage.renew_grants(0)).await?;
    let reset = counted(stage, RESET, "", stage.close_cycles(0)).await?;
    let metrics_idle = stage.metrics_since(quiet);
    steps.push(counted(stage, AUDIT, "", stage.audit()).await?);
    stage.set_clock(A_CYCLE);
    steps.push(counted(stage, CLOSE, "", stage.close_cycles(1)).await?.beyond(&reset));
    steps.push(reset);
    stage.set_clock(DORMANT);
    stage.read_app_of_renewals().await?;
    steps.push(counted(stage, RENEW, X, stage.renew_grants(2)).await?.beyond(&renewals));
    steps.push(renewals);
    Ok(Counted { steps, metrics_busy, metrics_idle })
}

/// What the life of a post calls until it is out. `begins` is when its owner writes it.
async fn life(stage: &Stage, on: &'static str, accounts: [&str; 2], begins: i64) -> anyhow::Result<Vec<Step>> {
    let due = begins + AHEAD;
    stage.set_clock(begins);
    let first = stage.write(accounts[0], due).await?;
    let first = stage.approve(&first).await?;
    let (mut second, mut steps) = (String::new(), Vec::new());
    let create = async {
        second = stage.write(accounts[1], due + APART).await?;
        Ok(())
    };
    steps.push(counted(stage, CREATE, on, create).await?);
    let mut approved = Post::default();
    let approve = async {
        approved = stage.approve(&second).await?;
        Ok(())
    };
    steps.push(counted(stage, APPROVE, on, approve).await?);
    for (name, at) in [(WAKE_EARLY, due - EARLY), (PUBLISH, due)] {
        stage.set_clock(at);
        stage.wake(&first).await?;
        stage.set_clock(at + APART);
        steps.push(counted(stage, name, on, stage.wake(&approved)).await?);
    }
    for post in [&first, &approved] {
        stage.is_published(post).await?;
    }
    Ok(steps)
}

/// The first reading of the second post of a life that began then; the first one's is ten seconds before.
async fn rung(stage: &Stage, (name, on): (&'static str, &'static str), begun: i64, idle: &Step) -> anyhow::Result<Step> {
    let due = begun + AHEAD + FIRST_RUNG;
    stage.set_clock(due);
    stage.read_numbers(1).await?;
    stage.set_clock(due + APART);
    Ok(counted(stage, name, on, stage.read_numbers(1)).await?.beyond(idle))
}

async fn counted(
    stage: &Stage,
    name: &'static str,
    on: &'static str,
    work: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<Step> {
    stage.aws().begin_metering();
    let done = work.await;
    let metered = stage.aws().end_metering();
    done?;
    Step::of(name, on, &metered)
}

/// The table of the cost page, in Markdown.
impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| step | on | calls | read units | write units |")?;
        writeln!(f, "|---|---|---|---:|---:|")?;
        for Step { name, on, calls, read_units, write_units } in &self.steps {
            let calls = calls.iter().map(|(operation, calls)| format!("{operation} {calls}")).collect::<Vec<_>>().join(", ");
            let on = if on.is_empty() { "any" } else { on };
            writeln!(f, "| {name} | {on} | {calls} | {read_units} | {write_units} |")?;
        }
        Ok(())
    }
}
