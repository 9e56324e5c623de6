//! What is counted and reckoned of the service, the same on every machine: the calls of each step, and what they cost.

pub mod calls;
pub mod cost;
