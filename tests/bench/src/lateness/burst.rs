//! One second in which posts are due, from the first that is written to the last that has arrived.

use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use edge::contract::Time;
use futures::future::try_join_all;
use jiff::Timestamp;
use local::{Browser, LocalService, data_dir};
use store::Store;

use super::customer::{Customer, Share};

/// The first post is written so long before the posts are due, and so much longer for each of them. In the largest default run all of them
/// are armed by a delayed message, as posts are that are due within 165 seconds.
const LEAD_MIN: Duration = Duration::from_secs(15);
const LEAD_EACH: Duration = Duration::from_millis(14);
/// The last post is armed so long before, at the latest.
const SPARE: Duration = Duration::from_secs(2);
/// So long the posts may take, and so much longer for each of them.
const PATIENCE_MIN: Duration = Duration::from_mins(1);
const PATIENCE_EACH: Duration = Duration::from_millis(50);
/// How often the queue is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// When the posts are due.
struct Due {
    at: Timestamp,
    /// The same on the clock of this process.
    moment: Instant,
}

impl Due {
    async fn after(lead: Duration, browser: &Browser) -> anyhow::Result<Self> {
        let asked = Instant::now();
        let now: Timestamp = browser.service_time(0).await?.parse()?;
        let at = Timestamp::from_second((now + lead).as_second() + 1)?;
        Ok(Self { at, moment: asked + Duration::try_from(at.duration_since(now))? })
    }

    fn left(&self) -> Duration {
        self.moment.saturating_duration_since(Instant::now())
    }
}

/// Lets the posts of `shares` go out through a service of their own, and returns how late each was, by customer.
pub(super) async fn burst(shares: &[Share], lead: Option<Duration>) -> anyhow::Result<Vec<Vec<Duration>>> {
    let folder = tempfile::tempdir()?;
    let (lines, _) = data_dir::open_log(folder.path())?;
    let options = local::Options { port: 0, data_dir: folder.path().to_owned(), fresh: false, lines };
    let service = LocalService::start(options).await?;
    let measured = Box::pin(measured(&service, shares, lead)).await;
    service.stop().await;
    measured
}

async fn measured(service: &LocalService, shares: &[Share], lead: Option<Duration>) -> anyhow::Result<Vec<Vec<Duration>>> {
    let store = Store::new(&service.aws().sdk_config(), local::variables::tables());
    let mut customers = Vec::new();
    for (number, share) in shares.iter().enumerate() {
        customers.push(Customer::new((service.base_url(), &store), number, share).await?);
    }
    let browser = &customers.first().context("there is nobody")?.browser;
    let posts: usize = shares.iter().map(|share| share.posts).sum();
    let many = u32::try_from(posts)?;
    let due = Due::after(lead.unwrap_or(LEAD_MIN + LEAD_EACH * many), browser).await?;

    let (due_text, armed) = (Time::from(due.at).to_string(), AtomicUsize::new(0));
    try_join_all(customers.iter().map(|customer| customer.arm(&due_text, &armed))).await?;
    let left = due.left();
    ensure!(left > SPARE, "the posts were not armed in time: give this machine a longer --lead");
    println!("  {posts} posts are armed, {:.0} s before they are due", left.as_secs_f64());
    tokio::time::sleep(left).await;

    let until = due.moment + PATIENCE_MIN + PATIENCE_EACH * many;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let messages = service.aws().messages(embedded::WAKE_UPS)?;
        if messages == 0 {
            break;
        }
        ensure!(Instant::now() < until, "{messages} messages are left in the queue");
    }
    let sent = browser.platform_calls("x").await?["publish"].as_u64().context("no count of what was sent")?;
    ensure!(sent == u64::from(many), "{posts} posts were sent {sent} times");
    let mut lateness = Vec::new();
    for customer in &customers {
        lateness.push(customer.lateness(due.at).await?);
    }
    Ok(lateness)
}
