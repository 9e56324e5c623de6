//! Taking messages off a queue.

use jiff::Timestamp;
use rusqlite::{Row, Transaction, params};
use serde::Deserialize;
use serde_json::{Value, json};

use super::send::entries_are_sound;
use super::{BATCH_ENTRIES_MAX, VISIBILITY_SECS_MAX, fair, from_json, invalid, message_id, queue, to_json};
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

/// What is read of a message that waits.
pub(super) const COLUMNS: &str = "id, body, group_id, sent_ms, receives";

/// A message that waits.
pub(super) struct Waiting {
    id: i64,
    body: String,
    group: Option<String>,
    sent_ms: i64,
    receives: i64,
}

impl Waiting {
    /// Reads [`COLUMNS`].
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
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
    let id = id_of(&request.receipt_handle)?;
    let sql = "UPDATE messages SET visible_ms = ?4 WHERE id = ?1 AND queue = ?2 AND receipt = ?3 AND visible_ms > ?5";
    let now_ms = now.as_millisecond();
    let changed = tx.execute(sql, params![id, queue, request.receipt_handle, now_ms + hidden_secs * 1000, now_ms])?;
    if changed == 0 { Err(Refusal::new("MessageNotInflight", "The message is not in flight.")) } else { Ok("{}".to_owned()) }
}

/// Moves what was received too often, and came back again, to the dead-letter queue.
fn set_aside_the_worn_out(tx: &Transaction<'_>, queue: &str, now: Timestamp) -> Result<(), Refusal> {
    if queue == WAKE_UPS {
        // Few have been received before: their own index finds them, however many wait.
        let sql = "UPDATE messages INDEXED BY messages_received SET queue = ?3, receives = 0, receipt = NULL
                   WHERE queue = ?1 AND visible_ms <= ?2 AND receives > 0 AND receives >= ?4";
        tx.execute(sql, params![queue, now.as_millisecond(), DEAD_LETTERS, RECEIVES_MAX])?;
    }
    Ok(())
}

/// The messages of one receive. What it holds whole comes in the order of its time.
fn waiting(tx: &Transaction<'_>, queue: &str, count_max: usize, now: Timestamp) -> Result<Vec<Waiting>, Refusal> {
    let sql = format!("SELECT {COLUMNS} FROM messages WHERE queue = ?1 AND visible_ms <= ?2 ORDER BY visible_ms, id LIMIT ?3");
    let mut statement = tx.prepare_cached(&sql)?;
    let one_more = i64::try_from(count_max).unwrap_or(i64::MAX).saturating_add(1);
    let rows = statement.query_map(params![queue, now.as_millisecond(), one_more], Waiting::read)?;
    let oldest: Vec<Waiting> = rows.collect::<Result<_, _>>()?;
    if oldest.len() > count_max { fair::first(tx, queue, count_max, now) } else { Ok(oldest) }
}

/// A receipt that is no longer the message's own deletes nothing and is no error.
fn delete_by_receipt(tx: &Transaction<'_>, queue: &str, receipt: &str) -> Result<(), Refusal> {
    let id = id_of(receipt)?;
    tx.execute("DELETE FROM messages WHERE id = ?1 AND queue = ?2 AND receipt = ?3", params![id, queue, receipt])?;
    Ok(())
}

/// The message that a receipt is of.
fn id_of(receipt: &str) -> Result<i64, Refusal> {
    let id = receipt.strip_prefix("receipt-").and_then(|rest| rest.split_once('-')?.0.parse().ok());
    id.ok_or_else(|| Refusal::new("ReceiptHandleIsInvalid", "The input receipt handle is invalid."))
}

fn hiding_time(secs: i64) -> Result<i64, Refusal> {
    if (0..=VISIBILITY_SECS_MAX).contains(&secs) { Ok(secs) } else { Err(invalid("VisibilityTimeout must be 0 to 43200.")) }
}
