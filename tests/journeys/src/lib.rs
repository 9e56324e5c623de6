//! The stage for journeys: the whole service in this process, people with browsers, and a look at what is left behind.

mod door;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use domain::wake_up::WakeUp;
use edge::clock::Clock;
use edge::lines::Captured;
use embedded::{CallInfo, Fault};
use jiff::{SignedDuration, Timestamp};
use local::{Browser, LocalService, Options, Settings};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::Notify;

pub use door::Door;

/// How long anything that is due may take. The promise is two seconds; a machine that builds meanwhile needs room.
pub const SOON: Duration = Duration::from_secs(20);
/// Longer than the wait before a search can be believed, in service time.
pub const UNTIL_SEARCH_SECS: i64 = 130;

/// A whole second some three months after the tests were begun, the same at each call.
pub fn ahead() -> Timestamp {
    static AHEAD: LazyLock<Timestamp> = LazyLock::new(|| {
        let second = Clock::system().now().as_second();
        Timestamp::from_second(second).expect("the machine's clock is within all time") + SignedDuration::from_hours(90 * 24)
    });
    *AHEAD
}

/// A running service with a folder of its own.
pub struct Stage {
    service: Option<LocalService>,
    data_dir: TempDir,
    lines: Captured,
    settings: Settings,
}

/// Plays a journey on a fresh stage. Nothing may be left over: no message, no dead letter, no error in the log.
pub async fn play(journey: impl AsyncFnOnce(&mut Stage) -> anyhow::Result<()>) -> anyhow::Result<()> {
    play_with(Settings::default(), journey).await
}

/// The same, with some of the functions' variables set otherwise.
pub async fn play_with(settings: impl Into<Settings>, journey: impl AsyncFnOnce(&mut Stage) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut stage = Stage::open(settings.into()).await;
    journey(&mut stage).await?;
    let left = stage.queue_at_rest().await?;
    anyhow::ensure!(left == 0, "{left} dead letters");
    let errors: Vec<_> = stage.log().into_iter().filter(|line| line.contains("\"level\":\"ERROR\"")).collect();
    anyhow::ensure!(errors.is_empty(), "{errors:#?}");
    stage.close().await;
    Ok(())
}

/// Plays a journey that leaves dead letters or errors on purpose.
pub async fn play_disturbed(journey: impl AsyncFnOnce(&mut Stage) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut stage = Stage::open(Settings::default()).await;
    journey(&mut stage).await?;
    stage.close().await;
    Ok(())
}

/// Somebody signed in, with a plan and an account on each platform.
pub struct Person {
    /// Their browser.
    pub browser: Browser,
    /// Their connection on X.
    pub x: String,
    /// Their connection on Facebook.
    pub facebook: String,
}

impl Stage {
    async fn open(settings: Settings) -> Self {
        let data_dir = tempfile::tempdir().expect("a temporary folder");
        let lines = Captured::default();
        let service = LocalService::start_with(options(&data_dir, &lines), settings.clone()).await.expect("the service starts");
        Self { service: Some(service), data_dir, lines, settings }
    }

    /// The service stops as in a crash, and starts again on the same folder with other settings.
    pub async fn restart_with(&mut self, settings: impl Into<Settings>) {
        self.settings = settings.into();
        self.restart().await;
    }

    /// The service stops as in a crash, and starts again on the same folder.
    pub async fn restart(&mut self) {
        drop(self.service.take());
        // The tasks of the old one are aborted; they let go of the folder when they are next looked at.
        let until = Instant::now() + SOON;
        loop {
            match LocalService::start_with(options(&self.data_dir, &self.lines), self.settings.clone()).await {
                Ok(service) => return self.service = Some(service),
                Err(error) => assert!(Instant::now() < until, "{error:#}"),
            }
            tokio::task::yield_now().await;
        }
    }

    /// A browser that nobody has signed in with.
    pub fn browser(&self) -> Browser {
        Browser::new(self.service().base_url()).expect("a browser")
    }

    /// The running service.
    pub fn service(&self) -> &LocalService {
        self.service.as_ref().expect("the service runs")
    }

    /// Somebody new with a plan, who has connected X as `account` and both Pages of Facebook, of which the first counts.
    pub async fn person(&self, phone: &str, plan: &str, account: &str) -> anyhow::Result<Person> {
        let mut browser = self.browser();
        browser.sign_in(phone).await?;
        browser.redeem(plan).await?;
        let x = browser.connect("x", &[("account", account)], &[]).await?.remove(0);
        let facebook = browser.connect("facebook", &[], &["Demo Bakery"]).await?.remove(0);
        Ok(Person { browser, x, facebook })
    }

    /// A browser that nobody has signed in with, on another address than the others.
    pub fn browser_from(&self, address: [u8; 4]) -> Browser {
        Browser::calling_from(self.service().base_url(), address.into()).expect("a browser")
    }

    /// From now on every call of `operation`, such as `scheduler.CreateSchedule`, fails before it is applied.
    pub fn fail(&self, operation: &'static str) {
        self.fail_after(operation, 0);
    }

    /// From now on so many calls of `operation` go through, and every later one fails before it is applied.
    pub fn fail_after(&self, operation: &'static str, calls: usize) {
        let left = AtomicUsize::new(calls);
        let hook = move |call: &CallInfo| {
            let meant = format!("{}.{}", call.service, call.operation) == operation;
            let fails = meant && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err();
            fails.then_some(Fault::FailBefore)
        };
        self.service().aws().on_call(Box::new(hook));
    }

    /// From now on every answer to `operation` is lost the first `times` that it is called; the calls are carried out. Gives how many are yet
    /// to be lost.
    pub fn lose_answers(&self, operation: &'static str, times: usize) -> Arc<AtomicUsize> {
        let yet = Arc::new(AtomicUsize::new(times));
        let left = yet.clone();
        let hook = move |call: &CallInfo| {
            let meant = format!("{}.{}", call.service, call.operation) == operation;
            let lost = meant && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
            lost.then_some(Fault::LoseAnswerAfterApply)
        };
        self.service().aws().on_call(Box::new(hook));
        yet
    }

    /// From now on the first two calls of `operation` wait for each other: what each of them has read, the other has not changed yet.
    pub fn meet(&self, operation: &'static str) {
        let (arrived, both) = (Mutex::new(0), Condvar::new());
        let hook = move |call: &CallInfo| {
            if format!("{}.{}", call.service, call.operation) == operation {
                let mut arrived = arrived.lock().expect("no call panics here");
                *arrived += 1;
                both.notify_all();
                // Whatever else this thread had to do, the other call among it, goes on elsewhere.
                tokio::task::block_in_place(|| drop(both.wait_timeout_while(arrived, SOON, |arrived| *arrived < 2)));
            }
            None
        };
        self.service().aws().on_call(Box::new(hook));
    }

    /// From now on the first call of `operation` waits until it is let go: what it was derived from may change meanwhile.
    pub fn hold(&self, operation: &'static str) -> Arc<Held> {
        let held = Arc::new(Held::default());
        let (own, first) = (held.clone(), AtomicUsize::new(1));
        let hook = move |call: &CallInfo| {
            let meant = format!("{}.{}", call.service, call.operation) == operation;
            if meant && first.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                own.wait();
            }
            None
        };
        self.service().aws().on_call(Box::new(hook));
        held
    }

    /// All calls go through again.
    pub fn heal(&self) {
        self.service().aws().on_call(Box::new(|_: &CallInfo| None));
    }

    /// How often an operation was called.
    pub fn calls(&self, operation: &str) -> u64 {
        self.service().aws().calls().get(operation).copied().unwrap_or(0)
    }

    /// Puts a wake-up into the queue, `copies` times.
    pub async fn wake(&self, story: &Value, user: &str, copies: usize) -> anyhow::Result<()> {
        let wake_up = WakeUp {
            post_id: serde_json::from_value(story["id"].clone())?,
            user_id: serde_json::from_value(user.into())?,
            version: serde_json::from_value(story["version"].clone())?,
        };
        self.enqueue(&serde_json::to_string(&wake_up)?, copies).await
    }

    /// Puts a message into the queue, whatever it says.
    pub async fn enqueue(&self, body: &str, copies: usize) -> anyhow::Result<()> {
        let queue = Client::new(&self.service().aws().sdk_config());
        let sends = (0..copies).map(|_| queue.send_message().queue_url(embedded::queue_url(embedded::WAKE_UPS)).message_body(body).send());
        for sent in futures::future::join_all(sends).await {
            sent?;
        }
        Ok(())
    }

    /// What operators can read of a post's first attempt.
    pub fn attempt_detail(&self, post: &str) -> anyhow::Result<String> {
        let scan = serde_json::json!({ "TableName": local::variables::tables().posts, "ConsistentRead": true });
        let scanned = self.service().aws().tables("Scan", &scan)?;
        let items = scanned["Items"].as_array().context("no items")?;
        let row = items.iter().find(|item| item["sk"]["S"] == format!("POST#{post}#TRY#000001")).context("no attempt")?;
        Ok(row["detail"]["S"].as_str().unwrap_or_default().to_owned())
    }

    /// Waits until no message is visible or in flight, and says how many lie in the dead-letter queue.
    pub async fn queue_at_rest(&self) -> anyhow::Result<u64> {
        let until = Instant::now() + SOON;
        loop {
            let (visible, in_flight) = (self.count(embedded::WAKE_UPS, false).await?, self.count(embedded::WAKE_UPS, true).await?);
            if visible + in_flight == 0 {
                return self.count(embedded::DEAD_LETTERS, false).await;
            }
            anyhow::ensure!(Instant::now() < until, "{visible} messages wait and {in_flight} are in flight");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn count(&self, queue: &str, in_flight: bool) -> anyhow::Result<u64> {
        let name = if in_flight {
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible
        } else {
            QueueAttributeName::ApproximateNumberOfMessages
        };
        let client = Client::new(&self.service().aws().sdk_config());
        let answer = client.get_queue_attributes().queue_url(embedded::queue_url(queue)).attribute_names(name.clone()).send().await?;
        let count = answer.attributes().and_then(|attributes| attributes.get(&name)).context("a queue without counts")?;
        Ok(count.parse()?)
    }

    /// The folder of the service.
    pub fn data_dir(&self) -> &Path {
        self.data_dir.path()
    }

    /// The log lines and metrics so far.
    pub fn log(&self) -> Vec<String> {
        self.lines.read()
    }

    async fn close(mut self) {
        if let Some(service) = self.service.take() {
            service.stop().await;
        }
    }
}

/// A call that waits for its test.
#[derive(Debug, Default)]
pub struct Held {
    reached: Notify,
    free: Mutex<bool>,
    freed: Condvar,
}

impl Held {
    /// Waits until the call is there.
    pub async fn reached(&self) -> anyhow::Result<()> {
        tokio::time::timeout(SOON, self.reached.notified()).await.context("nothing was called")
    }

    /// Lets the call go through.
    pub fn let_go(&self) {
        *self.free.lock().expect("no call panics here") = true;
        self.freed.notify_all();
    }

    fn wait(&self) {
        self.reached.notify_one();
        let free = self.free.lock().expect("no call panics here");
        // Whatever else this thread had to do goes on elsewhere.
        tokio::task::block_in_place(|| drop(self.freed.wait_timeout_while(free, SOON, |free| !*free)));
    }
}

fn options(data_dir: &TempDir, lines: &Captured) -> Options {
    Options { port: 0, data_dir: data_dir.path().to_owned(), fresh: false, lines: lines.lines() }
}

impl Person {
    /// The user's id.
    pub async fn id(&self) -> anyhow::Result<String> {
        self.browser.get("/api/user").await?.expect(200)?.str("/id")
    }

    /// A post on X that is due in `secs`, approved.
    pub async fn approved_on_x(&self, text: &str, secs: i64) -> anyhow::Result<String> {
        let post = self.written_on_x(text, secs).await?;
        self.browser.approve(&post).await?;
        Ok(post)
    }

    /// A draft on X that is due in `secs`.
    pub async fn written_on_x(&self, text: &str, secs: i64) -> anyhow::Result<String> {
        let due = self.browser.service_time(secs).await?;
        Ok(self.browser.write(text, &[&self.x], &due).await?.remove(0))
    }

    /// Waits until a post is scheduled for a later try because of `code`, and gives its story.
    pub async fn is_put_off(&self, post: &str, code: &str) -> anyhow::Result<Value> {
        let until = Instant::now() + SOON;
        loop {
            let story = self.browser.post_story(post).await?;
            if story["status"] == "scheduled" && story["error"]["code"] == code && story["next_attempt_at"] != story["scheduled_for"] {
                return Ok(story);
            }
            anyhow::ensure!(Instant::now() < until, "not put off: {story:#}");
            tokio::task::yield_now().await;
        }
    }

    /// Whether quota, used, reserved and remaining are these.
    pub async fn has_quota(&self, expected: [u64; 4]) -> anyhow::Result<()> {
        let seen = self.browser.quota().await?;
        anyhow::ensure!(seen == expected, "quota, used, reserved, remaining: expected {expected:?}, saw {seen:?}");
        Ok(())
    }

    /// How often X holds this text.
    pub async fn times_on_x(&self, text: &str) -> anyhow::Result<usize> {
        Ok(self.browser.on_platform("x", text).await?.len())
    }

    /// Whether the history replays to the ledger, and tells a published post for each that is used.
    pub async fn ledger_adds_up(&self) -> anyhow::Result<()> {
        let [quota, used, reserved, remaining] = self.browser.quota().await?;
        anyhow::ensure!(quota == used + reserved + remaining, "{quota} = {used} + {reserved} + {remaining}");
        let history = self.browser.history().await?;
        let mut replayed = 0;
        for row in history.iter().rev() {
            anyhow::ensure!(row["previous_remaining"] == replayed, "{row} does not follow {replayed}");
            replayed = row["new_remaining"].as_u64().context("a number")?;
        }
        let told = |reason: &str| history.iter().filter(|row| row["change_reason"] == reason).count() as u64;
        let published = told("post_published") - told("post_unbound");
        anyhow::ensure!((replayed, published) == (remaining, used), "history: {replayed} and {published}, ledger: {remaining} and {used}");
        Ok(())
    }
}
