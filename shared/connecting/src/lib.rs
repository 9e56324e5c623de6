//! Makes a connection of a granted account: a note, then the tokens into the vault, then the row. Keeps its tokens alive ([`tokens`]), and
//! takes it down again ([`end`]).
//!
//! A crash in between leaves tokens that no row names, never a row without tokens; the note says where to look for them.

mod ending;
pub mod tokens;

pub use ending::{EndError, Ended, Ending, TAKE_BACK_MAX, end};

use cloud::vault::{Vault, VaultError, version_of};
use domain::connection::{Connection, Grant, GrantLife, Health, ReconnectRefused};
use domain::id::{AttemptId, ConnectionId, UserId};
use domain::token::TokenSet;
use jiff::Timestamp;
use store::{ConnectionMade, ConnectionWrite, Leftover, Rounds, Store, StoreError};

/// How many accounts one user may connect; fewer than a list holds.
pub const CONNECTIONS_MAX: usize = 100;

/// A granted account and the names under which it would be stored.
#[derive(Debug)]
pub struct Connecting<'a> {
    /// Whose.
    pub user: &'a UserId,
    /// Which account.
    pub grant: &'a Grant,
    /// What acts for it.
    pub tokens: &'a TokenSet,
    /// How long it may.
    pub life: GrantLife,
    /// Names its secret, and is its id, should the account be new to the user: one that was connected before has the id of before.
    pub fresh_id: ConnectionId,
    /// Names the version in the vault and the writer of the row; fresh for every consent.
    pub attempt: AttemptId,
}

/// Why an account was not connected.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The connection in force stays as it is.
    #[error("the connection may not be replaced")]
    Refused(#[from] ReconnectRefused),
    /// One more is not taken.
    #[error("the user has connected {CONNECTIONS_MAX} accounts")]
    TooMany,
    /// A table did not answer.
    #[error("storing a connection")]
    Store(#[from] StoreError),
    /// The vault did not answer.
    #[error("storing the tokens of a connection")]
    Vault(#[from] VaultError),
}

/// What stands now, and what it took the place of.
#[derive(Debug)]
pub struct Connected {
    /// The connection.
    pub connection: Connection,
    /// The version of the tokens that nobody needs any more and that the platform can end by themselves.
    pub replaced: Option<String>,
}

impl Connected {
    fn new(connection: Connection) -> Self {
        Self { connection, replaced: None }
    }
}

/// Connects the account, under the id that it has or once had. Repeating it with the same attempt changes nothing more.
pub async fn connect(store: &Store, vault: &Vault, connecting: &Connecting<'_>, now: Timestamp) -> Result<Connected, ConnectError> {
    let Connecting { user, grant, .. } = connecting;
    let mut rounds = Rounds::new("connecting an account", connecting.attempt.as_str());
    loop {
        rounds.next().await?;
        let known = store.connection_id_of(user, grant.platform, &grant.platform_user_id).await?;
        let existing = match &known {
            Some(id) => store.connection(user, id).await?,
            None => None,
        };
        let stored = match existing {
            None => create(store, vault, connecting, known, now).await?.map(Connected::new),
            // An earlier try of the same attempt came this far.
            Some(existing) if existing.id == connecting.fresh_id || existing.secret_version == version_of(&connecting.attempt) => {
                Some(Connected::new(existing))
            }
            Some(existing) => replace(store, vault, connecting, existing, now).await?,
        };
        if let Some(connected) = stored {
            let Connection { user_id, id: connection_id, platform, health, .. } = &connected.connection;
            let (platform, health) = (platform.as_str(), health.as_str());
            tracing::info!(%user_id, %connection_id, platform, health, "an account was connected");
            return Ok(connected);
        }
    }
}

/// `None`: the account was connected by somebody else meanwhile. Its secret has a fresh name in any case: whoever still takes down what was
/// there before cannot take the new tokens along.
async fn create(
    store: &Store,
    vault: &Vault,
    connecting: &Connecting<'_>,
    known: Option<ConnectionId>,
    now: Timestamp,
) -> Result<Option<Connection>, ConnectError> {
    let Connecting { user, grant, tokens, life, fresh_id, attempt } = connecting;
    if store.count_connections(user).await? >= CONNECTIONS_MAX {
        return Err(ConnectError::TooMany);
    }
    let again = known.is_some();
    let id = known.unwrap_or_else(|| fresh_id.clone());
    let note = Leftover::Connection { user_id: (*user).clone(), connection_id: id.clone(), secret_id: fresh_id.clone(), at: now };
    store.note_leftover(&note).await?;
    let name = vault.connection_secret(fresh_id);
    let version = vault.create(&name, tokens, attempt).await?;
    let connection = Connection::connected(id, (*user).clone(), (*grant).clone(), (name, version), *life, now);
    let made = store.create_connection(&connection, again, CONNECTIONS_MAX, attempt.as_str()).await?;
    let stored = match made {
        ConnectionMade::Done => Some(connection),
        ConnectionMade::Taken | ConnectionMade::TooMany => {
            // Ours after all, and changed since, if an answer was lost on the way.
            let standing = store.connection(user, &connection.id).await?;
            let ours = standing.filter(|standing| standing.secret_name == connection.secret_name);
            if ours.is_none() {
                // No row names this secret, and none will: the other connection has its own.
                vault.delete(&connection.secret_name).await?;
            }
            ours
        }
    };
    if let Err(error) = store.forget_leftover(&note).await {
        // Whoever judges the note finds the row, or no secret.
        tracing::warn!(secret_id = %fresh_id, %error, "a note about a secret stays");
    }
    // Others were connected since they were counted above.
    if stored.is_none() && made == ConnectionMade::TooMany {
        return Err(ConnectError::TooMany);
    }
    Ok(stored)
}

/// `None`: the row changed meanwhile.
async fn replace(
    store: &Store,
    vault: &Vault,
    connecting: &Connecting<'_>,
    existing: Connection,
    now: Timestamp,
) -> Result<Option<Connected>, ConnectError> {
    let Connecting { grant, tokens, life, attempt, .. } = connecting;
    existing.may_reconnect(grant, now)?;
    let version = match vault.put(&existing.secret_name, tokens, attempt).await {
        // A disconnect that stopped half-way took the secret along.
        Err(VaultError::Missing { .. }) => vault.create(&existing.secret_name, tokens, attempt).await?,
        stored => stored?,
    };
    let next = existing.clone().reconnected((*grant).clone(), version, *life, now);
    // Where a person's grants are one, taking the old one back would end the new one, and dead tokens need no end.
    let ends_alone = existing.grantor.is_none() && next.grantor.is_none() && existing.health != Health::NeedsReauth;
    match store.replace_connection(&existing, &next, attempt.as_str()).await? {
        ConnectionWrite::Done => Ok(Some(Connected { connection: next, replaced: ends_alone.then_some(existing.secret_version) })),
        ConnectionWrite::Moved(_) => Ok(None),
    }
}
