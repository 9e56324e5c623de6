//! What an account is, as people know it.

use serde::{Deserialize, Serialize};

/// What an account is. What may be read or repeated of its posts can depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// A person's or brand's own profile.
    Profile,
    /// A page that people manage.
    Page,
    /// A company or another body that people act for.
    Organization,
}

impl AccountKind {
    /// The name in JSON and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Page => "page",
            Self::Organization => "organization",
        }
    }
}
