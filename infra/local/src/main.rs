//! `postledger`: the whole service on this machine, and the demo that walks through it.
#![expect(clippy::print_stderr, reason = "a command line talks to its terminal")]

mod cli;
mod demo;
mod greeting;

use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use local::{LocalService, Options, data_dir, openapi, what_to_try};

use cli::{Cli, Command};

const WHAT_TO_TRY: &str = "What to try, in another terminal, line by line or all at once (or: cargo run -- demo):\n";

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let ended = match cli.command {
        Some(Command::Demo) => demo::run(&cli.demo_dir()).await,
        Some(Command::Openapi) => write_contract(),
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
    let (lines, log_path) = data_dir::open_log(&data_dir)?;
    let options = Options { port: cli.port, data_dir: data_dir.clone(), fresh: cli.fresh, lines };
    let service = LocalService::start_with(options, cli.elsewhere.settings()).await?;
    let url = service.base_url();
    let (state, logs) = (shown(&data_dir), shown(&log_path));
    let partners = greeting::partners(&service);
    say(format_args!("Postledger is at {url}\nState: {state}   Logs: {logs}\n{partners}\n"));
    say(format_args!("{WHAT_TO_TRY}\n{}\nCtrl-C stops it.", what_to_try(url)));
    tokio::signal::ctrl_c().await.context("waiting for Ctrl-C")?;
    service.stop().await;
    say("Stopped. The state is kept; --fresh starts anew.");
    Ok(())
}

fn write_contract() -> anyhow::Result<()> {
    let operations = openapi::write()?;
    say(format_args!("{operations} operations in {}", shown(&openapi::file())));
    Ok(())
}

/// A path without the detours that it was put together from.
fn shown(path: &Path) -> String {
    path.canonicalize().unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// A reader that went away, such as `| head -1`, stops neither the service nor the demo.
fn say(text: impl Display) {
    let _nobody_reads = writeln!(std::io::stdout(), "{text}");
}
