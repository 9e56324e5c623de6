//! `ops gift-certificates`.

use anyhow::Context;
use clap::Subcommand;
use domain::people::{GiftCertificate, GiftCode};
use domain::plan::Plan;
use jiff::SignedDuration;
use serde_json::json;

use crate::Ops;

/// The most that one command issues.
const COUNT_MAX: u16 = 1_000;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes certificates and prints their codes, one a line. A code is shown this once and never again.
    Issue {
        /// `starter` or `professional`.
        #[arg(long, value_parser = plan)]
        plan: Plan,
        /// How many.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=i64::from(COUNT_MAX)))]
        count: u16,
        /// After how many days they are worth nothing; without it they stay good.
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=3_650))]
        expires_in: Option<u16>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

fn plan(name: &str) -> Result<Plan, String> {
    serde_json::from_value(json!(name)).map_err(|_| "no such plan: starter or professional".to_owned())
}

pub(crate) async fn run(ops: &Ops, command: Command) -> anyhow::Result<()> {
    let Command::Issue { plan, count, expires_in, json } = command;
    for number in 1..=count {
        let now = ops.clock.now();
        let expires_at = expires_in.map(|days| now + SignedDuration::from_hours(24 * i64::from(days)));
        let code = GiftCode::from_entropy(ops.random.bytes());
        let gift = GiftCertificate::issue(plan, expires_at, now);
        let stored = ops.store.issue_gift(&code.keyed_hash(&ops.hash_key), &gift).await;
        stored.with_context(|| format!("storing certificate {number} of {count}; those printed above are good"))?;
        if json {
            println!("{}", json!({ "code": code.expose(), "plan": plan, "expires_at": expires_at }));
        } else {
            println!("{}", code.expose());
        }
    }
    Ok(())
}
