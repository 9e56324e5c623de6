//! One server of a network that many people run.

use serde::{Deserialize, Serialize};
use url::Url;

/// The server that an account lives on, as it described itself when the account was connected. It stands with the connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// What paths of its API are appended to.
    pub api: Url,
    /// Who it says it is: the `issuer` of its metadata (RFC 8414 §2).
    pub issuer: Url,
    /// What it runs, by the name that it gives itself: `mastodon`.
    pub software: String,
    /// What it takes, where that is its own choice.
    #[serde(default)]
    pub limits: ServerLimits,
}

/// The limits that a server tells of itself; `None`: it tells none, and the network's usual one holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerLimits {
    /// The longest text, in the network's own unit.
    #[serde(default)]
    pub text_max: Option<u32>,
    /// How many letters each link counts, however long it is.
    #[serde(default)]
    pub link_letters: Option<u32>,
}
