//! Counts that limits are held by.

use domain::people::limit::Bucket;
use serde::{Deserialize, Serialize};

use crate::items::{number, written};
use crate::key::Key;
use crate::{Store, StoreError};

#[derive(Serialize, Deserialize)]
struct CountItem {
    hits: u32,
}

impl Store {
    /// Counts one more, unless the bucket is full: then `false`. However many count at the same time, no more than its limit pass.
    ///
    /// A call that the client sends twice may count twice: a limit errs on the side that it is there for.
    pub async fn count(&self, bucket: &Bucket) -> Result<bool, StoreError> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.tables.sessions)
            .set_key(Some(Key::count(bucket.name()).into_item()))
            .update_expression("SET expires_epoch = :epoch ADD hits :one")
            .condition_expression("attribute_not_exists(hits) OR hits < :max")
            .expression_attribute_values(":epoch", number(u64::try_from(bucket.ends_at.as_second()).unwrap_or(0)))
            .expression_attribute_values(":one", number(1_u64))
            .expression_attribute_values(":max", number(bucket.max))
            .send()
            .await;
        written(sent, "counting against a limit")
    }

    /// How many were counted.
    pub async fn counted(&self, bucket: &Bucket) -> Result<u32, StoreError> {
        let item: Option<CountItem> = self.get(&self.tables.sessions, "count", Key::count(bucket.name())).await?;
        Ok(item.map_or(0, |item| item.hits))
    }
}
