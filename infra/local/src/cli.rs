//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// The whole of Postledger on this machine: no AWS account, no platform account.
#[derive(Debug, Parser)]
#[command(name = "postledger", version)]
pub(crate) struct Cli {
    /// The port on localhost; 0 takes a free one.
    #[arg(long, default_value_t = 3000, global = true)]
    pub(crate) port: u16,
    /// The folder that holds the state; `local` in the target folder unless told otherwise.
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) data: Option<PathBuf>,
    /// Forget what an earlier run left in the folder.
    #[arg(long, global = true)]
    pub(crate) fresh: bool,
    /// The target folder of cargo.
    #[arg(long, env = "CARGO_TARGET_DIR", hide = true, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target"))]
    pub(crate) target_dir: PathBuf,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What to do.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Command {
    /// Serve until Ctrl-C; what happens without a command.
    Serve,
    /// Walk the main job through HTTP, check every promise, and say what was seen.
    Demo,
    /// Write the HTTP contract into infra/openapi.json.
    Openapi,
}

impl Cli {
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(|| self.target_dir.join("local"))
    }

    /// The demo begins anew each time, so it has a folder of its own: it never touches what a served one holds.
    pub(crate) fn demo_dir(&self) -> PathBuf {
        self.data.as_ref().unwrap_or(&self.target_dir).join("demo")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serving_is_the_default_and_options_stand_before_or_after_the_command() {
        let cli = Cli::parse_from(["postledger"]);
        assert!(cli.command.is_none() && cli.port == 3000 && !cli.fresh);
        let cli = Cli::parse_from(["postledger", "demo", "--data", "/d", "--port", "0"]);
        assert_eq!((cli.demo_dir(), cli.port), (PathBuf::from("/d/demo"), 0));
        assert!(Cli::try_parse_from(["postledger", "--port", "x"]).is_err());
    }
}
