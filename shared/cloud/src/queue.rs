//! The wake-up queue: SQS, standard, fair between users by message group.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchRequestEntry};
use domain::wake_up::WakeUp;
use jiff::SignedDuration;

use crate::call::CallFailure;

/// The longest delay that SQS takes for one message, in seconds.
pub const DELAY_SECS_MAX: i32 = 900;
/// How many messages one batch call may carry.
const BATCH_ENTRIES_MAX: usize = 10;

/// A wake-up could not be sent.
#[derive(Debug, thiserror::Error)]
#[error("sending the wake-up of post {post_id}")]
pub struct SendError {
    /// The post.
    pub post_id: domain::id::PostId,
    /// Why.
    #[source]
    pub source: CallFailure,
}

/// A wake-up of a batch that was not sent.
#[derive(Debug, Clone)]
pub struct Unsent {
    /// What was to be sent.
    pub wake_up: WakeUp,
    /// Why it was not.
    pub failure: CallFailure,
}

/// The sending end of the queue.
#[derive(Debug, Clone)]
pub struct WakeUps {
    /// The service.
    pub client: Client,
    /// The queue.
    pub url: String,
}

impl WakeUps {
    /// The sending end of the queue at `url`.
    pub fn new(sdk: &aws_config::SdkConfig, url: String) -> Self {
        Self { client: Client::new(sdk), url }
    }

    /// Sends a wake-up that is seen after `delay`, rounded up to the second and held between none and [`DELAY_SECS_MAX`].
    pub async fn send(&self, wake_up: &WakeUp, delay: SignedDuration) -> Result<(), SendError> {
        let request = self.client.send_message().queue_url(&self.url).message_body(message_body(wake_up));
        let request = request.message_group_id(wake_up.user_id.as_str()).delay_seconds(delay_secs(delay));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(SendError { post_id: wake_up.post_id.clone(), source: CallFailure::of("SendMessage", &error) }),
        }
    }

    /// Sends all of them at once, in batches, and hands back those that were not sent. One that fails harms no other.
    pub async fn send_all(&self, wake_ups: &[WakeUp]) -> Vec<Unsent> {
        let mut unsent = Vec::new();
        for batch in wake_ups.chunks(BATCH_ENTRIES_MAX) {
            unsent.extend(self.send_batch(batch).await);
        }
        unsent
    }

    async fn send_batch(&self, batch: &[WakeUp]) -> Vec<Unsent> {
        let entries = batch.iter().enumerate().map(|(index, wake_up)| entry(index, wake_up)).collect();
        let answer = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries)).send().await;
        match answer {
            Ok(answer) => answer.failed().iter().filter_map(|failed| unsent(batch, failed)).collect(),
            Err(error) => {
                let failure = CallFailure::of("SendMessageBatch", &error);
                batch.iter().map(|wake_up| Unsent { wake_up: wake_up.clone(), failure: failure.clone() }).collect()
            }
        }
    }
}

/// The message: the wake-up and nothing else, whether we send it or Scheduler does.
pub(crate) fn message_body(wake_up: &WakeUp) -> String {
    serde_json::to_string(wake_up).expect("a wake-up is two texts and a number")
}

/// The entry's id is its place in the batch, by which the answer names it.
fn entry(index: usize, wake_up: &WakeUp) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(message_body(wake_up))
        .message_group_id(wake_up.user_id.as_str())
        .build()
        .expect("an entry with id and body is complete")
}

fn unsent(batch: &[WakeUp], failed: &BatchResultErrorEntry) -> Option<Unsent> {
    let wake_up = batch.get(failed.id().parse::<usize>().ok()?)?.clone();
    Some(Unsent { wake_up, failure: CallFailure::of_entry("SendMessageBatch", failed.code(), failed.sender_fault()) })
}

fn delay_secs(delay: SignedDuration) -> i32 {
    let fraction = i64::from(delay.subsec_nanos() > 0);
    let secs = delay.as_secs().saturating_add(fraction).clamp(0, i64::from(DELAY_SECS_MAX));
    i32::try_from(secs).unwrap_or(DELAY_SECS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_rounded_up_and_kept_within_what_sqs_takes() {
        let cases = [
            (SignedDuration::from_secs(-5), 0),
            (SignedDuration::from_millis(-1), 0),
            (SignedDuration::ZERO, 0),
            (SignedDuration::from_millis(1), 1),
            (SignedDuration::from_millis(1999), 2),
            (SignedDuration::from_secs(900), 900),
            (SignedDuration::from_hours(9), 900),
            (SignedDuration::MAX, 900),
        ];
        for (delay, secs) in cases {
            assert_eq!(delay_secs(delay), secs, "{delay:?}");
        }
    }
}
