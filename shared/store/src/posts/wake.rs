//! The posts that need attention.

use domain::id::{PostId, UserId};
use jiff::Timestamp;
use serde::Deserialize;

use super::item::wake_pk;
use crate::items::{from_item, keyed, text};
use crate::key::{shards, sortable};
use crate::schema::WAKE_INDEX;
use crate::{Store, StoreError};

/// Rows in one page.
const PAGE_ROWS: i32 = 500;
/// Pages in one look; what is left over stands at the head of the next.
const PAGES_MAX: usize = 10;

/// A post that has stood still. The index is a hint: whoever acts reads the post first.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Wanted {
    /// Which.
    #[serde(rename = "id")]
    pub post_id: PostId,
    /// Whose.
    pub user_id: UserId,
    /// In which version.
    pub version: u32,
}

impl Store {
    /// The shards of the index, in the order of a job's `turn`-th run; the sweeper goes through all of them.
    pub fn wake_shards(turn: i64) -> impl Iterator<Item = u8> {
        shards(turn)
    }

    /// The posts of one shard whose time to be looked at has come, longest waiting first, at most ten pages. One row that cannot
    /// be read harms no other.
    pub async fn wanting_attention(&self, shard: u8, now: Timestamp) -> Result<Vec<Result<Wanted, StoreError>>, StoreError> {
        let mut wanted = Vec::new();
        let mut start = None;
        for _ in 0..PAGES_MAX {
            let answer = self
                .client
                .query()
                .table_name(&self.tables.posts)
                .index_name(WAKE_INDEX)
                .key_condition_expression("wake_pk = :pk AND wake_at <= :now")
                .expression_attribute_values(":pk", text(wake_pk(shard)))
                .expression_attribute_values(":now", text(sortable(now)))
                .limit(PAGE_ROWS)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(StoreError::unavailable("looking for posts that stand still"))?;
            wanted.extend(answer.items.unwrap_or_default().into_iter().map(|item| keyed(item, |item| from_item("wake-up hint", item))));
            start = answer.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        Ok(wanted)
    }
}
