//! Brings one post one step on for each wake-up.
//!
//! *Trigger:* SQS, wake-ups from schedules, from `posts` and from `sweeper`; ten at once.
//! *Reads:* posts, connections, cycles, the vault. *Writes:* posts, attempts, the ledger, connections, the vault; the platforms.
//! *On failure:* a record that failed comes back on its own; after five times it lies in the dead-letter queue. The post is
//! the truth: whatever gets lost here, the sweeper finds.
//!
//! `step` decides what a wake-up calls for. `publish`, `poll` and `reconcile` do it, with `send` for the one visible call and `settle` for
//! what is written down. Each knows only those behind it.

mod ahead;
mod attempt;
mod deps;
mod intent;
mod limit;
mod named;
mod poll;
mod progress;
mod publish;
mod reconcile;
mod results;
mod send;
mod settle;
mod step;
mod turns;
mod unbind;

pub use deps::{Deps, StartError};
pub use progress::StepError;
pub use step::handle;
pub use turns::Batch;

use std::time::Duration;

/// The time-out that the machine's leases and waits are counted from, whatever the function was deployed with.
pub fn time_out() -> Duration {
    domain::post::FUNCTION_TIMEOUT.unsigned_abs()
}
