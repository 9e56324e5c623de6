//! Connections and the life of their tokens.

mod grant;
mod life;

pub use grant::{Grant, ReconnectRefused};
pub use life::{GrantLife, GrantStep, Terms, WRITES_APART};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::failure::FailureCode;
use crate::id::{AttemptId, ConnectionId, UserId};
use crate::platform::{AccountKind, App, Facts, PlatformName, Server, ServerName};
use crate::post::{CLOCK_SKEW, FUNCTION_TIMEOUT};
use crate::token::{EXPIRY_MARGIN, TokenSet};
use crate::wait::Wait;

/// Whether a connection can post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It can.
    Ok,
    /// The grant is gone: the user must connect again.
    NeedsReauth,
    /// Connected with fewer scopes than posting needs.
    Limited,
    /// The user disconnected it; work in flight ends first.
    Disconnecting,
}

impl Health {
    /// The name in JSON and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NeedsReauth => "needs_reauth",
            Self::Limited => "limited",
            Self::Disconnecting => "disconnecting",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Ok, Self::NeedsReauth, Self::Limited, Self::Disconnecting].into_iter().find(|health| health.as_str() == text)
    }
}

/// The exclusive right to refresh the tokens of a connection.
///
/// A refresh token is often single-use, so two refreshes at once would kill the grant. The attempt's id names the new
/// version in the vault, so that a crash between the vault's write and the row's is found again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshLease {
    /// Who holds it.
    pub attempt: AttemptId,
    /// Until when nobody else may refresh.
    pub until: Timestamp,
}

/// One account on one platform that a user let us post to. The tokens are in the vault, never here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Its id.
    pub id: ConnectionId,
    /// Its owner.
    pub user_id: UserId,
    /// Where.
    pub platform: PlatformName,
    /// The account's id on the platform.
    pub platform_user_id: String,
    /// The account's name on the platform.
    pub username: String,
    /// What the account is.
    pub kind: AccountKind,
    /// The server that it lives on, where many people run servers of the platform.
    pub server: Option<Server>,
    /// The server whose app of ours it was granted to, by the name that its owner gave; `None`: our app is the platform's.
    pub app_server: Option<ServerName>,
    /// Whether it can post.
    pub health: Health,
    /// What was granted.
    pub scopes: Vec<String>,
    /// Scopes that posting needs and that were not granted.
    pub missing_scopes: Vec<String>,
    /// The platform's id of the person who granted, where taking the grant back ends it for all of that person's accounts.
    pub grantor: Option<String>,
    /// When the access token ends; `None` = no set end.
    pub expires_at: Option<Timestamp>,
    /// Whether the vault holds a refresh token.
    pub refreshable: bool,
    /// How long the grant itself lives, and when it is looked after.
    pub life: GrantLife,
    /// The vault's name of the secret.
    pub secret_name: String,
    /// The vault's version of the tokens that are in force.
    pub secret_version: String,
    /// A refresh under way.
    pub lease: Option<RefreshLease>,
    /// How many refreshes in a row ended without a word whether they happened.
    pub refreshes_unanswered: u32,
    /// The platform takes no post of this account before.
    pub limited_until: Option<Wait>,
    /// First connected.
    pub connected_at: Timestamp,
    /// Last changed.
    pub updated_at: Timestamp,
    /// Raised with each stored change; the condition of every write.
    pub rev: u64,
}

/// What a worker that needs the tokens has to do first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// Use them.
    Live,
    /// Refresh first.
    Expired,
    /// Another worker is refreshing.
    Refreshing,
    /// Only the user can mend it.
    Dead,
}

/// After so many refreshes in a row without an answer only the user can bring tokens that surely work: leases keep the tries at least
/// [`REFRESH_LEASE`] apart.
pub const REFRESHES_UNANSWERED_MAX: u32 = 10;

/// How long the right to refresh lasts: longer than the publisher and the API's functions live, so none of them is still at it when it has
/// run out, however long it stood still, and a refresh token that works once is not used by two. Who reads numbers may live longer; a
/// refresh of theirs takes no longer than anybody's.
pub const REFRESH_LEASE: SignedDuration = SignedDuration::from_secs(65);

const _: () = assert!(REFRESH_LEASE.as_secs() >= FUNCTION_TIMEOUT.as_secs() + CLOCK_SKEW.as_secs(), "no worker may outlive its lease");

impl Connection {
    /// What the platform's rules may depend on.
    pub fn facts(&self) -> Facts<'_> {
        Facts { kind: self.kind, server: self.server.as_ref() }
    }

    /// The app that it was granted to.
    pub fn app(&self) -> App {
        App { platform: self.platform, server: self.app_server.clone() }
    }

    /// Whether posts can be approved for it.
    pub fn is_usable(&self) -> bool {
        matches!(self.health, Health::Ok)
    }

    /// Why nothing can be posted with it until its owner connects the account again; `None`: it can.
    pub fn unusable_for(&self) -> Option<FailureCode> {
        match self.health {
            Health::Ok => None,
            Health::NeedsReauth => Some(FailureCode::ReconnectNeeded),
            Health::Limited => Some(FailureCode::PermissionMissing),
            Health::Disconnecting => Some(FailureCode::ConnectionGone),
        }
    }

    /// What to do before the tokens can be used at `now`.
    pub fn token_state(&self, now: Timestamp) -> TokenState {
        if !self.is_usable() {
            return TokenState::Dead;
        }
        let live = self.expires_at.is_none_or(|ends| now + EXPIRY_MARGIN < ends);
        match (&self.lease, live) {
            (_, true) => TokenState::Live,
            (Some(lease), false) if lease.until > now => TokenState::Refreshing,
            (Some(_), false) if self.refreshes_unanswered >= REFRESHES_UNANSWERED_MAX => TokenState::Dead,
            (_, false) if self.refreshable => TokenState::Expired,
            (_, false) => TokenState::Dead,
        }
    }

    /// Takes the refresh for `attempt`. The caller has seen [`TokenState::Expired`], an access token refused, or [`GrantStep::Renew`].
    #[must_use]
    pub fn leased(self, attempt: AttemptId, now: Timestamp) -> Self {
        // A lease that is still there was neither given back nor turned into tokens.
        let refreshes_unanswered = if self.lease.is_some() { self.refreshes_unanswered + 1 } else { 0 };
        let life = self.tried_life(now);
        Self { lease: Some(RefreshLease { attempt, until: now + REFRESH_LEASE }), refreshes_unanswered, life, ..self.changed(now) }
    }

    /// The refresh succeeded: the vault's `version`, which holds `tokens`, is in force, and the grant's life is [`GrantLife::renewed`]. A grant
    /// that another worker took for dead meanwhile lives.
    #[must_use]
    pub fn refreshed(self, version: String, tokens: &TokenSet, life: GrantLife, now: Timestamp) -> Self {
        let health = if self.health == Health::NeedsReauth { Health::Ok } else { self.health };
        let (expires_at, scopes) = (tokens.expires_at, tokens.scopes.clone());
        Self { secret_version: version, expires_at, scopes, life, health, lease: None, refreshes_unanswered: 0, ..self.changed(now) }
    }

    /// The refresh failed for the moment: the old tokens stay.
    #[must_use]
    pub fn released(self, now: Timestamp) -> Self {
        Self { lease: None, ..self.changed(now) }
    }

    /// The platform no longer accepts the grant.
    #[must_use]
    pub fn dead(self, now: Timestamp) -> Self {
        Self { health: Health::NeedsReauth, lease: None, ..self.changed(now) }
    }

    /// The platform takes no post of this account before the end of `wait`. An earlier limit does not shorten a later one, but the
    /// platform's own word takes the place of a guess.
    #[must_use]
    pub fn limited(self, wait: Wait, now: Timestamp) -> Self {
        let outlasts = |standing: &Wait| match (standing, wait) {
            (Wait::Guessed(_), Wait::Told(_)) => false,
            _ => standing.until() > wait.until(),
        };
        Self { limited_until: self.limited_until.filter(outlasts).or(Some(wait)), ..self.changed(now) }
    }

    /// The user disconnects it.
    #[must_use]
    pub fn disconnecting(self, now: Timestamp) -> Self {
        Self { health: Health::Disconnecting, ..self.changed(now) }
    }

    fn changed(self, now: Timestamp) -> Self {
        Self { updated_at: now, rev: self.rev + 1, ..self }
    }
}
