//! Grants by when they are looked after next.

use domain::id::{ConnectionId, UserId};
use jiff::Timestamp;
use serde::Serializer;

use crate::closing::Place;
use crate::items::{keyed, text};
use crate::key::{CONNECTION, Item, Key, shard, shards, sortable};
use crate::schema::RENEW_INDEX;
use crate::{Store, StoreError};

/// A connection whose grant is to be looked at. The index is a hint: whoever acts reads the row first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueGrant {
    /// Whose.
    pub user_id: UserId,
    /// Which.
    pub connection_id: ConnectionId,
}

/// One page of them.
#[derive(Debug)]
pub struct DueGrants {
    /// Longest waiting first. A row that cannot be read harms no other.
    pub due: Vec<Result<DueGrant, StoreError>>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<Place>,
}

/// The partition of the index that a connection stands in.
pub(super) fn pk(id: &ConnectionId) -> String {
    shard_pk(shard(id.as_str()))
}

fn shard_pk(shard: u8) -> String {
    format!("RENEW#{shard}")
}

/// The index sorts by text: so of a fixed width.
#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
pub(super) fn as_sort_key<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.serialize_some(&sortable(*at)),
        None => serializer.serialize_none(),
    }
}

impl Store {
    /// The shards of the index of grants by when they are looked after, in the order of the reader's `turn`-th run.
    pub fn renewal_shards(turn: i64) -> impl Iterator<Item = u8> {
        shards(turn)
    }

    /// At most `limit` grants of one shard that are to be looked at by `until`, after `place`. The index may be a moment behind.
    pub async fn due_grants(&self, shard: u8, until: Timestamp, limit: i32, place: Option<Place>) -> Result<DueGrants, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.users)
            .index_name(RENEW_INDEX)
            .key_condition_expression("renew_pk = :pk AND renew_at <= :until")
            .expression_attribute_values(":pk", text(shard_pk(shard)))
            .expression_attribute_values(":until", text(sortable(until)))
            .limit(limit)
            .set_exclusive_start_key(place.map(|place| place.0))
            .send()
            .await
            .map_err(StoreError::unavailable("looking for grants that are to be renewed"))?;
        let due = answer.items.unwrap_or_default().into_iter().map(|item| keyed(item, |item| due(&item))).collect();
        Ok(DueGrants { due, next: answer.last_evaluated_key.map(Place) })
    }
}

/// The index holds only keys.
fn due(item: &Item) -> Result<DueGrant, StoreError> {
    #[derive(Debug, thiserror::Error)]
    #[error("the key is not that of a connection")]
    struct NotAConnection;

    let odd = || StoreError::corrupt("key of a connection")(NotAConnection);
    let Key { pk, sk } = Key::of(item).ok_or_else(odd)?;
    let user = pk.strip_prefix("USER#").ok_or_else(odd)?;
    let id = sk.strip_prefix(CONNECTION).ok_or_else(odd)?;
    Ok(DueGrant { user_id: UserId::parse(user).map_err(|_| odd())?, connection_id: ConnectionId::parse(id).map_err(|_| odd())? })
}
