//! The cycles that the cycle job has something to do for.

use domain::id::UserId;
use domain::ledger::Cycle;
use domain::user::User;
use jiff::Timestamp;

use crate::items::{from_item, keyed, text};
use crate::key::{CYCLE, Item, Key, shards, sortable};
use crate::ledger::{CycleItem, close_pk};
use crate::schema::CLOSING_INDEX;
use crate::users::UserItem;
use crate::{Store, StoreError};

/// A cycle that has ended, was not paid for in time, promised more than it grants, or was settled in after its end. The index is a hint: whoever acts reads
/// the cycle first.
#[derive(Debug, Clone)]
pub struct Closing {
    /// Whose.
    pub user_id: UserId,
    /// Which.
    pub start: Timestamp,
}

/// One page of them.
#[derive(Debug)]
pub struct ClosingPage {
    /// Longest waiting first. A row that cannot be read harms no other.
    pub cycles: Vec<Result<Closing, StoreError>>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<Place>,
}

/// Where a page stopped.
#[derive(Debug, Clone)]
pub struct Place(pub(crate) Item);

/// What closing a cycle has to know, read at once and strongly consistent.
#[derive(Debug)]
pub struct AtItsEnd {
    /// The cycle.
    pub cycle: Option<Cycle>,
    /// Its owner.
    pub user: Option<User>,
}

impl Store {
    /// The shards of the index of cycles by when the cycle job has something to do, in the order of its `turn`-th run.
    pub fn closing_shards(turn: i64) -> impl Iterator<Item = u8> {
        shards(turn)
    }

    /// At most `limit` cycles of one shard that wait since `until` or earlier, after `place`. The index may be a moment behind.
    pub async fn ended_cycles(&self, shard: u8, until: Timestamp, limit: i32, place: Option<Place>) -> Result<ClosingPage, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.ledger)
            .index_name(CLOSING_INDEX)
            .key_condition_expression("close_pk = :pk AND cycle_end <= :until")
            .expression_attribute_values(":pk", text(close_pk(shard)))
            .expression_attribute_values(":until", text(sortable(until)))
            .limit(limit)
            .set_exclusive_start_key(place.map(|place| place.0))
            .send()
            .await
            .map_err(StoreError::unavailable("looking for cycles that ended"))?;
        let cycles = answer.items.unwrap_or_default().into_iter().map(|item| keyed(item, |item| closing(&item))).collect();
        Ok(ClosingPage { cycles, next: answer.last_evaluated_key.map(Place) })
    }

    /// The cycle of `user` that began at `start`, and its owner.
    pub async fn at_its_end(&self, user: &UserId, start: Timestamp) -> Result<AtItsEnd, StoreError> {
        let (ledger, users) = (self.tables.ledger.as_str(), self.tables.users.as_str());
        let items = self.batch_get(vec![(ledger, Key::cycle(user, start)), (users, Key::profile(user))]).await?;
        let mut read = AtItsEnd { cycle: None, user: None };
        for item in items {
            let sk = item.get("sk").and_then(|sk| sk.as_s().ok()).cloned().unwrap_or_default();
            if sk.starts_with(CYCLE) {
                read.cycle = Some(from_item::<CycleItem>("cycle", item)?.into());
            } else {
                read.user = Some(from_item::<UserItem>("user", item)?.into());
            }
        }
        Ok(read)
    }
}

/// The index holds only keys: the user and the start are read from them.
fn closing(item: &Item) -> Result<Closing, StoreError> {
    #[derive(Debug, thiserror::Error)]
    #[error("the key is not a cycle's")]
    struct NotACycle;

    let odd = || StoreError::corrupt("cycle key")(NotACycle);
    let part = |name: &str, prefix: &str| item.get(name)?.as_s().ok()?.strip_prefix(prefix).map(str::to_owned);
    let user = part("pk", "USER#").ok_or_else(odd)?;
    let start = part("sk", CYCLE).ok_or_else(odd)?;
    Ok(Closing { user_id: UserId::parse(&user).map_err(|_| odd())?, start: start.parse().map_err(|_| odd())? })
}
