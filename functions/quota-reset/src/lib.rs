//! Closes the cycles that have ended and opens the ones that follow.
//!
//! *Trigger:* a schedule, every hour. *Reads:* the index of cycles by their end, cycles, users.
//! *Writes:* cycles and their history.
//! *On failure:* run again; a cycle is closed and followed in one transaction, once. No post waits for this: approval opens a
//! cycle that it needs, and a post settles in the cycle that it was approved in.

mod follow;
mod run;

pub use run::{Closed, run};

use aws_config::SdkConfig;
use edge::clock::Clock;
use edge::config::{self, ConfigError, variables};
use edge::host::Host;
use edge::metrics::Metrics;
use edge::random::Random;
use store::{Store, Tables};

/// All that this function works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Cycles and users.
    pub store: Store,
    /// Time.
    pub clock: Clock,
    /// Ids.
    pub random: Random,
    /// How many were closed.
    pub metrics: Metrics,
}

impl Deps {
    /// Reads the configuration and builds the client; no call is made.
    pub fn new(host: &Host, sdk: &SdkConfig) -> Result<Self, ConfigError> {
        let tables = config::read(&host.variables, |variables| Tables {
            users: variables.text(variables::USERS_TABLE),
            ledger: variables.text(variables::LEDGER_TABLE),
            ..Tables::default()
        })?;
        Ok(Self {
            store: Store::new(sdk, tables),
            clock: host.clock.clone(),
            random: host.random.clone(),
            metrics: host.metrics("quota-reset"),
        })
    }
}
