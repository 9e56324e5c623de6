//! `ops`: what an operator does to a deployed stack. See README.md.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its terminal")]

mod gift_certificates;

use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use cloud::vault::Vault;
use domain::people::HashKey;
use edge::clock::Clock;
use edge::random::Random;
use secrecy::ExposeSecret;
use store::{Store, Tables};

/// Works on a deployed stack with the AWS credentials and the Region of the environment.
#[derive(Debug, Parser)]
#[command(name = "ops", version)]
struct Cli {
    #[command(flatten)]
    stack: Stack,
    #[command(subcommand)]
    command: Command,
}

/// Where the stack keeps things.
#[derive(Debug, Args)]
struct Stack {
    /// The stack's output `UsersTableName`.
    #[arg(long, env = "USERS_TABLE", global = true, default_value = "")]
    users_table: String,
    /// What the names of the stack's secrets begin with, such as `postledger/dev`.
    #[arg(long, env = "SECRETS_PREFIX", global = true, default_value = "")]
    secrets_prefix: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Certificates that are worth a plan.
    #[command(subcommand)]
    GiftCertificates(gift_certificates::Command),
}

/// What the commands work with.
struct Ops {
    store: Store,
    hash_key: HashKey,
    clock: Clock,
    random: Random,
}

impl Ops {
    async fn open(stack: Stack) -> anyhow::Result<Self> {
        anyhow::ensure!(!stack.users_table.is_empty(), "say which table holds the users: --users-table or USERS_TABLE");
        anyhow::ensure!(!stack.secrets_prefix.is_empty(), "say what the secrets' names begin with: --secrets-prefix or SECRETS_PREFIX");
        let sdk = cloud::sdk::load().await;
        let key = Vault::open(&sdk, stack.secrets_prefix).hash_key().await.context("reading the stack's hash key")?;
        let hash_key = HashKey::new(key.expose_secret().as_bytes().to_vec()).context("taking the stack's hash key")?;
        let store = Store::new(&sdk, Tables { users: stack.users_table, ..Tables::default() });
        Ok(Self { store, hash_key, clock: Clock::system(), random: Random::system() })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let ops = Ops::open(cli.stack).await?;
    match cli.command {
        Command::GiftCertificates(command) => gift_certificates::run(&ops, command).await,
    }
}
