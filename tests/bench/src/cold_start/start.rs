//! One start of one function, from the process to its warm events.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use edge::config::VARIABLES;
use local::variables::source;
use tokio::process::Command;
use url::Url;

use super::runtime_api::RuntimeApi;
use super::services::Services;
use super::{Function, median};

/// How many events follow the first.
const WARM_EVENTS: usize = 20;
/// Nothing that is measured here takes nearly as long.
const START_MAX: Duration = Duration::from_secs(30);

/// What a start took.
pub(super) struct Start {
    /// Until the process asked for its first event.
    pub(super) init: Duration,
    /// Until the first event was answered.
    pub(super) first: Duration,
    /// Until a later event was answered, the median of them.
    pub(super) warm: Duration,
    /// The most memory that the process had.
    pub(super) memory_bytes: u64,
}

/// Starts a process, and ends it. A function that logs an error is none that could be measured.
pub(super) async fn started(binary: &Path, function: &Function, services: &Services, folder: &Path) -> anyhow::Result<Start> {
    let mut api = RuntimeApi::open().await?;
    let log = folder.join("function.log");
    let mut command = Command::new(binary);
    command.env_clear().envs(environment(function.name, services, &api)?).stdin(Stdio::null()).kill_on_drop(true);
    command.stdout(File::create(&log)?).stderr(Stdio::inherit());
    let began = Instant::now();
    let mut process = command.spawn().with_context(|| format!("starting {}", binary.display()))?;
    let measured = tokio::time::timeout(START_MAX, measured(&mut api, began, function, process.id())).await;
    process.kill().await?;
    let said = std::fs::read_to_string(&log)?;
    ensure!(!said.contains(r#""level":"ERROR""#), "the function logged an error:\n{said}");
    measured.with_context(|| format!("it was not done after {START_MAX:?}:\n{said}"))?
}

async fn measured(api: &mut RuntimeApi, began: Instant, function: &Function, process: Option<u32>) -> anyhow::Result<Start> {
    let mut asked = api.asked().await?;
    let init = asked.at.duration_since(began);
    let (first, answer) = api.hand_out(asked, &function.event).await?;
    ensure!(answer["statusCode"] == function.status, "the first event was answered {answer}");
    let mut warm = Vec::with_capacity(WARM_EVENTS);
    for _ in 0..WARM_EVENTS {
        asked = api.asked().await?;
        warm.push(api.hand_out(asked, &function.event).await?.0);
    }
    // Its answers are written by then.
    api.asked().await?;
    let memory_bytes = most_memory_bytes(process.context("it has ended")?)?;
    Ok(Start { init, first, warm: median(warm), memory_bytes })
}

/// What Lambda and the template tell a function. Whoever runs this may have an account, and nothing of it is used.
fn environment(name: &str, services: &Services, api: &RuntimeApi) -> anyhow::Result<Vec<(String, String)>> {
    let ours = source(3_000, simulator::addresses(&Url::parse("http://localhost:3000")?), &[]);
    let ours = VARIABLES.iter().filter_map(|variable| Some(((*variable).to_owned(), ours.get(variable)?)));
    let lambdas = [
        ("AWS_LAMBDA_RUNTIME_API", api.address.as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", name),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_REGION", embedded::REGION),
        ("AWS_ACCESS_KEY_ID", "bench"),
        ("AWS_SECRET_ACCESS_KEY", "bench"),
        ("AWS_ENDPOINT_URL", services.endpoint.as_str()),
    ];
    Ok(lambdas.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().chain(ours).collect())
}

/// What the kernel says that a process held at most.
fn most_memory_bytes(process: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).context("reading the memory of the process")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1_024)
}
