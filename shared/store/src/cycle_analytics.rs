//! What closed cycles came to.

use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::id::UserId;
use domain::ledger::{CycleAnalytics, LedgerChange};
use domain::plan::CycleSpan;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cursor::{Page, Start};
use crate::items::{from_item, to_item};
use crate::key::{ANALYTICS, Item, Key};
use crate::posts::{put, transact_put};
use crate::{Store, StoreError};

#[derive(Serialize, Deserialize)]
struct AnalyticsItem {
    cycle_start: Timestamp,
    cycle_end: Timestamp,
    quota: u32,
    posts_used: u32,
    successful_posts: u32,
    retention_expiry: Timestamp,
    /// The table forgets by it.
    expires_epoch: i64,
}

impl From<CycleAnalytics> for AnalyticsItem {
    fn from(told: CycleAnalytics) -> Self {
        let CycleAnalytics { span, quota, posts_used, successful_posts, retention_expiry } = told;
        Self {
            cycle_start: span.start,
            cycle_end: span.end,
            quota,
            posts_used,
            successful_posts,
            retention_expiry,
            expires_epoch: retention_expiry.as_second(),
        }
    }
}

impl From<AnalyticsItem> for CycleAnalytics {
    fn from(item: AnalyticsItem) -> Self {
        let AnalyticsItem { cycle_start: start, cycle_end: end, quota, posts_used, successful_posts, retention_expiry, .. } = item;
        Self { span: CycleSpan { start, end }, quota, posts_used, successful_posts, retention_expiry }
    }
}

impl Store {
    /// The leg that writes what a closed cycle came to. It stands beside the conditional write of that cycle and needs no condition of
    /// its own. `None`: the cycle runs, or ends without holding anything.
    pub(crate) fn analytics_leg(&self, change: &LedgerChange) -> Option<TransactWriteItem> {
        let (cycle, ends) = (&change.cycle, !change.entries.is_empty());
        // One that is told anew may have held something when it was told first.
        if !cycle.told || (ends && cycle.quota() == 0) {
            return None;
        }
        let key = Key::cycle_analytics(&cycle.user_id, cycle.span.start);
        Some(transact_put(put(&self.tables.ledger, to_item(key, AnalyticsItem::from(CycleAnalytics::of(cycle))))))
    }

    /// A page of what a user's closed cycles came to. What has outlived its retention at `now` is not in it, whether the table has forgotten
    /// it or not.
    pub async fn cycle_analytics(
        &self,
        user: &UserId,
        now: Timestamp,
        limit: usize,
        start: Start,
    ) -> Result<Page<CycleAnalytics>, StoreError> {
        let read = |item: Item| {
            let told = CycleAnalytics::from(from_item::<AnalyticsItem>("cycle analytics", item)?);
            Ok(Some(told).filter(|told| now < told.retention_expiry))
        };
        self.ledger_page("reading what cycles came to", (user, ANALYTICS), limit, start, read).await
    }
}
