//! The whole service on one machine: embedded AWS, the gateway, the clocks, the simulated platforms.
//!
//! What runs here is what runs in Lambda: the functions' own routers and handlers, over the real SDK clients. Only what
//! surrounds them is ours: who calls them, and who answers the clients.

pub mod browser;
pub mod clock;
pub mod data_dir;
mod driver;
pub mod gateway;
pub mod listen;
pub mod openapi;
mod page;
mod routes;
pub mod service;
pub mod variables;

pub use browser::{Browser, Reply};
pub use page::what_to_try;
pub use service::{LocalService, Options, paths};
pub use variables::Settings;
