//! How fast each function starts, beside one that does nothing: the binaries that `sam build` deploys, each a process of its own under a
//! double of Lambda's Runtime API and the embedded AWS.
//!
//! AWS is spoken to without TLS here, so a start's handshake is not in the figures. The root certificates are.

mod build;
mod runtime_api;
mod services;
mod start;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::{Value, json};

use services::Services;
use start::{Start, started};

/// What the others are compared with.
const HELLO: &str = "hello";

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often each function is started.
    #[arg(long, default_value_t = 20)]
    starts: usize,
    /// Measure what an earlier build has left.
    #[arg(long)]
    no_build: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { starts: 20, no_build: false }
    }
}

/// A function, and the cheapest event that it takes.
struct Function {
    name: &'static str,
    event: Value,
    /// The status of its answer, if that has one.
    status: Value,
}

impl Function {
    /// The one that does nothing, and all of ours.
    fn all() -> Vec<Self> {
        let http = |name| Self { name, event: unknown_address(), status: json!(404) };
        let worker = |name, event| Self { name, event, status: Value::Null };
        vec![
            worker(HELLO, json!({})),
            http("account"),
            worker("analytics-sync", json!({})),
            http("billing-webhook"),
            http("oauth-callback"),
            http("oauth-start"),
            http("onboarding"),
            http("posts"),
            worker("publisher", json!({ "Records": [] })),
            worker("quota-reset", json!({ "job": "cycles" })),
            worker("renewals", json!({})),
            worker("sweeper", json!({})),
        ]
    }
}

/// A request for what nobody has: it goes the way of all requests, and asks no table.
fn unknown_address() -> Value {
    json!({
        "version": "2.0",
        "routeKey": "ANY /nothing",
        "rawPath": "/nothing",
        "rawQueryString": "",
        "headers": { "host": "localhost" },
        "requestContext": {
            "accountId": embedded::ACCOUNT,
            "apiId": "local",
            "domainName": "localhost",
            "domainPrefix": "local",
            "http": { "method": "GET", "path": "/nothing", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "bench" },
            "requestId": "bench",
            "routeKey": "ANY /nothing",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1_767_225_600_000_i64,
        },
        "isBase64Encoded": false,
    })
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    ensure!(options.starts > 0, "nothing is known of a function that is not started");
    let built = build::folder()?;
    if !options.no_build {
        println!("cold-start: building hello and the functions as they are deployed; the first time takes about ten minutes");
        build::all(HELLO).await?;
    }
    let folder = tempfile::tempdir()?;
    let services = Services::open(folder.path()).await?;
    let functions = Function::all();
    let mut starts: Vec<Vec<Start>> = functions.iter().map(|_| Vec::new()).collect();
    // Round by round, so that what else the machine does is in the figures of all.
    for _ in 0..options.starts {
        for (function, starts) in functions.iter().zip(&mut starts) {
            let start = started(&binary(&built, function.name), function, &services, folder.path()).await;
            starts.push(start.with_context(|| format!("starting {}", function.name))?);
        }
    }
    let rows = functions.iter().zip(&starts).map(|(function, starts)| Row::of(function.name, starts, &built));
    let rows = rows.collect::<anyhow::Result<Vec<_>>>()?;
    let hello = rows.iter().find(|row| row.name == HELLO).context("hello was not started")?.init;
    println!("cold-start: medians of {} starts each; memory and file in MB of 1,000,000 bytes", options.starts);
    println!("| function | init | of hello's | first event | warm event | memory at most | file |");
    println!("|---|---|---|---|---|---|---|");
    for row in &rows {
        println!("{}", row.beside(hello));
    }
    Ok(())
}

fn binary(built: &Path, name: &str) -> PathBuf {
    built.join(name).join("bootstrap")
}

/// What the starts of a function came to.
struct Row {
    name: &'static str,
    init: Duration,
    first: Duration,
    warm: Duration,
    memory_bytes: u64,
    file_bytes: u64,
}

impl Row {
    fn of(name: &'static str, starts: &[Start], built: &Path) -> anyhow::Result<Self> {
        let median_of = |part: fn(&Start) -> Duration| median(starts.iter().map(part).collect());
        let file = std::fs::metadata(binary(built, name)).with_context(|| format!("looking at what was built of {name}"))?;
        Ok(Self {
            name,
            init: median_of(|start| start.init),
            first: median_of(|start| start.first),
            warm: median_of(|start| start.warm),
            memory_bytes: starts.iter().map(|start| start.memory_bytes).max().unwrap_or_default(),
            file_bytes: file.len(),
        })
    }

    fn beside(&self, hello: Duration) -> Beside<'_> {
        Beside(self, hello)
    }
}

/// A row of the table, compared with hello's init.
struct Beside<'a>(&'a Row, Duration);

impl fmt::Display for Beside<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(row, hello) = self;
        let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1_000.0);
        let ratio = row.init.as_secs_f64() / hello.as_secs_f64();
        write!(f, "| {} | {} | {ratio:.1} × | {} | {} | ", row.name, ms(row.init), ms(row.first), ms(row.warm))?;
        write!(f, "{:.1} | {:.1} |", megabytes(row.memory_bytes), megabytes(row.file_bytes))
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1_000_000.0
}

/// Of an even number, the upper one of the two in the middle.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
