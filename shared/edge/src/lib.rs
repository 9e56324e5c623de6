//! What stands between Lambda and our code.
//!
//! A function's `main` begins in [`start`]: its [`config`] is read, [`telemetry`] started, its clients built; what comes of it is a
//! router for [`http_event`], a record handler for [`sqs`] or a job for [`schedule`]. Everything that arrives from outside is checked
//! here first, and every error leaves as a [`problem`].

pub mod clock;
pub mod config;
pub mod contract;
pub mod deadline;
pub mod frontend;
pub mod guarded;
pub mod host;
pub mod http_event;
pub mod idempotency;
pub mod if_match;
pub mod json;
pub mod lines;
pub mod metrics;
pub mod prefetch;
pub mod problem;
pub mod random;
pub mod routing;
pub mod schedule;
pub mod session;
pub mod sqs;
pub mod start;
pub mod telemetry;
