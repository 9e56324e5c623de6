//! `cargo run --release -p faults -- --seeds N --pairs`: the long proof, with a report.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use faults::scenario::Scenario;
use faults::sweep::{self, Job, Report};

/// Breaks calls of the publish machine and counts what comes of it.
#[derive(Debug, Parser)]
struct Arguments {
    /// Mixtures by chance, with seeds from 0 on.
    #[arg(long, default_value_t = 0)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Every two faults together, in the core stories.
    #[arg(long)]
    pairs: bool,
    /// Every fault alone, in the core stories.
    #[arg(long)]
    singles: bool,
    /// Only the stories whose name holds this.
    #[arg(long, default_value = "")]
    story: String,
    /// Of the pairs, every so many-th.
    #[arg(long, default_value_t = 1)]
    every: usize,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let stories: Vec<_> = Scenario::core().into_iter().filter(|story| story.name.contains(&arguments.story)).collect();
    let mut failed = 0;
    let mut tell = |what: &str, jobs: &[Job]| {
        let began = Instant::now();
        let report: Report = sweep::run_all(jobs, arguments.threads);
        let seconds = began.elapsed().as_secs_f64();
        for failure in &report.failures {
            println!("{failure}\n");
        }
        println!(
            "== {what}: {:.0} runs a second\n{}",
            f64::from(u32::try_from(report.runs).unwrap_or(u32::MAX)) / seconds.max(0.001),
            report.words()
        );
        failed += report.failed;
    };
    if arguments.singles {
        tell("singles", &stories.iter().flat_map(sweep::singles).collect::<Vec<_>>());
    }
    if arguments.pairs {
        for story in &stories {
            let jobs: Vec<_> = sweep::pairs(story).into_iter().step_by(arguments.every.max(1)).collect();
            tell(&format!("pairs of {:?}", story.name), &jobs);
        }
    }
    if arguments.seeds > 0 {
        tell("mixtures", &sweep::mixtures(arguments.from..arguments.from + arguments.seeds).collect::<Vec<_>>());
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
