//! The adapters against the simulator, over real HTTP on the loopback.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod bluesky;
mod doubles;
mod facebook;
mod faults;
mod linkedin;
mod mastodon;
mod numbers;
mod threads;
mod tokens;
mod wire;
mod x;
