//! Connections. The tokens are in the vault; here are its names and versions.

mod grants;
mod renewals;

use std::collections::BTreeSet;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::builders::DeleteBuilder;
use aws_sdk_dynamodb::types::{ConditionCheck, Delete, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use domain::connection::{Connection, GrantLife, Health, RefreshLease};
use domain::id::{AttemptId, ConnectionId, UserId};
use domain::platform::{AccountKind, PlatformName, Server, ServerName};
use domain::wait::Wait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::items::{BATCH_MAX, from_item, keyed, number, text, to_item, written_by};
use crate::key::{CONNECTION, Item, Key, user_pk};
use crate::posts::{put, transact_put};
use crate::{Rounds, Store, StoreError};

pub use renewals::{DueGrant, DueGrants};

/// More accounts than anybody connects; the list stops there.
pub(crate) const CONNECTIONS_MAX: i32 = 200;

#[derive(Serialize, Deserialize)]
struct ConnectionItem {
    id: ConnectionId,
    user_id: UserId,
    platform: PlatformName,
    platform_user_id: String,
    username: String,
    /// `None`: it was connected before kinds were stored.
    kind: Option<AccountKind>,
    server: Option<Server>,
    app_server: Option<ServerName>,
    health: Health,
    scopes: Vec<String>,
    #[serde(default)]
    missing_scopes: Vec<String>,
    grantor: Option<String>,
    expires_at: Option<Timestamp>,
    refreshable: bool,
    /// A row of before has none: nobody looks after its grant until its tokens are next written.
    granted_at: Option<Timestamp>,
    grant_ends_at: Option<Timestamp>,
    reconnect_by: Option<Timestamp>,
    asked_at: Option<Timestamp>,
    secret_name: String,
    secret_version: String,
    lease_attempt: Option<AttemptId>,
    lease_until: Option<Timestamp>,
    #[serde(default)]
    refreshes_unanswered: u32,
    limited_until: Option<Wait>,
    connected_at: Timestamp,
    updated_at: Timestamp,
    rev: u64,
    writer: String,
    /// The sparse index of grants that are to be renewed. Without the first of the two a row is not in it.
    renew_pk: Option<String>,
    #[serde(default, serialize_with = "renewals::as_sort_key")]
    renew_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct AccountItem {
    connection_id: ConnectionId,
}

impl ConnectionItem {
    fn new(connection: &Connection, writer: &str) -> Self {
        let Connection { id, user_id, platform, platform_user_id, username, health, scopes, .. } = connection.clone();
        Self {
            id,
            user_id,
            platform,
            platform_user_id,
            username,
            kind: Some(connection.kind),
            server: connection.server.clone(),
            app_server: connection.app_server.clone(),
            health,
            scopes,
            missing_scopes: connection.missing_scopes.clone(),
            grantor: connection.grantor.clone(),
            expires_at: connection.expires_at,
            refreshable: connection.refreshable,
            granted_at: Some(connection.life.granted_at),
            grant_ends_at: connection.life.ends_at,
            reconnect_by: connection.life.reconnect_by,
            asked_at: connection.life.asked_at,
            renew_pk: connection.renews_at().map(|_| renewals::pk(&connection.id)),
            renew_at: connection.life.renew_at,
            secret_name: connection.secret_name.clone(),
            secret_version: connection.secret_version.clone(),
            lease_attempt: connection.lease.as_ref().map(|lease| lease.attempt.clone()),
            lease_until: connection.lease.as_ref().map(|lease| lease.until),
            refreshes_unanswered: connection.refreshes_unanswered,
            limited_until: connection.limited_until,
            connected_at: connection.connected_at,
            updated_at: connection.updated_at,
            rev: connection.rev,
            writer: writer.to_owned(),
        }
    }
}

impl From<ConnectionItem> for Connection {
    fn from(item: ConnectionItem) -> Self {
        let lease = item.lease_attempt.zip(item.lease_until).map(|(attempt, until)| RefreshLease { attempt, until });
        let life = GrantLife {
            granted_at: item.granted_at.unwrap_or(item.connected_at),
            ends_at: item.grant_ends_at,
            renew_at: item.renew_at,
            reconnect_by: item.reconnect_by,
            asked_at: item.asked_at,
        };
        Self {
            id: item.id,
            user_id: item.user_id,
            platform: item.platform,
            platform_user_id: item.platform_user_id,
            username: item.username,
            kind: item.kind.unwrap_or(item.platform.descriptor().usual_kind),
            server: item.server,
            app_server: item.app_server,
            health: item.health,
            scopes: item.scopes,
            missing_scopes: item.missing_scopes,
            grantor: item.grantor,
            expires_at: item.expires_at,
            refreshable: item.refreshable,
            life,
            secret_name: item.secret_name,
            secret_version: item.secret_version,
            lease,
            refreshes_unanswered: item.refreshes_unanswered,
            limited_until: item.limited_until,
            connected_at: item.connected_at,
            updated_at: item.updated_at,
            rev: item.rev,
        }
    }
}

/// What came of a write.
#[derive(Debug)]
pub enum ConnectionWrite {
    /// It stands.
    Done,
    /// Somebody else's change came first; this is what stands now.
    Moved(Option<Box<Connection>>),
}

/// What came of a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionMade {
    /// It stands.
    Done,
    /// The user has connected this account at the same time.
    Taken,
    /// The user has as many connections as one may.
    TooMany,
}

/// Of two connections that are made at once, the later one counts the earlier: each raises this.
#[derive(Default, Serialize, Deserialize)]
struct ConnectingItem {
    rev: u64,
}

impl Store {
    /// A connection, strongly consistent.
    pub async fn connection(&self, user: &UserId, id: &ConnectionId) -> Result<Option<Connection>, StoreError> {
        let item: Option<ConnectionItem> = self.get(&self.tables.users, "connection", Key::connection(user, id)).await?;
        Ok(item.map(Into::into))
    }

    /// Those of a user's connections that have one of these ids, at most 100, in no order; strongly consistent.
    pub async fn connections_named(&self, user: &UserId, ids: &[ConnectionId]) -> Result<Vec<Connection>, StoreError> {
        let distinct: BTreeSet<&ConnectionId> = ids.iter().take(BATCH_MAX).collect();
        if distinct.is_empty() {
            return Ok(Vec::new());
        }
        let keys = distinct.into_iter().map(|id| (self.tables.users.as_str(), Key::connection(user, id))).collect();
        self.batch_get(keys).await?.into_iter().map(read).collect()
    }

    /// All of a user's connections that can be read, in the order in which they were made.
    pub async fn connections(&self, user: &UserId) -> Result<Vec<Connection>, StoreError> {
        self.readable(self.each_connection(user).await?)
    }

    /// How many connections a user has. One that cannot be read is one of them.
    pub async fn count_connections(&self, user: &UserId) -> Result<usize, StoreError> {
        Ok(self.each_connection(user).await?.len())
    }

    /// Each of them, readable or not.
    async fn each_connection(&self, user: &UserId) -> Result<Vec<Result<Connection, StoreError>>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.users)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :sk)")
            .expression_attribute_values(":pk", text(user_pk(user)))
            .expression_attribute_values(":sk", text(CONNECTION))
            .limit(CONNECTIONS_MAX)
            .send()
            .await
            .map_err(StoreError::unavailable("listing connections"))?;
        Ok(answer.items.unwrap_or_default().into_iter().map(|item| keyed(item, read)).collect())
    }

    /// The id under which the user has connected an account, now or ever: a disconnect leaves it.
    pub async fn connection_id_of(
        &self,
        user: &UserId,
        platform: PlatformName,
        account_id: &str,
    ) -> Result<Option<ConnectionId>, StoreError> {
        let account: Option<AccountItem> = self.get(&self.tables.users, "account", Key::account(user, platform, account_id)).await?;
        Ok(account.map(|account| account.connection_id))
    }

    /// Stores a connection that is not there, unless the user has `most` already, however many are made at once. With `again`, its account had
    /// the id before, and posts may be held for it: they are looked through.
    pub async fn create_connection(
        &self,
        connection: &Connection,
        again: bool,
        most: usize,
        writer: &str,
    ) -> Result<ConnectionMade, StoreError> {
        let mut rounds = Rounds::new("counting connections", writer);
        loop {
            rounds.next().await?;
            // First: whoever makes one after this has raised it, and is seen by the condition.
            let counted: Option<ConnectingItem> =
                self.get(&self.tables.users, "count of connections", Key::connecting(&connection.user_id)).await?;
            let standing = self.each_connection(&connection.user_id).await?;
            // Our own write may have landed, and its answer be lost.
            let is_there = standing.iter().flatten().any(|other| other.id == connection.id);
            if standing.len() >= most && !is_there {
                return Ok(ConnectionMade::TooMany);
            }
            let mut legs = self.creating(connection, again, writer);
            legs.push(self.counted_once(&connection.user_id, counted.map_or(0, |counted| counted.rev)));
            match self.transact("storing a connection", writer, legs).await? {
                Ok(()) => return Ok(ConnectionMade::Done),
                Err(refused) if refused.is_own(0, connection.rev, writer) => return Ok(ConnectionMade::Done),
                // The row and its account.
                Err(refused) if refused.failed(0) || refused.failed(1) => return Ok(ConnectionMade::Taken),
                // Another one was made meanwhile.
                Err(_) => {}
            }
        }
    }

    /// The legs of a new connection: the row, its account, and what goes with them.
    fn creating(&self, connection: &Connection, again: bool, writer: &str) -> Vec<TransactWriteItem> {
        let (table, user) = (&self.tables.users, &connection.user_id);
        let account = AccountItem { connection_id: connection.id.clone() };
        let account_key = Key::account(user, connection.platform, &connection.platform_user_id);
        let item = to_item(Key::connection(user, &connection.id), ConnectionItem::new(connection, writer));
        let row = put(table, item).condition_expression("attribute_not_exists(pk)");
        let account = put(table, to_item(account_key, account))
            .condition_expression("attribute_not_exists(pk) OR connection_id = :id")
            .expression_attribute_values(":id", text(connection.id.as_str()));
        let mut legs = [row, account].map(transact_put).to_vec();
        legs.extend(self.grant_held(connection));
        legs.extend(self.server_held(connection));
        legs.extend(again.then(|| self.turned(connection, writer)));
        legs
    }

    /// The leg that fails where another connection of the user was made since they were counted at `rev`.
    fn counted_once(&self, user: &UserId, rev: u64) -> TransactWriteItem {
        let row = put(&self.tables.users, to_item(Key::connecting(user), ConnectingItem { rev: rev + 1 }));
        transact_put(if rev == 0 {
            row.condition_expression("attribute_not_exists(pk)")
        } else {
            row.condition_expression("rev = :rev").expression_attribute_values(":rev", number(rev))
        })
    }

    /// The leg that fails a transaction unless the connection is there and can post.
    pub(crate) fn usable_check(&self, connection: &Connection) -> TransactWriteItem {
        let check = ConditionCheck::builder()
            .table_name(&self.tables.users)
            .set_key(Some(Key::connection(&connection.user_id, &connection.id).into_item()))
            .condition_expression("health = :ok")
            .expression_attribute_values(":ok", text(Health::Ok.as_str()))
            .build()
            .expect("table, key and condition are set");
        TransactWriteItem::builder().condition_check(check).build()
    }

    /// The leg that has the user's waiting posts looked through, because a connection can be used from now on, or no longer.
    pub(super) fn turned(&self, connection: &Connection, writer: &str) -> TransactWriteItem {
        self.return_leg(&connection.user_id, format!("{writer}#{}", connection.rev), connection.updated_at)
    }

    /// Stores the next state of a connection as [`Self::update_connection`] does, where it can be used from now on, or no longer: the user's
    /// waiting posts are looked through.
    pub async fn turn_connection(&self, connection: &Connection, writer: &str) -> Result<ConnectionWrite, StoreError> {
        let item = to_item(Key::connection(&connection.user_id, &connection.id), ConnectionItem::new(connection, writer));
        let row = put(&self.tables.users, item)
            .condition_expression("rev = :rev")
            .expression_attribute_values(":rev", number(connection.rev - 1));
        self.transact_connection(vec![transact_put(row), self.turned(connection, writer)], connection.rev, writer).await
    }

    /// Sends a transaction whose first leg is the row at `rev`.
    pub(super) async fn transact_connection(
        &self,
        legs: Vec<TransactWriteItem>,
        rev: u64,
        writer: &str,
    ) -> Result<ConnectionWrite, StoreError> {
        match self.transact("storing a connection", writer, legs).await? {
            Err(refused) if !refused.is_own(0, rev, writer) => {
                Ok(ConnectionWrite::Moved(refused.standing(0).cloned().map(read).transpose()?.map(Box::new)))
            }
            _ => Ok(ConnectionWrite::Done),
        }
    }

    /// Stores the next state of a connection: its `rev` is one more than the one that must still stand.
    pub async fn update_connection(&self, connection: &Connection, writer: &str) -> Result<ConnectionWrite, StoreError> {
        let sent = self
            .client
            .put_item()
            .table_name(&self.tables.users)
            .set_item(Some(to_item(Key::connection(&connection.user_id, &connection.id), ConnectionItem::new(connection, writer))))
            .condition_expression("rev = :rev")
            .expression_attribute_values(":rev", number(connection.rev - 1))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = sent else { return Ok(ConnectionWrite::Done) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                if written_by(failed.item.as_ref(), connection.rev) == Some(writer) {
                    return Ok(ConnectionWrite::Done);
                }
                Ok(ConnectionWrite::Moved(failed.item.clone().map(read).transpose()?.map(Box::new)))
            }
            _ => Err(StoreError::unavailable("storing a connection")(error)),
        }
    }

    pub(crate) fn deleting(&self, key: Key) -> DeleteBuilder {
        Delete::builder().table_name(&self.tables.users).set_key(Some(key.into_item()))
    }

    /// Removes a connection, if it is still as it was read; that its account had this id stays. Repeating it does no harm.
    pub async fn delete_connection(&self, connection: &Connection) -> Result<bool, StoreError> {
        let row = self
            .deleting(Key::connection(&connection.user_id, &connection.id))
            .condition_expression("attribute_not_exists(pk) OR rev = :rev")
            .expression_attribute_values(":rev", number(connection.rev));
        let mut legs = vec![transact_delete(row)];
        legs.extend(self.grant_left(connection));
        legs.extend(self.server_left(connection));
        Ok(self.transact("removing a connection", connection.id.as_str(), legs).await?.is_ok())
    }
}

pub(crate) fn transact_delete(delete: DeleteBuilder) -> TransactWriteItem {
    TransactWriteItem::builder().delete(delete.build().expect("table and key are set")).build()
}

pub(crate) fn read(item: Item) -> Result<Connection, StoreError> {
    Ok(from_item::<ConnectionItem>("connection", item)?.into())
}
