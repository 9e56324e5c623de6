//! What the owner can read afterwards: a post's story, and the ledger with its reasons.

use anyhow::ensure;
use serde_json::Value;

use super::Walk;
use crate::say;

/// A post's attempts and events.
pub(super) async fn story(walk: &mut Walk, title: &str, post: &str) -> anyhow::Result<()> {
    let story = walk.browser.post_story(post).await?;
    say(format_args!("\n{title}: {} on {}, {}", text(&story["status"]), text(&story["platform"]), text(&story["platform_url"])));
    say(format_args!("  attempts  {:<26} {:<26} {:<10} error", "started", "ended", "outcome"));
    for attempt in items(&story["attempts"]) {
        let (started, ended) = (text(&attempt["started_at"]), text(&attempt["ended_at"]));
        say(format_args!(
            "  {:>8}  {started:<26} {ended:<26} {:<10} {}",
            attempt["number"].to_string(),
            text(&attempt["outcome"]),
            text(&attempt["error"]["code"])
        ));
    }
    say(format_args!("  events    {:<26} {:<12} {:<12} {:<10} note", "at", "from", "to", "actor"));
    for event in items(&story["events"]) {
        let (from, to, actor) = (text(&event["from"]), text(&event["to"]), text(&event["actor"]));
        say(format_args!("            {:<26} {from:<12} {to:<12} {actor:<10} {}", text(&event["at"]), text(&event["note"])));
    }
    ensure!(story["status"] == "published" && !items(&story["attempts"]).is_empty(), "the story does not end with a published post");
    Ok(())
}

/// The numbers, and a row for each change of them: replayed, they must come to the same.
pub(super) async fn ledger(walk: &mut Walk) -> anyhow::Result<()> {
    let [quota, used, reserved, remaining] = walk.browser.quota().await?;
    say(format_args!("\nThe ledger: quota {quota} = used {used} + reserved {reserved} + remaining {remaining}"));
    say(format_args!("  {:<26} {:<15} {:<10} {:>6} {:>10}  post", "at", "reason", "actor", "quota", "remaining"));
    let history = walk.browser.history().await?;
    let mut replayed = 0;
    for row in history.iter().rev() {
        let (at, reason, actor) = (text(&row["at"]), text(&row["change_reason"]), text(&row["actor"]));
        say(format_args!(
            "  {at:<26} {reason:<15} {actor:<10} {:>6} {:>10}  {}",
            row["new_total"].to_string(),
            row["new_remaining"].to_string(),
            text(&row["post_id"])
        ));
        ensure!(
            row["previous_remaining"] == replayed,
            "a row begins with {} where the last ended with {replayed}",
            row["previous_remaining"]
        );
        replayed = row["new_remaining"].as_u64().unwrap_or_default();
    }
    ensure!(replayed == remaining, "the history comes to {replayed} and the ledger says {remaining}");
    let published = history.iter().filter(|row| row["change_reason"] == "post_published").count();
    ensure!(published as u64 == used, "{published} rows tell of a published post, and {used} are used");
    Ok(())
}

pub(super) fn items(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}
