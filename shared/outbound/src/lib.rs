//! The one HTTP client, and how far it reaches.
//!
//! [`Http::configured`] calls what our own configuration names. [`Http::guarded`] calls what others name: people, the metadata of servers,
//! DID documents. Among those may be a name of this machine, of Lambda's runtime interface or of a private network; see README.md.

mod client;
pub mod detail;
mod error;
mod named;
mod network;
mod reach;
mod request;
mod resolver;

pub use client::{Http, Limits};
pub use error::{ClientError, SendError};
pub use named::Refusal;
pub use network::Network;
pub use reach::Reach;
pub use request::Request;
