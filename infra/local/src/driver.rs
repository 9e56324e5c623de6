//! What AWS does by itself in the cloud: fires schedules, hands the queue to the publisher, runs the jobs.

use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use domain::wake_up::WakeUp;
use edge::clock::Clock;
use edge::deadline::Deadline;
use edge::problem::chain;
use edge::sqs::each_record;
use futures::{FutureExt, TryFutureExt};
use jiff::{SignedDuration, Timestamp};
use publisher::Batch;
use serde_json::json;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, watch};
use tokio::task::JoinSet;
use tracing::instrument::WithSubscriber;

use embedded::Aws;

/// How often the queue is asked when nobody nudges.
const PERIOD: Duration = Duration::from_millis(50);
/// Batches that the publisher works on at once.
const BATCHES_AT_ONCE: u32 = 5;
/// How long the clock waits for them before it is moved: all that is not hanging is done by then.
const AT_REST_WITHIN: Duration = Duration::from_millis(500);
/// What the template gives the publisher in one batch.
const BATCH_MAX: i32 = 10;
/// Batches taken in one round.
const BATCHES_PER_ROUND_MAX: usize = 100;
/// The nightly audit's schedule in the template.
const AUDIT_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// The functions' time-outs in the template.
const PUBLISH_TIMEOUT: Duration = Duration::from_mins(1);
const SWEEP_TIMEOUT: Duration = Duration::from_secs(55);
const RESET_TIMEOUT: Duration = Duration::from_mins(5);
const SYNC_TIMEOUT: Duration = Duration::from_mins(5);

/// The jobs' last runs, in service time.
#[derive(Default)]
struct LastRuns {
    swept: Option<Timestamp>,
    reset: Option<Timestamp>,
    audited: Option<Timestamp>,
    synced: Option<Timestamp>,
}

/// What a round has started and does not wait for.
#[derive(Default)]
struct UnderWay {
    batches: JoinSet<()>,
    /// One run that reads numbers at most: platforms may take their time, and posts go out meanwhile.
    syncs: JoinSet<()>,
}

/// Everything that runs without being asked.
pub(crate) struct Driver {
    pub(crate) aws: Aws,
    pub(crate) queue: Client,
    pub(crate) clock: Clock,
    pub(crate) publisher: publisher::Deps,
    pub(crate) sweeper: sweeper::Deps,
    pub(crate) quota_reset: quota_reset::Deps,
    pub(crate) analytics_sync: analytics_sync::Deps,
    /// One for each batch that the publisher may work on.
    places: Arc<Semaphore>,
    nudged: Notify,
    /// How much [`Aws::work_brought`] had come to when the last nudge was given.
    known_work: AtomicU64,
    rounds: watch::Sender<u64>,
}

impl Driver {
    pub(crate) fn new(
        aws: Aws,
        clock: Clock,
        publisher: publisher::Deps,
        sweeper: sweeper::Deps,
        quota_reset: quota_reset::Deps,
        analytics_sync: analytics_sync::Deps,
    ) -> Arc<Self> {
        let queue = Client::new(&aws.sdk_config());
        let places = Arc::new(Semaphore::new(BATCHES_AT_ONCE as usize));
        let (nudged, known_work, rounds) = (Notify::new(), AtomicU64::new(0), watch::Sender::new(0));
        Arc::new(Self { aws, queue, clock, publisher, sweeper, quota_reset, analytics_sync, places, nudged, known_work, rounds })
    }

    /// Runs until it is told to stop, and then until the publisher is done with what it has; dropped, it ends at once. A round that
    /// fails is logged, and the next one comes.
    pub(crate) async fn run(self: Arc<Self>, mut stopping: watch::Receiver<bool>) {
        let (mut last, mut under_way) = (LastRuns::default(), UnderWay::default());
        while !*stopping.borrow() {
            self.round(&mut last, &mut under_way).await;
            self.rounds.send_modify(|count| *count += 1);
            tokio::select! {
                () = tokio::time::sleep(PERIOD) => {}
                () = self.nudged.notified() => {}
                _stopping = stopping.changed() => {}
            }
        }
        while under_way.batches.join_next().await.is_some() {}
        // Nobody waits for a round that will not come.
        self.rounds.send_replace(u64::MAX);
    }

    /// Looks at once, if anything was put into the queue since the last nudge.
    pub(crate) fn nudge_if_work_came(&self) {
        let brought = self.aws.work_brought();
        if self.known_work.swap(brought, Ordering::Relaxed) != brought {
            self.nudge();
        }
    }

    fn nudge(&self) {
        self.nudged.notify_one();
    }

    /// Waits until the publisher has nothing in hand, and keeps it so; `None`: it hangs. A wake-up's delay counts from when it is sent. A
    /// worker that reckoned it before the clock was moved, and sends it after, would be woken that much too late.
    pub(crate) async fn publisher_at_rest(&self) -> Option<SemaphorePermit<'_>> {
        tokio::time::timeout(AT_REST_WITHIN, self.places.acquire_many(BATCHES_AT_ONCE)).await.ok()?.ok()
    }

    /// Waits for a round that began after this call: what is due by now is then fired, woken and handed out.
    pub(crate) async fn whole_round(&self) {
        let mut rounds = self.rounds.subscribe();
        // The round that is on may have begun before.
        let after = rounds.borrow_and_update().saturating_add(2);
        while *rounds.borrow_and_update() < after {
            self.nudge();
            if rounds.changed().await.is_err() {
                return;
            }
        }
    }

    /// One round. It waits neither for the publisher nor for platforms that tell numbers.
    async fn round(self: &Arc<Self>, last: &mut LastRuns, under_way: &mut UnderWay) {
        self.run_jobs(last).await;
        self.start_sync(last, &mut under_way.syncs);
        let batches = &mut under_way.batches;
        if let Err(error) = self.aws.fire_due_schedules() {
            tracing::error!(error = chain(&*error), "schedules were not fired");
        }
        for _ in 0..BATCHES_PER_ROUND_MAX {
            while batches.try_join_next().is_some() {}
            let Ok(place) = self.places.clone().try_acquire_owned() else { break };
            let messages = match self.receive().await {
                Ok(messages) if messages.is_empty() => break,
                Ok(messages) => messages,
                Err(error) => {
                    tracing::error!(error = chain(&*error), "the queue was not read");
                    break;
                }
            };
            let driver = self.clone();
            let batch = async move {
                driver.invoke_publisher(messages).await;
                drop(place);
                driver.nudge();
            };
            batches.spawn(batch.with_current_subscriber());
        }
    }

    async fn run_jobs(&self, last: &mut LastRuns) {
        let now = self.clock.now();
        let is_due = |last: Option<Timestamp>, every| last.is_none_or(|last| now.duration_since(last) >= every);
        if is_due(last.reset, quota_reset::EVERY) {
            last.reset = Some(now);
            run_job("quota-reset", RESET_TIMEOUT, quota_reset::run(&self.quota_reset).map_ok(drop)).await;
        }
        if is_due(last.audited, AUDIT_EVERY) {
            last.audited = Some(now);
            run_job("audit", RESET_TIMEOUT, quota_reset::audit(&self.quota_reset).map_ok(drop)).await;
        }
        if is_due(last.swept, sweeper::EVERY) {
            last.swept = Some(now);
            run_job("sweeper", SWEEP_TIMEOUT, sweeper::sweep(&self.sweeper).map_ok(drop)).await;
        }
    }

    /// Reads posts' numbers, unless a run is at it.
    fn start_sync(self: &Arc<Self>, last: &mut LastRuns, syncs: &mut JoinSet<()>) {
        let now = self.clock.now();
        while syncs.try_join_next().is_some() {}
        if !syncs.is_empty() || last.synced.is_some_and(|last| now.duration_since(last) < analytics_sync::EVERY) {
            return;
        }
        last.synced = Some(now);
        let driver = self.clone();
        let run = async move {
            run_job("analytics-sync", SYNC_TIMEOUT, analytics_sync::run(&driver.analytics_sync).map_ok(drop)).await;
        };
        syncs.spawn(run.with_current_subscriber());
    }

    async fn receive(&self) -> anyhow::Result<Vec<Message>> {
        let request = self.queue.receive_message().queue_url(embedded::queue_url(embedded::WAKE_UPS)).max_number_of_messages(BATCH_MAX);
        let answer = request.message_system_attribute_names(MessageSystemAttributeName::All).send().await?;
        Ok(answer.messages.unwrap_or_default())
    }

    /// What an event source mapping does: one batch in, and out of the queue goes what succeeded.
    async fn invoke_publisher(&self, messages: Vec<Message>) {
        let response = match serde_json::from_value::<SqsEvent>(event_of(&messages)) {
            Ok(event) => {
                let deadline = Deadline::after(PUBLISH_TIMEOUT);
                let begin = |wake_ups: &[WakeUp]| Batch::of(wake_ups, deadline);
                let handle = |batch, wake_up| async move { publisher::handle(&self.publisher, &batch, &wake_up).await };
                let run = each_record(event, &self.publisher.metrics, &self.clock, begin, handle);
                match tokio::time::timeout(PUBLISH_TIMEOUT, run).await {
                    Ok(response) => response,
                    Err(_) => return tracing::error!("the publisher's time ran out; its batch becomes visible again"),
                }
            }
            Err(error) => return tracing::error!(error = chain(&error), "a batch could not be handed over"),
        };
        for message in messages {
            let failed = response.batch_item_failures.iter().any(|failure| Some(&failure.item_identifier) == message.message_id.as_ref());
            if failed {
                continue;
            }
            let delete =
                self.queue.delete_message().queue_url(embedded::queue_url(embedded::WAKE_UPS)).set_receipt_handle(message.receipt_handle);
            if let Err(error) = delete.send().await {
                tracing::warn!(error = chain(&error), "a message was not deleted and comes again");
            }
        }
    }
}

/// One run as Lambda does it: bounded in time, and a failure, logged where it happens, or a panic is that run's alone.
async fn run_job<E: Error + 'static>(job: &str, limit: Duration, run: impl Future<Output = Result<(), E>>) {
    let run = AssertUnwindSafe(edge::schedule::run_once(run)).catch_unwind();
    match tokio::time::timeout(limit, run).await {
        Ok(Ok(_logged)) => {}
        Ok(Err(_panic)) => tracing::error!(job, "the job panicked"),
        Err(_) => tracing::error!(job, "the job's time ran out"),
    }
}

fn event_of(messages: &[Message]) -> serde_json::Value {
    let record = |message: &Message| {
        let attributes = message.attributes.iter().flatten().map(|(name, value)| (name.as_str().to_owned(), json!(value)));
        json!({
            "messageId": message.message_id,
            "receiptHandle": message.receipt_handle,
            "body": message.body,
            "attributes": attributes.collect::<serde_json::Map<_, _>>(),
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": embedded::queue_arn(embedded::WAKE_UPS),
            "awsRegion": embedded::REGION,
        })
    };
    json!({ "Records": messages.iter().map(record).collect::<Vec<_>>() })
}
