//! What a function finds where it runs: Lambda, the local run or a test.

use crate::clock::Clock;
use crate::config::{self, ConfigError, Source};
use crate::lines::Lines;
use crate::metrics::{Metrics, Unit};
use crate::random::Random;
use crate::telemetry;

/// Variables, time, randomness and a place for lines.
#[derive(Debug)]
pub struct Host {
    /// Configuration.
    pub variables: Source,
    /// Time.
    pub clock: Clock,
    /// Randomness.
    pub random: Random,
    /// Where logs and metrics go.
    pub lines: Lines,
}

impl Host {
    /// Lambda: the process's environment, the machine's clock and randomness, standard output. Starts the logs.
    pub fn lambda() -> Result<Self, ConfigError> {
        let host = Self { variables: Source::system(), clock: Clock::system(), random: Random::system(), lines: Lines::stdout() };
        #[expect(clippy::redundant_closure_for_method_calls, reason = "the method is not general enough over lifetimes")]
        let level = config::read(&host.variables, |variables| variables.log_level())?;
        telemetry::init(level, host.clock.clone(), host.lines.clone());
        Ok(host)
    }

    /// Metrics under a function's name.
    pub fn metrics(&self, service: &'static str) -> Metrics {
        Metrics::to(service, self.lines.clone())
    }

    /// Counts the stored rows that a function leaves out of a list because they cannot be read.
    pub fn counts_left_out(&self, service: &'static str) -> impl Fn(usize) + Send + Sync + use<> {
        let (metrics, clock) = (self.metrics(service), self.clock.clone());
        move |rows: usize| {
            let rows = f64::from(u32::try_from(rows).unwrap_or(u32::MAX));
            metrics.emit(clock.now(), &[], &[("row_unreadable", rows, Unit::Count)], &[]);
        }
    }
}
