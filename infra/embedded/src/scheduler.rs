//! `EventBridge` Scheduler: one-time schedules whose target is a queue of this machine.
//!
//! A schedule fires somewhere in the minute that begins at its time, as AWS's does. Recurring expressions are refused: on this machine, clocks
//! of the local run take their place. Source: Scheduler API reference and user guide.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::sqs;
use super::{ACCOUNT, REGION};
use crate::wire::{Refusal, from_json, to_json, unknown_operation};

/// How many schedules one look takes to the queue; the next look takes the rest.
const FIRED_AT_ONCE_MAX: u32 = 1000;
/// A schedule for a nearer time may be missed by the service, whose precision is a minute: here it is refused, so that none is made.
const AHEAD_MIN: SignedDuration = SignedDuration::from_secs(60);
/// Where in its minute a schedule fires is anybody's guess; here its name says it, so that a run is the same each time.
const PRECISION_MS: u64 = 60_000;
/// How many schedules one page of a list holds.
const PAGE_MAX: usize = 100;

#[derive(Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
struct CreateSchedule {
    #[serde(default = "default_group")]
    group_name: String,
    schedule_expression: String,
    schedule_expression_timezone: Option<String>,
    action_after_completion: Option<String>,
    flexible_time_window: FlexibleTimeWindow,
    target: Target,
    client_token: Option<String>,
}

#[derive(Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
struct FlexibleTimeWindow {
    mode: String,
}

#[derive(Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
struct Target {
    arn: String,
    role_arn: String,
    input: String,
    retry_policy: Option<Value>,
    dead_letter_config: Option<Value>,
}

fn default_group() -> String {
    "default".to_owned()
}

/// The operation of a method and path.
pub(crate) fn operation(method: &str, path: &str) -> &'static str {
    match (method, path.strip_prefix("/schedules")) {
        ("GET", Some("" | "/")) => "ListSchedules",
        ("POST", Some(_)) => "CreateSchedule",
        ("GET", Some(_)) => "GetSchedule",
        ("DELETE", Some(_)) => "DeleteSchedule",
        _ => "Unknown",
    }
}

pub(crate) fn serve(tx: &Transaction<'_>, operation: &str, url: &Url, body: &[u8], now: Timestamp) -> Result<String, Refusal> {
    let name = url.path().strip_prefix("/schedules/").unwrap_or_default();
    let group = parameter(url, "groupName").unwrap_or_else(default_group);
    match operation {
        "CreateSchedule" => create(tx, name, &from_json(body)?, now),
        "GetSchedule" => get(tx, &group, name),
        "DeleteSchedule" => delete(tx, &group, name),
        "ListSchedules" => list(tx, url),
        _ => Err(unknown_operation(operation)),
    }
}

/// Puts the input of what is due on its queue and ends the schedule, all in the caller's transaction.
pub(crate) fn fire_due(tx: &Transaction<'_>, now: Timestamp) -> Result<usize, Refusal> {
    let now_ms = now.as_millisecond();
    let sql = "SELECT grp, name, queue, input, request FROM schedules WHERE at_ms <= ?1 AND fired_ms IS NULL ORDER BY at_ms LIMIT ?2";
    let mut statement = tx.prepare_cached(sql)?;
    let due = statement
        .query_map(params![now_ms, FIRED_AT_ONCE_MAX], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?;
    let due: Vec<(String, String, String, String, String)> = due.collect::<Result<_, _>>()?;
    for (group, name, queue, input, request) in &due {
        sqs::enqueue(tx, queue, input, None, now, now_ms)?;
        let request: CreateSchedule = from_json(request.as_bytes())?;
        let sql = match request.action_after_completion.as_deref() {
            Some("DELETE") => "DELETE FROM schedules WHERE grp = ?1 AND name = ?2 AND ?3 IS NOT NULL",
            _ => "UPDATE schedules SET fired_ms = ?3 WHERE grp = ?1 AND name = ?2",
        };
        tx.execute(sql, params![group, name, now_ms])?;
    }
    Ok(due.len())
}

fn create(tx: &Transaction<'_>, name: &str, request: &CreateSchedule, now: Timestamp) -> Result<String, Refusal> {
    name_is_sound(name)?;
    let group = &request.group_name;
    let at = one_time(&request.schedule_expression, request.schedule_expression_timezone.as_deref().unwrap_or("UTC"))?;
    let queue = sqs::queue_of_arn(&request.target.arn).ok_or_else(|| invalid("Provided Arn is not a queue of this machine."))?;
    let known = tx.query_row("SELECT request FROM schedules WHERE grp = ?1 AND name = ?2", [group, name], |row| row.get::<_, String>(0));
    if let Some(known) = known.optional()? {
        // The client's token makes a repeated request the same request; the SDK repeats when an answer is lost.
        let same = request.client_token.is_some() && &from_json::<CreateSchedule>(known.as_bytes())? == request;
        let conflict = || Refusal::new("ConflictException", format!("Schedule {name} already exists.")).with_status(409);
        return if same { Ok(created(group, name)) } else { Err(conflict()) };
    }
    if at <= now {
        return Err(invalid("Invalid Schedule Expression: the time is in the past."));
    }
    if at < now + AHEAD_MIN {
        return Err(invalid("Less than a minute ahead, which the service may miss. Put it on the queue with a delay instead."));
    }
    let sql = "INSERT INTO schedules (grp, name, queue, at_ms, input, request, created_ms)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let fires_ms = at.as_millisecond() + in_its_minute(name);
    let columns = params![group, name, queue, fires_ms, request.target.input, to_json(request), now.as_millisecond()];
    tx.execute(sql, columns)?;
    Ok(created(group, name))
}

/// How long after its time the schedule of this name fires, in milliseconds.
fn in_its_minute(name: &str) -> i64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    i64::try_from(hasher.finish() % PRECISION_MS).unwrap_or_default()
}

fn get(tx: &Transaction<'_>, group: &str, name: &str) -> Result<String, Refusal> {
    let sql = "SELECT request, created_ms FROM schedules WHERE grp = ?1 AND name = ?2";
    let found = tx.query_row(sql, [group, name], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))).optional()?;
    let (request, created_ms) = found.ok_or_else(|| unknown(name))?;
    let mut schedule: Value = from_json(request.as_bytes())?;
    schedule["Name"] = json!(name);
    schedule["Arn"] = json!(arn(group, name));
    schedule["State"] = json!("ENABLED");
    schedule["CreationDate"] = json!(created_ms / 1000);
    Ok(to_json(&schedule))
}

fn delete(tx: &Transaction<'_>, group: &str, name: &str) -> Result<String, Refusal> {
    let deleted = tx.execute("DELETE FROM schedules WHERE grp = ?1 AND name = ?2", [group, name])?;
    if deleted == 0 { Err(unknown(name)) } else { Ok("{}".to_owned()) }
}

fn list(tx: &Transaction<'_>, url: &Url) -> Result<String, Refusal> {
    let (group, prefix) = (parameter(url, "ScheduleGroup"), parameter(url, "NamePrefix").unwrap_or_default());
    let size = parameter(url, "MaxResults").and_then(|size| size.parse().ok()).unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let after = parameter(url, "NextToken").unwrap_or_default();
    let sql = "SELECT grp, name FROM schedules WHERE (?1 IS NULL OR grp = ?1) AND substr(name, 1, length(?2)) = ?2
               AND grp || '/' || name > ?3 ORDER BY grp || '/' || name LIMIT ?4";
    let mut statement = tx.prepare_cached(sql)?;
    let limit = i64::try_from(size).unwrap_or(1) + 1;
    let rows = statement.query_map(params![group, prefix, after, limit], |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?)))?;
    let mut page: Vec<(String, String)> = rows.collect::<Result<_, _>>()?;
    let more = page.len() > size;
    page.truncate(size);
    let next = page.last().filter(|_| more).map(|(group, name)| format!("{group}/{name}"));
    let schedules: Vec<Value> =
        page.iter().map(|(group, name)| json!({ "GroupName": group, "Name": name, "Arn": arn(group, name), "State": "ENABLED" })).collect();
    Ok(to_json(&json!({ "Schedules": schedules, "NextToken": next })))
}

/// Reads `at(yyyy-mm-ddThh:mm:ss)`; fractions and offsets are refused, as by the service.
fn one_time(expression: &str, zone: &str) -> Result<Timestamp, Refusal> {
    let text = expression.strip_prefix("at(").and_then(|rest| rest.strip_suffix(')')).filter(|text| text.len() == 19);
    let civil = text.and_then(|text| text.parse::<DateTime>().ok()).ok_or_else(|| invalid("Invalid Schedule Expression."))?;
    let zoned = civil.in_tz(zone).map_err(|_| invalid("Invalid Schedule Expression Timezone."))?;
    Ok(zoned.timestamp())
}

fn name_is_sound(name: &str) -> Result<(), Refusal> {
    let sound = (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if sound { Ok(()) } else { Err(invalid("Invalid name.")) }
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn created(group: &str, name: &str) -> String {
    to_json(&json!({ "ScheduleArn": arn(group, name) }))
}

fn arn(group: &str, name: &str) -> String {
    format!("arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{group}/{name}")
}

fn invalid(message: &str) -> Refusal {
    Refusal::new("ValidationException", message)
}

fn unknown(name: &str) -> Refusal {
    Refusal::new("ResourceNotFoundException", format!("Schedule {name} does not exist.")).with_status(404)
}
