//! Figures of the service on this machine. It judges nothing: what is slow on one machine is not on another.
//!
//! `cargo run --release -p bench` for all of them, one after the other; each has a command of its own. Without `--release` the figures are
//! those of a debug build, several times as slow.
#![expect(clippy::print_stdout, reason = "a command line talks to its terminal")]

mod cold_start;
mod counting;
mod idle;
mod lateness;
mod percentile;
mod quota_reset_run;
mod requests;

use clap::{Parser, Subcommand};

/// Measures the service on this machine, and prints what it measured.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
struct Cli {
    /// Without one, all run, one after the other, each with its defaults.
    #[command(subcommand)]
    command: Option<Command>,
}

/// One measurement each, in a file of its own.
#[derive(Debug, Subcommand)]
enum Command {
    /// How late posts are that are all due in one second, most of them of one customer.
    Lateness(lateness::Options),
    /// The share of a core that the local service takes while nothing happens.
    Idle(idle::Options),
    /// Answers of the local service under 20 clients at once.
    Requests,
    /// What each step of a post's life calls, and the units that the tables reckon for it.
    Calls,
    /// The tables of COST.md.
    Cost(counting::Options),
    /// The cycle job over many users whose cycles have all ended.
    QuotaReset(quota_reset_run::Options),
    /// The start of each function as it is deployed, beside one that does nothing. Builds them.
    ColdStart(cold_start::Options),
}

impl Command {
    /// Each measurement with its defaults, in the order in which all run.
    fn all() -> Vec<Self> {
        vec![
            Self::Idle(idle::Options::default()),
            Self::Lateness(lateness::Options::default()),
            Self::Requests,
            Self::QuotaReset(quota_reset_run::Options::default()),
            Self::ColdStart(cold_start::Options::default()),
        ]
    }

    async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Lateness(options) => Box::pin(lateness::run(&options)).await,
            Self::Idle(options) => Box::pin(idle::run(&options)).await,
            Self::Requests => Box::pin(requests::run()).await,
            Self::Calls => counting::calls().await,
            Self::Cost(options) => counting::cost(&options).await,
            Self::QuotaReset(options) => Box::pin(quota_reset_run::run(&options)).await,
            Self::ColdStart(options) => Box::pin(cold_start::run(&options)).await,
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let commands = Cli::parse().command.map_or_else(Command::all, |command| vec![command]);
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    println!("{build} build, {} processors", std::thread::available_parallelism()?);
    for command in commands {
        command.run().await?;
    }
    Ok(())
}
