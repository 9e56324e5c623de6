//! Looks behind the stack: tables, secrets, queues, schedules, logs.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, ensure};
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER};
use serde_json::Value;

use crate::stack::STAGE;
use crate::world::{World, eventually};

/// The log groups of the functions.
const LOGS: [&str; 11] = [
    "AccountLogs",
    "AnalyticsSyncLogs",
    "BillingWebhookLogs",
    "OauthCallbackLogs",
    "OauthStartLogs",
    "OnboardingLogs",
    "PostsLogs",
    "PublisherLogs",
    "QuotaResetLogs",
    "RenewalsLogs",
    "SweeperLogs",
];
/// Pages of a list that are read at most.
const PAGES_MAX: usize = 100;
/// Warnings and errors that the journey provokes on its way: a poisoned message, a lost answer.
const PROVOKED: [&str; 2] = ["a message that is no wake-up", "answered unclearly"];

/// The names of all schedules in the stack's group.
pub(crate) async fn schedules(world: &World) -> anyhow::Result<Vec<String>> {
    let group = world.stack.output("ScheduleGroupName")?;
    let listed = world.scheduler.list_schedules().group_name(group).send().await.context("listing schedules")?;
    Ok(listed.schedules().iter().filter_map(|schedule| schedule.name().map(str::to_owned)).collect())
}

/// The names of all secrets of connections.
pub(crate) async fn connection_secrets(world: &World) -> anyhow::Result<Vec<String>> {
    let listed = world.secrets.list_secrets().max_results(100).send().await.context("listing secrets")?;
    let names = listed.secret_list().iter().filter_map(|secret| secret.name().map(str::to_owned));
    Ok(names.filter(|name| name.starts_with(&format!("postledger/{STAGE}/connection/"))).collect())
}

/// Queues are empty, dead letters too, no schedule is left.
pub(crate) async fn at_rest(world: &World) -> anyhow::Result<()> {
    for queue in ["PublishQueue", "PublishDeadLetters", "ScheduleDeadLetters"] {
        let empty = eventually(30, async || Ok(world.messages_in(queue).await? == 0)).await?;
        ensure!(empty, "{queue} is not empty");
    }
    let gone = eventually(30, async || Ok(schedules(world).await?.is_empty())).await?;
    ensure!(gone, "schedules are left: {:?}", schedules(world).await?);
    world.saw("queues and dead letters are empty, no schedule is left");
    Ok(())
}

/// One secret a connection, and its tokens nowhere else: not in a table, not in a log. Returns what is in the tokens' secrets.
pub(crate) async fn tokens(world: &World) -> anyhow::Result<Vec<(String, String)>> {
    let names = connection_secrets(world).await?;
    ensure!(names.len() == 2, "two connections have a secret each, saw {names:?}");
    let mut tokens = Vec::new();
    for name in &names {
        let value = world.secrets.get_secret_value().secret_id(name).send().await.with_context(|| format!("reading {name}"))?;
        let value: Value = serde_json::from_str(value.secret_string().unwrap_or_default()).context("a secret that is no JSON")?;
        let texts = value.as_object().into_iter().flatten().filter_map(|(field, value)| Some((field, value.as_str()?)));
        // The fields that are tokens, by `vault::sealed`.
        let found: Vec<_> = texts
            .filter(|(field, _)| ["access", "refresh", "parent"].contains(&field.as_str()))
            .map(|(field, text)| (format!("{field} token"), text.to_owned()))
            .collect();
        ensure!(found.iter().any(|(what, _)| what == "access token"), "{name} holds no access token");
        tokens.extend(found);
    }
    let mut items = 0;
    for table in ["UsersTableName", "PostsTableName", "LedgerTableName", "SessionsTableName"] {
        for item in items_of(world, table).await? {
            items += 1;
            let shown = format!("{item:?}");
            for (what, marker) in &tokens {
                ensure!(!holds(&shown, marker), "{table} holds a {what}");
            }
        }
    }
    world.saw(format_args!("two connections, two secrets; none of their {} tokens in {items} items of four tables", tokens.len()));
    Ok(tokens)
}

/// Makes the numbers of every published post due, as the hours would, and returns how many there are.
pub(crate) async fn numbers_due(world: &World) -> anyhow::Result<usize> {
    use aws_sdk_dynamodb::types::AttributeValue;

    let (mut due, past) = (0, AttributeValue::S("2026-01-01T00:00:00.000Z".to_owned()));
    for item in numbers(world).await? {
        let key = ["pk", "sk"].map(|name| (name.to_owned(), item[name].clone()));
        let update = world.dynamodb.update_item().table_name(world.stack.output("PostsTableName")?).set_key(Some(key.into()));
        let update =
            update.update_expression("SET sync_at = :past, next_sync_at = :past").expression_attribute_values(":past", past.clone());
        update.send().await.context("making numbers due")?;
        due += 1;
    }
    Ok(due)
}

/// How many posts' numbers have been told by their platforms.
pub(crate) async fn numbers_told(world: &World) -> anyhow::Result<usize> {
    Ok(numbers(world).await?.iter().filter(|item| item.contains_key("observed_at")).count())
}

async fn numbers(world: &World) -> anyhow::Result<Vec<std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue>>> {
    let mut items = items_of(world, "PostsTableName").await?;
    items.retain(|item| item.get("sk").and_then(|sk| sk.as_s().ok()).is_some_and(|sk| sk.starts_with("METRICS#")));
    Ok(items)
}

async fn items_of(
    world: &World,
    table: &str,
) -> anyhow::Result<Vec<std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue>>> {
    let name = world.stack.output(table)?;
    let page = world.dynamodb.scan().table_name(name).send().await.with_context(|| format!("reading {table}"))?;
    ensure!(page.last_evaluated_key().is_none(), "{table} has grown beyond one page");
    Ok(page.items.unwrap_or_default())
}

/// Writes what the functions logged to a file, function by function.
pub(crate) async fn keep_logs(world: &World, file: &Path) -> anyhow::Result<()> {
    let mut kept = String::new();
    for group in LOGS {
        for line in logged(world, group, "").await? {
            writeln!(kept, "{group} {line}")?;
        }
    }
    std::fs::write(file, kept).with_context(|| format!("writing {}", file.display()))
}

/// Every line of every function: whole, with time and level, no error that was not provoked, and none of the markers.
pub(crate) async fn clean_logs(world: &World, markers: &[(String, String)]) -> anyhow::Result<()> {
    let mut lines = 0;
    for group in LOGS {
        let of_group = logged(world, group, "").await?;
        ensure!(!of_group.is_empty(), "{group} is empty: its function never ran, and nothing of it is proven");
        for line in of_group {
            lines += 1;
            for (what, marker) in markers {
                ensure!(!holds(&line, marker), "{group} holds a {what}");
            }
            if !world.provoked.contains(&line) {
                one_line(group, &line)?;
            }
        }
    }
    ensure!(lines > 50, "only {lines} lines were logged");
    world.saw(format_args!(
        "{lines} log lines of {} functions: each with time and level, no warning or error that was not provoked, no marker",
        LOGS.len()
    ));
    Ok(())
}

/// Whether a line tells of a warning or an error.
pub(crate) fn is_trouble(line: &str) -> bool {
    let level = |parsed: Value| parsed["level"] == "ERROR" || parsed["level"] == "WARN";
    serde_json::from_str(line).is_ok_and(level)
}

fn one_line(group: &str, line: &str) -> anyhow::Result<()> {
    let parsed: Value = serde_json::from_str(line).with_context(|| format!("{group} has a line that is no JSON: {line}"))?;
    // Metrics are lines of their own kind.
    if parsed.get("_aws").is_some() {
        return Ok(());
    }
    let timed = parsed["timestamp"].as_str().is_some_and(|at| at.parse::<jiff::Timestamp>().is_ok());
    ensure!(timed && parsed["level"].is_string(), "{group} has a line without time or level: {line}");
    let expected = PROVOKED.iter().any(|provoked| line.contains(provoked));
    ensure!(!is_trouble(line) || expected, "{group} has a warning or an error: {line}");
    Ok(())
}

/// Whether a text holds a marker, as it is or in an encoding.
fn holds(text: &str, marker: &str) -> bool {
    let bytes = marker.as_bytes();
    let encoded = [BASE64_NOPAD.encode(bytes), BASE64URL_NOPAD.encode(bytes), HEXLOWER.encode(bytes)];
    let escaped = serde_json::to_string(marker).unwrap_or_default();
    text.contains(marker) || text.contains(escaped.trim_matches('"')) || encoded.iter().any(|encoded| text.contains(encoded.as_str()))
}

/// The lines of a function that contain `part`, without those of the platform around it.
pub(crate) async fn logged(world: &World, group: &str, part: &str) -> anyhow::Result<Vec<String>> {
    let group = world.stack.resource(group)?;
    let mut lines = Vec::new();
    let streams = world.logs.describe_log_streams().log_group_name(group).send().await.context("listing log streams")?;
    for stream in streams.log_streams() {
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let request = world.logs.get_log_events().log_group_name(group).set_log_stream_name(stream.log_stream_name.clone());
            let page = request.start_from_head(true).set_next_token(token.clone()).send().await.context("reading a log")?;
            lines.extend(page.events().iter().filter_map(|event| event.message().map(str::to_owned)));
            if page.next_forward_token == token || page.events().is_empty() {
                break;
            }
            token = page.next_forward_token;
        }
    }
    let platform = ["START RequestId", "END RequestId", "REPORT RequestId", "INIT_START"];
    let lines = lines.into_iter().flat_map(|message| message.lines().map(str::to_owned).collect::<Vec<_>>());
    Ok(lines.filter(|line| !platform.iter().any(|start| line.starts_with(start)) && !line.is_empty() && line.contains(part)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_in_every_encoding() {
        for text in ["a s3cr3t b", "x=czNjcjN0", "733363723374"] {
            assert!(holds(text, "s3cr3t"), "{text}");
        }
        assert!(!holds("nothing", "s3cr3t"));
    }

    #[test]
    fn a_line_needs_time_and_level_and_may_be_an_error_only_if_it_was_provoked() {
        let line =
            |level: &str, message: &str| format!(r#"{{"timestamp":"2026-01-01T00:00:00Z","level":"{level}","message":"{message}"}}"#);
        assert!(one_line("g", &line("INFO", "fine")).is_ok());
        assert!(one_line("g", &line("ERROR", "a message that is no wake-up")).is_ok());
        for bad in [line("ERROR", "a bug"), line("WARN", "odd"), "text".to_owned(), r#"{"level":"INFO"}"#.to_owned()] {
            assert!(one_line("g", &bad).is_err(), "{bad}");
        }
    }
}
