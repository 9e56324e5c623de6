//! Who holds a grant that a platform takes back as a whole.
//!
//! A person's grants at such a platform are one, also where two customers of ours connected accounts of theirs. Nobody is shown this list:
//! it only says whether taking the grant back would end somebody else's connection.

use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::connection::Connection;
use domain::platform::PlatformName;
use jiff::Timestamp;
use serde::Serialize;

use super::{ConnectionItem, ConnectionWrite, transact_delete};
use crate::items::{number, text, to_item};
use crate::key::{Key, grant_pk};
use crate::posts::{put, transact_put};
use crate::{Store, StoreError};

/// The key says it all.
#[derive(Serialize)]
struct GrantItem {}

impl Store {
    /// Stores the next state of a connection that a new consent gave, possibly another person's than `before`. As
    /// [`Store::update_connection`], it demands the `rev` before. The user's held posts are looked through.
    pub async fn replace_connection(&self, before: &Connection, next: &Connection, writer: &str) -> Result<ConnectionWrite, StoreError> {
        let item = to_item(Key::connection(&next.user_id, &next.id), ConnectionItem::new(next, writer));
        let row = put(&self.tables.users, item).condition_expression("rev = :rev").expression_attribute_values(":rev", number(before.rev));
        let mut legs = vec![transact_put(row)];
        legs.extend(self.grant_held(next));
        if before.grantor != next.grantor {
            legs.extend(self.grant_left(before));
        }
        legs.extend(self.server_held(next));
        if before.app_server != next.app_server {
            legs.extend(self.server_left(before));
        }
        legs.push(self.turned(next, writer));
        self.transact_connection(legs, next.rev, writer).await
    }

    /// The connection no longer counts among those of its grantor. Repeating it does no harm.
    pub async fn leave_grant(&self, connection: &Connection) -> Result<(), StoreError> {
        let Some(key) = grant_key(connection) else { return Ok(()) };
        self.client
            .delete_item()
            .table_name(&self.tables.users)
            .set_key(Some(key.into_item()))
            .send()
            .await
            .map(|_| ())
            .map_err(StoreError::unavailable("leaving a grant"))
    }

    /// Whether any connection, of whoever, still lives on what this person granted, or accounts of it wait for a choice; strongly consistent.
    pub async fn is_grant_held(&self, platform: PlatformName, grantor: &str, now: Timestamp) -> Result<bool, StoreError> {
        // First: a choice is over when the connections stand that were chosen.
        if self.is_choice_open(platform, grantor, now).await? {
            return Ok(true);
        }
        let answer = self
            .client
            .query()
            .table_name(&self.tables.users)
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(grant_pk(platform, grantor)))
            .limit(1)
            .send()
            .await
            .map_err(StoreError::unavailable("asking who holds a grant"))?;
        Ok(answer.count > 0)
    }

    pub(super) fn grant_held(&self, connection: &Connection) -> Option<TransactWriteItem> {
        let item = to_item(grant_key(connection)?, GrantItem {});
        Some(transact_put(put(&self.tables.users, item)))
    }

    pub(super) fn grant_left(&self, connection: &Connection) -> Option<TransactWriteItem> {
        Some(transact_delete(self.deleting(grant_key(connection)?)))
    }
}

fn grant_key(connection: &Connection) -> Option<Key> {
    let grantor = connection.grantor.as_deref()?;
    Some(Key::grant(connection.platform, grantor, &connection.user_id, &connection.id))
}
