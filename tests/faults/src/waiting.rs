//! What must hold of posts that have lost their account or their quota slot: their owner is told, and they go on when both are back.

use std::sync::PoisonError;

use domain::failure::FailureCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::check::{Row, field, number};
use crate::plan::CLOCK_JUMP_SECS;
use crate::world::World;

/// How soon after its account is gone a scheduled post says so: two rounds of the sweeper, of which one may fail, and a little.
const TOLD_WITHIN: SignedDuration = SignedDuration::from_mins(5);
/// How soon after account and slot are back a held post goes on.
const GOES_ON_WITHIN: SignedDuration = SignedDuration::from_mins(10);

fn is_strict(world: &World) -> bool {
    world.watch.lock().unwrap_or_else(PoisonError::into_inner).is_strict()
}

/// When the person's account surely was there again, if it came back.
fn came_back(world: &World, row: &Row) -> Option<Timestamp> {
    world.returned.borrow().iter().filter(|(person, ..)| *person == row.person).map(|(.., at)| *at).max()
}

/// L11: no post stays scheduled for an account that is gone.
pub(crate) fn told(world: &World, items: &[Value], rows: &[Row], say: &dyn Fn(String)) {
    if !is_strict(world) || world.injector.clocks_jumped() {
        return;
    }
    for (person, gone_at) in world.disconnected.borrow().iter() {
        for row in rows.iter().filter(|row| row.person == *person) {
            let until = *gone_at + TOLD_WITHIN;
            if came_back(world, row).is_some_and(|at| at < until) {
                continue;
            }
            let events = events(items, row);
            let stood = events.iter().rev().find(|(at, _)| at <= gone_at).map(|(_, to)| to.as_str());
            let told = events.iter().any(|(at, to)| at > gone_at && *at <= until && to != "scheduled");
            if stood == Some("scheduled") && !told {
                say(format!("L11: {} still said that it is scheduled {TOLD_WITHIN:#} after its account was gone", row.text));
            }
        }
    }
}

fn events(items: &[Value], row: &Row) -> Vec<(Timestamp, String)> {
    let prefix = format!("POST#{}#EVENT#", row.id);
    let mut events: Vec<_> = items.iter().filter(|item| field(item, "sk").starts_with(&prefix)).collect();
    events.sort_by_key(|event| field(event, "sk"));
    events.iter().filter_map(|event| Some((field(event, "at").parse().ok()?, field(event, "to")))).collect()
}

/// L10: no post is missed for what has long been back.
pub(crate) fn went_on(world: &World, (users, ledger): (&[Value], &[Value]), rows: &[Row], say: &dyn Fn(String)) {
    if !is_strict(world) {
        return;
    }
    let jump = if world.injector.clocks_jumped() { SignedDuration::from_secs(2 * CLOCK_JUMP_SECS) } else { SignedDuration::ZERO };
    let held_for = [FailureCode::QuotaLost, FailureCode::ConnectionGone, FailureCode::ReconnectNeeded, FailureCode::PermissionMissing];
    let of = |items: &[Value], row: &Row, sk: &str| -> Vec<Value> {
        let pk = format!("USER#{}", row.user);
        items.iter().filter(|item| field(item, "pk") == pk && field(item, "sk").starts_with(sk)).cloned().collect()
    };
    for row in rows.iter().filter(|row| row.status == "missed" && held_for.iter().any(|code| code.as_str() == row.code)) {
        let usable = of(users, row, "CONNECTION#").iter().any(|item| field(item, "health") == "ok");
        let holds = |cycle: &Value| {
            let at = |name: &str| field(cycle, name).parse::<Timestamp>().ok();
            let has_it = at("start").zip(at("end")).is_some_and(|(start, end)| start <= row.due && row.due < end);
            has_it && number(cycle, "granted") > number(cycle, "used") + number(cycle, "reserved")
        };
        let has_slot = of(ledger, row, "CYCLE#").iter().any(holds);
        // Nothing of the user's ledger has changed since.
        let slot_since = of(ledger, row, "HISTORY#").iter().filter_map(|item| field(item, "at").parse::<Timestamp>().ok()).max();
        let Some(since) = slot_since.max(came_back(world, row)) else { continue };
        if usable && has_slot && since + GOES_ON_WITHIN + jump < row.latest {
            say(format!("L10: {} was missed at {} for {}, which was back since {since}", row.text, row.latest, row.code));
        }
    }
}
