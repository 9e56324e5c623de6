//! The one way in which a post changes.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use domain::connection::Connection;
use domain::content::Content;
use domain::ledger::LedgerChange;
use domain::planted::Bug;
use domain::post::{AttemptRecord, Event, Post, State, Status};

use super::item::{AttemptItem, ContentItem, PostItem};
use super::key_of;
use crate::items::{from_item, number, to_item, written_by};
use crate::key::{Item, Key};
use crate::ledger::ledger_puts;
use crate::watches::first_watch;
use crate::{Store, StoreError};

/// How many items one transaction changes.
const LEGS_MAX: usize = 100;

/// A post's next state, with all that must be stored with it or not at all.
#[derive(Debug)]
pub struct PostChange<'a> {
    /// The post afterwards; its `rev` is one more than the one that must still stand.
    pub post: &'a Post,
    /// The attempt or request that writes: it makes our own write recognisable.
    pub writer: &'a str,
    /// New content, where the change brings one.
    pub content: Option<&'a Content>,
    /// The row of the try that ended.
    pub attempt: Option<&'a AttemptRecord>,
    /// The row of the step: none is taken without.
    pub event: &'a Event,
    /// What it does to the cycles.
    pub ledger: &'a [LedgerChange],
    /// The connection that must be usable at this moment: an intent to send and a disconnect cannot both succeed.
    pub usable: Option<&'a Connection>,
}

/// What came of a change.
#[derive(Debug)]
pub enum Commit {
    /// It stands, by this call or by an earlier one of the same writer.
    Done,
    /// Somebody else's change came first; this is what stands now.
    PostMoved(Option<Box<Post>>),
    /// A cycle, the plan that opens it or the connection changed meanwhile, or the items were being written: read again and repeat.
    LedgerMoved,
    /// The platform's post belongs to another post of ours.
    AlreadyBound,
}

impl<'a> PostChange<'a> {
    /// A change of the post alone.
    pub fn of(post: &'a Post, writer: &'a str, event: &'a Event) -> Self {
        Self { post, writer, content: None, attempt: None, event, ledger: &[], usable: None }
    }

    /// The condition of every change: the post is as it was when the change was derived from it.
    fn fence(&self) -> &'static str {
        match self.post.status() {
            Status::Publishing if Bug::IntentNotFenced.is_planted() => "rev = :rev OR rev <> :rev",
            Status::Published if Bug::SettleWithoutCondition.is_planted() => "rev = :rev OR rev <> :rev",
            _ => "rev = :rev",
        }
    }

    fn bound_key(&self) -> Option<Key> {
        match &self.post.state {
            State::Published { platform_post_id: Some(id), .. } => Some(Key::bound(self.post.platform, id)),
            _ => None,
        }
    }
}

impl Store {
    /// Stores new posts with their content and first events, all or none. At most 33 posts at once.
    pub async fn create_posts(&self, posts: &[(Post, Content, Event)], writer: &str) -> Result<(), StoreError> {
        let mut legs = Vec::with_capacity(posts.len() * 3);
        for (post, content, event) in posts {
            let key = Key::post(&post.user_id, &post.id);
            legs.push(put(&self.tables.posts, to_item(key, PostItem::new(post, writer))).condition_expression("attribute_not_exists(pk)"));
            legs.push(put(&self.tables.posts, to_item(Key::content(&post.user_id, &post.id), ContentItem::from(content))));
            legs.push(put(&self.tables.posts, to_item(Key::event(&post.user_id, &post.id, post.rev), event)));
        }
        let legs = legs.into_iter().map(transact_put).collect();
        self.client
            .transact_write_items()
            .set_transact_items(Some(legs))
            .send()
            .await
            .map(|_| ())
            .map_err(StoreError::unavailable("creating posts"))
    }

    /// Stores a change of a post: all of it, if the post and the cycles are as they were when it was derived.
    pub async fn commit(&self, change: &PostChange<'_>) -> Result<Commit, StoreError> {
        let legs = self.legs(change);
        let ledger_legs = 1..=change.ledger.len();
        // The checks stand at the end; whichever failed, the answer is the same.
        let checks = usize::from(change.usable.is_some()) + usize::from(change.ledger.iter().any(|ledger| ledger.under.is_some()));
        let check_legs = legs.len() - checks..legs.len();
        let bound_leg = change.bound_key().map(|_| check_legs.start - 1);
        let sent = self.client.transact_write_items().set_transact_items(Some(legs)).send().await;
        let Err(error) = sent else { return Ok(Commit::Done) };
        let Some(reasons) = cancellation(&error) else { return Err(StoreError::unavailable("storing a post and its ledger")(error)) };
        if failed(reasons.first()) {
            return self.told(change, reasons[0].item.clone());
        }
        if bound_leg.is_some_and(|leg| failed(reasons.get(leg))) {
            return Ok(Commit::AlreadyBound);
        }
        if ledger_legs.into_iter().chain(check_legs).any(|leg| failed(reasons.get(leg))) || reasons.iter().any(is_conflict) {
            return Ok(Commit::LedgerMoved);
        }
        Err(StoreError::unavailable("storing a post and its ledger")(error))
    }

    /// Removes a post with all its rows, if it is still as it was read.
    ///
    /// A story that is too long for one transaction goes from its end, and the post with its beginning last: whoever is stopped in between
    /// leaves a post that can be deleted again, and no row that nobody finds.
    pub async fn delete_post(&self, post: &Post) -> Result<Commit, StoreError> {
        let key = Key::post(&post.user_id, &post.id);
        let rows: Vec<Key> = self.story_items(&post.user_id, &post.id).await?.iter().filter_map(key_of).filter(|row| *row != key).collect();
        let mut chunks: Vec<&[Key]> = rows.chunks(LEGS_MAX - 1).rev().collect();
        if chunks.is_empty() {
            chunks.push(&[]);
        }
        let last = chunks.len() - 1;
        for (index, chunk) in chunks.into_iter().enumerate() {
            let fence = if index == last { self.deleted(post, &key) } else { self.checked(post, &key) };
            let gone = |row: &Key| {
                let delete = Delete::builder().table_name(&self.tables.posts).set_key(Some(row.clone().into_item()));
                TransactWriteItem::builder().delete(delete.build().expect("table and key are set")).build()
            };
            let legs = std::iter::once(fence).chain(chunk.iter().map(gone)).collect();
            let sent = self.client.transact_write_items().set_transact_items(Some(legs)).send().await;
            match sent {
                Ok(_) => {}
                Err(error) => match cancellation(&error) {
                    Some(reasons) if failed(reasons.first()) => return moved(reasons[0].item.clone()),
                    Some(reasons) if reasons.iter().any(is_conflict) => return Ok(Commit::LedgerMoved),
                    _ => return Err(StoreError::unavailable("deleting a post")(error)),
                },
            }
        }
        Ok(Commit::Done)
    }

    /// The post goes, if it is still as it was read.
    fn deleted(&self, post: &Post, key: &Key) -> TransactWriteItem {
        let delete = Delete::builder()
            .table_name(&self.tables.posts)
            .set_key(Some(key.clone().into_item()))
            .condition_expression("rev = :rev")
            .expression_attribute_values(":rev", number(post.rev))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        TransactWriteItem::builder().delete(delete.build().expect("table and key are set")).build()
    }

    /// The post stays, and is still as it was read.
    fn checked(&self, post: &Post, key: &Key) -> TransactWriteItem {
        let check = ConditionCheck::builder()
            .table_name(&self.tables.posts)
            .set_key(Some(key.clone().into_item()))
            .condition_expression("rev = :rev")
            .expression_attribute_values(":rev", number(post.rev))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        TransactWriteItem::builder().condition_check(check.build().expect("table, key and condition are set")).build()
    }

    /// The post first, then one cycle each, then the rows, among them the one by which the numbers of a published post are followed; the
    /// binding, and the checks of connection and user last. `commit` reads the answer by place.
    fn legs(&self, change: &PostChange<'_>) -> Vec<TransactWriteItem> {
        let (user, id) = (&change.post.user_id, &change.post.id);
        let table = &self.tables.posts;
        let mut puts = vec![
            put(table, to_item(Key::post(user, id), PostItem::new(change.post, change.writer)))
                .condition_expression(change.fence())
                .expression_attribute_values(":rev", number(change.post.rev - 1)),
        ];
        puts.extend(change.ledger.iter().map(|ledger| ledger_puts::cycle(&self.tables.ledger, ledger)));
        puts.extend(change.ledger.iter().flat_map(|ledger| ledger_puts::entries(&self.tables.ledger, ledger)));
        puts.extend(change.content.map(|content| put(table, to_item(Key::content(user, id), ContentItem::from(content)))));
        puts.extend(change.attempt.map(|record| put(table, to_item(Key::attempt(user, id, record.number), AttemptItem::from(record)))));
        puts.push(put(table, to_item(Key::event(user, id, change.post.rev), change.event)));
        puts.extend(first_watch(table, change.post, change.writer));
        puts.extend(change.bound_key().map(|key| {
            let item = to_item(key, std::collections::BTreeMap::from([("post_id", id.as_str()), ("user_id", user.as_str())]));
            put(table, item).condition_expression("attribute_not_exists(pk)")
        }));
        let check = change.usable.map(|connection| self.usable_check(connection));
        puts.into_iter().map(transact_put).chain(check).chain(self.plan_leg(change.ledger)).collect()
    }

    /// What a refused condition tells: our own earlier write, or somebody else's.
    #[expect(clippy::unused_self, reason = "reads with its callers")]
    fn told(&self, change: &PostChange<'_>, standing: Option<Item>) -> Result<Commit, StoreError> {
        if written_by(standing.as_ref(), change.post.rev) == Some(change.writer) && !Bug::OwnWriteNotRecognised.is_planted() {
            return Ok(Commit::Done);
        }
        moved(standing)
    }
}

fn moved(standing: Option<Item>) -> Result<Commit, StoreError> {
    let post = standing.map(|item| from_item::<PostItem>("post", item)?.try_into()).transpose()?;
    Ok(Commit::PostMoved(post.map(Box::new)))
}

pub(crate) fn put(table: &str, item: Item) -> aws_sdk_dynamodb::types::builders::PutBuilder {
    Put::builder()
        .table_name(table)
        .set_item(Some(item))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
}

pub(crate) fn transact_put(put: aws_sdk_dynamodb::types::builders::PutBuilder) -> TransactWriteItem {
    TransactWriteItem::builder().put(put.build().expect("table and item are set")).build()
}

/// The reasons of a cancelled transaction, one a leg.
pub(crate) fn cancellation<R>(error: &SdkError<TransactWriteItemsError, R>) -> Option<&[CancellationReason]> {
    match error.as_service_error()? {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => Some(cancelled.cancellation_reasons()),
        _ => None,
    }
}

pub(crate) fn failed(reason: Option<&CancellationReason>) -> bool {
    reason.is_some_and(|reason| reason.code() == Some("ConditionalCheckFailed"))
}

pub(crate) fn is_conflict(reason: &CancellationReason) -> bool {
    reason.code() == Some("TransactionConflict")
}
