//! The driver in virtual time: what it sleeps for, and what wakes it.

use cloud::queue::WakeUps;
use domain::id::{PostId, UserId};
use edge::host::Host;
use edge::lines::Lines;
use edge::random::Random;
use embedded::{CallInfo, Fault, WAKE_UPS, ensure_table, queue_url};
use store::{Store, schema};
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::*;
use crate::variables::{source, tables};

struct Stage {
    aws: Aws,
    driver: Arc<Driver>,
    // Without it, the driver is told to stop.
    _stop: watch::Sender<bool>,
}

impl Stage {
    /// A driver that runs, over services of its own. The SDK counts its retries by `region`.
    async fn start(region: &str) -> Self {
        let (began, started) = (Timestamp::from_second(1_800_000_000).unwrap(), Instant::now());
        let clock = Clock::from_fn(move || began + started.elapsed());
        let aws = Aws::in_memory(region, clock.clone()).unwrap();
        let sdk = aws.sdk_config();
        let store = Store::new(&sdk, tables());
        for definition in schema::definitions(&tables()) {
            ensure_table(store.client(), definition).await.unwrap();
        }
        let addresses = simulator::addresses(&Url::parse("http://localhost:3000").unwrap());
        let host = Host { variables: source(3000, addresses, &[]), clock: clock.clone(), random: Random::system(), lines: Lines::silent() };
        let driver = Driver::new(
            aws.clone(),
            clock,
            publisher::Deps::new(&host, &sdk).unwrap(),
            sweeper::Deps::new(&host, &sdk).unwrap(),
            quota_reset::Deps::new(&host, &sdk).unwrap(),
            analytics_sync::Deps::new(&host, &sdk).unwrap(),
            renewals::Deps::new(&host, &sdk).unwrap(),
        );
        let stop = watch::Sender::new(false);
        tokio::spawn(driver.clone().run(stop.subscribe()));
        Self { aws, driver, _stop: stop }
    }

    /// How often the queue was asked.
    fn asked(&self) -> u64 {
        self.aws.calls().get("sqs.ReceiveMessage").copied().unwrap_or_default()
    }

    /// Sends a wake-up for a post that is gone, past everybody who nudges.
    async fn send(&self, delay_secs: i64) {
        let wake_up = WakeUp {
            post_id: PostId::new(Timestamp::UNIX_EPOCH, [1; 10]),
            user_id: UserId::new(Timestamp::UNIX_EPOCH, [2; 10]),
            version: 1,
        };
        let queue = WakeUps::new(&self.aws.sdk_config(), queue_url(WAKE_UPS));
        queue.send(&wake_up, SignedDuration::from_secs(delay_secs)).await.unwrap();
    }

    /// Waits until every message was worked on.
    async fn until_empty(&self) {
        let empty = async {
            while self.aws.messages(WAKE_UPS).unwrap() > 0 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_mins(1), empty).await.expect("a message is left");
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_holds_nothing_is_asked_only_where_a_job_has_run() {
    let stage = Stage::start("us-rest-1").await;
    sleep(Duration::from_hours(1)).await;
    let asked = stage.asked();
    assert!((60..100).contains(&asked), "{asked} times in an hour of 60 sweeps");
}

#[tokio::test(start_paused = true)]
async fn a_wake_up_is_handed_over_as_soon_as_it_is_visible() {
    let stage = Stage::start("us-soon-1").await;
    sleep(Duration::from_secs(5)).await;
    for delay_secs in [0, 7] {
        let sent = Instant::now();
        stage.send(delay_secs).await;
        stage.until_empty().await;
        let late = SignedDuration::try_from(sent.elapsed()).unwrap() - SignedDuration::from_secs(delay_secs);
        assert!((-1..=10).contains(&late.as_millis()), "{late:#} after {delay_secs} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_cannot_be_read_is_asked_again_after_a_pause() {
    let stage = Stage::start("us-unread-1").await;
    sleep(Duration::from_secs(5)).await;
    stage.aws.on_call(Box::new(|call: &CallInfo| (call.operation == "ReceiveMessage").then_some(Fault::Refuse("AccessDenied"))));
    let before = stage.asked();
    stage.send(0).await;
    sleep(Duration::from_secs(1)).await;
    let asked = stage.asked() - before;
    assert!((10..=25).contains(&asked), "{asked} times in a second");
    stage.aws.on_call(Box::new(|_: &CallInfo| None));
    stage.until_empty().await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_waits_while_the_publisher_has_its_hands_full() {
    let stage = Stage::start("us-full-1").await;
    sleep(Duration::from_secs(5)).await;
    let places = stage.driver.places.acquire_many(BATCHES_AT_ONCE).await.unwrap();
    let rounds = *stage.driver.rounds.borrow();
    stage.send(0).await;
    sleep(Duration::from_secs(10)).await;
    assert_eq!(*stage.driver.rounds.borrow(), rounds, "there was nothing that a round could do");
    drop(places);
    stage.until_empty().await;
}
