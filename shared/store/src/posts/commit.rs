//! The one way in which a post changes.

use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use domain::connection::Connection;
use domain::content::{Content, ContentHash};
use domain::id::{PostId, UserId};
use domain::ledger::LedgerChange;
use domain::planted::Bug;
use domain::post::{AttemptRecord, Event, Post, State, Status};
use serde::{Deserialize, Serialize};

use super::item::{AttemptItem, ContentItem, PostItem};
use super::key_of;
use crate::items::{from_item, number, text, to_item, written_by};
use crate::key::{Item, Key};
use crate::ledger::ledger_puts;
use crate::watches::first_watch;
use crate::{Store, StoreError};

/// How many items one transaction changes.
pub(super) const LEGS_MAX: usize = 100;

/// What is being done, for errors.
const CREATING: &str = "creating posts";
const COMMITTING: &str = "storing a post and its ledger";

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
    /// What the content looks like on the platform, where an intent to send it is stored: its rivals are found by that.
    pub intent: Option<&'a ContentHash>,
    /// Whether the user's waiting posts are looked through afterwards: what this one is held for may have come back meanwhile.
    pub look_through: bool,
}

/// What came of a change.
#[derive(Debug)]
pub enum Commit {
    /// It stands, by this call or by an earlier one of the same writer.
    Done,
    /// Another change of the post came first; this is what stands now, `None` if the post is gone.
    PostMoved(Option<Box<Post>>),
    /// A cycle, the plan that opens one, or the number of drafts has changed: read them again and repeat.
    CycleMoved,
    /// The connection cannot be used: it needs its owner, is being disconnected, or is gone.
    ConnectionUnusable,
    /// The platform's post belongs to another post of ours: this one.
    AlreadyBound(Owner),
}

/// Whose a platform's post is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Which post of ours.
    pub post_id: PostId,
    /// Whose.
    pub user_id: UserId,
}

/// What one leg of a change stands for, in the order in which their failed conditions count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Leg {
    Post,
    Binding,
    Connection,
    Cycle,
    Drafts,
    Row,
}

impl<'a> PostChange<'a> {
    /// A change of the post alone.
    pub fn of(post: &'a Post, writer: &'a str, event: &'a Event) -> Self {
        Self { post, writer, content: None, attempt: None, event, ledger: &[], usable: None, intent: None, look_through: false }
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
    /// Stores new drafts of one user with their content and first events, all or none. At most 33 posts at once. `false`: the user would have
    /// more than [`DRAFTS_MAX`](domain::post::DRAFTS_MAX), and nothing was stored.
    pub async fn create_posts(&self, posts: &[(Post, Content, Event)], writer: &str) -> Result<bool, StoreError> {
        let mut legs = Vec::with_capacity(posts.len() * 3);
        for (post, content, event) in posts {
            let key = Key::post(&post.user_id, &post.id);
            legs.push(put(&self.tables.posts, to_item(key, PostItem::new(post, writer))).condition_expression("attribute_not_exists(pk)"));
            legs.push(put(&self.tables.posts, to_item(Key::content(&post.user_id, &post.id), ContentItem::from(content))));
            legs.push(put(&self.tables.posts, to_item(Key::event(&post.user_id, &post.id, post.rev), event)));
        }
        let mut legs: Vec<_> = legs.into_iter().map(transact_put).collect();
        legs.extend(posts.first().map(|(post, ..)| self.drafts_made(&post.user_id, posts.len())));
        let Err(refused) = self.transact(CREATING, writer, legs).await? else { return Ok(true) };
        // A post that is there already says first that this is our own write, sent again.
        if posts.first().is_some_and(|(post, ..)| refused.is_own(0, post.rev, writer)) {
            return Ok(true);
        }
        // The last leg counts the drafts.
        if refused.legs().eq([posts.len() * 3]) {
            return Ok(false);
        }
        Err(StoreError::Contended { doing: CREATING })
    }

    /// Stores a change of a post: all of it, if the post and the cycles are as they were when it was derived.
    pub async fn commit(&self, change: &PostChange<'_>) -> Result<Commit, StoreError> {
        let legs = self.legs(change);
        let (means, legs): (Vec<Leg>, Vec<TransactWriteItem>) = legs.into_iter().unzip();
        let Err(refused) = self.transact(COMMITTING, change.writer, legs).await? else { return Ok(Commit::Done) };
        // Of several that failed the post counts first: the rest was derived from it.
        match refused.legs().filter_map(|leg| Some((*means.get(leg)?, leg))).min() {
            Some((Leg::Post, leg)) => self.told(change, refused.standing(leg).cloned()),
            Some((Leg::Binding, leg)) => {
                Ok(Commit::AlreadyBound(from_item("binding", refused.standing(leg).cloned().unwrap_or_default())?))
            }
            Some((Leg::Connection, _)) => Ok(Commit::ConnectionUnusable),
            // Of drafts there were fewer when the caller looked.
            Some((Leg::Cycle | Leg::Drafts, _)) => Ok(Commit::CycleMoved),
            Some((Leg::Row, _)) | None => Err(StoreError::Contended { doing: COMMITTING }),
        }
    }

    /// Removes a post with all its rows, if it is still as it was read.
    ///
    /// A story that is too long for one transaction goes from its end, and the post with its beginning last: whoever is stopped in between
    /// leaves a post that can be deleted again, and no row that nobody finds.
    pub async fn delete_post(&self, post: &Post) -> Result<Commit, StoreError> {
        let key = Key::post(&post.user_id, &post.id);
        let rows: Vec<Key> = self.story_items(&post.user_id, &post.id).await?.iter().filter_map(key_of).filter(|row| *row != key).collect();
        let mut chunks: Vec<&[Key]> = rows.chunks(LEGS_MAX - 3).rev().collect();
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
            // What may show yet of a post is a rival of others for as long as it may, though the post is gone.
            let intent = if index == last && !post.may_show() { self.intent_gone(post) } else { None };
            let counted = (index == last && post.status() == Status::Draft).then(|| self.draft_gone(&post.user_id));
            let legs = std::iter::once(fence).chain(intent).chain(counted).chain(chunk.iter().map(gone)).collect();
            if let Err(refused) = self.transact("deleting a post", post.id.as_str(), legs).await? {
                return moved(refused.standing(0).cloned());
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

    /// The post first, then one cycle each, then the rows, among them the one by which the metrics of a published post are followed; the
    /// binding, and the checks of connection and user last. Each names what a failed condition says of it.
    pub(super) fn legs(&self, change: &PostChange<'_>) -> Vec<(Leg, TransactWriteItem)> {
        let (user, id) = (&change.post.user_id, &change.post.id);
        let table = &self.tables.posts;
        let mut puts = vec![(
            Leg::Post,
            put(table, to_item(Key::post(user, id), PostItem::new(change.post, change.writer)))
                .condition_expression(change.fence())
                .expression_attribute_values(":rev", number(change.post.rev - 1)),
        )];
        puts.extend(change.ledger.iter().map(|ledger| (Leg::Cycle, ledger_puts::cycle(&self.tables.ledger, ledger))));
        puts.extend(self.rows(change).into_iter().map(|row| (Leg::Row, row)));
        puts.extend(change.bound_key().map(|key| {
            let binding = put(table, to_item(key, Owner { post_id: id.clone(), user_id: user.clone() }));
            // A binding that was taken back for this post waits for it.
            (
                Leg::Binding,
                binding
                    .condition_expression("attribute_not_exists(pk) OR post_id = :post")
                    .expression_attribute_values(":post", text(id.as_str())),
            )
        }));
        let intent = self.intent_leg(change.post, change.intent).map(|leg| (Leg::Row, leg));
        let check = change.usable.map(|connection| (Leg::Connection, self.usable_check(connection)));
        let plan = self.plan_leg(change.ledger).map(|leg| (Leg::Cycle, leg));
        let note = self.note_leg(change).map(|leg| (Leg::Row, leg));
        let drafts = self.drafts_changed(change).map(|leg| (Leg::Drafts, leg));
        puts.into_iter()
            .map(|(leg, put)| (leg, transact_put(put)))
            .chain(intent)
            .chain(check)
            .chain(plan)
            .chain(note)
            .chain(drafts)
            .collect()
    }

    /// The leg that has the user's waiting posts looked through.
    fn note_leg(&self, change: &PostChange<'_>) -> Option<TransactWriteItem> {
        let PostChange { post, writer, .. } = change;
        let asked = change.look_through.then(|| self.return_leg(&post.user_id, format!("{writer}#{}", post.rev), post.updated_at));
        asked.or_else(|| self.freed_leg(change.ledger))
    }

    /// What is told beside the post and its cycles: rows that carry no condition of their own.
    fn rows(&self, change: &PostChange<'_>) -> Vec<PutBuilder> {
        let (user, id) = (&change.post.user_id, &change.post.id);
        let table = &self.tables.posts;
        let mut rows: Vec<PutBuilder> = change.ledger.iter().flat_map(|ledger| ledger_puts::entries(&self.tables.ledger, ledger)).collect();
        rows.extend(change.content.map(|content| put(table, to_item(Key::content(user, id), ContentItem::from(content)))));
        rows.extend(change.attempt.map(|record| put(table, to_item(Key::attempt(user, id, record.number), AttemptItem::from(record)))));
        rows.push(put(table, to_item(Key::event(user, id, change.post.rev), change.event)));
        rows.extend(first_watch(table, change.post, change.writer));
        rows
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

pub(crate) fn put(table: &str, item: Item) -> PutBuilder {
    Put::builder()
        .table_name(table)
        .set_item(Some(item))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
}

pub(crate) fn transact_put(put: PutBuilder) -> TransactWriteItem {
    TransactWriteItem::builder().put(put.build().expect("table and item are set")).build()
}
