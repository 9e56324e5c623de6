//! Live tokens for a connection: read, or refreshed by one worker while the others wait.
//!
//! A refresh token is often single-use. So: take the lease by a conditional write, read the tokens that the row names,
//! call once, store the new tokens under the attempt's own version, then move the row. A crash in between is found again by
//! that version.

use std::time::Duration;

use cloud::vault::VaultError;
use domain::connection::{Connection, Health, REFRESHES_UNANSWERED_MAX, TokenState};
use domain::id::AttemptId;
use domain::token::TokenSet;
use edge::problem::chain;
use jiff::SignedDuration;
use platforms::{AppCredentials, RefreshError};
use store::ConnectionWrite;

use crate::{Deps, StepError};

/// While another worker refreshes, the row is read this often…
const LOOKS_MAX: usize = 60;
/// …this far apart. The lease is longer; whoever waits in vain comes back later.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// A refresh and the storing of what it brings, as far as they can be waited for; the lease must last longer.
const CALL_AND_STORE: SignedDuration = SignedDuration::from_secs(25);
/// How long after a change of the row the vault may be behind: a version that was just written is then not found yet, and not gone.
const VAULT_LAG: SignedDuration = SignedDuration::from_secs(60);
/// How often a row that others change is moved again.
const ADOPT_ROUNDS_MAX: usize = 4;
/// New tokens that cannot be stored are lost for good: try harder than the client does by itself.
const STORE_TRIES_MAX: usize = 3;

/// What there is to send with.
pub(crate) enum Usable {
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
pub(crate) async fn usable(deps: &Deps, connection: Connection, refused: Option<&str>) -> Result<Usable, StepError> {
    let (user, id) = (connection.user_id.clone(), connection.id.clone());
    let mut connection = connection;
    for _ in 0..LOOKS_MAX {
        let state = match connection.token_state(deps.clock.now()) {
            TokenState::Live if refused == Some(connection.secret_version.as_str()) => refused_state(deps, &connection),
            state => state,
        };
        #[cfg(feature = "planted")]
        let state = match state {
            TokenState::Refreshing if domain::planted::is(domain::planted::Bug::RefreshTokenUsedTwice) => TokenState::Expired,
            state => state,
        };
        match state {
            TokenState::Live => {
                return Ok(match live(deps, &connection).await? {
                    Some(tokens) => Usable::Ready(Box::new(connection), tokens),
                    None => not_found(deps, &connection),
                });
            }
            // Tokens that an earlier worker stored and did not live to announce are looked for before anything is given up.
            TokenState::Dead if connection.is_usable() && adopted(deps, &connection).await? => {}
            TokenState::Dead => {
                if connection.is_usable() {
                    mark_dead(deps, &connection).await?;
                }
                return Ok(Usable::Dead);
            }
            TokenState::Refreshing => tokio::time::sleep(LOOK_AGAIN).await,
            TokenState::Expired => {
                if let Some(usable) = refresh(deps, connection).await? {
                    return Ok(usable);
                }
            }
        }
        match deps.store.connection(&user, &id).await? {
            Some(fresh) => connection = fresh,
            None => return Ok(Usable::Gone),
        }
    }
    Ok(Usable::Later)
}

/// What tokens that the vault does not find mean: it may be behind, or somebody removed them.
fn not_found(deps: &Deps, connection: &Connection) -> Usable {
    if deps.clock.now() < connection.updated_at + VAULT_LAG { Usable::Later } else { Usable::Dead }
}

/// The tokens that the row names. `None`: the vault does not show them yet, or somebody removed them, and only the user can bring new ones.
pub(crate) async fn live(deps: &Deps, connection: &Connection) -> Result<Option<TokenSet>, StepError> {
    match deps.vault.read(&connection.secret_name, &connection.secret_version).await {
        Ok(tokens) => Ok(Some(tokens)),
        Err(VaultError::Missing { .. }) => {
            tracing::error!(connection_id = %connection.id, "the tokens of a connection are gone from the vault");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The platform will not take this connection any more: said once, by whoever finds out first.
pub(crate) async fn mark_dead(deps: &Deps, connection: &Connection) -> Result<(), StepError> {
    let now = deps.clock.now();
    let dead = connection.clone().dead(now);
    let writer = AttemptId::new(now, deps.random.bytes()).to_string();
    if matches!(deps.store.update_connection(&dead, &writer).await?, ConnectionWrite::Done) {
        deps.metrics.count(now, "connection_needs_reauth", &[("platform", dead.platform.as_str())]);
        tracing::warn!(connection_id = %dead.id, user_id = %dead.user_id, platform = dead.platform.as_str(), "a connection needs reauthorization");
    }
    Ok(())
}

fn refused_state(deps: &Deps, connection: &Connection) -> TokenState {
    match &connection.lease {
        Some(lease) if lease.until > deps.clock.now() => TokenState::Refreshing,
        Some(_) if connection.refreshes_unanswered >= REFRESHES_UNANSWERED_MAX => TokenState::Dead,
        _ if connection.refreshable => TokenState::Expired,
        _ => TokenState::Dead,
    }
}

/// One refresh under the lease; `None`: another worker has it, or its tokens were found: look again.
///
/// Everything that the call needs is read before the lease is taken: the lease is for the call and for storing what it brings.
async fn refresh(deps: &Deps, connection: Connection) -> Result<Option<Usable>, StepError> {
    if adopted(deps, &connection).await? {
        return Ok(None);
    }
    let Some(tokens) = live(deps, &connection).await? else {
        let usable = not_found(deps, &connection);
        if matches!(usable, Usable::Dead) {
            mark_dead(deps, &connection).await?;
        }
        return Ok(Some(usable));
    };
    let (client_id, client_secret) = deps.vault.app_credentials(connection.platform, deps.clock.now()).await?;
    let app = AppCredentials { client_id, client_secret };
    let now = deps.clock.now();
    let attempt = AttemptId::new(now, deps.random.bytes());
    let leased = connection.leased(attempt.clone(), now);
    if matches!(deps.store.update_connection(&leased, attempt.as_str()).await?, ConnectionWrite::Moved(_)) {
        return Ok(None);
    }
    // The lease was slow to get: whoever takes the next one must not find us at it.
    if leased.lease.as_ref().is_none_or(|lease| lease.until <= deps.clock.now() + CALL_AND_STORE) {
        return Ok(Some(Usable::Later));
    }
    let answer = deps.platforms.get(leased.platform).refresh(&app, &tokens, deps.clock.now()).await;
    match answer {
        Ok(renewed) => {
            let version = keep(deps, &leased, &renewed, &attempt).await?;
            adopt_version(deps, leased, version, renewed, &attempt).await.map(Some)
        }
        Err(RefreshError::Dead { detail }) => {
            tracing::warn!(connection_id = %leased.id, detail, "the platform ended a grant");
            mark_dead(deps, &leased).await?;
            Ok(Some(Usable::Dead))
        }
        Err(error @ RefreshError::Unavailable { .. }) => {
            tracing::warn!(connection_id = %leased.id, error = chain(&error), "tokens were not renewed");
            let released = leased.released(deps.clock.now());
            deps.store.update_connection(&released, attempt.as_str()).await?;
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
async fn adopted(deps: &Deps, connection: &Connection) -> Result<bool, StepError> {
    let Some(lease) = connection.lease.clone() else { return Ok(false) };
    let version = cloud::vault::version_of(&lease.attempt);
    if version == connection.secret_version {
        return Ok(false);
    }
    let Some(tokens) = deps.vault.find_version(&connection.secret_name, &lease.attempt).await? else { return Ok(false) };
    adopt_version(deps, connection.clone(), version, tokens, &lease.attempt).await?;
    Ok(true)
}

/// Moves the row to the new version. If the row changed meanwhile and still names the tokens that these came from, it is moved all
/// the same: whatever was thought of the old tokens, these are the ones that the platform takes.
async fn adopt_version(
    deps: &Deps,
    connection: Connection,
    version: String,
    tokens: TokenSet,
    attempt: &AttemptId,
) -> Result<Usable, StepError> {
    let came_from = connection.secret_version.clone();
    let mut standing = connection;
    for _ in 0..ADOPT_ROUNDS_MAX {
        let refreshed = standing.refreshed(version.clone(), tokens.expires_at, tokens.scopes.clone(), deps.clock.now());
        match deps.store.update_connection(&refreshed, attempt.as_str()).await? {
            ConnectionWrite::Done => {
                tracing::info!(connection_id = %refreshed.id, platform = refreshed.platform.as_str(), "tokens renewed");
                return Ok(Usable::Ready(Box::new(refreshed), tokens));
            }
            ConnectionWrite::Moved(Some(row)) if row.secret_version == came_from && row.health != Health::Disconnecting => standing = *row,
            // The row went on without us, to a disconnect or a reconnect: whoever comes next reads it anew.
            ConnectionWrite::Moved(_) => return Ok(Usable::Later),
        }
    }
    Ok(Usable::Later)
}

async fn keep(deps: &Deps, connection: &Connection, tokens: &TokenSet, attempt: &AttemptId) -> Result<String, StepError> {
    let mut tries = 1;
    loop {
        match deps.vault.put(&connection.secret_name, tokens, attempt).await {
            Ok(version) => return Ok(version),
            Err(error) if tries >= STORE_TRIES_MAX || !error.is_retryable() => return Err(error.into()),
            Err(_) => tries += 1,
        }
    }
}
