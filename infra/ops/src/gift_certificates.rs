//! `ops gift-certificates`.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use domain::entitlement::CYCLES_MAX;
use domain::people::gift::{CYCLES_DEFAULT, GiftHash};
use domain::people::{GiftCertificate, GiftCode};
use domain::plan::Plan;
use edge::contract::Time;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use store::Revoked;

use crate::Ops;
use crate::table::{Shown, or_dash};

/// The most that one command issues.
const COUNT_MAX: u16 = 1_000;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes certificates and prints their codes, one a line. A code is shown this once and never again.
    Issue(Issue),
    /// Takes a certificate back that nobody has redeemed.
    Revoke(Revoke),
    /// Lists certificates, newest first; never their codes.
    List {
        /// Only those that can still be redeemed.
        #[arg(long)]
        open: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Issue {
    /// `starter` or `professional`.
    #[arg(long, value_parser = plan)]
    plan: Plan,
    /// How many cycles of 30 days each of them brings.
    #[arg(long, default_value_t = CYCLES_DEFAULT, value_parser = clap::value_parser!(u32).range(1..=i64::from(CYCLES_MAX)))]
    cycles: u32,
    /// How many certificates.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=i64::from(COUNT_MAX)))]
    count: u16,
    /// After how many days they are worth nothing; without it they stay good.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=3_650))]
    expires_in: Option<u16>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Revoke {
    /// As `list` names it.
    #[arg(long)]
    id: Option<String>,
    /// As it stands on the certificate. It stays in the shell's history: prefer --id.
    #[arg(long)]
    code: Option<String>,
}

impl Command {
    /// Whether it needs the key under which codes are stored.
    pub(crate) fn needs_key(&self) -> bool {
        matches!(self, Self::Issue(_) | Self::Revoke(Revoke { code: Some(_), .. }))
    }
}

pub(crate) fn plan(name: &str) -> Result<Plan, String> {
    Plan::parse(name).ok_or_else(|| "no such plan: starter or professional".to_owned())
}

pub(crate) async fn run(ops: &Ops, command: Command, as_json: bool) -> anyhow::Result<Shown> {
    match command {
        Command::Issue(options) => issue(ops, &options, as_json).await,
        Command::Revoke(options) => revoke(ops, options).await,
        Command::List { open } => list(ops, open).await,
    }
}

/// Each code is printed when it is stored: what fails later loses none.
async fn issue(ops: &Ops, options: &Issue, as_json: bool) -> anyhow::Result<Shown> {
    let Issue { plan, cycles, count, expires_in } = *options;
    let key = ops.hash_key().await?;
    for number in 1..=count {
        let now = ops.clock.now();
        let expires_at = expires_in.map(|days| now + SignedDuration::from_hours(24 * i64::from(days)));
        let code = GiftCode::from_entropy(ops.random.bytes());
        let gift = GiftCertificate::issue(plan, cycles, expires_at, now);
        let stored = ops.store.issue_gift(&code.keyed_hash(&key), &gift).await;
        stored.with_context(|| format!("storing certificate {number} of {count}; those printed above are good"))?;
        if as_json {
            println!("{}", json!({ "code": code.expose(), "plan": plan, "cycles": cycles, "expires_at": expires_at.map(Time::from) }));
        } else {
            println!("{}", code.expose());
        }
    }
    Ok(Shown::default())
}

async fn revoke(ops: &Ops, options: Revoke) -> anyhow::Result<Shown> {
    let hash = match options {
        Revoke { code: Some(code), .. } => GiftCode::parse(&code).context("reading the code")?.keyed_hash(&ops.hash_key().await?),
        Revoke { id, .. } => GiftHash::from_stored(id.unwrap_or_default()),
    };
    match ops.store.revoke_gift(&hash, ops.clock.now()).await.context("revoking the certificate")? {
        Revoked::Done => Ok(Shown::new(json!({ "id": hash.as_str(), "revoked": true })).line("revoked: nobody can redeem it any more")),
        Revoked::TooLate => bail!("somebody has redeemed it: what it brought is theirs"),
        Revoked::Unknown => bail!("there is no such certificate"),
    }
}

async fn list(ops: &Ops, open: bool) -> anyhow::Result<Shown> {
    let now = ops.clock.now();
    let (mut found, mut place) = (Vec::new(), None);
    loop {
        let (page, next) = ops.store.gifts(place).await.context("listing certificates")?;
        found.extend(page.into_iter().filter(|(_, gift)| !open || standing(gift, now) == "open"));
        place = next;
        if place.is_none() {
            break;
        }
    }
    found.sort_by_key(|(_, gift)| std::cmp::Reverse(gift.issued_at));
    let json = found.iter().map(|(id, gift)| {
        json!({ "id": id, "plan": gift.plan, "cycles": gift.cycles, "standing": standing(gift, now), "issued_at": Time::from(gift.issued_at),
                "expires_at": gift.expires_at.map(Time::from),
                "redeemed_by": gift.redeemed_by, "redeemed_at": gift.redeemed_at.map(Time::from), "revoked_at": gift.revoked_at.map(Time::from) })
    });
    let rows = found.iter().map(|(id, gift)| {
        let (plan, issued, expires) = (
            format!("{} x {}", gift.cycles, gift.plan.as_str()),
            Time::from(gift.issued_at).to_string(),
            or_dash(gift.expires_at.map(Time::from)),
        );
        [id.clone(), plan, standing(gift, now).to_owned(), issued, expires, or_dash(gift.redeemed_by.as_ref())]
    });
    let title = format!("{} certificates", found.len());
    Ok(Shown::new(json.collect()).with(title, ["id", "plan", "standing", "issued", "expires", "redeemed by"], rows))
}

fn standing(gift: &GiftCertificate, now: Timestamp) -> &'static str {
    match gift {
        _ if gift.redeemed_by.is_some() => "redeemed",
        _ if gift.revoked_at.is_some() => "revoked",
        _ if gift.expires_at.is_some_and(|expires| expires <= now) => "expired",
        _ => "open",
    }
}
