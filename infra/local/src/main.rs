//! `postledger`: the whole service on this machine, and the demo that walks through it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its terminal")]

mod cli;
mod demo;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use edge::lines::Lines;
use local::{LocalService, Options};

use cli::{Cli, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let ended = match cli.command {
        Some(Command::Demo) => demo::run(&cli.demo_dir()).await,
        Some(Command::Serve) | None => serve(&cli).await,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(cli: &Cli) -> anyhow::Result<()> {
    let data_dir = cli.data_dir();
    std::fs::create_dir_all(&data_dir).with_context(|| format!("making the data folder {}", data_dir.display()))?;
    let log_path = data_dir.join("log.jsonl");
    let log = std::fs::OpenOptions::new().create(true).write(true).truncate(cli.fresh).append(!cli.fresh).open(&log_path);
    let log = log.with_context(|| format!("opening {}", log_path.display()))?;
    let options = Options { port: cli.port, data_dir: data_dir.clone(), fresh: cli.fresh, lines: Lines::to(log) };
    let service = LocalService::start(options).await?;
    let url = service.base_url();
    let (state, logs) = (data_dir.display(), log_path.display());
    say(&format!("Postledger is at {url}\nState: {state}   Logs: {logs}\n\n{}", cli::WHAT_TO_TRY.replace("$URL", url)));
    tokio::signal::ctrl_c().await.context("waiting for Ctrl-C")?;
    service.stop().await;
    say("Stopped. The state is kept; --fresh starts anew.");
    Ok(())
}

/// A reader that went away, such as `| head -1`, does not stop the service.
fn say(text: &str) {
    let _nobody_reads = writeln!(std::io::stdout(), "{text}");
}
