//! The rules of Postledger, without I/O.
//!
//! Everything here is a value or a pure function of values: time, ids and randomness are handed in.
//! What is persisted, sent or shown elsewhere is decided here, so that one place can be read, and tested, for each rule.

pub mod analytics;
pub mod audit;
pub mod billing;
pub mod choice;
pub mod connection;
pub mod content;
pub mod entitlement;
pub mod failure;
pub mod field_code;
pub mod id;
pub mod idempotency;
pub mod ledger;
pub mod order;
pub mod people;
pub mod plan;
pub mod plan_change;
pub mod planted;
pub mod platform;
pub mod post;
pub mod reserving;
pub mod text;
pub mod timing;
pub mod token;
pub mod user;
pub mod wait;
pub mod wake_up;
