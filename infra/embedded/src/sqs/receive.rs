//! Taking messages off a queue.

use jiff::Timestamp;
use rusqlite::{Row, Transaction, params};
use serde::Deserialize;
use serde_json::{Value, json};

use super::send::entries_are_sound;
use super::{BATCH_ENTRIES_MAX, VISIBILITY_SECS_MAX, from_json, invalid, message_id, queue, to_json};
use crate::wire::Refusal;
use crate::{DEAD_LETTERS, RECEIVES_MAX, VISIBILITY_SECS, WAKE_UPS};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReceiveMessage {
    queue_url: String,
    max_number_of_messages: Option<usize>,
    visibility_timeout: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteMessage {
    queue_url: String,
    receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteMessageBatch {
    queue_url: String,
    entries: Vec<DeleteEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteEntry {
    id: String,
    receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChangeMessageVisibility {
    queue_url: String,
    receipt_handle: String,
    visibility_timeout: i64,
}

struct Waiting {
    id: i64,
    body: String,
    group: Option<String>,
    sent_ms: i64,
    receives: i64,
}

impl Waiting {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { id: row.get(0)?, body: row.get(1)?, group: row.get(2)?, sent_ms: row.get(3)?, receives: row.get(4)? })
    }

    fn receipt(&self) -> String {
        format!("receipt-{}-{}", self.id, self.receives)
    }

    fn to_message(&self) -> Value {
        let mut message = json!({
            "MessageId": message_id(self.id),
            "ReceiptHandle": self.receipt(),
            "Body": self.body,
            "Attributes": { "ApproximateReceiveCount": self.receives.to_string(), "SentTimestamp": self.sent_ms.to_string() },
        });
        if let Some(group) = &self.group {
            message["Attributes"]["MessageGroupId"] = json!(group);
        }
        message
    }
}

pub(super) fn receive(tx: &Transaction<'_>, body: &[u8], now: Timestamp) -> Result<String, Refusal> {
    let request: ReceiveMessage = from_json(body)?;
    let queue = queue(&request.queue_url)?;
    let count_max = request.max_number_of_messages.unwrap_or(1);
    if !(1..=BATCH_ENTRIES_MAX).contains(&count_max) {
        return Err(invalid("MaxNumberOfMessages must be 1 to 10."));
    }
    let hidden_secs = hiding_time(request.visibility_timeout.unwrap_or(VISIBILITY_SECS))?;
    set_aside_the_worn_out(tx, queue, now)?;
    let mut received = waiting(tx, queue, count_max, now)?;
    for message in &mut received {
        message.receives += 1;
        let sql = "UPDATE messages SET receives = ?2, receipt = ?3, visible_ms = ?4 WHERE id = ?1";
        let visible_ms = now.as_millisecond() + hidden_secs * 1000;
        tx.execute(sql, params![message.id, message.receives, message.receipt(), visible_ms])?;
    }
    Ok(to_json(&json!({ "Messages": received.iter().map(Waiting::to_message).collect::<Vec<_>>() })))
}

pub(super) fn delete(tx: &Transaction<'_>, body: &[u8]) -> Result<String, Refusal> {
    let request: DeleteMessage = from_json(body)?;
    delete_by_receipt(tx, queue(&request.queue_url)?, &request.receipt_handle)?;
    Ok("{}".to_owned())
}

pub(super) fn delete_batch(tx: &Transaction<'_>, body: &[u8]) -> Result<String, Refusal> {
    let request: DeleteMessageBatch = from_json(body)?;
    let queue = queue(&request.queue_url)?;
    entries_are_sound(request.entries.iter().map(|entry| entry.id.as_str()))?;
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in &request.entries {
        match delete_by_receipt(tx, queue, &entry.receipt_handle) {
            Ok(()) => successful.push(json!({ "Id": entry.id })),
            Err(refusal) => failed.push(json!({ "Id": entry.id, "Code": refusal.code, "SenderFault": true, "Message": refusal.message })),
        }
    }
    Ok(to_json(&json!({ "Successful": successful, "Failed": failed })))
}

pub(super) fn change_visibility(tx: &Transaction<'_>, body: &[u8], now: Timestamp) -> Result<String, Refusal> {
    let request: ChangeMessageVisibility = from_json(body)?;
    let queue = queue(&request.queue_url)?;
    let hidden_secs = hiding_time(request.visibility_timeout)?;
    is_receipt(&request.receipt_handle)?;
    let sql = "UPDATE messages SET visible_ms = ?3 WHERE queue = ?1 AND receipt = ?2 AND visible_ms > ?4";
    let now_ms = now.as_millisecond();
    let changed = tx.execute(sql, params![queue, request.receipt_handle, now_ms + hidden_secs * 1000, now_ms])?;
    if changed == 0 { Err(Refusal::new("MessageNotInflight", "The message is not in flight.")) } else { Ok("{}".to_owned()) }
}

/// Moves what was received too often, and came back again, to the dead-letter queue.
fn set_aside_the_worn_out(tx: &Transaction<'_>, queue: &str, now: Timestamp) -> Result<(), Refusal> {
    if queue == WAKE_UPS {
        let sql = "UPDATE messages SET queue = ?3, receives = 0, receipt = NULL
                   WHERE queue = ?1 AND visible_ms <= ?2 AND receives >= ?4";
        tx.execute(sql, params![queue, now.as_millisecond(), DEAD_LETTERS, RECEIVES_MAX])?;
    }
    Ok(())
}

fn waiting(tx: &Transaction<'_>, queue: &str, count_max: usize, now: Timestamp) -> Result<Vec<Waiting>, Refusal> {
    let sql = "SELECT id, body, group_id, sent_ms, receives FROM messages
               WHERE queue = ?1 AND visible_ms <= ?2 ORDER BY visible_ms, id LIMIT ?3";
    let mut statement = tx.prepare_cached(sql)?;
    let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![queue, now.as_millisecond(), count_max], Waiting::read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A receipt that is no longer the message's own deletes nothing and is no error.
fn delete_by_receipt(tx: &Transaction<'_>, queue: &str, receipt: &str) -> Result<(), Refusal> {
    is_receipt(receipt)?;
    tx.execute("DELETE FROM messages WHERE queue = ?1 AND receipt = ?2", params![queue, receipt])?;
    Ok(())
}

fn is_receipt(receipt: &str) -> Result<(), Refusal> {
    let known = receipt.starts_with("receipt-");
    if known { Ok(()) } else { Err(Refusal::new("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")) }
}

fn hiding_time(secs: i64) -> Result<i64, Refusal> {
    if (0..=VISIBILITY_SECS_MAX).contains(&secs) { Ok(secs) } else { Err(invalid("VisibilityTimeout must be 0 to 43200.")) }
}
