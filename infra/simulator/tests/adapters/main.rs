//! The adapters against the simulator, over real HTTP on the loopback.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod doubles;
mod facebook;
mod faults;
mod linkedin;
mod numbers;
mod threads;
mod tokens;
mod wire;
mod x;
