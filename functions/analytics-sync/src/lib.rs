//! Reads what platforms tell of published posts: how often they were shown, liked, shared.
//!
//! *Trigger:* a schedule, every ten minutes. *Reads:* the index of posts whose numbers are due, their numbers so far, connections, the
//! vault; the platforms. *Writes:* numbers, and never a post or anything of the ledger; connections and the vault, where
//! tokens are renewed.
//! *On failure:* run again; where a reading costs it is noted before it is made. No post waits for
//! this: the platforms' limits are met with a wide margin, and a limit of reading is not one of posting.

mod gate;
mod read;
mod run;

pub use run::{EVERY, Synced, run};

use std::sync::Arc;

use aws_config::SdkConfig;
use cloud::vault::Vault;
use connecting::tokens::Access;
use domain::analytics::Paces;
use domain::platform::PlatformName;
use domain::post::FUNCTION_TIMEOUT;
use edge::clock::Clock;
use edge::config::{self, ConfigError, variables};
use edge::deadline::Deadline;
use edge::host::Host;
use edge::metrics::Metrics;
use edge::random::Random;
use platforms::{Platforms, PlatformsError};
use store::{Store, Tables};

/// All that this function works with.
#[derive(Clone)]
pub struct Deps {
    /// Numbers, connections.
    pub store: Store,
    /// Tokens and our apps' credentials.
    pub vault: Vault,
    /// The platforms that we have credentials for.
    pub configured: Vec<PlatformName>,
    /// How often each is asked.
    pub paces: Paces,
    /// The networks.
    pub platforms: Arc<Platforms>,
    /// Time.
    pub clock: Clock,
    /// Ids.
    pub random: Random,
    /// What was read.
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
        let (tables, prefix, networks, paces) = config::read(&host.variables, |variables| {
            let tables = Tables {
                users: variables.text(variables::USERS_TABLE),
                posts: variables.text(variables::POSTS_TABLE),
                sessions: variables.text(variables::SESSIONS_TABLE),
                ..Tables::default()
            };
            (tables, variables.secrets_prefix(), config::Platforms::read(variables), config::metrics_paces(variables))
        })?;
        Ok(Self {
            store: Store::new(sdk, tables),
            vault: Vault::open(sdk, prefix),
            configured: networks.configured,
            paces,
            platforms: Arc::new(Platforms::new(&networks.addresses)?),
            clock: host.clock.clone(),
            random: host.random.clone(),
            metrics: host.metrics("analytics-sync"),
        })
    }

    /// What tokens are read and renewed with, by a run that ends at `deadline`. No renewal may take longer than a publisher's.
    fn access(&self, deadline: Deadline) -> Access<'_> {
        let Self { store, vault, platforms, clock, random, metrics, .. } = self;
        let deadline = Deadline::after(deadline.remaining().min(FUNCTION_TIMEOUT.unsigned_abs()));
        Access { store, vault, platforms, clock, random, metrics, deadline }
    }
}
