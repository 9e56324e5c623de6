//! What closed cycles came to.

use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use domain::analytics::Tally;
use domain::id::UserId;
use domain::ledger::{CycleAnalytics, LedgerChange};
use domain::plan::CycleSpan;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cursor::{Page, Start};
use crate::items::{from_item, number, text, to_item};
use crate::key::{ANALYTICS, Item, Key};
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
    captured_at: Option<Timestamp>,
    retention_expiry: Timestamp,
    /// The table forgets by it.
    expires_epoch: i64,
}

impl From<CycleAnalytics> for AnalyticsItem {
    fn from(told: CycleAnalytics) -> Self {
        let CycleAnalytics { span, quota, posts_used, successful_posts, total_reach, engagement, captured_at, retention_expiry } = told;
        Self {
            cycle_start: span.start,
            cycle_end: span.end,
            quota,
            posts_used,
            successful_posts,
            total_reach,
            engagement,
            captured_at,
            retention_expiry,
            expires_epoch: retention_expiry.as_second(),
        }
    }
}

impl From<AnalyticsItem> for CycleAnalytics {
    fn from(item: AnalyticsItem) -> Self {
        let AnalyticsItem { cycle_start: start, cycle_end: end, quota, posts_used, successful_posts, .. } = item;
        let AnalyticsItem { total_reach, engagement, captured_at, retention_expiry, .. } = item;
        let span = CycleSpan { start, end };
        Self { span, quota, posts_used, successful_posts, total_reach, engagement, captured_at, retention_expiry }
    }
}

/// The sums alone: the row is there before its cycle is closed.
#[derive(Deserialize)]
struct TallyItem {
    total_reach: Option<u64>,
    engagement: Option<u64>,
    captured_at: Option<Timestamp>,
    tally_rev: Option<u64>,
}

impl Store {
    /// What the numbers of a cycle's posts come to, running or closed; strongly consistent.
    pub(crate) async fn tally(&self, user: &UserId, start: Timestamp) -> Result<Tally, StoreError> {
        let item: Option<TallyItem> = self.get(&self.tables.ledger, "cycle's sums", Key::cycle_analytics(user, start)).await?;
        let read = |item: TallyItem| {
            let TallyItem { total_reach: reach, engagement, captured_at, tally_rev } = item;
            Tally { reach, engagement, captured_at, rev: tally_rev.unwrap_or_default() }
        };
        Ok(item.map_or_else(Tally::default, read))
    }

    /// The leg that writes the sums of a cycle, if they are as they were read. It leaves alone what closing the cycle writes in the same
    /// row, and the other way round.
    pub(crate) fn tally_leg(&self, user: &UserId, start: Timestamp, tally: &Tally) -> TransactWriteItem {
        let sums = [
            ("total_reach", tally.reach.map(number)),
            ("engagement", tally.engagement.map(number)),
            ("captured_at", tally.captured_at.map(|at| text(at.to_string()))),
            ("tally_rev", Some(number(tally.rev))),
        ];
        let told: Vec<_> = sums.into_iter().filter_map(|(name, sum)| Some((name, sum?))).collect();
        let sets: Vec<_> = told.iter().map(|(name, _)| format!("{name} = :{name}")).collect();
        let values = told.into_iter().map(|(name, sum)| (format!(":{name}"), sum));
        let before = tally.rev - 1;
        let update = Update::builder()
            .table_name(&self.tables.ledger)
            .set_key(Some(Key::cycle_analytics(user, start).into_item()))
            .update_expression(format!("SET {}", sets.join(", ")))
            .set_expression_attribute_values(Some(values.collect()));
        let update = if before == 0 {
            update.condition_expression("attribute_not_exists(tally_rev)")
        } else {
            update.condition_expression("tally_rev = :before").expression_attribute_values(":before", number(before))
        };
        TransactWriteItem::builder().update(update.build().expect("table, key and expression are set")).build()
    }

    /// The leg that writes what a closed cycle came to. It stands beside the conditional write of that cycle and needs no condition of
    /// its own; what platforms have told since is left as it is. `None`: the cycle runs, or ends without holding anything.
    pub(crate) fn analytics_leg(&self, change: &LedgerChange) -> Option<TransactWriteItem> {
        let (cycle, ends) = (&change.cycle, !change.entries.is_empty());
        // One that is told anew may have held something when it was told first.
        if !cycle.told || (ends && cycle.quota() == 0) {
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
            // The row of a cycle that is not closed holds sums alone.
            if !item.contains_key("retention_expiry") {
                return Ok(None);
            }
            let told = CycleAnalytics::from(from_item::<AnalyticsItem>("cycle analytics", item)?);
            Ok(Some(told).filter(|told| now < told.retention_expiry))
        };
        self.ledger_page("reading what cycles came to", (user, ANALYTICS), limit, start, read).await
    }
}
