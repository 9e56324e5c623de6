//! The record loop: a batch of wake-ups, each worked on alone.

use std::collections::HashSet;
use std::time::Duration;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use data_encoding::HEXLOWER;
use domain::wake_up::{WAKE_UP_BYTES_MAX, WakeUp};
use futures::{StreamExt, stream};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};
use tracing::Instrument;

use crate::clock::Clock;
use crate::deadline::Deadline;
use crate::guarded::guarded;
use crate::metrics::Metrics;

/// How many records of a batch are worked on at once.
pub const RECORDS_AT_ONCE: usize = 10;

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordOutcome {
    /// The message is used up.
    Done,
    /// The message comes again when its visibility ends, and goes to the dead-letter queue when it came too often.
    Retry,
}

/// An event, or something that is not one: the runtime would log the value at fault.
#[derive(Deserialize)]
#[serde(untagged)]
enum Incoming {
    Readable(SqsEvent),
    Unreadable(IgnoredAny),
}

/// The invocation brought no batch.
#[derive(Debug, thiserror::Error)]
#[error("the event is not a batch of messages")]
pub struct NotABatch;

impl From<NotABatch> for Diagnostic {
    fn from(error: NotABatch) -> Self {
        Self { error_type: "NotABatch".to_owned(), error_message: error.to_string() }
    }
}

/// Works on batches until Lambda stops the process. `begin` is told all wake-ups of a batch, and when its invocation is over: at Lambda's
/// word, and no later than `limit` from its beginning. What it makes of them, `handle` is given with each.
pub async fn run_sqs<B, C, F, Fut>(
    metrics: Metrics,
    clock: Clock,
    limit: Duration,
    begin: B,
    handle: F,
) -> Result<(), lambda_runtime::Error>
where
    B: Fn(&[WakeUp], Deadline) -> C,
    C: Clone,
    F: Fn(C, WakeUp) -> Fut,
    Fut: Future<Output = RecordOutcome>,
{
    let (metrics, clock, begin, handle) = (&metrics, &clock, &begin, &handle);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Incoming>| {
        let span = tracing::error_span!("invocation", request_id = event.context.request_id);
        let deadline = Deadline::of_invocation(event.context.deadline, limit, clock.now());
        let answered = async move {
            match event.payload {
                Incoming::Readable(batch) => Ok(each_record(batch, metrics, clock, |wake_ups| begin(wake_ups, deadline), handle).await),
                Incoming::Unreadable(_) => {
                    tracing::error!("an event that is not a batch of messages");
                    Err(NotABatch)
                }
            }
        };
        answered.instrument(span)
    }))
    .await
}

/// Hands each wake-up of `event` to `handle`, up to [`RECORDS_AT_ONCE`] at a time and those of older posts first, with what `begin` makes of
/// all of them; and names those that must come again.
///
/// A record that panics, or that is no wake-up, is its own failure and nobody else's. The answer names only messages of
/// this event, each once.
pub async fn each_record<B, C, F, Fut>(event: SqsEvent, metrics: &Metrics, clock: &Clock, begin: B, handle: F) -> SqsBatchResponse
where
    B: FnOnce(&[WakeUp]) -> C,
    C: Clone,
    F: Fn(C, WakeUp) -> Fut,
    Fut: Future<Output = RecordOutcome>,
{
    let read = |record: SqsMessage| (parse(record.body.as_deref().unwrap_or_default()), record);
    let mut records: Vec<(Option<WakeUp>, SqsMessage)> = event.records.into_iter().map(read).collect();
    // Ids begin with the time at which the post was made.
    records.sort_by(|(one, _), (other, _)| one.as_ref().map(|one| &one.post_id).cmp(&other.as_ref().map(|other| &other.post_id)));
    let wake_ups: Vec<WakeUp> = records.iter().filter_map(|(wake_up, _)| wake_up.clone()).collect();
    let (context, handle) = (begin(&wake_ups), &handle);
    let failed: Vec<Option<String>> = stream::iter(records)
        .map(|(wake_up, record)| {
            let context = context.clone();
            async move {
                let span = tracing::error_span!("record", message_id = record.message_id.as_deref().unwrap_or_default());
                let outcome = one_record(wake_up, &record, (metrics, clock), |wake_up| handle(context, wake_up)).instrument(span).await;
                (outcome == RecordOutcome::Retry).then_some(record.message_id).flatten()
            }
        })
        .buffer_unordered(RECORDS_AT_ONCE)
        .collect()
        .await;
    batch_response(failed)
}

async fn one_record<F, Fut>(wake_up: Option<WakeUp>, record: &SqsMessage, (metrics, clock): (&Metrics, &Clock), handle: F) -> RecordOutcome
where
    F: FnOnce(WakeUp) -> Fut,
    Fut: Future<Output = RecordOutcome>,
{
    let Some(wake_up) = wake_up else {
        report_unreadable(record, metrics, clock);
        return RecordOutcome::Retry;
    };
    // Called inside, so that a panic before the first await is caught as well.
    let (post_id, user_id) = (wake_up.post_id.clone(), wake_up.user_id.clone());
    guarded(async { handle(wake_up).await }).await.unwrap_or_else(|_| {
        tracing::error!(%post_id, %user_id, "a record's handler panicked");
        metrics.count(clock.now(), "record_panicked", &[]);
        RecordOutcome::Retry
    })
}

fn parse(body: &str) -> Option<WakeUp> {
    if body.len() > WAKE_UP_BYTES_MAX {
        return None;
    }
    serde_json::from_str(body).ok()
}

/// Says which message it is without saying what is in it: whoever looks has the message itself in the dead-letter queue.
fn report_unreadable(record: &SqsMessage, metrics: &Metrics, clock: &Clock) {
    let body = record.body.as_deref().unwrap_or_default();
    let body_sha256 = HEXLOWER.encode(&Sha256::digest(body.as_bytes()));
    tracing::error!(body_bytes = body.len(), body_sha256, "a message that is no wake-up");
    metrics.count(clock.now(), "record_unreadable", &[]);
}

/// An empty or unknown id would fail the whole batch, a repeated one is noise.
fn batch_response(failed: Vec<Option<String>>) -> SqsBatchResponse {
    let mut seen = HashSet::new();
    let mut response = SqsBatchResponse::default();
    for id in failed.into_iter().flatten().filter(|id| !id.is_empty()) {
        if seen.insert(id.clone()) {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            response.batch_item_failures.push(failure);
        }
    }
    response
}

#[cfg(test)]
mod tests;
