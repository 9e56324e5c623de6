//! Which way a list goes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which way a list goes, by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Oldest first.
    Asc,
    /// Newest first.
    Desc,
}

impl Order {
    /// The name in JSON and in cursors.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asc => "asc",
            Self::Desc => "desc",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Asc, Self::Desc].into_iter().find(|order| order.as_str() == text)
    }
}
