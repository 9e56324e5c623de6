//! `ops users`.

use anyhow::Context;
use clap::Subcommand;
use domain::id::UserId;
use domain::ledger::Cycle;
use domain::order::Order;
use edge::contract::Time;
use serde_json::{Value, json};
use store::Start;

use crate::table::{Shown, or_dash};
use crate::{Ops, user_id};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// One account: its plan, its last 40 cycles with their numbers, the newest history rows, its connections. Never a phone number.
    Show {
        /// The user's id.
        #[arg(value_parser = user_id)]
        user: UserId,
        /// How many history rows.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=100))]
        history: u8,
    },
}

pub(crate) async fn run(ops: &Ops, command: Command) -> anyhow::Result<Shown> {
    let Command::Show { user: id, history } = command;
    let user = ops.store.user(&id).await.context("reading the user")?.context("there is no such user")?;
    let mut cycles = ops.store.latest_cycles(&id).await.and_then(|cycles| ops.store.readable(cycles)).context("reading the cycles")?;
    cycles.reverse();
    let connections = ops.store.connections(&id).await.context("reading the connections")?;
    let history = match usize::from(history) {
        0 => Vec::new(),
        limit => ops.store.history(&id, limit, Start::first(Order::Desc)).await.context("reading the history")?.items,
    };
    let now = ops.clock.now();
    let timeline = user.timeline(now);
    let (last, slot, ends_at) = (timeline.last(now), timeline.at(now), timeline.ends_at(now).map(Time::from));
    let plan = last.map(|(plan, source)| json!({ "plan": plan, "active": slot.is_some(), "source": source, "ends_at": ends_at }));
    let certificates = user.entitled.as_of(&user.paid, now).certificates.terms;
    let json = json!({
        "id": user.id, "created_at": Time::from(user.created_at), "plan": plan,
        "certificates": certificates.iter().map(|term| json!({ "plan": term.plan, "cycles": term.cycles })).collect::<Value>(),
        "cycles": cycles.iter().map(cycle_json).collect::<Value>(),
        "history": history.iter().map(|row| json!({
            "at": Time::from(row.at), "change_reason": row.reason, "cycle_start": Time::from(row.cycle_start), "actor": row.actor, "post_id": row.post_id, "note": row.note,
            "previous_total": row.previous_total, "new_total": row.new_total,
            "previous_remaining": row.previous_remaining, "new_remaining": row.new_remaining,
        })).collect::<Value>(),
        "connections": connections.iter().map(|connection| json!({
            "id": connection.id, "platform": connection.platform, "username": connection.username, "health": connection.health.as_str(),
        })).collect::<Value>(),
    });
    let plan = last.map(|(plan, source)| {
        let runs = match (slot, ends_at) {
            (None, _) => "has ended".to_owned(),
            (Some(_), None) => "runs".to_owned(),
            (Some(_), Some(ends_at)) => format!("runs until {ends_at}"),
        };
        format!("{}, by {}, {runs}", plan.as_str(), source.as_str())
    });
    let rows = history.iter().map(|row| {
        let numbers = |before, after| format!("{before} -> {after}");
        let reason = json!(row.reason).as_str().unwrap_or_default().to_owned();
        let about = row.note.clone().or_else(|| row.post_id.as_ref().map(ToString::to_string));
        [
            Time::from(row.at).to_string(),
            Time::from(row.cycle_start).to_string(),
            reason,
            numbers(row.previous_total, row.new_total),
            numbers(row.previous_remaining, row.new_remaining),
            or_dash(about),
        ]
    });
    let connected = connections.iter().map(|connection| {
        let (platform, health) = (connection.platform.to_string(), connection.health.as_str().to_owned());
        [connection.id.to_string(), platform, connection.username.clone(), health]
    });
    Ok(Shown::new(json)
        .line(format!("user {}, since {}", user.id, Time::from(user.created_at)))
        .line(format!("plan: {}", or_dash(plan)))
        .with(
            "cycles",
            ["start", "end", "plan", "quota", "used", "reserved", "remaining", "overdrawn", "closed"],
            cycles.iter().map(cycle_row),
        )
        .with("history, newest first", ["at", "cycle", "reason", "quota", "remaining", "about"], rows)
        .with("connections", ["id", "platform", "name", "health"], connected))
}

pub(crate) fn cycle_json(cycle: &Cycle) -> Value {
    json!({
        "start": Time::from(cycle.span.start), "end": Time::from(cycle.span.end), "plan": cycle.plan, "quota": cycle.quota(), "used": cycle.used,
        "reserved": cycle.reserved, "remaining": cycle.remaining(), "overdrawn": cycle.overdrawn(), "closed_at": cycle.closed_at.map(Time::from),
    })
}

fn cycle_row(cycle: &Cycle) -> [String; 9] {
    [
        Time::from(cycle.span.start).to_string(),
        Time::from(cycle.span.end).to_string(),
        cycle.plan.as_str().to_owned(),
        cycle.quota().to_string(),
        cycle.used.to_string(),
        cycle.reserved.to_string(),
        cycle.remaining().to_string(),
        cycle.overdrawn().to_string(),
        or_dash(cycle.closed_at.map(Time::from)),
    ]
}
