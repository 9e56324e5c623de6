//! `cargo run --release -p faults -- --seeds N --pairs`: the long proof, with a report.

use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use faults::plan::{Hit, Kind, Plan};
use faults::report::Report;
use faults::run::play;
use faults::scenario::Scenario;
use faults::sweep::{self, Job};

/// How often the state of things is told.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// Breaks calls of the publish machine and counts what comes of it.
#[derive(Debug, Parser)]
struct Arguments {
    /// Mixtures by chance, with seeds from 0 on.
    #[arg(long, default_value_t = 0)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Every two faults together in the stories of the four classes of platforms, and of the other core stories each so many-th two.
    #[arg(long)]
    pairs: bool,
    /// Every fault alone, in the core stories.
    #[arg(long)]
    singles: bool,
    /// Every plan change, certificate, cycle job and reading of numbers at every call of six core stories.
    #[arg(long)]
    interruptions: bool,
    /// Only the stories whose name holds this.
    #[arg(long, default_value = "")]
    story: String,
    /// One run with these faults, as a failure prints them: `12:PauseAfter,14:AnswerLost`.
    #[arg(long)]
    hit: Option<String>,
    /// Of the pairs of other stories, every so many-th: all of them are some four million runs.
    #[arg(long, default_value_t = 200)]
    every: usize,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let stories: Vec<_> = Scenario::core().into_iter().filter(|story| story.name.contains(&arguments.story)).collect();
    if let Some(hits) = &arguments.hit {
        let mut all = Scenario::core().into_iter().chain(Scenario::interrupted());
        let story = all.find(|story| story.name.contains(&arguments.story)).context("no such story")?;
        let verdict = play(&story, Plan::Exactly(read_hits(hits)?), 1);
        println!("{}\nviolations: {:#?}\nended: {:?}", verdict.seen.trace(), verdict.seen.violations, verdict.ends);
        return Ok(if verdict.seen.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let mut failed = 0;
    if arguments.singles {
        failed += run("singles", stories.iter().flat_map(sweep::singles), arguments.threads);
    }
    if arguments.interruptions {
        let interrupted = Scenario::interrupted().into_iter().filter(|story| story.name.contains(&arguments.story));
        failed += run("interruptions", interrupted.flat_map(|story| sweep::interruptions(&story)), arguments.threads);
    }
    if arguments.seeds > 0 {
        failed += run("mixtures", sweep::mixtures(arguments.from..arguments.from + arguments.seeds), arguments.threads);
    }
    if arguments.pairs {
        let every = |story: &Scenario| if story.is_of_a_class() { 1 } else { arguments.every };
        let pairs = stories.into_iter().flat_map(|story| sweep::pairs(&story, every(&story)));
        failed += run("pairs", pairs, arguments.threads);
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes the runs, tells how it goes and what came of it; answers how many failed.
#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn run(what: &str, jobs: impl Iterator<Item = Job> + Send, threads: usize) -> usize {
    let (began, before) = (Instant::now(), processor_seconds());
    let told_at = Mutex::new(began);
    let speed = |runs: usize| {
        let spent = match (before, processor_seconds()) {
            (Some(before), Some(now)) => now - before,
            _ => began.elapsed().as_secs_f64() * f64::from(u32::try_from(threads).unwrap_or(1)),
        };
        f64::from(u32::try_from(runs).unwrap_or(u32::MAX)) / spent.max(0.001)
    };
    let progress = |report: &Report| {
        let Ok(mut told_at) = told_at.try_lock() else { return };
        if told_at.elapsed() >= TELL_EVERY {
            *told_at = Instant::now();
            println!("{what}: {} runs, {} with a violation, {:.0} runs a second and core", report.runs, report.failed, speed(report.runs));
        }
    };
    let report = sweep::run_all(jobs, threads, |failure| println!("{failure}\n"), progress);
    println!(
        "== {what}: {:.0} s, {:.0} runs a second and core (its processor time counted)\n{}",
        began.elapsed().as_secs_f64(),
        speed(report.runs),
        report.words()
    );
    report.failed
}

/// Processor time of this process, where the system tells it as Linux does: fields 14 and 15 of `stat`, in hundredths.
fn processor_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / 100.0)
}

fn read_hits(told: &str) -> anyhow::Result<Vec<Hit>> {
    let all: Vec<Kind> = Kind::all().into_iter().chain([Kind::Meanwhile]).collect();
    let read = |hit: &str| {
        let (call, kind) = hit.split_once(':').context("a fault is `call:Kind`")?;
        let kind = *all.iter().find(|known| format!("{known:?}") == kind).context("no such kind")?;
        Ok(Hit { call: call.parse()?, kind })
    };
    told.split(',').map(read).collect()
}
