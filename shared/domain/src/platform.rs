//! The social networks by name, and where each of them is.

mod addresses;

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use addresses::{API, AUTHORIZE, Host, PlatformAddresses, Setting, Version};

/// A social network that an adapter exists for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlatformName {
    /// X, formerly Twitter.
    X,
    /// Facebook Pages.
    Facebook,
}

impl PlatformName {
    /// Every platform, in the order in which they are shown.
    pub const ALL: [Self; 2] = [Self::X, Self::Facebook];

    /// The name in addresses, JSON, tables and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X => "x",
            Self::Facebook => "facebook",
        }
    }

    /// The name as people write it.
    pub fn display_name(self) -> &'static str {
        match self {
            Self::X => "X",
            Self::Facebook => "Facebook",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|platform| platform.as_str() == text)
    }
}

impl fmt::Display for PlatformName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
