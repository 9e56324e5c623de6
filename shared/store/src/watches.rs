//! The numbers of published posts, and which are read next.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use domain::analytics::{Numbers, Watch, Watching};
use domain::connection::Connection;
use domain::id::{ConnectionId, PostId, UserId};
use domain::platform::PlatformName;
use domain::post::Post;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::closing::Place;
use crate::items::{BATCH_MAX, from_item, keyed, number, text, to_item, written_by};
use crate::key::{EARLY_METRICS, Item, Key, METRICS, shard, shards, sortable, user_pk};
use crate::pauses::until_of;
use crate::posts::put;
use crate::schema::SYNC_INDEX;
use crate::{Store, StoreError};

/// Pages of 1 MB in one read: more rows than any caller takes.
const PAGES_MAX: usize = 20;
/// Sorts after every time, and after what follows one in a key.
const AFTER_TIMES: &str = "~";

/// A post whose numbers are due. The index is a hint: whoever acts reads the row first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueWatch {
    /// Whose.
    pub user_id: UserId,
    /// Which.
    pub post_id: PostId,
    /// Where.
    pub platform: PlatformName,
    /// By which account.
    pub connection_id: ConnectionId,
    /// Where its row is.
    row: Key,
}

/// One page of them.
#[derive(Debug)]
pub struct DueWatches {
    /// Longest waiting first. A row that cannot be read harms no other.
    pub due: Vec<Result<DueWatch, StoreError>>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<Place>,
}

/// What reading a post's numbers has to know, read at once and strongly consistent.
#[derive(Debug)]
pub struct Watched {
    /// The numbers so far.
    pub watch: Option<Watch>,
    /// The account.
    pub connection: Option<Connection>,
    /// Until when the platform takes nothing from our app.
    pub pause: Option<Timestamp>,
}

/// The numbers of the posts that some cycles paid for, among others of the same time.
#[derive(Debug)]
pub struct PaidWatches {
    /// In no order.
    pub watches: Vec<Watch>,
    /// Of each of these cycles that began then or later, all are here.
    pub whole_since: Timestamp,
}

/// What came of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchWrite {
    /// It stands.
    Done,
    /// Somebody else's change came first.
    Moved,
}

#[derive(Serialize, Deserialize)]
struct WatchItem {
    post_id: PostId,
    user_id: UserId,
    connection_id: ConnectionId,
    platform: PlatformName,
    platform_post_id: String,
    published_at: Timestamp,
    cycle_start: Option<Timestamp>,
    numbers: Numbers,
    observed_at: Option<Timestamp>,
    asked_at: Option<Timestamp>,
    watching: Watching,
    next_sync_at: Option<Timestamp>,
    rev: u64,
    /// Who wrote this rev: it makes our own write recognisable.
    writer: String,
    /// The sparse index of posts whose numbers are read next.
    sync_pk: Option<String>,
    sync_at: Option<String>,
}

impl WatchItem {
    fn new(watch: &Watch, writer: &str) -> Self {
        let Watch { post_id, user_id, connection_id, platform, platform_post_id, published_at, cycle_start, .. } = watch.clone();
        let Watch { numbers, observed_at, asked_at, watching, next_sync_at, rev, .. } = *watch;
        Self {
            sync_pk: next_sync_at.map(|_| sync_pk(shard(post_id.as_str()))),
            sync_at: next_sync_at.map(sortable),
            post_id,
            user_id,
            connection_id,
            platform,
            platform_post_id,
            published_at,
            cycle_start,
            numbers,
            observed_at,
            asked_at,
            watching,
            next_sync_at,
            rev,
            writer: writer.to_owned(),
        }
    }
}

impl From<WatchItem> for Watch {
    fn from(item: WatchItem) -> Self {
        let WatchItem { post_id, user_id, connection_id, platform, platform_post_id, published_at, cycle_start, .. } = item;
        let WatchItem { numbers, observed_at, asked_at, watching, next_sync_at, rev, .. } = item;
        Self {
            post_id,
            user_id,
            connection_id,
            platform,
            platform_post_id,
            published_at,
            cycle_start,
            numbers,
            observed_at,
            asked_at,
            watching,
            next_sync_at,
            rev,
        }
    }
}

fn sync_pk(shard: u8) -> String {
    format!("SYNC#{shard}")
}

pub(crate) fn key_of(watch: &Watch) -> Key {
    Key::metrics(&watch.user_id, watch.published_at, watch.cycle_start, &watch.post_id)
}

/// The leg by which the numbers of a post that becomes published are followed from then on. It stands beside the conditional write of the
/// post and needs no condition of its own: a post becomes published once.
pub(crate) fn first_watch(table: &str, post: &Post, writer: &str) -> Option<PutBuilder> {
    let watch = Watch::of(post)?;
    Some(put(table, to_item(key_of(&watch), WatchItem::new(&watch, writer))))
}

impl Store {
    /// The shards of the index of posts by when their numbers are read next, in the order of the reader's `turn`-th run.
    pub fn sync_shards(turn: i64) -> impl Iterator<Item = u8> {
        shards(turn)
    }

    /// At most `limit` posts of one shard whose numbers are due at `until`, after `place`. The index may be a moment behind.
    pub async fn due_watches(&self, shard: u8, until: Timestamp, limit: i32, place: Option<Place>) -> Result<DueWatches, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.posts)
            .index_name(SYNC_INDEX)
            .key_condition_expression("sync_pk = :pk AND sync_at <= :until")
            .expression_attribute_values(":pk", text(sync_pk(shard)))
            .expression_attribute_values(":until", text(sortable(until)))
            .limit(limit)
            .set_exclusive_start_key(place.map(|place| place.0))
            .send()
            .await
            .map_err(StoreError::unavailable("looking for posts whose numbers are due"))?;
        let due = answer.items.unwrap_or_default().into_iter().map(|item| keyed(item, due)).collect();
        Ok(DueWatches { due, next: answer.last_evaluated_key.map(Place) })
    }

    /// The numbers of these posts with the accounts that can read them, in the same order. Each row is read once, however many need it. One
    /// that cannot be read harms no other.
    pub async fn watched(&self, due: &[DueWatch]) -> Result<Vec<Result<Watched, StoreError>>, StoreError> {
        let (posts, users) = (self.tables.posts.as_str(), self.tables.users.as_str());
        let of_one = |due: &DueWatch| {
            [(posts, due.row.clone()), (users, Key::connection(&due.user_id, &due.connection_id)), (posts, Key::pause(due.platform))]
        };
        let keys: Vec<_> = due.iter().flat_map(of_one).collect::<BTreeSet<_>>().into_iter().collect();
        let mut found = BTreeMap::new();
        for keys in keys.chunks(BATCH_MAX) {
            let items = self.batch_get(keys.to_vec()).await?;
            found.extend(items.into_iter().filter_map(|item| Some((Key::of(&item)?, item))));
        }
        let item = |key: &Key| found.get(key).cloned();
        let read = |due: &DueWatch| {
            Ok(Watched {
                watch: item(&due.row).map(watch).transpose()?,
                connection: item(&Key::connection(&due.user_id, &due.connection_id)).map(crate::connections::read).transpose()?,
                pause: item(&Key::pause(due.platform)).map(until_of).transpose()?,
            })
        };
        Ok(due.iter().map(read).collect())
    }

    /// The numbers of at most 100 posts, in no order, strongly consistent. A post that is not published, or cannot be read at its platform,
    /// has none. A row that cannot be read harms no other.
    pub async fn watches_of(&self, posts: impl IntoIterator<Item = &Post>) -> Result<Vec<Result<Watch, StoreError>>, StoreError> {
        let published = posts.into_iter().filter_map(Watch::of).take(BATCH_MAX);
        let keys: Vec<_> = published.map(|watch| (self.tables.posts.as_str(), key_of(&watch))).collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.batch_get(keys).await?.into_iter().map(watch).collect())
    }

    /// The numbers of a user's posts that were published from `from` on and before `to`, in no order, strongly consistent; `None`: there
    /// are more than `most`. What cannot be read is left out.
    pub async fn watches(&self, user: &UserId, from: Timestamp, to: Timestamp, most: usize) -> Result<Option<Vec<Watch>>, StoreError> {
        // What was published in the period and stands apart was paid for by a cycle that began in it, or later.
        let apart = (format!("{EARLY_METRICS}{}", sortable(from)), format!("{EARLY_METRICS}{AFTER_TIMES}"));
        let Numbered { mut watches, all: true } = self.numbered(user, published(from, to), most).await? else { return Ok(None) };
        let Numbered { watches: early, all: true } = self.numbered(user, apart, most).await? else { return Ok(None) };
        watches.extend(early.into_iter().filter(|watch| watch.published_at >= from && watch.published_at < to));
        Ok(Some(watches).filter(|watches| watches.len() <= most))
    }

    /// The numbers of the posts for which the cycles paid that began from `first` to `last`, strongly consistent. A post may be published long
    /// after the end of the cycle that paid for it. So all that were published since `first` are read: at most `most`, the newest first. At most
    /// as many are read of those that were published before their cycle began. What cannot be read is left out.
    pub async fn watches_paid(
        &self,
        user: &UserId,
        (first, last): (Timestamp, Timestamp),
        now: Timestamp,
        most: usize,
    ) -> Result<PaidWatches, StoreError> {
        let apart = (format!("{EARLY_METRICS}{}", sortable(first)), format!("{EARLY_METRICS}{}{AFTER_TIMES}", sortable(last)));
        let mut whole_since = first;
        let early = self.numbered(user, apart, most).await?;
        if !early.all {
            let oldest = early.watches.last().and_then(|watch| watch.cycle_start);
            whole_since = whole_since.max(oldest.map_or(now, after));
        }
        let since = self.numbered(user, published(first, now), most).await?;
        if !since.all {
            let oldest = since.watches.last().map(|watch| watch.published_at);
            whole_since = whole_since.max(oldest.map_or(now, after));
        }
        Ok(PaidWatches { watches: since.watches.into_iter().chain(early.watches).collect(), whole_since })
    }

    /// The newest `most` of the rows between two sort keys.
    async fn numbered(&self, user: &UserId, (from, to): (String, String), most: usize) -> Result<Numbered, StoreError> {
        let (mut watches, mut start, mut reading) = (Vec::new(), None, self.reading());
        for _ in 0..PAGES_MAX {
            let answer = self
                .client
                .query()
                .table_name(&self.tables.posts)
                .consistent_read(true)
                .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
                .expression_attribute_values(":pk", text(user_pk(user)))
                .expression_attribute_values(":from", text(&from))
                .expression_attribute_values(":to", text(&to))
                .scan_index_forward(false)
                .limit(i32::try_from(most + 1).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(StoreError::unavailable("reading the numbers of posts"))?;
            for item in answer.items.unwrap_or_default() {
                watches.extend(reading.row(watch(item))?);
            }
            start = answer.last_evaluated_key;
            if watches.len() > most {
                watches.truncate(most);
                return Ok(Numbered { watches, all: false });
            }
            if start.is_none() {
                return Ok(Numbered { watches, all: true });
            }
        }
        Ok(Numbered { watches, all: false })
    }

    /// Stores what became of a post's numbers, and when they are read next, if nobody else has changed the row.
    pub async fn write_watch(&self, watch: &Watch, writer: &str) -> Result<WatchWrite, StoreError> {
        let sent = self
            .client
            .put_item()
            .table_name(&self.tables.posts)
            .set_item(Some(to_item(key_of(watch), WatchItem::new(watch, writer))))
            .condition_expression("rev = :rev")
            .expression_attribute_values(":rev", number(watch.rev - 1))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(WatchWrite::Done),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refused)) => Ok(told(refused.item.as_ref(), watch, writer)),
                _ => Err(StoreError::unavailable("storing a post's numbers")(error)),
            },
        }
    }
}

/// Rows between two sort keys, newest first.
struct Numbered {
    watches: Vec<Watch>,
    /// `false`: older ones are left.
    all: bool,
}

/// The sort keys of what was published from one instant on and before another.
fn published(from: Timestamp, to: Timestamp) -> (String, String) {
    (format!("{METRICS}{}", sortable(from)), format!("{METRICS}{}", sortable(to)))
}

/// The first instant that has a later sort key than `at`.
fn after(at: Timestamp) -> Timestamp {
    at + SignedDuration::from_millis(1)
}

fn watch(item: Item) -> Result<Watch, StoreError> {
    keyed(item, |item| from_item::<WatchItem>("post's numbers", item).map(Watch::from))
}

/// What a refused condition tells: our own earlier write, or somebody else's.
fn told(standing: Option<&Item>, watch: &Watch, writer: &str) -> WatchWrite {
    if written_by(standing, watch.rev) == Some(writer) { WatchWrite::Done } else { WatchWrite::Moved }
}

/// The index holds the keys, the platform and the account.
fn due(item: Item) -> Result<DueWatch, StoreError> {
    #[derive(Debug, thiserror::Error)]
    #[error("the key is not that of a post's numbers")]
    struct NotNumbers;

    #[derive(Deserialize)]
    struct Hint {
        pk: String,
        sk: String,
        platform: PlatformName,
        connection_id: ConnectionId,
    }

    let odd = || StoreError::corrupt("key of a post's numbers")(NotNumbers);
    let Hint { pk, sk, platform, connection_id } = from_item("hint of a post's numbers", item)?;
    let user = pk.strip_prefix("USER#").ok_or_else(odd)?;
    let (_, post) = sk.strip_prefix(METRICS).and_then(|rest| rest.rsplit_once('#')).ok_or_else(odd)?;
    Ok(DueWatch {
        user_id: UserId::parse(user).map_err(|_| odd())?,
        post_id: PostId::parse(post).map_err(|_| odd())?,
        platform,
        connection_id,
        row: Key { pk, sk },
    })
}
