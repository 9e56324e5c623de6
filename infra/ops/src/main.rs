//! `ops`: what an operator looks at and does. See README.md.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its terminal")]

mod adjust;
mod audit;
mod gift_certificates;
mod plans;
mod posts;
mod table;
mod users;

use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::{Args, Parser, Subcommand};
use cloud::vault::HashKeySecret;
use domain::id::UserId;
use domain::people::HashKey;
use edge::clock::Clock;
use edge::random::Random;
use secrecy::ExposeSecret;
use store::{Store, Tables};

use table::Shown;

/// What `audit` ends with when numbers differ or cannot be read; 1 is a command that failed, 2 one that was not understood.
const DIFFERENCES: u8 = 3;

/// Looks at a stack and changes what only an operator may, with the AWS credentials and the Region of the environment.
///
/// Works on a deployed stack, and on `cargo run` of this machine with
/// `AWS_ENDPOINT_URL=http://localhost:3000/_local/aws` (see README.md).
#[derive(Debug, Parser)]
#[command(name = "ops", version)]
struct Cli {
    #[command(flatten)]
    stack: Stack,
    /// Print JSON instead of tables.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

/// Where the stack keeps things. A command names what it lacks.
#[derive(Debug, Args)]
struct Stack {
    /// The stack's output `UsersTableName`.
    #[arg(long, env = "USERS_TABLE", global = true, default_value = "")]
    users_table: String,
    /// The stack's output `PostsTableName`.
    #[arg(long, env = "POSTS_TABLE", global = true, default_value = "")]
    posts_table: String,
    /// The stack's output `LedgerTableName`.
    #[arg(long, env = "LEDGER_TABLE", global = true, default_value = "")]
    ledger_table: String,
    /// The stack's output `HashKeySecret`.
    #[arg(long, env = "HASH_KEY_SECRET", global = true, default_value = "")]
    hash_key_secret: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Certificates that are worth a plan.
    #[command(subcommand)]
    GiftCertificates(gift_certificates::Command),
    /// Accounts: plan, cycles, connections.
    #[command(subcommand)]
    Users(users::Command),
    /// One post with its whole story.
    #[command(subcommand)]
    Posts(posts::Command),
    /// Changes a plan by hand, as a payment or its absence would.
    #[command(subcommand)]
    Plans(plans::Command),
    /// Computes every number of the ledger anew, from the history and from the posts, and prints what differs; and the posts that wait for
    /// an instant which is not what their local time means any more.
    ///
    /// It changes nothing, and whoever cannot be read stops nobody else. Ends with 0 if all was read and no number differs, else with 3; a
    /// zone that has got other rules does not count.
    Audit(audit::Options),
    /// Gives posts to a cycle or takes them from it, with a history row that says why.
    Adjust(adjust::Options),
}

/// What the commands work with.
struct Ops {
    store: Store,
    hash_key: Option<HashKeySecret>,
    clock: Clock,
    random: Random,
}

impl Ops {
    async fn open(stack: &Stack, command: &Command) -> anyhow::Result<Self> {
        let needs_key = matches!(command, Command::GiftCertificates(command) if command.needs_key());
        let needs_books = !matches!(command, Command::GiftCertificates(_));
        ensure!(!stack.users_table.is_empty(), "say which table holds the users: --users-table or USERS_TABLE");
        ensure!(!needs_books || !stack.posts_table.is_empty(), "say which table holds the posts: --posts-table or POSTS_TABLE");
        ensure!(!needs_books || !stack.ledger_table.is_empty(), "say which table holds the ledger: --ledger-table or LEDGER_TABLE");
        ensure!(
            !needs_key || !stack.hash_key_secret.is_empty(),
            "say which secret is the stack's hash key: --hash-key-secret or HASH_KEY_SECRET"
        );
        let sdk = cloud::sdk::of_operator().await;
        let tables = Tables {
            users: stack.users_table.clone(),
            posts: stack.posts_table.clone(),
            ledger: stack.ledger_table.clone(),
            ..Tables::default()
        };
        let hash_key = needs_key.then(|| HashKeySecret::new(&sdk, stack.hash_key_secret.clone()));
        Ok(Self { store: Store::new(&sdk, tables), hash_key, clock: Clock::system(), random: Random::system() })
    }

    /// The key under which codes are stored.
    async fn hash_key(&self) -> anyhow::Result<HashKey> {
        let secret = self.hash_key.as_ref().context("this command was opened without the hash key")?;
        let key = secret.read().await.context("reading the stack's hash key")?;
        HashKey::new(key.expose_secret().as_bytes().to_vec()).context("taking the stack's hash key")
    }
}

/// For clap.
fn user_id(text: &str) -> Result<UserId, String> {
    UserId::parse(text).map_err(|_| "not a user's id: 26 capital letters and digits".to_owned())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.json;
    match run(cli).await {
        Ok((shown, code)) => {
            shown.print(json);
            code
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<(Shown, ExitCode)> {
    let ops = Ops::open(&cli.stack, &cli.command).await?;
    let shown = match cli.command {
        Command::GiftCertificates(command) => gift_certificates::run(&ops, command, cli.json).await?,
        Command::Users(command) => users::run(&ops, command).await?,
        Command::Posts(command) => posts::run(&ops, command).await?,
        Command::Plans(command) => plans::run(&ops, command).await?,
        Command::Adjust(options) => adjust::run(&ops, options).await?,
        Command::Audit(options) => {
            let (shown, differ) = audit::run(&ops, options).await?;
            return Ok((shown, if differ { ExitCode::from(DIFFERENCES) } else { ExitCode::SUCCESS }));
        }
    };
    Ok((shown, ExitCode::SUCCESS))
}
