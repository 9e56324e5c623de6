//! Cycles and their history.

use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use domain::id::{HistoryId, PostId, UserId};
use domain::ledger::{Actor, ChangeReason, Cycle, HistoryEntry, LedgerChange};
use domain::order::Order;
use domain::plan::{CycleSpan, Plan};
use domain::user::User;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cursor::{Cursor, Page, Start};
use crate::items::{from_item, keyed, number, text};
use crate::key::{CYCLE, HISTORY, Item, Key, sortable, user_pk};
use crate::posts::transact_put;
use crate::{Store, StoreError};

/// More cycles than there can be: posts are written a year ahead, and plans that lapsed and began anew may have left some.
const CYCLES_AHEAD_MAX: i32 = 100;
/// Those ahead, the running one and two years of those that ended.
const CYCLES_LATEST_MAX: i32 = 40;
/// A page with something in it is filled from at most this many reads: the next page goes on where they stopped.
const READS_MAX: usize = 20;
/// An empty one is not given while there may be something: more reads than the most rows of a user take.
const READS_IN_VAIN_MAX: usize = 100;
/// How many rows one read looks at, once one of the list could not be read.
const ROWS_A_READ: usize = 500;

#[derive(Serialize, Deserialize)]
pub(crate) struct CycleItem {
    user_id: UserId,
    start: Timestamp,
    end: Timestamp,
    plan: Plan,
    granted: i32,
    used: u32,
    reserved: u32,
    withheld: i32,
    awaited: bool,
    lapsed: bool,
    pay_by: Option<Timestamp>,
    reservations: u32,
    last_posted: Option<Timestamp>,
    closed_at: Option<Timestamp>,
    told: bool,
    updated_at: Timestamp,
    rev: u64,
    /// The index of cycles by when the cycle job has something to do; absent when it has nothing more.
    close_pk: Option<String>,
    cycle_end: Option<String>,
}

impl From<&Cycle> for CycleItem {
    fn from(cycle: &Cycle) -> Self {
        let look_at = cycle.look_at();
        Self {
            user_id: cycle.user_id.clone(),
            start: cycle.span.start,
            end: cycle.span.end,
            plan: cycle.plan,
            granted: cycle.granted,
            used: cycle.used,
            reserved: cycle.reserved,
            withheld: cycle.withheld,
            awaited: cycle.awaited,
            lapsed: cycle.lapsed,
            pay_by: cycle.pay_by,
            reservations: cycle.reservations,
            last_posted: cycle.last_posted,
            closed_at: cycle.closed_at,
            told: cycle.told,
            updated_at: cycle.updated_at,
            rev: cycle.rev,
            close_pk: look_at.map(|_| close_pk(crate::key::shard(cycle.user_id.as_str()))),
            cycle_end: look_at.map(sortable),
        }
    }
}

impl From<CycleItem> for Cycle {
    fn from(item: CycleItem) -> Self {
        Self {
            user_id: item.user_id,
            span: CycleSpan { start: item.start, end: item.end },
            plan: item.plan,
            granted: item.granted,
            used: item.used,
            reserved: item.reserved,
            withheld: item.withheld,
            awaited: item.awaited,
            lapsed: item.lapsed,
            pay_by: item.pay_by,
            reservations: item.reservations,
            last_posted: item.last_posted,
            closed_at: item.closed_at,
            told: item.told,
            updated_at: item.updated_at,
            rev: item.rev,
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct HistoryItem {
    id: HistoryId,
    at: Timestamp,
    reason: ChangeReason,
    post_id: Option<PostId>,
    actor: Actor,
    previous_total: u32,
    new_total: u32,
    previous_remaining: u32,
    new_remaining: u32,
    note: Option<String>,
    cycle_start: Timestamp,
}

impl From<HistoryEntry> for HistoryItem {
    fn from(entry: HistoryEntry) -> Self {
        let HistoryEntry { id, at, reason, cycle_start, post_id, actor, previous_total, new_total, .. } = entry;
        let HistoryEntry { previous_remaining, new_remaining, note, .. } = entry;
        Self { id, at, reason, post_id, actor, previous_total, new_total, previous_remaining, new_remaining, note, cycle_start }
    }
}

impl From<HistoryItem> for HistoryEntry {
    fn from(item: HistoryItem) -> Self {
        let HistoryItem { id, at, reason, cycle_start, post_id, actor, previous_total, new_total, .. } = item;
        let HistoryItem { previous_remaining, new_remaining, note, .. } = item;
        Self { id, at, reason, cycle_start, post_id, actor, previous_total, new_total, previous_remaining, new_remaining, note }
    }
}

pub(crate) fn close_pk(shard: u8) -> String {
    format!("CLOSE#{shard}")
}

/// The legs by which a ledger change joins a transaction.
pub(crate) mod ledger_puts {
    use aws_sdk_dynamodb::types::builders::PutBuilder;
    use domain::ledger::LedgerChange;
    use domain::planted::Bug;

    use super::{CycleItem, HistoryItem};
    use crate::items::{number, to_item};
    use crate::key::Key;
    use crate::posts::put;

    /// The cycle, if it is still as the change found it.
    pub(crate) fn cycle(table: &str, change: &LedgerChange) -> PutBuilder {
        let key = Key::cycle(&change.cycle.user_id, change.cycle.span.start);
        let leg = put(table, to_item(key, CycleItem::from(&change.cycle)));
        match change.expected_rev {
            _ if Bug::CycleWithoutCondition.is_planted() => leg,
            None => leg.condition_expression("attribute_not_exists(pk)"),
            Some(rev) => leg.condition_expression("rev = :rev").expression_attribute_values(":rev", number(rev)),
        }
    }

    /// The rows that explain it; each id is written once.
    pub(crate) fn entries(table: &str, change: &LedgerChange) -> Vec<PutBuilder> {
        let row = |entry: &domain::ledger::HistoryEntry| {
            let item = to_item(Key::history(&change.cycle.user_id, &entry.id), HistoryItem::from(entry.clone()));
            put(table, item).condition_expression("attribute_not_exists(pk)")
        };
        change.entries.iter().map(row).collect::<Vec<_>>()
    }
}

impl Store {
    /// A cycle, strongly consistent.
    pub async fn cycle(&self, user: &UserId, start: Timestamp) -> Result<Option<Cycle>, StoreError> {
        let item: Option<CycleItem> = self.get(&self.tables.ledger, "cycle", Key::cycle(user, start)).await?;
        Ok(item.map(Into::into))
    }

    /// The cycle that holds `now`; one that nobody has touched is not stored yet. `None`: nothing is had.
    pub async fn running_cycle(&self, user: &User, now: Timestamp) -> Result<Option<Cycle>, StoreError> {
        let Some(slot) = user.timeline(now).at(now) else { return Ok(None) };
        let stored = self.cycle(&user.id, slot.span.start).await?;
        Ok(user.running_cycle(stored.as_slice(), now))
    }

    /// The last 40 of a user's stored cycles, the latest first, strongly consistent: those ahead, the running one and two years of
    /// those that ended. One that cannot be read harms no other.
    pub async fn latest_cycles(&self, user: &UserId) -> Result<Vec<Result<Cycle, StoreError>>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.ledger)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :sk)")
            .expression_attribute_values(":pk", text(user_pk(user)))
            .expression_attribute_values(":sk", text(CYCLE))
            .scan_index_forward(false)
            .limit(CYCLES_LATEST_MAX)
            .send()
            .await
            .map_err(StoreError::unavailable("reading the latest cycles"))?;
        let rows = answer.items.unwrap_or_default().into_iter();
        Ok(rows.map(|item| keyed(item, |item| Ok(from_item::<CycleItem>("cycle", item)?.into()))).collect())
    }

    /// A user's stored cycles that begin at `start` or later, in order, strongly consistent; no more than 100, which is more than
    /// there can be. An error if one cannot be read: what is decided by them needs all.
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
        rows.map(|item| keyed(item, |item| Ok(from_item::<CycleItem>("cycle", item)?.into()))).collect()
    }

    /// Stores changes of the ledger alone, all or none, with the analytics of the cycles that they close; `false`: a cycle changed
    /// meanwhile, read it again and repeat.
    pub async fn commit_ledger(&self, changes: &[LedgerChange]) -> Result<bool, StoreError> {
        let mut puts: Vec<_> = changes.iter().map(|change| ledger_puts::cycle(&self.tables.ledger, change)).collect();
        puts.extend(changes.iter().flat_map(|change| ledger_puts::entries(&self.tables.ledger, change)));
        let legs = puts.into_iter().map(transact_put).chain(self.plan_leg(changes));
        let legs = legs.chain(changes.iter().filter_map(|change| self.analytics_leg(change))).chain(self.freed_leg(changes)).collect();
        let writer = changes.iter().flat_map(|change| &change.entries).next().map_or_else(String::new, |entry| entry.id.to_string());
        Ok(self.transact("storing a ledger change", &writer, legs).await?.is_ok())
    }

    /// The leg by which a cycle is opened or closed: the plan that was read must stand at this moment, and a change of plan that has not
    /// seen the cycle as it is now must look again. So it takes the next `rev` of the user, whose profile stays as it is.
    pub(crate) fn plan_leg(&self, changes: &[LedgerChange]) -> Option<TransactWriteItem> {
        let (change, rev) = changes.iter().find_map(|change| Some((change, change.under?)))?;
        let writer = change.entries.first().map_or_else(String::new, |entry| entry.id.to_string());
        let update = Update::builder()
            .table_name(&self.tables.users)
            .set_key(Some(Key::profile(&change.cycle.user_id).into_item()))
            .update_expression("SET rev = :next, writer = :writer")
            .condition_expression("rev = :rev")
            .expression_attribute_values(":rev", number(rev))
            .expression_attribute_values(":next", number(rev + 1))
            .expression_attribute_values(":writer", text(writer))
            .build()
            .expect("table, key and expression are set");
        Some(TransactWriteItem::builder().update(update).build())
    }

    /// A page of a user's history.
    pub async fn history(&self, user: &UserId, limit: usize, start: Start) -> Result<Page<HistoryEntry>, StoreError> {
        let read = |item: Item| Ok(Some(from_item::<HistoryItem>("history row", item)?.into()));
        self.ledger_page("reading the quota history", (user, HISTORY), limit, start, read).await
    }

    /// A page of at most `limit` of a user's rows of one kind; `read` leaves out what is not shown, and what cannot be read is left out, too.
    /// No page is empty while something follows that is shown.
    pub(crate) async fn ledger_page<T>(
        &self,
        doing: &'static str,
        (user, rows): (&UserId, &'static str),
        limit: usize,
        start: Start,
        read: impl Fn(Item) -> Result<Option<T>, StoreError> + Send,
    ) -> Result<Page<T>, StoreError>
    where
        T: Send,
    {
        let Start { order, after } = start;
        let (mut found, mut start, mut reading) = (Vec::new(), after.map(Cursor::into_key), self.reading());
        for reads in 1..=READS_IN_VAIN_MAX {
            let rows_max = if reading.has_left_out() { ROWS_A_READ } else { limit + 1 };
            let answer = self
                .client
                .query()
                .table_name(&self.tables.ledger)
                .consistent_read(true)
                .key_condition_expression("pk = :pk AND begins_with(sk, :sk)")
                .expression_attribute_values(":pk", text(user_pk(user)))
                .expression_attribute_values(":sk", text(rows))
                .scan_index_forward(order == Order::Asc)
                .limit(i32::try_from(rows_max).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start.take())
                .send()
                .await
                .map_err(StoreError::unavailable(doing))?;
            for item in answer.items.unwrap_or_default() {
                let place = Cursor::from_key(user, order, &position(&item));
                found.extend(reading.row(keyed(item, &read))?.flatten().map(|row| (row, place)));
                // One more says that there is another page.
                if found.len() > limit {
                    break;
                }
            }
            start = answer.last_evaluated_key;
            if start.is_none() || found.len() > limit || (reads >= READS_MAX && !found.is_empty()) {
                break;
            }
        }
        let cut = (found.len() > limit).then(|| found[limit - 1].1.clone());
        found.truncate(limit);
        let next = cut.or_else(|| start.map(|key| Cursor::from_key(user, order, &key)));
        Ok(Page::new(found, next))
    }
}

/// The key at which a page goes on after `item`.
fn position(item: &Item) -> Item {
    ["pk", "sk"].into_iter().filter_map(|name| Some((name.to_owned(), item.get(name)?.clone()))).collect()
}
