//! What closed cycles came to.

use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use domain::id::UserId;
use domain::ledger::{Cycle, CycleAnalytics};
use domain::plan::CycleSpan;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cursor::{Cursor, Page};
use crate::items::{from_item, text, to_item};
use crate::key::{ANALYTICS, Item, Key, user_pk};
use crate::{Store, StoreError};

#[derive(Serialize, Deserialize)]
struct AnalyticsItem {
    cycle_start: Timestamp,
    cycle_end: Timestamp,
    quota: u32,
    posts_used: u32,
    successful_posts: u32,
    total_reach: Option<u64>,
    engagement: Option<u64>,
    retention_expiry: Timestamp,
    /// The table forgets by it.
    expires_epoch: i64,
}

impl From<CycleAnalytics> for AnalyticsItem {
    fn from(told: CycleAnalytics) -> Self {
        let CycleAnalytics { span, quota, posts_used, successful_posts, total_reach, engagement, retention_expiry } = told;
        let (cycle_start, cycle_end, expires_epoch) = (span.start, span.end, retention_expiry.as_second());
        Self { cycle_start, cycle_end, quota, posts_used, successful_posts, total_reach, engagement, retention_expiry, expires_epoch }
    }
}

impl From<AnalyticsItem> for CycleAnalytics {
    fn from(item: AnalyticsItem) -> Self {
        let AnalyticsItem { cycle_start: start, cycle_end: end, quota, posts_used, successful_posts, total_reach, engagement, .. } = item;
        let span = CycleSpan { start, end };
        Self { span, quota, posts_used, successful_posts, total_reach, engagement, retention_expiry: item.retention_expiry }
    }
}

impl Store {
    /// The leg that writes what a closed cycle came to. It stands beside the conditional write of that cycle and needs no condition of
    /// its own; what platforms have told since is left as it is. `None`: the cycle runs, or held nothing ever.
    pub(crate) fn analytics_leg(&self, cycle: &Cycle) -> Option<TransactWriteItem> {
        if !cycle.told || cycle.quota == 0 {
            return None;
        }
        let key = Key::cycle_analytics(&cycle.user_id, cycle.span.start);
        let item = to_item(key.clone(), AnalyticsItem::from(CycleAnalytics::of(cycle)));
        let mut update = Update::builder().table_name(&self.tables.ledger).set_key(Some(key.into_item()));
        let mut sets = Vec::new();
        for (place, (name, value)) in item.into_iter().filter(|(name, _)| name != "pk" && name != "sk").enumerate() {
            sets.push(format!("#n{place} = :v{place}"));
            update = update.expression_attribute_names(format!("#n{place}"), name).expression_attribute_values(format!(":v{place}"), value);
        }
        let update = update.update_expression(format!("SET {}", sets.join(", "))).build().expect("table, key and expression are set");
        Some(TransactWriteItem::builder().update(update).build())
    }

    /// A page of what a user's closed cycles came to, newest first. What has outlived its retention at `now` is not in it, whether
    /// the table has forgotten it or not.
    pub async fn cycle_analytics(
        &self,
        user: &UserId,
        now: Timestamp,
        limit: usize,
        after: Option<Cursor>,
    ) -> Result<Page<CycleAnalytics>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.ledger)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :sk)")
            .expression_attribute_values(":pk", text(user_pk(user)))
            .expression_attribute_values(":sk", text(ANALYTICS))
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(100))
            .set_exclusive_start_key(after.map(Cursor::into_key))
            .send()
            .await
            .map_err(StoreError::unavailable("reading what cycles came to"))?;
        let next = answer.last_evaluated_key.map(|key| Cursor::from_key(user, &key));
        let read = |item: Item| Ok(CycleAnalytics::from(from_item::<AnalyticsItem>("cycle analytics", item)?));
        let items = answer.items.unwrap_or_default().into_iter().map(read).collect::<Result<Vec<_>, StoreError>>()?;
        Ok(Page { items: items.into_iter().filter(|told| now < told.retention_expiry).collect(), next })
    }
}
