//! `cargo run -p built`: says whether what `sam build` left starts on Lambda, before anybody deploys it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its terminal")]

use std::path::PathBuf;
use std::process::ExitCode;

use built::LAMBDA_HAS;
use clap::Parser;

/// Ends with 0 if every function that was built starts on Lambda, else with 1, and names those that do not.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// What `sam build` made.
    #[arg(default_value = ".aws-sam/build")]
    folder: PathBuf,
}

fn main() -> ExitCode {
    match built::check(&Cli::parse().folder, LAMBDA_HAS) {
        Ok(built) => {
            println!("{built}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
