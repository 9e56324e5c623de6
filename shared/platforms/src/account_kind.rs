//! What an account is, as people know it.

use utoipa::ToSchema;

/// What an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum AccountKind {
    /// A person's or brand's own profile.
    Profile,
    /// A page that people manage.
    Page,
}

impl AccountKind {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Page => "page",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Profile, Self::Page].into_iter().find(|kind| kind.as_str() == text)
    }
}
