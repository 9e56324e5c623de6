//! Looks after posts that stand still: arms, wakes, and closes what was missed; holds what has lost its account, and lets go on what is held
//! once account and quota slot are back; removes secrets that nothing needs, and finishes disconnects. It never speaks to a platform about a post.
//!
//! *Trigger:* a schedule, every minute.
//! *Reads:* the index of posts that need attention, posts, cycles; notes of returns and of secrets, users, connections, tokens, our apps'
//! credentials. *Writes:* posts, the ledger; schedules and wake-ups; connections and the vault, where it only deletes; a grant is taken back at its platform.
//! *On failure:* the next minute does it again: nothing here depends on having been done before.

mod attend;
mod failures;
mod look_through;
mod sweep;
mod tidy;

pub use sweep::{EVERY, Swept, TIME_OUT, sweep};

use std::sync::Arc;

use aws_config::SdkConfig;
use cloud::timer::Timer;
use cloud::vault::Vault;
use edge::clock::Clock;
use edge::config::{self, ConfigError, Queue, variables};
use edge::host::Host;
use edge::metrics::Metrics;
use edge::random::Random;
use platforms::{Platforms, PlatformsError};
use store::{Store, Tables};

/// All that the sweeper works with.
#[derive(Clone)]
pub struct Deps {
    /// Posts and the ledger; notes and connections.
    pub store: Store,
    /// For deleting what nothing needs.
    pub vault: Vault,
    /// For taking grants back.
    pub platforms: Arc<Platforms>,
    /// For arming and waking.
    pub timer: Timer,
    /// Time.
    pub clock: Clock,
    /// Ids.
    pub random: Random,
    /// How much stood still.
    pub metrics: Metrics,
}

/// Why the function could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Variables are missing or wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The adapters could not be made.
    #[error(transparent)]
    Platforms(#[from] PlatformsError),
}

impl Deps {
    /// Reads the configuration and builds the clients; no call is made.
    pub fn new(host: &Host, sdk: &SdkConfig) -> Result<Self, StartError> {
        let (tables, prefix, networks, queue, schedules) = config::read(&host.variables, |variables| {
            let tables = Tables {
                users: variables.text(variables::USERS_TABLE),
                posts: variables.text(variables::POSTS_TABLE),
                ledger: variables.text(variables::LEDGER_TABLE),
                sessions: variables.text(variables::SESSIONS_TABLE),
            };
            let networks = config::Platforms::read(variables);
            (tables, variables.secrets_prefix(), networks, Queue::read(variables), config::Schedules::read(variables))
        })?;
        Ok(Self {
            store: Store::new(sdk, tables).leaving_out(host.counts_left_out("sweeper")),
            vault: Vault::open(sdk, prefix),
            platforms: Arc::new(Platforms::new(&networks.addresses)?),
            timer: Timer::new(sdk, queue.url.into(), queue.arn, schedules.group, schedules.role_arn, schedules.dead_letter_arn),
            clock: host.clock.clone(),
            random: host.random.clone(),
            metrics: host.metrics("sweeper"),
        })
    }
}
