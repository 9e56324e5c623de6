//! What a network can do, as data.

use jiff::SignedDuration;
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

/// What the user must tell before the consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Needs {
    /// The server's address.
    Server,
    /// The account's handle.
    Handle,
}

impl Needs {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Handle => "handle",
        }
    }
}

/// How a lost answer is cleared up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Reconcile {
    /// The create call takes our key and may be repeated.
    Key,
    /// A stored handle can be read or finished.
    Handle,
    /// The account's own posts can be searched.
    Search,
    /// Only a person can tell.
    Person,
}

impl Reconcile {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Handle => "handle",
            Self::Search => "search",
            Self::Person => "person",
        }
    }
}

/// One row of the capability table. What a text may count is in `domain::text`: it is checked before an adapter is asked.
#[derive(Debug)]
pub struct Capabilities {
    /// The scopes that we ask for.
    pub scopes: &'static [&'static str],
    /// What the user must tell before the consent.
    pub needs: Option<Needs>,
    /// How a lost answer is cleared up.
    pub reconcile: Reconcile,
    /// The longest that the network takes to list what it accepted.
    pub read_lag: SignedDuration,
    /// Whether a refresh makes the old refresh token useless.
    pub refresh_rotates: bool,
    /// Whether each call proves that our own app makes it ([`crate::Platform::proven`]).
    pub app_proof: bool,
    /// Whether a person's grants to our app are one: taking one back ends all of them, whoever of ours lives on them.
    pub grants_are_one: bool,
}
