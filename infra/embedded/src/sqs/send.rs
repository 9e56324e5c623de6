//! Putting messages on a queue.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Transaction, params};
use serde::Deserialize;
use serde_json::json;

use super::{BATCH_ENTRIES_MAX, from_json, invalid, message_id, queue, to_json};
use crate::wire::Refusal;

/// The largest message, in bytes.
const MESSAGE_BYTES_MAX: usize = 1_048_576;
/// The longest delay, in seconds.
const DELAY_SECS_MAX: i64 = 900;
/// The longest name of a message group, in bytes.
const GROUP_BYTES_MAX: usize = 128;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessage {
    queue_url: String,
    #[serde(flatten)]
    message: Outgoing,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessageBatch {
    queue_url: String,
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    id: String,
    #[serde(flatten)]
    message: Outgoing,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Outgoing {
    message_body: String,
    #[serde(default)]
    delay_seconds: i64,
    message_group_id: Option<String>,
}

pub(super) fn one(tx: &Transaction<'_>, body: &[u8], now: Timestamp) -> Result<String, Refusal> {
    let request: SendMessage = from_json(body)?;
    let id = send(tx, queue(&request.queue_url)?, &request.message, now)?;
    Ok(to_json(&json!({ "MessageId": message_id(id) })))
}

pub(super) fn batch(tx: &Transaction<'_>, body: &[u8], now: Timestamp) -> Result<String, Refusal> {
    let request: SendMessageBatch = from_json(body)?;
    let queue = queue(&request.queue_url)?;
    entries_are_sound(request.entries.iter().map(|entry| entry.id.as_str()))?;
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in &request.entries {
        match send(tx, queue, &entry.message, now) {
            Ok(id) => successful.push(json!({ "Id": entry.id, "MessageId": message_id(id) })),
            Err(refusal) => failed.push(json!({ "Id": entry.id, "Code": refusal.code, "SenderFault": true, "Message": refusal.message })),
        }
    }
    Ok(to_json(&json!({ "Successful": successful, "Failed": failed })))
}

/// A batch has one to ten entries, each with an id of its own.
pub(super) fn entries_are_sound<'a>(ids: impl Iterator<Item = &'a str>) -> Result<(), Refusal> {
    let ids: Vec<&str> = ids.collect();
    if ids.is_empty() {
        return Err(Refusal::new("EmptyBatchRequest", "There should be at least one entry in the request."));
    }
    if ids.len() > BATCH_ENTRIES_MAX {
        return Err(Refusal::new("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10."));
    }
    if ids.iter().collect::<BTreeSet<_>>().len() < ids.len() {
        return Err(Refusal::new("BatchEntryIdsNotDistinct", "Two entries have the same id."));
    }
    Ok(())
}

fn send(tx: &Transaction<'_>, queue: &str, message: &Outgoing, now: Timestamp) -> Result<i64, Refusal> {
    if message.message_body.is_empty() || message.message_body.len() > MESSAGE_BYTES_MAX {
        return Err(invalid("One or more parameters are invalid. Reason: Message must be 1 to 1048576 bytes."));
    }
    if !(0..=DELAY_SECS_MAX).contains(&message.delay_seconds) {
        return Err(invalid("Value for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."));
    }
    if message.message_group_id.as_ref().is_some_and(|group| group.is_empty() || group.len() > GROUP_BYTES_MAX) {
        return Err(invalid("The request includes a parameter that is not valid. Reason: MessageGroupId."));
    }
    let visible_ms = now.as_millisecond() + message.delay_seconds * 1000;
    enqueue(tx, queue, &message.message_body, message.message_group_id.as_deref(), now, visible_ms)
}

/// Puts a message on a queue.
pub(crate) fn enqueue(
    tx: &Transaction<'_>,
    queue: &str,
    body: &str,
    group: Option<&str>,
    now: Timestamp,
    visible_ms: i64,
) -> Result<i64, Refusal> {
    let sql = "INSERT INTO messages (queue, body, group_id, sent_ms, visible_ms) VALUES (?1, ?2, ?3, ?4, ?5)";
    tx.execute(sql, params![queue, body, group, now.as_millisecond(), visible_ms])?;
    Ok(tx.last_insert_rowid())
}
