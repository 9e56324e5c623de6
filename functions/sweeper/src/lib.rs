//! Looks after posts that stand still: arms, wakes, and closes what was missed; and removes secrets that nothing needs. It never speaks to a
//! platform.
//!
//! *Trigger:* a schedule, every minute.
//! *Reads:* the index of posts that need attention, posts, cycles; notes of secrets, connections. *Writes:* posts, the ledger; schedules and
//! wake-ups; the vault, where it only deletes.
//! *On failure:* the next minute does it again: nothing here depends on having been done before.

mod attend;
mod sweep;
mod tidy;

pub use sweep::{Swept, sweep};

use aws_config::SdkConfig;
use cloud::timer::Timer;
use cloud::vault::Vault;
use edge::clock::Clock;
use edge::config::{self, ConfigError, Queue, variables};
use edge::host::Host;
use edge::metrics::Metrics;
use edge::random::Random;
use store::{Store, Tables};

/// All that the sweeper works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Posts and the ledger; notes and connections.
    pub store: Store,
    /// For deleting what nothing needs.
    pub vault: Vault,
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
        let (tables, prefix, queue, schedules) = config::read(&host.variables, |variables| {
            let tables = Tables {
                users: variables.text(variables::USERS_TABLE),
                posts: variables.text(variables::POSTS_TABLE),
                ledger: variables.text(variables::LEDGER_TABLE),
                sessions: variables.text(variables::SESSIONS_TABLE),
            };
            (tables, variables.secrets_prefix(), Queue::read(variables), config::Schedules::read(variables))
        })?;
        Ok(Self {
            store: Store::new(sdk, tables),
            vault: Vault::open(sdk, prefix),
            timer: Timer::new(sdk, queue.url.into(), queue.arn, schedules.group, schedules.role_arn, schedules.dead_letter_arn),
            clock: host.clock.clone(),
            random: host.random.clone(),
            metrics: host.metrics("sweeper"),
        })
    }
}
