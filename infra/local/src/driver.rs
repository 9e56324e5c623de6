//! What AWS does by itself in the cloud: fires schedules, hands the queue to the publisher, runs the jobs.
//!
//! It sleeps until the queue, a schedule or a job has something to do. What comes meanwhile wakes it: a call that puts something into the
//! queue or sets a schedule, and a batch that has ended.

use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
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

/// The longest sleep: the machine's clock may be set, or stand still in a suspend, and no timer follows it.
const SLEEP_MAX: Duration = Duration::from_secs(1);
/// How long a round waits after one that failed, unless somebody nudges.
const AFTER_A_FAILURE: Duration = Duration::from_millis(50);
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
const RENEWALS_TIMEOUT: Duration = renewals::TIME_OUT;

/// The jobs' last runs, in service time.
#[derive(Default)]
struct LastRuns {
    swept: Option<Timestamp>,
    reset: Option<Timestamp>,
    audited: Option<Timestamp>,
    synced: Option<Timestamp>,
    renewed: Option<Timestamp>,
}

impl LastRuns {
    /// When the next job begins, of those that may.
    fn next(&self, now: Timestamp, may_begin: impl Fn(Aside) -> bool) -> Timestamp {
        let aside = Aside::ALL.into_iter().filter(|job| may_begin(*job)).map(|job| (self.of(job), job.every()));
        let jobs = [(self.reset, quota_reset::EVERY), (self.audited, AUDIT_EVERY), (self.swept, sweeper::EVERY)];
        let begins = |(last, every): (Option<Timestamp>, SignedDuration)| last.map_or(now, |last| last + every);
        jobs.into_iter().chain(aside).map(begins).min().unwrap_or(now)
    }

    fn of(&self, job: Aside) -> Option<Timestamp> {
        match job {
            Aside::Sync => self.synced,
            Aside::Renewals => self.renewed,
        }
    }

    fn begun(&mut self, job: Aside, now: Timestamp) {
        match job {
            Aside::Sync => self.synced = Some(now),
            Aside::Renewals => self.renewed = Some(now),
        }
    }
}

/// A job that waits for platforms, which may take their time: no round waits for it, and one run of it is under way at most.
#[derive(Debug, Clone, Copy)]
enum Aside {
    /// Posts' numbers are read.
    Sync,
    /// Grants are renewed.
    Renewals,
}

impl Aside {
    const ALL: [Self; 2] = [Self::Sync, Self::Renewals];

    fn every(self) -> SignedDuration {
        match self {
            Self::Sync => analytics_sync::EVERY,
            Self::Renewals => renewals::EVERY,
        }
    }
}

/// Something could not be read; the log says what and why.
struct Unread;

/// What a round has started and does not wait for.
#[derive(Default)]
struct UnderWay {
    batches: JoinSet<()>,
    asides: JoinSet<()>,
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
    pub(crate) renewals: renewals::Deps,
    /// One for each batch that the publisher may work on.
    places: Arc<Semaphore>,
    sync_place: Arc<Semaphore>,
    renewals_place: Arc<Semaphore>,
    nudged: Notify,
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
        renewals: renewals::Deps,
    ) -> Arc<Self> {
        Arc::new(Self {
            queue: Client::new(&aws.sdk_config()),
            aws,
            clock,
            publisher,
            sweeper,
            quota_reset,
            analytics_sync,
            renewals,
            places: Arc::new(Semaphore::new(BATCHES_AT_ONCE as usize)),
            sync_place: Arc::new(Semaphore::new(1)),
            renewals_place: Arc::new(Semaphore::new(1)),
            nudged: Notify::new(),
            rounds: watch::Sender::new(0),
        })
    }

    fn place_of(&self, job: Aside) -> &Arc<Semaphore> {
        match job {
            Aside::Sync => &self.sync_place,
            Aside::Renewals => &self.renewals_place,
        }
    }

    /// Runs until it is told to stop, and then until the publisher is done with what it has; dropped, it ends at once. A round that
    /// fails is logged, and the next one comes.
    pub(crate) async fn run(self: Arc<Self>, mut stopping: watch::Receiver<bool>) {
        let (mut last, mut under_way) = (LastRuns::default(), UnderWay::default());
        let mut work = self.aws.work_brought();
        while !*stopping.borrow() {
            let looked = self.round(&mut last, &mut under_way).await;
            self.rounds.send_modify(|count| *count += 1);
            let rest = async {
                if looked.is_err() {
                    tokio::time::sleep(AFTER_A_FAILURE).await;
                }
                self.until_due(&last, &mut work).await;
            };
            tokio::select! {
                () = rest => {}
                () = self.nudged.notified() => {}
                _stopping = stopping.changed() => {}
            }
        }
        while under_way.batches.join_next().await.is_some() {}
        // Nobody waits for a round that will not come.
        self.rounds.send_replace(u64::MAX);
    }

    /// Waits until a round has something to do; `work` tells of what is brought meanwhile.
    async fn until_due(&self, last: &LastRuns, work: &mut watch::Receiver<u64>) {
        loop {
            // Before the look: what is brought after it is not missed.
            work.mark_unchanged();
            let wait = self.next_due(last).duration_since(self.clock.now());
            let Ok(wait) = Duration::try_from(wait) else { return };
            if wait.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(wait.min(SLEEP_MAX)) => {}
                _brought = work.changed() => {}
            }
        }
    }

    /// When a round has something to do. While every place is taken, the queue waits for a batch to end, which nudges.
    fn next_due(&self, last: &LastRuns) -> Timestamp {
        let now = self.clock.now();
        let job = last.next(now, |job| self.place_of(job).available_permits() > 0);
        if self.places.available_permits() == 0 {
            return job;
        }
        match self.aws.next_due() {
            Ok(due) => due.map_or(job, |due| due.min(job)),
            Err(error) => {
                tracing::error!(error = chain(&*error), "what is due was not read");
                job.min(now + AFTER_A_FAILURE)
            }
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

    /// One round. It waits neither for the publisher nor for jobs that wait for platforms.
    async fn round(self: &Arc<Self>, last: &mut LastRuns, under_way: &mut UnderWay) -> Result<(), Unread> {
        self.run_jobs(last).await;
        for job in Aside::ALL {
            self.start_aside(job, last, &mut under_way.asides);
        }
        let fired = self.aws.fire_due_schedules().map(drop).map_err(|error| {
            tracing::error!(error = chain(&*error), "schedules were not fired");
            Unread
        });
        self.hand_out(&mut under_way.batches).await.and(fired)
    }

    /// Hands what waits in the queue to the publisher, as far as there are places.
    async fn hand_out(self: &Arc<Self>, batches: &mut JoinSet<()>) -> Result<(), Unread> {
        for _ in 0..BATCHES_PER_ROUND_MAX {
            while batches.try_join_next().is_some() {}
            let Ok(place) = self.places.clone().try_acquire_owned() else { break };
            let messages = match self.receive().await {
                Ok(messages) if messages.is_empty() => break,
                Ok(messages) => messages,
                Err(error) => {
                    tracing::error!(error = chain(&*error), "the queue was not read");
                    return Err(Unread);
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
        Ok(())
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

    /// Begins a job that is due, unless a run is at it.
    fn start_aside(self: &Arc<Self>, job: Aside, last: &mut LastRuns, asides: &mut JoinSet<()>) {
        let now = self.clock.now();
        while asides.try_join_next().is_some() {}
        let Ok(place) = self.place_of(job).clone().try_acquire_owned() else { return };
        if last.of(job).is_some_and(|last| now.duration_since(last) < job.every()) {
            return;
        }
        last.begun(job, now);
        let driver = self.clone();
        let run = async move {
            match job {
                Aside::Sync => {
                    run_job("analytics-sync", SYNC_TIMEOUT, analytics_sync::run(&driver.analytics_sync).map_ok(drop)).await;
                }
                Aside::Renewals => run_job("renewals", RENEWALS_TIMEOUT, renewals::run(&driver.renewals).map_ok(drop)).await,
            }
            drop(place);
            // Its next run may be due already.
            driver.nudge();
        };
        asides.spawn(run.with_current_subscriber());
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
        let is_done = |message: &Message| {
            !response.batch_item_failures.iter().any(|failure| Some(&failure.item_identifier) == message.message_id.as_ref())
        };
        self.delete(messages.into_iter().filter(is_done)).await;
    }

    async fn delete(&self, messages: impl Iterator<Item = Message>) {
        let entry = |(place, message): (usize, Message)| {
            DeleteMessageBatchRequestEntry::builder().id(place.to_string()).set_receipt_handle(message.receipt_handle).build().ok()
        };
        let entries: Vec<_> = messages.enumerate().filter_map(entry).collect();
        if entries.is_empty() {
            return;
        }
        let request = self.queue.delete_message_batch().queue_url(embedded::queue_url(embedded::WAKE_UPS)).set_entries(Some(entries));
        match request.send().await {
            Ok(answer) if answer.failed().is_empty() => {}
            Ok(answer) => tracing::warn!(messages = answer.failed().len(), "messages were not deleted and come again"),
            Err(error) => tracing::warn!(error = chain(&error), "messages were not deleted and come again"),
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

#[cfg(test)]
mod tests;
