//! Keeps connections alive: renews grants that would die otherwise, also of accounts that post nothing, and asks owners ahead of time where
//! only they can.
//!
//! *Trigger:* a schedule, every five minutes. *Reads:* the index of grants by when they are looked at, connections, the vault, our apps'
//! credentials, users; the platforms. *Writes:* connections and the vault; text messages.
//! *On failure:* run again. The row says what is to be done, a renewal is put off before it is tried, and a text is noted before it is sent.
//! An access token with a living refresh token is no matter of this: it is renewed for a post.

mod ask;
mod look_after;
mod run;

pub use run::{EVERY, Renewals, TIME_OUT, run};

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use cloud::texts::TextMessages;
use cloud::vault::Vault;
use connecting::tokens::Access;
use domain::platform::PlatformName;
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
    /// Connections, and who they belong to.
    pub store: Store,
    /// Tokens and our apps' credentials.
    pub vault: Vault,
    /// The platforms that we have credentials for.
    pub configured: Vec<PlatformName>,
    /// The networks.
    pub platforms: Arc<Platforms>,
    /// Owners are asked by them, once.
    pub texts: TextMessages,
    /// Time.
    pub clock: Clock,
    /// Ids, and what spreads renewals.
    pub random: Random,
    /// What was renewed.
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
        let (tables, prefix, networks) = config::read(&host.variables, |variables| {
            let tables = Tables {
                users: variables.text(variables::USERS_TABLE),
                sessions: variables.text(variables::SESSIONS_TABLE),
                ..Tables::default()
            };
            (tables, variables.secrets_prefix(), config::Platforms::read(variables))
        })?;
        Ok(Self {
            store: Store::new(sdk, tables).leaving_out(host.counts_left_out("renewals")),
            vault: Vault::open(sdk, prefix),
            configured: networks.configured,
            platforms: Arc::new(Platforms::new(&networks.addresses)?),
            texts: TextMessages::tried_once(sdk),
            clock: host.clock.clone(),
            random: host.random.clone(),
            metrics: host.metrics("renewals"),
        })
    }

    /// What one grant is renewed with, in at most `limit`.
    fn access(&self, limit: Duration) -> Access<'_> {
        let Self { store, vault, platforms, clock, random, metrics, .. } = self;
        Access { store, vault, platforms, clock, random, metrics, deadline: Deadline::after(limit) }
    }
}
