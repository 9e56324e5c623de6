//! Looks after posts that stand still: arms, wakes, and closes what was missed. It never speaks to a platform.
//!
//! *Trigger:* a schedule, every minute.
//! *Reads:* the index of posts that need attention, posts, cycles. *Writes:* posts, the ledger; schedules and wake-ups.
//! *On failure:* the next minute does it again: nothing here depends on having been done before.

mod attend;
mod sweep;

pub use sweep::{Swept, sweep};

use aws_config::SdkConfig;
use cloud::timer::Timer;
use edge::clock::Clock;
use edge::config::{self, ConfigError, Queue, variables};
use edge::host::Host;
use edge::metrics::Metrics;
use edge::random::Random;
use store::{Store, Tables};

/// All that the sweeper works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Posts and the ledger.
    pub store: Store,
    /// For arming and waking.
    pub timer: Timer,
    /// Time.
    pub clock: Clock,
    /// Ids.
    pub random: Random,
    /// How much stood still.
    pub metrics: Metrics,
}

impl Deps {
    /// Reads the configuration and builds the clients; no call is made.
    pub fn new(host: &Host, sdk: &SdkConfig) -> Result<Self, ConfigError> {
        let (tables, queue, schedules) = config::read(&host.variables, |variables| {
            let tables = Tables {
                posts: variables.text(variables::POSTS_TABLE),
                ledger: variables.text(variables::LEDGER_TABLE),
                ..Tables::default()
            };
            (tables, Queue::read(variables), config::Schedules::read(variables))
        })?;
        Ok(Self {
            store: Store::new(sdk, tables),
            timer: Timer::new(sdk, queue.url.into(), queue.arn, schedules.group, schedules.role_arn, schedules.dead_letter_arn),
            clock: host.clock.clone(),
            random: host.random.clone(),
            metrics: host.metrics("sweeper"),
        })
    }
}
