//! What stands between Lambda and our code.
//!
//! A function's `main` reads its [`config`], starts [`telemetry`], builds its clients and hands a router to
//! [`http_event`], a record handler to [`sqs`] or a job to [`schedule`]. Everything that arrives from outside is checked
//! here first, and every error leaves as a [`problem`].

pub mod clock;
pub mod config;
pub mod contract;
pub mod host;
pub mod http_event;
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
pub mod telemetry;
