//! Live tokens for a connection: read, or refreshed by one worker while the others wait.
//!
//! A refresh token is often single-use. So: take the lease by a conditional write, read the tokens that the row names,
//! call once, store the new tokens under the attempt's own version, then move the row. A crash in between is found again by
//! that version.

use std::time::Duration;

use cloud::vault::{Vault, VaultError};
use domain::connection::{Connection, Health, REFRESHES_UNANSWERED_MAX, RefreshLease, TokenState};
use domain::id::AttemptId;
use domain::people::limit::{Bucket, Limit, Subject};
use domain::planted::Bug;
use domain::token::TokenSet;
use edge::clock::Clock;
use edge::deadline::Deadline;
use edge::metrics::Metrics;
use edge::problem::chain;
use edge::random::Random;
use jiff::{SignedDuration, Timestamp};
use platforms::{Account, AppCredentials, Platforms, RefreshError, Renewed};
use store::{ConnectionWrite, Rounds, Store, StoreError};

/// While another worker refreshes, the row is read this often…
const LOOKS_MAX: usize = 60;
/// …this far apart. The lease is longer; whoever waits in vain comes back later.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// What a renewal needs of the invocation: the lease, the call, and then time to store what it brings. With less, it is left to the next.
const RENEWAL_TAKES: Duration = Duration::from_secs(40);
/// What of that is needed once the lease is had.
const LEASED_TAKES: Duration = Duration::from_secs(30);
/// The end of the invocation that storing new tokens leaves: the row is moved in it.
const KEEP_RESERVE: Duration = Duration::from_secs(2);
/// Renewals that begin in one second, for all workers together. Secrets Manager takes 50 writes a second in a Region, and no more on request.
/// Source: <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html>.
const RENEWALS: Limit = Limit { name: "refresh", max: 40, span: SignedDuration::from_secs(1) };
/// The shortest wait for a later second, and for a vault that takes no write…
const PAUSE_MILLIS_MIN: u64 = 200;
/// …and by how much chance makes it longer, so that those who wait together part.
const PAUSE_MILLIS_SPREAD: u64 = 1_000;
/// How long after a change of the row the vault may be behind: a version that was just written is then not found yet, and not gone.
const VAULT_LAG: SignedDuration = SignedDuration::from_secs(60);

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
    /// When whoever asks is cut off, at most a publisher's time-out from now.
    pub deadline: Deadline,
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

/// Renews tokens that will have ended at `at`, when they are needed. Whether it came to that shows then: tokens are looked at anew.
pub async fn renew_before(access: &Access<'_>, connection: Connection, at: Timestamp) -> Result<(), AccessError> {
    let leased = connection.lease.as_ref().is_some_and(|lease| lease.until > access.clock.now());
    if !leased && connection.token_state(at) == TokenState::Expired {
        refresh(access, connection).await?;
    }
    Ok(())
}

/// What became of a grant whose time had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// It lives on.
    Renewed,
    /// Nothing: another worker is at it, or the platform does not answer, or too many are renewed at this moment. The row says when it is
    /// tried again.
    Later,
    /// It is over, and its owner has to connect again.
    Over,
}

/// Renews a grant that is due ([`domain::connection::GrantStep::Renew`]), whether its access token lives or not. `connection` is as it was read a moment ago.
pub async fn renew_grant(access: &Access<'_>, connection: Connection) -> Result<Grant, AccessError> {
    if connection.lease.as_ref().is_some_and(|lease| lease.until > access.clock.now()) {
        return Ok(Grant::Later);
    }
    Ok(match refresh(access, connection).await? {
        Some(Usable::Ready(..)) => Grant::Renewed,
        Some(Usable::Dead) => Grant::Over,
        Some(Usable::Later | Usable::Gone) | None => Grant::Later,
    })
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
        Ok(tokens) => proven(access, connection, tokens).await.map(Some),
        Err(error @ (VaultError::Missing { .. } | VaultError::Malformed { .. })) => {
            tracing::error!(connection_id = %connection.id, error = chain(&error), "the tokens of a connection are not in the vault");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The tokens with the proof that our app uses them, where the platform wants one. It is as fresh as the app's secret, which may be changed.
async fn proven(access: &Access<'_>, connection: &Connection, tokens: TokenSet) -> Result<TokenSet, AccessError> {
    let network = access.platforms.get(connection.platform);
    if !network.descriptor().app_proof {
        return Ok(tokens);
    }
    let (client_id, client_secret) = access.vault.app_credentials(&connection.app(), access.clock.now()).await?;
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
    let (client_id, client_secret) = access.vault.app_credentials(&connection.app(), access.clock.now()).await?;
    let app = AppCredentials { client_id, client_secret };
    if !may_begin(access).await? {
        return Ok(Some(Usable::Later));
    }
    let now = access.clock.now();
    let attempt = AttemptId::new(now, access.random.bytes());
    let leased = connection.leased(attempt.clone(), now);
    if matches!(access.store.update_connection(&leased, attempt.as_str()).await?, ConnectionWrite::Moved(_)) {
        return Ok(None);
    }
    // The lease was slow to get: this function's time may end in the middle of the call, and the tokens with it.
    if access.deadline.remaining() < LEASED_TAKES {
        return give_back(access, leased, &attempt).await.map(Some);
    }
    let platform = access.platforms.get(leased.platform);
    match platform.renew(&app, Account::of(&leased, &tokens), access.clock.now()).await {
        Ok(Renewed::Tokens(renewed)) => {
            let version = keep(access, &leased, &renewed, &attempt).await?;
            adopt_version(access, leased, version, renewed, &attempt).await.map(Some)
        }
        Ok(Renewed::NotYet(from)) => {
            tracing::warn!(connection_id = %leased.id, from = %from, "the platform does not renew tokens yet");
            let later = leased.not_renewed_before(from, access.clock.now());
            access.store.update_connection(&later, attempt.as_str()).await?;
            Ok(Some(Usable::Later))
        }
        Ok(Renewed::NeedsConsent | Renewed::Never) => {
            tracing::warn!(connection_id = %leased.id, "the platform renews no tokens");
            mark_dead(access, &leased).await?;
            Ok(Some(Usable::Dead))
        }
        Err(RefreshError::Dead { detail }) => {
            tracing::warn!(connection_id = %leased.id, detail, "the platform ended a grant");
            mark_dead(access, &leased).await?;
            Ok(Some(Usable::Dead))
        }
        Err(error @ RefreshError::Unavailable { .. }) => {
            tracing::warn!(connection_id = %leased.id, error = chain(&error), "tokens were not renewed");
            give_back(access, leased, &attempt).await.map(Some)
        }
        Err(error @ RefreshError::Unknown { .. }) => {
            // The platform may still be at it: the lease stays until it ends, and then one careful try with the old tokens tells. If
            // they were rotated, that try is refused, and the user is asked once.
            tracing::warn!(connection_id = %leased.id, error = chain(&error), "whether tokens were renewed is not known");
            Ok(Some(Usable::Later))
        }
    }
}

/// Gives the lease back: the old tokens stand.
async fn give_back(access: &Access<'_>, leased: Connection, attempt: &AttemptId) -> Result<Usable, AccessError> {
    let released = leased.released(access.clock.now());
    access.store.update_connection(&released, attempt.as_str()).await?;
    Ok(Usable::Later)
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
    // Tokens that are found again are as old as their lease.
    let granted_at = connection.lease.as_ref().map_or_else(|| access.clock.now(), RefreshLease::taken_at);
    let terms = access.platforms.get(connection.platform).descriptor().terms();
    let chance = access.random.bytes();
    let mut standing = connection;
    let mut rounds = Rounds::new("moving a connection to new tokens", attempt.as_str());
    loop {
        rounds.next().await?;
        let was_dead = !standing.is_usable();
        let life = standing.life.renewed(&terms, &tokens, granted_at, chance);
        let refreshed = standing.refreshed(version.clone(), &tokens, life, access.clock.now());
        // Posts that were held for it go on.
        let stored = if was_dead {
            access.store.turn_connection(&refreshed, attempt.as_str()).await?
        } else {
            access.store.update_connection(&refreshed, attempt.as_str()).await?
        };
        match stored {
            ConnectionWrite::Done => {
                tracing::info!(connection_id = %refreshed.id, platform = refreshed.platform.as_str(), "tokens renewed");
                let tokens = proven(access, &refreshed, tokens).await?;
                return Ok(Usable::Ready(Box::new(refreshed), tokens));
            }
            ConnectionWrite::Moved(Some(row)) if row.secret_version == came_from && row.health != Health::Disconnecting => standing = *row,
            // The row went on without us, to a disconnect or a reconnect: whoever comes next reads it anew.
            ConnectionWrite::Moved(_) => return Ok(Usable::Later),
        }
    }
}

/// Takes one of the renewals that each second has for all workers. `false`: no second had one left while there was time.
async fn may_begin(access: &Access<'_>) -> Result<bool, StoreError> {
    let mut refused = None;
    while access.deadline.remaining() >= RENEWAL_TAKES {
        refused = match access.store.count(&this_second(access)).await {
            Ok(true) => return Ok(true),
            Ok(false) => None,
            // One row takes a thousand writes a second. It may refuse more for as long as so many want to renew.
            Err(error @ StoreError::Unavailable { .. }) => Some(error),
            Err(error) => return Err(error),
        };
        pause(access).await;
    }
    if let Some(error) = refused {
        return Err(error);
    }
    access.metrics.count(access.clock.now(), "tokens_unavailable", &[]);
    tracing::warn!("tokens are not renewed now: too many are at this moment");
    Ok(false)
}

fn this_second(access: &Access<'_>) -> Bucket {
    RENEWALS.bucket(Subject::Everybody, access.clock.now())
}

/// Stores new tokens, as often as it takes while there is time: the old ones are spent, and tokens that are not stored are lost for good. Each
/// further write takes the place of a renewal, so that none begins while the vault takes no more.
async fn keep(access: &Access<'_>, connection: &Connection, tokens: &TokenSet, attempt: &AttemptId) -> Result<String, AccessError> {
    loop {
        let may_try = access.deadline.remaining() > KEEP_RESERVE && !Bug::RenewedTokensGivenUp.is_planted();
        match access.vault.put(&connection.secret_name, tokens, attempt).await {
            Ok(version) => return Ok(version),
            Err(error) if error.is_retryable() && may_try => {
                tracing::warn!(connection_id = %connection.id, error = chain(&error), "new tokens are not stored yet");
                pause(access).await;
                // Whether there was a place or not: these tokens come first.
                if let Err(error) = access.store.count(&this_second(access)).await {
                    tracing::warn!(error = chain(&error), "a write to the vault was not counted");
                }
            }
            Err(error) => {
                tracing::error!(connection_id = %connection.id, error = chain(&error), "new tokens could not be stored: the grant is lost");
                return Err(error.into());
            }
        }
    }
}

async fn pause(access: &Access<'_>) {
    let chance = u64::from_le_bytes(access.random.bytes()) % PAUSE_MILLIS_SPREAD;
    tokio::time::sleep(Duration::from_millis(PAUSE_MILLIS_MIN + chance)).await;
}
