//! Our apps at single servers of a network: whether anybody needs one.
//!
//! The credentials of such an app are made for the first consent at the server. They are removed when no connection was granted to it, and no
//! consent has begun there for a day. A consent that begins says first that it needs them, and whoever removes them says so first. Each of
//! the two fails where the other was faster, so no consent goes on with credentials that are being removed.

use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use domain::connection::Connection;
use domain::platform::{PlatformName, ServerName};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::connections::transact_delete;
use crate::items::{number, text, to_item, written};
use crate::key::{Key, server_pk};
use crate::posts::{put, transact_put};
use crate::{Store, StoreError};

/// How long after a consent began its server's app is kept: longer than a flow and a choice live.
const SERVER_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// Whoever removes an app and has not finished after so long, has stopped: no function that does so runs for longer.
const REMOVED_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// The table's own tidying may take the row when it is over: none is as good as one that is over.
#[derive(Serialize)]
struct ServerItem {
    expires_epoch: i64,
    /// Until when somebody may be removing the credentials.
    removed_by_epoch: Option<i64>,
}

/// The key says it all.
#[derive(Serialize)]
struct ConnectedItem {}

impl Store {
    /// A consent begins at a server: its app is kept for a day. `false`: its credentials are being removed at this moment. Repeating it does
    /// no harm.
    pub async fn need_server(&self, platform: PlatformName, server: &ServerName, now: Timestamp) -> Result<bool, StoreError> {
        let item = ServerItem { expires_epoch: (now + SERVER_KEPT).as_second(), removed_by_epoch: None };
        let row = self
            .server_row(platform, server, &item)
            .condition_expression("attribute_not_exists(removed_by_epoch) OR removed_by_epoch <= :now")
            .expression_attribute_values(":now", epoch(now));
        written(row.send().await, "keeping an app at a server")
    }

    /// The credentials of the app are about to be removed. `false`: somebody needs them. Repeating it does no harm.
    pub async fn begin_server_removal(&self, platform: PlatformName, server: &ServerName, now: Timestamp) -> Result<bool, StoreError> {
        // A connection is only made by a consent, so none can come once the time of all consents is over.
        if self.has_connections_at(platform, server).await? {
            return Ok(false);
        }
        let removed_by_epoch = Some((now + REMOVED_WITHIN).as_second());
        let item = ServerItem { expires_epoch: (now + SERVER_KEPT).as_second(), removed_by_epoch };
        let row = self
            .server_row(platform, server, &item)
            .condition_expression("attribute_not_exists(pk) OR expires_epoch <= :now OR attribute_exists(removed_by_epoch)")
            .expression_attribute_values(":now", epoch(now));
        written(row.send().await, "removing an app at a server")
    }

    /// They are removed: consents may begin again. Repeating it does no harm.
    pub async fn server_is_removed(&self, platform: PlatformName, server: &ServerName) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.tables.sessions).set_key(Some(Key::server(platform, server).into_item()));
        let delete = delete.condition_expression("attribute_not_exists(pk) OR attribute_exists(removed_by_epoch)");
        written(delete.send().await, "having removed an app at a server").map(drop)
    }

    async fn has_connections_at(&self, platform: PlatformName, server: &ServerName) -> Result<bool, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.users)
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(server_pk(platform, server)))
            .limit(1)
            .send()
            .await
            .map_err(StoreError::unavailable("asking who is connected at a server"))?;
        Ok(answer.count > 0)
    }

    fn server_row(&self, platform: PlatformName, server: &ServerName, item: &ServerItem) -> PutItemFluentBuilder {
        let item = to_item(Key::server(platform, server), item);
        self.client.put_item().table_name(&self.tables.sessions).set_item(Some(item))
    }

    pub(crate) fn server_held(&self, connection: &Connection) -> Option<TransactWriteItem> {
        let item = to_item(connected_key(connection)?, ConnectedItem {});
        Some(transact_put(put(&self.tables.users, item)))
    }

    pub(crate) fn server_left(&self, connection: &Connection) -> Option<TransactWriteItem> {
        Some(transact_delete(self.deleting(connected_key(connection)?)))
    }
}

fn connected_key(connection: &Connection) -> Option<Key> {
    let server = connection.app_server.as_ref()?;
    Some(Key::at_server(connection.platform, server, &connection.user_id, &connection.id))
}

fn epoch(now: Timestamp) -> AttributeValue {
    number(u64::try_from(now.as_second()).unwrap_or_default())
}
