//! `ops adjust`.

use anyhow::{Context, bail, ensure};
use clap::Args;
use domain::id::UserId;
use domain::ledger::{Actor, Cause, ChangeReason, Cycle, LedgerChange};
use jiff::Timestamp;
use serde_json::json;

use crate::table::Shown;
use crate::users::cycle_json;
use crate::{Ops, user_id};

/// How often the cycle is read again when a post changed it meanwhile.
const ROUNDS_MAX: usize = 10;
/// The longest reason.
const REASON_CHARS_MAX: usize = 200;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Whose cycle.
    #[arg(long, value_parser = user_id)]
    user: UserId,
    /// How many posts more, or, below zero, fewer. Only what is free can be taken.
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(-10_000..=10_000))]
    posts: i32,
    /// Why, in words that the user may read: it stands in their history.
    #[arg(long, value_parser = reason)]
    reason: String,
    /// When the cycle begins, as `users show` tells it; without it, the one that grants posts now.
    #[arg(long)]
    cycle: Option<Timestamp>,
}

fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    let fits = (3..=REASON_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(format!("a reason has 3 to {REASON_CHARS_MAX} letters, on one line")) }
}

pub(crate) async fn run(ops: &Ops, options: Options) -> anyhow::Result<Shown> {
    ensure!(options.posts != 0, "nothing to adjust");
    for _ in 0..ROUNDS_MAX {
        let now = ops.clock.now();
        let cycle = cycle(ops, &options, now).await?;
        let change = change(ops, &options, &cycle, now)?;
        if ops.store.commit_ledger(std::slice::from_ref(&change)).await.context("storing the adjustment")? {
            let after = &change.cycle;
            let line = format!(
                "cycle {}: quota {} -> {}, remaining {} -> {}",
                after.span.start, cycle.quota, after.quota, cycle.remaining, after.remaining
            );
            return Ok(Shown::new(json!({ "user_id": options.user, "cycle": cycle_json(after), "reason": options.reason })).line(line));
        }
    }
    bail!("the cycle kept changing; nothing was adjusted")
}

async fn cycle(ops: &Ops, options: &Options, now: Timestamp) -> anyhow::Result<Cycle> {
    let cycles = ops.store.cycles_from(&options.user, Timestamp::UNIX_EPOCH).await.context("reading the cycles")?;
    // Where posts were written ahead under a plan that has lapsed, such a cycle may stand beside the one that grants posts.
    let meant = |cycle: &&Cycle| match options.cycle {
        Some(start) => cycle.span.start == start,
        None => cycle.span.start <= now && now < cycle.span.end && cycle.granted() > 0,
    };
    let cycle = cycles.iter().find(meant).context("the user has no such cycle; `ops users show` lists those that there are")?;
    let at_once = |other: &&Cycle| other.span != cycle.span && other.span.start < cycle.span.end && cycle.span.start < other.span.end;
    let other = cycles.iter().filter(|other| other.granted() > 0).find(at_once);
    match other {
        Some(other) if cycle.granted() == 0 => bail!("the plan of that cycle has lapsed; adjust the one of {}", other.span.start),
        _ => Ok(cycle.clone()),
    }
}

fn change(ops: &Ops, options: &Options, cycle: &Cycle, now: Timestamp) -> anyhow::Result<LedgerChange> {
    let cause = Cause { entropy: ops.random.bytes(), at: now, actor: Actor::Operator, post_id: None };
    let posts = options.posts.unsigned_abs();
    let change = if options.posts > 0 {
        cycle.grow(posts, cycle.plan, ChangeReason::Adjustment, cause).context("a cycle cannot hold so many posts")?
    } else {
        ensure!(posts <= cycle.remaining, "only {} posts of the cycle are free", cycle.remaining);
        cycle.shrink(posts, cycle.plan, ChangeReason::Adjustment, cause)
    };
    Ok(change.noted(&options.reason))
}
