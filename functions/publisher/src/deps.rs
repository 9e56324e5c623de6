//! What the publisher works with.

use std::sync::Arc;

use aws_config::SdkConfig;
use cloud::queue::WakeUps;
use cloud::vault::Vault;
use connecting::tokens::Access;
use domain::connection::Connection;
use domain::platform::{PlatformName, Reconcile};
use edge::clock::Clock;
use edge::config::{self, variables};
use edge::deadline::Deadline;
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
                sessions: variables.text(variables::SESSIONS_TABLE),
            };
            (tables, variables.secrets_prefix(), variables.url(variables::PUBLISH_QUEUE_URL), config::Platforms::read(variables))
        })?;
        Ok(Self {
            store: Store::new(sdk, tables),
            vault: Vault::open(sdk, prefix),
            configured: networks.configured,
            wake_ups: WakeUps::new(sdk, queue_url.into()),
            platforms: Arc::new(Platforms::new(&networks.addresses)?),
            clock: host.clock.clone(),
            random: host.random.clone(),
            metrics: host.metrics("publisher"),
        })
    }

    /// How a lost answer about a post of this account is cleared up.
    pub(crate) fn class(&self, connection: &Connection) -> Reconcile {
        (self.platforms.get(connection.platform).descriptor().reconcile)(&connection.facts())
    }

    /// What tokens are read and renewed with.
    pub(crate) fn access(&self, deadline: Deadline) -> Access<'_> {
        let Self { store, vault, platforms, clock, random, metrics, .. } = self;
        Access { store, vault, platforms, clock, random, metrics, deadline }
    }
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
