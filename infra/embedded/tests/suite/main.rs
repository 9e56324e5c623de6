//! The embedded services through the real SDK clients, and `cloud`'s own functions through both.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod faults;
mod queue;
mod schedules;
mod secrets;
mod stage;
mod tables;
mod texts;
mod transactions;
