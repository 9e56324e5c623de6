//! Makes a connection of a granted account: tokens into the vault first, then the row.
//!
//! A crash in between leaves tokens that no row names, never a row without tokens.

use cloud::vault::{Vault, VaultError};
use domain::connection::{Connection, Grant, ReconnectRefused};
use domain::id::{AttemptId, ConnectionId, UserId};
use domain::token::TokenSet;
use jiff::Timestamp;
use store::{ConnectionWrite, Store, StoreError};

/// How often the row is read again when somebody else's write came first.
const ROUNDS_MAX: usize = 4;

/// A granted account and the names under which it would be stored.
#[derive(Debug)]
pub struct Connecting<'a> {
    /// Whose.
    pub user: &'a UserId,
    /// Which account.
    pub grant: &'a Grant,
    /// What acts for it.
    pub tokens: &'a TokenSet,
    /// Its id, should the account be new to the user.
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
    /// A table did not answer.
    #[error("storing a connection")]
    Store(#[from] StoreError),
    /// The vault did not answer.
    #[error("storing the tokens of a connection")]
    Vault(#[from] VaultError),
    /// Others kept changing the same connection.
    #[error("the connection kept changing")]
    Contended,
}

/// Connects the account, or reconnects it under the id that it has. Repeating it with the same attempt changes nothing more.
pub async fn connect(store: &Store, vault: &Vault, connecting: &Connecting<'_>, now: Timestamp) -> Result<Connection, ConnectError> {
    let Connecting { user, grant, .. } = connecting;
    for _ in 0..ROUNDS_MAX {
        let existing = store.connection_of_account(user, grant.platform, &grant.platform_user_id).await?;
        let stored = match existing {
            None => create(store, vault, connecting, now).await?,
            Some(existing) => replace(store, vault, connecting, existing, now).await?,
        };
        if let Some(connection) = stored {
            let (user_id, connection_id, platform) = (&connection.user_id, &connection.id, connection.platform.as_str());
            tracing::info!(%user_id, %connection_id, platform, health = connection.health.as_str(), "an account was connected");
            return Ok(connection);
        }
    }
    Err(ConnectError::Contended)
}

/// `None`: the account was connected by somebody else meanwhile.
async fn create(store: &Store, vault: &Vault, connecting: &Connecting<'_>, now: Timestamp) -> Result<Option<Connection>, ConnectError> {
    let Connecting { user, grant, tokens, fresh_id, attempt } = connecting;
    let name = vault.connection_secret(fresh_id);
    let version = vault.create(&name, tokens, attempt).await?;
    let connection = Connection::connected(fresh_id.clone(), (*user).clone(), (*grant).clone(), (name, version), now);
    match store.create_connection(&connection, attempt.as_str()).await? {
        ConnectionWrite::Done => Ok(Some(connection)),
        ConnectionWrite::Moved(_) => {
            // No row names this secret, and none will: the other connection has its own.
            vault.delete(&connection.secret_name).await?;
            Ok(None)
        }
    }
}

/// `None`: the row changed meanwhile.
async fn replace(
    store: &Store,
    vault: &Vault,
    connecting: &Connecting<'_>,
    existing: Connection,
    now: Timestamp,
) -> Result<Option<Connection>, ConnectError> {
    let Connecting { grant, tokens, attempt, .. } = connecting;
    existing.may_reconnect(grant, now)?;
    let version = match vault.put(&existing.secret_name, tokens, attempt).await {
        // A disconnect that stopped half-way took the secret along.
        Err(VaultError::Missing { .. }) => vault.create(&existing.secret_name, tokens, attempt).await?,
        stored => stored?,
    };
    let next = existing.reconnected((*grant).clone(), version, now);
    match store.update_connection(&next, attempt.as_str()).await? {
        ConnectionWrite::Done => Ok(Some(next)),
        ConnectionWrite::Moved(_) => Ok(None),
    }
}
