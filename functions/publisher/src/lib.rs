//! Brings one post one step on for each wake-up.
//!
//! *Trigger:* SQS, wake-ups from schedules, from `posts` and from `sweeper`; ten at once.
//! *Reads:* posts, connections, cycles, the vault. *Writes:* posts, attempts, the ledger, connections, the vault; the platforms.
//! *On failure:* a record that failed comes back on its own; after five times it lies in the dead-letter queue. The post is
//! the truth: whatever gets lost here, the sweeper finds.

mod limit;
mod poll;
mod publish;
mod reconcile;
mod send;
mod settle;
mod step;

pub use step::handle;

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use cloud::queue::WakeUps;
use cloud::vault::Vault;
use connecting::tokens::{Access, AccessError};
use domain::platform::PlatformName;
use edge::clock::Clock;
use edge::config::{self, variables};
use edge::host::Host;
use edge::metrics::Metrics;
use edge::random::Random;
use platforms::Platforms;
use store::{Store, Tables};

/// All that the publisher works with.
#[derive(Clone)]
pub struct Deps {
    /// Posts, connections, cycles.
    pub store: Store,
    /// Tokens and our apps' credentials.
    pub vault: Vault,
    /// The platforms that we have credentials for.
    pub configured: Vec<PlatformName>,
    /// For wake-ups that come later.
    pub wake_ups: WakeUps,
    /// The networks.
    pub platforms: Arc<Platforms>,
    /// Time.
    pub clock: Clock,
    /// Ids and jitter.
    pub random: Random,
    /// Lateness and outcomes.
    pub metrics: Metrics,
}

impl Deps {
    /// Reads the configuration and builds the clients; no call is made.
    pub fn new(host: &Host, sdk: &SdkConfig) -> Result<Self, StartError> {
        let (tables, prefix, queue_url, networks) = config::read(&host.variables, |variables| {
            let tables = Tables {
                users: variables.text(variables::USERS_TABLE),
                posts: variables.text(variables::POSTS_TABLE),
                ledger: variables.text(variables::LEDGER_TABLE),
                ..Tables::default()
            };
            (tables, variables.secrets_prefix(), variables.url(variables::PUBLISH_QUEUE_URL), config::Platforms::read(variables))
        })?;
        Ok(Self {
            store: Store::new(sdk, tables),
            vault: Vault::open(sdk, prefix),
            configured: networks.configured,
            wake_ups: WakeUps::new(sdk, queue_url.into()),
            platforms: Arc::new(Platforms::new(networks.addresses)?),
            clock: host.clock.clone(),
            random: host.random.clone(),
            metrics: host.metrics("publisher"),
        })
    }

    /// What tokens are read and renewed with.
    fn access(&self) -> Access<'_> {
        let Self { store, vault, platforms, clock, random, metrics, .. } = self;
        Access { store, vault, platforms, clock, random, metrics }
    }
}

/// The time-out that the machine's leases and waits are counted from, whatever the function was deployed with.
pub fn time_out() -> Duration {
    domain::post::FUNCTION_TIMEOUT.unsigned_abs()
}

/// Why the function could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Variables are missing or wrong.
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    /// The adapters could not be made.
    #[error(transparent)]
    Platforms(#[from] platforms::PlatformsError),
}

/// Why a step could not be taken; the record comes back, or the sweeper does.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A table did not answer.
    #[error("a table failed")]
    Store(#[from] store::StoreError),
    /// A table or the vault did not answer.
    #[error("the tokens failed")]
    Tokens(#[from] AccessError),
    /// A step that the post's state does not have: a bug of ours, nothing was written.
    #[error("the post refuses the step")]
    Refused(#[from] domain::post::Refused),
    /// The stored content is not what was approved: it must not be sent.
    #[error("the content is not the approved one")]
    ContentChanged,
}
