//! Live tokens for a connection: read, or refreshed by one worker while the others wait.
//!
//! A refresh token is often single-use. So: take the lease by a conditional write, read the tokens that the row names,
//! call once, store the new tokens under the attempt's own version, then move the row. A crash in between is found again by
//! that version.

use std::time::Duration;

use cloud::vault::{Vault, VaultError};
use domain::connection::{Connection, Health, REFRESHES_UNANSWERED_MAX, TokenState};
use domain::id::AttemptId;
use domain::planted::Bug;
use domain::platform::PlatformName;
use domain::token::TokenSet;
use edge::clock::Clock;
use edge::metrics::Metrics;
use edge::problem::chain;
use edge::random::Random;
use jiff::SignedDuration;
use platforms::{AppCredentials, Platforms, RefreshError};
use store::{ConnectionWrite, Rounds, Store, StoreError};

/// While another worker refreshes, the row is read this often…
const LOOKS_MAX: usize = 60;
/// …this far apart. The lease is longer; whoever waits in vain comes back later.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Whoever waited longer than this for the lease leaves the refresh to the next.
const LEASE_TAKES_MAX: SignedDuration = SignedDuration::from_secs(15);
/// How long after a change of the row the vault may be behind: a version that was just written is then not found yet, and not gone.
const VAULT_LAG: SignedDuration = SignedDuration::from_secs(60);
/// New tokens that cannot be stored are lost for good: try harder than the client does by itself.
const STORE_TRIES_MAX: usize = 3;

/// What tokens are read and renewed with.
#[derive(Clone, Copy)]
pub struct Access<'a> {
    /// The rows.
    pub store: &'a Store,
    /// The tokens, and our apps' credentials.
    pub vault: &'a Vault,
    /// The networks.
    pub platforms: &'a Platforms,
    /// Time.
    pub clock: &'a Clock,
    /// Ids of attempts.
    pub random: &'a Random,
    /// Connections that need their owner.
    pub metrics: &'a Metrics,
}

/// Why tokens could not be read or renewed; the same again may.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A table did not answer.
    #[error("reading or moving a connection")]
    Store(#[from] StoreError),
    /// The vault did not answer.
    #[error("reading or storing tokens")]
    Vault(#[from] VaultError),
}

/// What there is to act with.
pub enum Usable {
    /// These.
    Ready(Box<Connection>, TokenSet),
    /// Nothing at the moment.
    Later,
    /// Nothing until the user connects again.
    Dead,
    /// The connection was removed.
    Gone,
}

/// Live tokens of `connection`. `refused` names a version that the platform did not take, however live it looks.
pub async fn usable(access: &Access<'_>, connection: Connection, refused: Option<&str>) -> Result<Usable, AccessError> {
    let (user, id) = (connection.user_id.clone(), connection.id.clone());
    let mut connection = connection;
    for _ in 0..LOOKS_MAX {
        let state = match connection.token_state(access.clock.now()) {
            TokenState::Live if refused == Some(connection.secret_version.as_str()) => refused_state(access, &connection),
            TokenState::Refreshing if Bug::RefreshTokenUsedTwice.is_planted() => TokenState::Expired,
            state => state,
        };
        match state {
            TokenState::Live => {
                return match live(access, &connection).await? {
                    Some(tokens) => Ok(Usable::Ready(Box::new(connection), tokens)),
                    None => not_found(access, &connection).await,
                };
            }
            // Tokens that an earlier worker stored and did not live to announce are looked for before anything is given up.
            TokenState::Dead if connection.is_usable() && adopted(access, &connection).await? => {}
            TokenState::Dead => {
                if connection.is_usable() {
                    mark_dead(access, &connection).await?;
                }
                return Ok(Usable::Dead);
            }
            TokenState::Refreshing => tokio::time::sleep(LOOK_AGAIN).await,
            TokenState::Expired => {
                if let Some(usable) = refresh(access, connection).await? {
                    return Ok(usable);
                }
            }
        }
        match access.store.connection(&user, &id).await? {
            Some(fresh) => connection = fresh,
            None => return Ok(Usable::Gone),
        }
    }
    Ok(Usable::Later)
}

/// What tokens that the vault does not find mean: it may be behind, or somebody removed them, and their owner is asked for new ones.
async fn not_found(access: &Access<'_>, connection: &Connection) -> Result<Usable, AccessError> {
    if access.clock.now() < connection.updated_at + VAULT_LAG {
        return Ok(Usable::Later);
    }
    mark_dead(access, connection).await?;
    Ok(Usable::Dead)
}

/// The tokens that the row names, ready for calls. `None`: the vault does not show them yet, or somebody removed or spoilt them, and only the user can bring new
/// ones.
pub async fn live(access: &Access<'_>, connection: &Connection) -> Result<Option<TokenSet>, AccessError> {
    match access.vault.read(&connection.secret_name, &connection.secret_version, access.clock.now()).await {
        Ok(tokens) => proven(access, connection.platform, tokens).await.map(Some),
        Err(error @ (VaultError::Missing { .. } | VaultError::Malformed { .. })) => {
            tracing::error!(connection_id = %connection.id, error = chain(&error), "the tokens of a connection are not in the vault");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The tokens with the proof that our app uses them, where the platform wants one. It is as fresh as the app's secret, which may be changed.
async fn proven(access: &Access<'_>, platform: PlatformName, tokens: TokenSet) -> Result<TokenSet, AccessError> {
    let network = access.platforms.get(platform);
    if !network.capabilities().app_proof {
        return Ok(tokens);
    }
    let (client_id, client_secret) = access.vault.app_credentials(platform, access.clock.now()).await?;
    Ok(network.proven(&AppCredentials { client_id, client_secret }, tokens))
}

/// The platform will not take this connection any more: said once, by whoever finds out first. Its other posts are held by the sweeper.
pub async fn mark_dead(access: &Access<'_>, connection: &Connection) -> Result<(), AccessError> {
    let now = access.clock.now();
    let dead = connection.clone().dead(now);
    let writer = AttemptId::new(now, access.random.bytes()).to_string();
    if matches!(access.store.turn_connection(&dead, &writer).await?, ConnectionWrite::Done) {
        access.metrics.count(now, "connection_needs_reauth", &[("platform", dead.platform.as_str())]);
        tracing::warn!(connection_id = %dead.id, user_id = %dead.user_id, platform = dead.platform.as_str(), "a connection needs reauthorization");
    }
    Ok(())
}

fn refused_state(access: &Access<'_>, connection: &Connection) -> TokenState {
    match &connection.lease {
        Some(lease) if lease.until > access.clock.now() => TokenState::Refreshing,
        Some(_) if connection.refreshes_unanswered >= REFRESHES_UNANSWERED_MAX => TokenState::Dead,
        _ if connection.refreshable => TokenState::Expired,
        _ => TokenState::Dead,
    }
}

/// One refresh under the lease; `None`: another worker has it, or its tokens were found: look again.
///
/// Everything that the call needs is read before the lease is taken: the lease is for the call and for storing what it brings.
async fn refresh(access: &Access<'_>, connection: Connection) -> Result<Option<Usable>, AccessError> {
    if adopted(access, &connection).await? {
        return Ok(None);
    }
    let Some(tokens) = live(access, &connection).await? else {
        return not_found(access, &connection).await.map(Some);
    };
    let (client_id, client_secret) = access.vault.app_credentials(connection.platform, access.clock.now()).await?;
    let app = AppCredentials { client_id, client_secret };
    let now = access.clock.now();
    let attempt = AttemptId::new(now, access.random.bytes());
    let leased = connection.leased(attempt.clone(), now);
    if matches!(access.store.update_connection(&leased, attempt.as_str()).await?, ConnectionWrite::Moved(_)) {
        return Ok(None);
    }
    // The lease was slow to get: this function's time may end in the middle of the call, and the tokens with it.
    if access.clock.now() > now + LEASE_TAKES_MAX {
        return Ok(Some(Usable::Later));
    }
    let answer = access.platforms.get(leased.platform).refresh(&app, &tokens, access.clock.now()).await;
    match answer {
        Ok(renewed) => {
            let version = keep(access, &leased, &renewed, &attempt).await?;
            adopt_version(access, leased, version, renewed, &attempt).await.map(Some)
        }
        Err(RefreshError::Dead { detail }) => {
            tracing::warn!(connection_id = %leased.id, detail, "the platform ended a grant");
            mark_dead(access, &leased).await?;
            Ok(Some(Usable::Dead))
        }
        Err(error @ RefreshError::Unavailable { .. }) => {
            tracing::warn!(connection_id = %leased.id, error = chain(&error), "tokens were not renewed");
            let released = leased.released(access.clock.now());
            access.store.update_connection(&released, attempt.as_str()).await?;
            Ok(Some(Usable::Later))
        }
        Err(error @ RefreshError::Unknown { .. }) => {
            // The platform may still be at it: the lease stays until it ends, and then one careful try with the old tokens tells. If
            // they were rotated, that try is refused, and the user is asked once.
            tracing::warn!(connection_id = %leased.id, error = chain(&error), "whether tokens were renewed is not known");
            Ok(Some(Usable::Later))
        }
    }
}

/// An earlier refresh may have stored its tokens and vanished before it moved the row: its version tells.
async fn adopted(access: &Access<'_>, connection: &Connection) -> Result<bool, AccessError> {
    let Some(lease) = connection.lease.clone() else { return Ok(false) };
    let version = cloud::vault::version_of(&lease.attempt);
    if version == connection.secret_version {
        return Ok(false);
    }
    let Some(tokens) = access.vault.find_version(&connection.secret_name, &lease.attempt).await? else { return Ok(false) };
    adopt_version(access, connection.clone(), version, tokens, &lease.attempt).await?;
    Ok(true)
}

/// Moves the row to the new version. If the row changed meanwhile and still names the tokens that these came from, it is moved all
/// the same: whatever was thought of the old tokens, these are the ones that the platform takes.
async fn adopt_version(
    access: &Access<'_>,
    connection: Connection,
    version: String,
    tokens: TokenSet,
    attempt: &AttemptId,
) -> Result<Usable, AccessError> {
    let came_from = connection.secret_version.clone();
    let mut standing = connection;
    let mut rounds = Rounds::new("moving a connection to new tokens", attempt.as_str());
    loop {
        rounds.next().await?;
        let was_dead = !standing.is_usable();
        let refreshed = standing.refreshed(version.clone(), tokens.expires_at, tokens.scopes.clone(), access.clock.now());
        // Posts that were held for it go on.
        let stored = if was_dead {
            access.store.turn_connection(&refreshed, attempt.as_str()).await?
        } else {
            access.store.update_connection(&refreshed, attempt.as_str()).await?
        };
        match stored {
            ConnectionWrite::Done => {
                tracing::info!(connection_id = %refreshed.id, platform = refreshed.platform.as_str(), "tokens renewed");
                let tokens = proven(access, refreshed.platform, tokens).await?;
                return Ok(Usable::Ready(Box::new(refreshed), tokens));
            }
            ConnectionWrite::Moved(Some(row)) if row.secret_version == came_from && row.health != Health::Disconnecting => standing = *row,
            // The row went on without us, to a disconnect or a reconnect: whoever comes next reads it anew.
            ConnectionWrite::Moved(_) => return Ok(Usable::Later),
        }
    }
}

async fn keep(access: &Access<'_>, connection: &Connection, tokens: &TokenSet, attempt: &AttemptId) -> Result<String, AccessError> {
    let mut tries = 1;
    loop {
        match access.vault.put(&connection.secret_name, tokens, attempt).await {
            Ok(version) => return Ok(version),
            Err(error) if tries >= STORE_TRIES_MAX || !error.is_retryable() => return Err(error.into()),
            Err(_) => tries += 1,
        }
    }
}
