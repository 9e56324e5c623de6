//! `ops adjust`.
//!
//! An adjustment has an id, which is told before anything is written, and whose random part the id of its history row keeps. Whoever
//! heard no answer runs the command again with that id: what stands already is told, and not done twice. An id under which something
//! else stands is refused, as is one that no earlier call can have told. Within one call, the client's own repetitions carry one token, by
//! which the tables know them.

use anyhow::{Context, bail, ensure};
use clap::Args;
use domain::id::{HistoryId, UserId};
use domain::ledger::{Actor, Cause, ChangeReason, Cycle, HistoryEntry, LedgerChange};
use domain::order::Order;
use domain::plan::CYCLE;
use edge::contract::Time;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use store::{Rounds, Start};

use crate::table::Shown;
use crate::users::cycle_json;
use crate::{Ops, user_id};

/// History rows read at once.
const PAGE: usize = 100;
/// Pages that are looked through for the row of an earlier call: some years of the largest plan.
const PAGES_MAX: usize = 100;
/// How far the clock of whoever made an id may be ahead of this one: its row stands at that time.
const ID_AHEAD_MAX: SignedDuration = SignedDuration::from_mins(5);
/// Nobody asks after so long what became of an adjustment, and only so much of the history is looked through for it.
const ID_AGE_MAX: SignedDuration = SignedDuration::from_hours(366 * 24);
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
    /// The id that an earlier call of this very command has told, if nobody knows what became of it: it is done if it was not.
    #[arg(long, value_parser = adjustment_id)]
    id: Option<HistoryId>,
}

fn adjustment_id(text: &str) -> Result<HistoryId, String> {
    HistoryId::parse(text).map_err(|_| "not an adjustment's id: 26 capital letters and digits".to_owned())
}

fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    let fits = (3..=REASON_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(format!("a reason has 3 to {REASON_CHARS_MAX} letters, on one line")) }
}

pub(crate) async fn run(ops: &Ops, options: Options) -> anyhow::Result<Shown> {
    ensure!(options.posts != 0, "nothing to adjust");
    let id = options.id.clone().unwrap_or_else(|| HistoryId::new(ops.clock.now(), ops.random.bytes()));
    can_have_been_told(&id, ops.clock.now())?;
    let mut rounds = Rounds::new("adjusting a cycle", id.as_str());
    let mut is_named = false;
    loop {
        rounds.next().await.context("nothing was adjusted")?;
        // The cycle is read first: what is written to it later moves it, and what was written before stands in the history.
        let cycle = cycle(ops, &options).await;
        if let Some(row) = stored(ops, &options.user, &id).await? {
            is_this(&options, &row)?;
            let json =
                json!({ "id": id, "user_id": options.user, "applied_at": Time::from(row.at), "applied_before": true, "reason": row.note });
            return Ok(Shown::new(json).line(format!("applied already, at {}: {}", Time::from(row.at), numbers(&row))));
        }
        let cycle = cycle?;
        let change = change(ops, &options, &cycle, &id)?;
        if !std::mem::replace(&mut is_named, true) {
            eprintln!("adjustment {id}: should no answer come, run the command again with --id {id}");
        }
        if ops.store.commit_ledger(std::slice::from_ref(&change)).await.context("storing the adjustment")? {
            let (after, row) = (&change.cycle, change.entries.last().context("an adjustment without a row")?);
            let json = json!({ "id": id, "user_id": options.user, "applied_at": Time::from(row.at), "applied_before": false, "reason": row.note,
                "cycle": cycle_json(after) });
            return Ok(Shown::new(json).line(format!("cycle {}: {}", Time::from(after.span.start), numbers(row))));
        }
    }
}

fn can_have_been_told(id: &HistoryId, now: Timestamp) -> anyhow::Result<()> {
    let (made_at, _) = id.parts();
    let ahead = made_at.duration_since(now);
    ensure!(ahead <= ID_AHEAD_MAX, "the id {id} was made at {made_at}, which is still to come; nothing was adjusted");
    ensure!(ahead >= -ID_AGE_MAX, "the id {id} was made at {made_at}, too long ago to ask what became of it; nothing was adjusted");
    Ok(())
}

/// That the row under the id is of this very command, not of another, nor of anything else that happened to the cycle.
fn is_this(options: &Options, row: &HistoryEntry) -> anyhow::Result<()> {
    let says_so = row.reason == ChangeReason::Adjustment && row.note.as_deref() == Some(options.reason.as_str());
    if says_so && options.cycle.is_none_or(|start| row.cycle_start == start) && may_be_of(options.posts, row) {
        return Ok(());
    }
    let reason = json!(row.reason).as_str().unwrap_or_default().to_owned();
    let about = row.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
    let (at, cycle) = (row.at, row.cycle_start);
    bail!("under that id stands something else, of {at}: {reason}{about}, {} in the cycle of {cycle}; nothing was adjusted", numbers(row))
}

/// Whether the row's numbers are those of so many posts more or fewer. A cycle that is overdrawn, so that nothing is free, makes that
/// good first: its row shows less.
fn may_be_of(posts: i32, row: &HistoryEntry) -> bool {
    let difference = i64::from(row.new_total) - i64::from(row.previous_total);
    difference == i64::from(posts) || (row.previous_remaining == 0 && (0..i64::from(posts)).contains(&difference))
}

fn numbers(row: &HistoryEntry) -> String {
    let HistoryEntry { previous_total, new_total, previous_remaining, new_remaining, .. } = row;
    format!("quota {previous_total} -> {new_total}, remaining {previous_remaining} -> {new_remaining}")
}

/// The row of the adjustment, if it stands. It is no older than the id.
async fn stored(ops: &Ops, user: &UserId, id: &HistoryId) -> anyhow::Result<Option<HistoryEntry>> {
    let (made_at, entropy) = id.parts();
    let mut start = Start::first(Order::Desc);
    for _ in 0..PAGES_MAX {
        let page = ops.store.history(user, PAGE, start).await.context("reading the history")?;
        let is_over = page.items.last().is_none_or(|oldest| oldest.at < made_at);
        if let Some(row) = page.items.into_iter().find(|row| row.id.parts().1 == entropy) {
            return Ok(Some(row));
        }
        match page.next {
            Some(next) if !is_over => start = Start::after(next),
            _ => return Ok(None),
        }
    }
    bail!("too much has happened since for the adjustment to be looked for; `ops users show` lists the newest rows")
}

async fn cycle(ops: &Ops, options: &Options) -> anyhow::Result<Cycle> {
    let now = ops.clock.now();
    // One that began earlier has ended before the one that is meant begins, and is not at once with it.
    let from = options.cycle.unwrap_or(now).max(Timestamp::UNIX_EPOCH + CYCLE) - CYCLE;
    let cycles = ops.store.cycles_from(&options.user, from).await.context("reading the cycles")?;
    // Where posts were written ahead under a plan that has lapsed, such a cycle may stand beside the one that grants posts.
    let meant = |cycle: &&Cycle| match options.cycle {
        Some(start) => cycle.span.start == start,
        None => cycle.span.start <= now && now < cycle.span.end && cycle.granted > 0,
    };
    let cycle = cycles.iter().find(meant).context("the user has no such cycle; `ops users show` lists the latest")?;
    let at_once = |other: &&Cycle| other.span != cycle.span && other.span.start < cycle.span.end && cycle.span.start < other.span.end;
    let other = cycles.iter().filter(|other| other.granted > 0).find(at_once);
    match other {
        Some(other) if cycle.granted <= 0 => bail!("the plan of that cycle has lapsed; adjust the one of {}", other.span.start),
        _ => Ok(cycle.clone()),
    }
}

fn change(ops: &Ops, options: &Options, cycle: &Cycle, id: &HistoryId) -> anyhow::Result<LedgerChange> {
    let (made_at, entropy) = id.parts();
    let cause = Cause { entropy, at: ops.clock.now().max(made_at), actor: Actor::Operator, post_id: None };
    let (less, free) = (options.posts.min(0).unsigned_abs(), cycle.remaining());
    ensure!(less <= free, "only {free} posts of the cycle are free");
    let short = -cycle.granted;
    ensure!(
        options.posts < 0 || options.posts > short,
        "{short} more were taken of the cycle than its plan holds; give at least {}",
        short + 1
    );
    let change = cycle.adjust(options.posts, ChangeReason::Adjustment, cause).context("a cycle cannot hold so many posts")?;
    Ok(change.noted(&options.reason))
}

#[cfg(test)]
mod tests {
    use domain::plan::{CycleSpan, Plan};

    use super::*;

    #[test]
    fn a_rows_numbers_are_those_of_its_posts_and_of_more_where_some_made_good_what_was_overdrawn() {
        let now = Timestamp::UNIX_EPOCH;
        let cause = || Cause { entropy: [0; 10], at: now, actor: Actor::Operator, post_id: None };
        let user = UserId::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV").unwrap();
        let open = Cycle::open(user, CycleSpan { start: now, end: now + CYCLE }, Plan::Starter, now);
        let row = |cycle: &Cycle, posts| cycle.adjust(posts, ChangeReason::Adjustment, cause()).unwrap().entries.remove(0);
        let overdrawn = Cycle { used: 12, granted: 7, ..open.clone() };
        for (row, may_be, cannot_be) in [
            (row(&open, 2), &[2][..], &[1, 3, -2][..]),
            (row(&open, -2), &[-2], &[-1, -3, 2, 3]),
            (row(&overdrawn, 7), &[7, 2], &[1, -2, -7]),
            (row(&overdrawn, 4), &[4], &[-4]),
        ] {
            for posts in may_be {
                assert!(may_be_of(*posts, &row), "{posts}: {row:?}");
            }
            for posts in cannot_be {
                assert!(!may_be_of(*posts, &row), "{posts}: {row:?}");
            }
        }
    }
}
