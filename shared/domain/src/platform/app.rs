//! Our apps: one at each network, or one at each server of a network that many people run.

use std::fmt;

use super::{PlatformName, ServerName};

/// One of our apps. It names the credentials that our app has there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct App {
    /// Where.
    pub platform: PlatformName,
    /// At which server, where each has an app of ours of its own.
    pub server: Option<ServerName>,
}

impl App {
    /// The one that the whole network knows.
    pub fn at(platform: PlatformName) -> Self {
        Self { platform, server: None }
    }
}

/// `x`, `mastodon/mastodon.social`.
impl fmt::Display for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.server {
            Some(server) => write!(f, "{}/{server}", self.platform),
            None => write!(f, "{}", self.platform),
        }
    }
}
