//! Cycles and their history.

use domain::id::{HistoryId, PostId, UserId};
use domain::ledger::{Actor, ChangeReason, Cycle, HistoryEntry, LedgerChange};
use domain::plan::{CycleSpan, Plan};
use domain::user::User;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cursor::{Cursor, Page};
use crate::items::{from_item, text};
use crate::key::{CYCLE, HISTORY, Key, SHARDS, sortable, user_pk};
use crate::posts::{cancellation, failed, is_conflict, transact_put};
use crate::schema::CLOSING_INDEX;
use crate::{Store, StoreError};

/// More cycles than can be open ahead: posts are written a year ahead, and a plan that began anew may have left some.
const CYCLES_AHEAD_MAX: i32 = 40;

#[derive(Serialize, Deserialize)]
struct CycleItem {
    user_id: UserId,
    start: Timestamp,
    end: Timestamp,
    plan: Plan,
    quota: u32,
    used: u32,
    reserved: u32,
    remaining: u32,
    last_posted: Option<Timestamp>,
    closed_at: Option<Timestamp>,
    updated_at: Timestamp,
    rev: u64,
    /// The index of cycles by their end; absent once closed.
    close_pk: Option<String>,
    cycle_end: Option<String>,
}

impl From<&Cycle> for CycleItem {
    fn from(cycle: &Cycle) -> Self {
        let open = cycle.closed_at.is_none();
        Self {
            user_id: cycle.user_id.clone(),
            start: cycle.span.start,
            end: cycle.span.end,
            plan: cycle.plan,
            quota: cycle.quota,
            used: cycle.used,
            reserved: cycle.reserved,
            remaining: cycle.remaining,
            last_posted: cycle.last_posted,
            closed_at: cycle.closed_at,
            updated_at: cycle.updated_at,
            rev: cycle.rev,
            close_pk: open.then(|| close_pk(crate::key::shard(cycle.user_id.as_str()))),
            cycle_end: open.then(|| sortable(cycle.span.end)),
        }
    }
}

impl From<CycleItem> for Cycle {
    fn from(item: CycleItem) -> Self {
        Self {
            user_id: item.user_id,
            span: CycleSpan { start: item.start, end: item.end },
            plan: item.plan,
            quota: item.quota,
            used: item.used,
            reserved: item.reserved,
            remaining: item.remaining,
            last_posted: item.last_posted,
            closed_at: item.closed_at,
            updated_at: item.updated_at,
            rev: item.rev,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct HistoryItem {
    id: HistoryId,
    at: Timestamp,
    reason: ChangeReason,
    post_id: Option<PostId>,
    actor: Actor,
    previous_total: u32,
    new_total: u32,
    previous_remaining: u32,
    new_remaining: u32,
    /// The cycle that it explains.
    cycle_start: Timestamp,
}

impl HistoryItem {
    fn new(entry: &HistoryEntry, cycle_start: Timestamp) -> Self {
        let HistoryEntry { id, at, reason, post_id, actor, previous_total, new_total, previous_remaining, new_remaining } = entry.clone();
        Self { id, at, reason, post_id, actor, previous_total, new_total, previous_remaining, new_remaining, cycle_start }
    }
}

impl From<HistoryItem> for HistoryEntry {
    fn from(item: HistoryItem) -> Self {
        let HistoryItem { id, at, reason, post_id, actor, previous_total, new_total, previous_remaining, new_remaining, cycle_start: _ } =
            item;
        Self { id, at, reason, post_id, actor, previous_total, new_total, previous_remaining, new_remaining }
    }
}

fn close_pk(shard: u8) -> String {
    format!("CLOSE#{shard}")
}

/// The legs by which a ledger change joins a transaction.
pub(crate) mod ledger_puts {
    use aws_sdk_dynamodb::types::builders::PutBuilder;
    use domain::ledger::LedgerChange;

    use super::{CycleItem, HistoryItem};
    use crate::items::{number, to_item};
    use crate::key::Key;
    use crate::posts::put;

    /// The cycle, if it is still as the change found it.
    pub(crate) fn cycle(table: &str, change: &LedgerChange) -> PutBuilder {
        let key = Key::cycle(&change.cycle.user_id, change.cycle.span.start);
        let leg = put(table, to_item(key, CycleItem::from(&change.cycle)));
        match change.expected_rev {
            None => leg.condition_expression("attribute_not_exists(pk)"),
            Some(rev) => leg.condition_expression("rev = :rev").expression_attribute_values(":rev", number(rev)),
        }
    }

    /// The rows that explain it; each id is written once.
    pub(crate) fn entries(table: &str, change: &LedgerChange) -> Vec<PutBuilder> {
        let row = |entry: &domain::ledger::HistoryEntry| {
            let item = to_item(Key::history(&change.cycle.user_id, &entry.id), HistoryItem::new(entry, change.cycle.span.start));
            put(table, item).condition_expression("attribute_not_exists(pk)")
        };
        change.entries.iter().map(row).collect::<Vec<_>>()
    }
}

/// A cycle whose end has come.
#[derive(Debug, Clone)]
pub struct Closing {
    /// Whose.
    pub user_id: UserId,
    /// Which.
    pub start: Timestamp,
}

impl Store {
    /// A cycle, strongly consistent.
    pub async fn cycle(&self, user: &UserId, start: Timestamp) -> Result<Option<Cycle>, StoreError> {
        let item: Option<CycleItem> = self.get(&self.tables.ledger, "cycle", Key::cycle(user, start)).await?;
        Ok(item.map(Into::into))
    }

    /// The cycle of the user's active plan that holds `now`; one that nobody has touched is not stored yet. `None`: no plan.
    pub async fn running_cycle(&self, user: &User, now: Timestamp) -> Result<Option<Cycle>, StoreError> {
        let Some(subscription) = user.subscription.filter(|subscription| subscription.active) else { return Ok(None) };
        let span = subscription.cycle_at(now);
        let stored = self.cycle(&user.id, span.start).await?;
        Ok(Some(stored.unwrap_or_else(|| Cycle::open(user.id.clone(), span, subscription.plan, span.start))))
    }

    /// A user's stored cycles that begin at `start` or later, in order, strongly consistent; no more than 40, which is more than
    /// there can be.
    pub async fn cycles_from(&self, user: &UserId, start: Timestamp) -> Result<Vec<Cycle>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.ledger)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", text(user_pk(user)))
            .expression_attribute_values(":from", text(Key::cycle(user, start).sk))
            // The letter after all that a time begins with.
            .expression_attribute_values(":to", text(format!("{CYCLE}:")))
            .limit(CYCLES_AHEAD_MAX)
            .send()
            .await
            .map_err(StoreError::unavailable("reading the cycles ahead"))?;
        let rows = answer.items.unwrap_or_default().into_iter();
        rows.map(|item| Ok(from_item::<CycleItem>("cycle", item)?.into())).collect()
    }

    /// Stores changes of the ledger alone, all or none; `false`: a cycle changed meanwhile, read it again and repeat.
    pub async fn commit_ledger(&self, changes: &[LedgerChange]) -> Result<bool, StoreError> {
        let mut legs: Vec<_> = changes.iter().map(|change| ledger_puts::cycle(&self.tables.ledger, change)).collect();
        legs.extend(changes.iter().flat_map(|change| ledger_puts::entries(&self.tables.ledger, change)));
        let legs = legs.into_iter().map(transact_put).collect();
        match self.client.transact_write_items().set_transact_items(Some(legs)).send().await {
            Ok(_) => Ok(true),
            Err(error) => match cancellation(&error) {
                Some(reasons) if reasons.iter().any(|reason| failed(Some(reason)) || is_conflict(reason)) => Ok(false),
                _ => Err(StoreError::unavailable("storing a ledger change")(error)),
            },
        }
    }

    /// A page of a user's history, newest first.
    pub async fn history(&self, user: &UserId, limit: usize, after: Option<Cursor>) -> Result<Page<HistoryEntry>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.ledger)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :sk)")
            .expression_attribute_values(":pk", text(user_pk(user)))
            .expression_attribute_values(":sk", text(HISTORY))
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(100))
            .set_exclusive_start_key(after.map(Cursor::into_key))
            .send()
            .await
            .map_err(StoreError::unavailable("reading the quota history"))?;
        let next = answer.last_evaluated_key.map(|key| Cursor::from_key(user, &key));
        let rows = answer.items.unwrap_or_default().into_iter();
        let items = rows.map(|item| Ok(from_item::<HistoryItem>("history row", item)?.into())).collect::<Result<_, StoreError>>()?;
        Ok(Page { items, next })
    }

    /// The shards of the index of cycles by their end.
    pub fn closing_shards() -> impl Iterator<Item = u8> {
        0..SHARDS
    }

    /// At most `limit` cycles of one shard that ended by `until` and were not closed, earliest first. The index may be a
    /// moment behind.
    pub async fn ended_cycles(&self, shard: u8, until: Timestamp, limit: i32) -> Result<Vec<Closing>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.ledger)
            .index_name(CLOSING_INDEX)
            .key_condition_expression("close_pk = :pk AND cycle_end <= :until")
            .expression_attribute_values(":pk", text(close_pk(shard)))
            .expression_attribute_values(":until", text(sortable(until)))
            .limit(limit)
            .send()
            .await
            .map_err(StoreError::unavailable("looking for cycles that ended"))?;
        answer.items.unwrap_or_default().iter().map(closing).collect()
    }
}

/// The index holds only keys: the user and the start are read from them.
fn closing(item: &crate::key::Item) -> Result<Closing, StoreError> {
    #[derive(Debug, thiserror::Error)]
    #[error("the key is not a cycle's")]
    struct NotACycle;

    let odd = || StoreError::corrupt("cycle key")(NotACycle);
    let part = |name: &str, prefix: &str| item.get(name)?.as_s().ok()?.strip_prefix(prefix).map(str::to_owned);
    let user = part("pk", "USER#").ok_or_else(odd)?;
    let start = part("sk", "CYCLE#").ok_or_else(odd)?;
    Ok(Closing { user_id: UserId::parse(&user).map_err(|_| odd())?, start: start.parse().map_err(|_| odd())? })
}
