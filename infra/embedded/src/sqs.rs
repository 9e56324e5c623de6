//! SQS: standard queues with delay, visibility, fairness between message groups and a dead-letter queue.
//!
//! Harsher than the service where the service leaves it open: a receipt handle of an earlier receive deletes nothing. Two things
//! are left out: long polling (an empty receive answers at once) and message attributes. Source: SQS API reference.

mod fair;
mod receive;
mod send;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};
use serde::Deserialize;
use serde_json::json;

use super::{DEAD_LETTERS, WAKE_UPS, queue_arn, queue_url};
use crate::wire::{Refusal, from_json, to_json, unknown_operation};

pub(crate) use send::enqueue;

/// How many entries one batch may carry.
const BATCH_ENTRIES_MAX: usize = 10;
/// The longest that a message can stay hidden, in seconds.
const VISIBILITY_SECS_MAX: i64 = 43_200;

pub(crate) fn serve(tx: &Transaction<'_>, operation: &str, body: &[u8], now: Timestamp) -> Result<String, Refusal> {
    match operation {
        "SendMessage" => send::one(tx, body, now),
        "SendMessageBatch" => send::batch(tx, body, now),
        "ReceiveMessage" => receive::receive(tx, body, now),
        "DeleteMessage" => receive::delete(tx, body),
        "DeleteMessageBatch" => receive::delete_batch(tx, body),
        "ChangeMessageVisibility" => receive::change_visibility(tx, body, now),
        "GetQueueAttributes" => attributes(tx, body, now),
        _ => Err(unknown_operation(operation)),
    }
}

/// The queue of an address.
fn queue(url: &str) -> Result<&'static str, Refusal> {
    let known = [WAKE_UPS, DEAD_LETTERS].into_iter().find(|queue| queue_url(queue) == url);
    known.ok_or_else(|| Refusal::new("QueueDoesNotExist", "The specified queue does not exist."))
}

/// The queue of a resource name.
pub(crate) fn queue_of_arn(arn: &str) -> Option<&'static str> {
    [WAKE_UPS, DEAD_LETTERS].into_iter().find(|queue| queue_arn(queue) == arn)
}

/// A message's id, in the form of the service's own.
fn message_id(id: i64) -> String {
    format!("00000000-0000-4000-8000-{id:012x}")
}

fn invalid(message: &str) -> Refusal {
    Refusal::new("InvalidParameterValue", message)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetQueueAttributes {
    queue_url: String,
}

fn attributes(tx: &Transaction<'_>, body: &[u8], now: Timestamp) -> Result<String, Refusal> {
    let request: GetQueueAttributes = from_json(body)?;
    let queue = queue(&request.queue_url)?;
    let sql = "SELECT COUNT(*) FILTER (WHERE visible_ms <= ?2), COUNT(*) FILTER (WHERE visible_ms > ?2 AND receives > 0),
               COUNT(*) FILTER (WHERE visible_ms > ?2 AND receives = 0) FROM messages WHERE queue = ?1";
    let counts = tx.query_row(sql, params![queue, now.as_millisecond()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let (visible, in_flight, delayed): (i64, i64, i64) = counts.optional()?.unwrap_or_default();
    Ok(to_json(&json!({ "Attributes": {
        "QueueArn": queue_arn(queue),
        "ApproximateNumberOfMessages": visible.to_string(),
        "ApproximateNumberOfMessagesNotVisible": in_flight.to_string(),
        "ApproximateNumberOfMessagesDelayed": delayed.to_string(),
    } })))
}
