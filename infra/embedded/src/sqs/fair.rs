//! Fair queues: where more waits than one receive takes, no message group keeps the others waiting.
//!
//! The group with the fewest messages in flight comes first, and of two such the one whose message has waited longer. The service acts so
//! from thirty messages and a tenth of all that is in flight on; here it begins with the first. Messages without a group count as one
//! group. Source: SQS developer guide, "Amazon SQS fair queues".

use std::collections::VecDeque;

use jiff::Timestamp;
use rusqlite::{Transaction, params};

use super::receive::{COLUMNS, Waiting};
use crate::wire::Refusal;

/// When a message became visible, and its id: the order of what waits.
type Key = (i64, i64);

/// What waits of one group.
struct Group {
    in_flight: i64,
    waiting: VecDeque<Key>,
}

/// The messages that come first, at most `count_max`, in the order of their time.
pub(super) fn first(tx: &Transaction<'_>, queue: &str, count_max: usize, now: Timestamp) -> Result<Vec<Waiting>, Refusal> {
    let mut groups = Vec::new();
    for name in names(tx, queue)? {
        let waiting = waiting(tx, (queue, name.as_deref()), count_max, now)?;
        if !waiting.is_empty() {
            groups.push(Group { in_flight: in_flight(tx, (queue, name.as_deref()), now)?, waiting });
        }
    }
    let sql = format!("SELECT {COLUMNS} FROM messages WHERE id = ?1");
    let mut read = tx.prepare_cached(&sql)?;
    let messages = chosen(groups, count_max).into_iter().map(|(_, id)| read.query_row([id], Waiting::read));
    Ok(messages.collect::<Result<_, _>>()?)
}

fn chosen(mut groups: Vec<Group>, count_max: usize) -> Vec<Key> {
    let mut chosen = Vec::new();
    while chosen.len() < count_max {
        let with_keys = groups.iter_mut().filter_map(|group| group.waiting.front().copied().map(|key| (group, key)));
        let Some((group, key)) = with_keys.min_by_key(|(group, key)| (group.in_flight, *key)) else { break };
        group.waiting.pop_front();
        group.in_flight += 1;
        chosen.push(key);
    }
    chosen.sort_unstable();
    chosen
}

/// The groups with messages in the queue, and `None` for those without one. Each step goes to the next name, past all its messages.
fn names(tx: &Transaction<'_>, queue: &str) -> Result<Vec<Option<String>>, Refusal> {
    let sql = "WITH RECURSIVE names (name) AS (
                   SELECT min(group_id) FROM messages WHERE queue = ?1
                   UNION ALL
                   SELECT (SELECT min(group_id) FROM messages WHERE queue = ?1 AND group_id > names.name) FROM names
                   WHERE names.name IS NOT NULL
               ) SELECT name FROM names WHERE name IS NOT NULL";
    let mut statement = tx.prepare_cached(sql)?;
    let named = statement.query_map([queue], |row| row.get(0).map(Some))?;
    Ok(std::iter::once(Ok(None)).chain(named).collect::<rusqlite::Result<_>>()?)
}

fn waiting(tx: &Transaction<'_>, (queue, group): (&str, Option<&str>), count_max: usize, now: Timestamp) -> Result<VecDeque<Key>, Refusal> {
    let sql = "SELECT visible_ms, id FROM messages INDEXED BY messages_by_group
               WHERE queue = ?1 AND group_id IS ?2 AND visible_ms <= ?3 ORDER BY visible_ms, id LIMIT ?4";
    let mut statement = tx.prepare_cached(sql)?;
    let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![queue, group, now.as_millisecond(), count_max], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn in_flight(tx: &Transaction<'_>, (queue, group): (&str, Option<&str>), now: Timestamp) -> Result<i64, Refusal> {
    let sql = "SELECT count(*) FROM messages INDEXED BY messages_received
               WHERE queue = ?1 AND group_id IS ?2 AND visible_ms > ?3 AND receives > 0";
    Ok(tx.prepare_cached(sql)?.query_row(params![queue, group, now.as_millisecond()], |row| row.get(0))?)
}
