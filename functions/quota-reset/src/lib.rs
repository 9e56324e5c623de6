//! Closes the cycles that have ended, tells what they came to, and opens the ones that follow.
//!
//! *Trigger:* a schedule, every hour; another every night, for the audit. *Reads:* the index of cycles that want
//! something done, cycles, users, posts.
//! *Writes:* cycles, their history and their analytics; posts that are held, because their cycle no longer has their place; how far the
//! audit has come.
//! *On failure:* run again; a cycle is closed, told and followed in one transaction, once. No post waits for this: approval opens a
//! cycle that it needs, and a post settles in the cycle that it was approved in.

mod audit;
mod follow;
mod run;

pub use audit::{Audited, audit};
pub use run::{Closed, EVERY, run};

use aws_config::SdkConfig;
use edge::clock::Clock;
use edge::config::{self, ConfigError, variables};
use edge::host::Host;
use edge::metrics::Metrics;
use edge::random::Random;
use serde::Deserialize;
use store::{Store, Tables};

/// All that this function works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Cycles, users and posts.
    pub store: Store,
    /// Time.
    pub clock: Clock,
    /// Ids.
    pub random: Random,
    /// How many were closed.
    pub metrics: Metrics,
}

/// What a schedule asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    /// Cycles are closed and opened.
    #[default]
    Cycles,
    /// The ledger is audited.
    Audit,
}

/// A schedule's input. What EventBridge sends when there is none of ours asks for the cycles.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Asked {
    /// Which job.
    #[serde(default)]
    pub job: Job,
}

impl Deps {
    /// Reads the configuration and builds the client; no call is made.
    pub fn new(host: &Host, sdk: &SdkConfig) -> Result<Self, ConfigError> {
        let tables = config::read(&host.variables, |variables| Tables {
            users: variables.text(variables::USERS_TABLE),
            posts: variables.text(variables::POSTS_TABLE),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_schedule_asks_for_its_job() {
        let asked = |input: &str| serde_json::from_str::<Asked>(input).map(|asked| asked.job);
        assert_eq!(asked(r#"{"job":"audit"}"#).ok(), Some(Job::Audit));
        assert_eq!(asked(r#"{"job":"cycles"}"#).ok(), Some(Job::Cycles));
        assert_eq!(asked(r#"{"version":"0","detail-type":"Scheduled Event","detail":"{}"}"#).ok(), Some(Job::Cycles));
        assert!(asked(r#"{"job":"something"}"#).is_err(), "a job that is mistyped is not another one");
    }
}
