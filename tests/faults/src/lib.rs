//! Every call broken in every way, and millions of mixtures: the machine that publishes posts, proven on its own code.
//!
//! A run is a scenario (what people do), a plan (which calls break, and how) and a seed (every other chance). The product's own
//! functions run over the real SDK clients on the embedded services, with a simulated platform, in one thread and in virtual time:
//! the same three give the same run, call by call. When everything rests, the checks count in the platform and in the tables.

/// A run is short-lived objects by the thousand, on one thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod actor;
mod bad_rows;
mod check;
pub mod dice;
mod grants;
pub mod money;
mod network;
pub mod numbers;
pub mod plan;
pub mod report;
pub mod run;
pub mod scenario;
pub mod sweep;
mod waiting;
pub mod watch;
mod world;
