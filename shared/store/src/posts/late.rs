//! What workers learned of a post that had been taken from them.

use std::collections::BTreeSet;

use domain::post::{AttemptRecord, Intent, Known, LateResult, Learned, Post, Publication, State};

use super::commit::Owner;
use super::item::AttemptItem;
use crate::items::{BATCH_MAX, from_item, text, to_item, written};
use crate::key::Key;
use crate::{Store, StoreError};

/// How the row of a try says that its worker vanished.
const ABANDONED: &str = "abandoned";
/// What holds the word of a worker whose post says nothing of it yet.
const LATE: &str = "late";

impl Store {
    /// The tries at a post that ended, the last hundred, in no order.
    pub async fn attempts(&self, post: &Post) -> Result<Vec<AttemptRecord>, StoreError> {
        let numbers = (1..=post.attempt_count).rev().take(BATCH_MAX);
        let keys: Vec<_> = numbers.map(|number| (self.tables.posts.as_str(), Key::attempt(&post.user_id, &post.id, number))).collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.batch_get(keys).await?.into_iter().map(|item| Ok(from_item::<AttemptItem>("attempt", item)?.into())).collect()
    }

    /// What workers learned of this version of a post after it had been taken from them, and that an earlier one of the same text, which its
    /// owner did not find, is there after all. A publication that is another post's by now is left out, unless the platform
    /// has answered so here and a search has guessed it there.
    pub async fn late_results(&self, post: &Post) -> Result<Vec<LateResult>, StoreError> {
        let unseen = |late: &LateResult| {
            let of_it = |intent: &Intent| intent.first_at <= late.sent_at && late.sent_at <= intent.last_at;
            matches!(late.learned, Learned::Published(_)) && post.unseen.iter().any(of_it)
        };
        let late = self.attempts(post).await?.into_iter().filter_map(|record| record.late);
        let mut results: Vec<_> = late.filter(|late| late.version == post.version || unseen(late)).collect();
        let publication = |late: &LateResult| match &late.learned {
            Learned::Published(publication) => Some(publication.clone()),
            Learned::NotThere { .. } => None,
        };
        let ids: Vec<String> = results.iter().filter_map(publication).map(|publication| publication.platform_post_id).collect();
        let (mut taken, mut guessed) = (BTreeSet::new(), BTreeSet::new());
        for (id, owner) in self.bound(post.platform, &ids).await? {
            match owner.post_id == post.id {
                true => {}
                false if self.is_guess(&owner).await? => drop(guessed.insert(id)),
                false => drop(taken.insert(id)),
            }
        }
        let is_left = |Publication { platform_post_id: id, known, .. }: Publication| {
            !taken.contains(&id) && (known == Known::ByAnswer || !guessed.contains(&id))
        };
        results.retain(|late| publication(late).is_none_or(is_left));
        Ok(results)
    }

    /// Whether a search alone has given its owner what it is bound to: an answer of the platform's takes that back.
    async fn is_guess(&self, owner: &Owner) -> Result<bool, StoreError> {
        let standing = self.post(&owner.user_id, &owner.post_id).await?;
        Ok(standing.is_some_and(|(post, _)| matches!(post.state, State::Published { guessed: Some(_), .. })))
    }

    /// Puts what a try came to into its row before the post says so: the worker may be cut off before it can write the whole change. `false`:
    /// there is a row already.
    pub async fn leave_word(&self, post: &Post, record: &AttemptRecord) -> Result<bool, StoreError> {
        let sent = self
            .client
            .put_item()
            .table_name(&self.tables.posts)
            .set_item(Some(to_item(Key::attempt(&post.user_id, &post.id, record.number), AttemptItem::from(record))))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        written(sent, "leaving word of a result")
    }

    /// Whether the worker of this try has left in its row what it learned.
    pub async fn has_word(&self, post: &Post, record: &AttemptRecord) -> Result<bool, StoreError> {
        let key = Key::attempt(&post.user_id, &post.id, record.number);
        let rows = self.batch_get(vec![(self.tables.posts.as_str(), key)]).await?;
        Ok(rows.iter().any(|row| row.contains_key(LATE)))
    }

    /// Puts what a try came to in the place of the row that says that its worker vanished. `false`: there is no such row, or it tells already.
    /// The post stays as it is.
    pub async fn tell_late(&self, post: &Post, record: &AttemptRecord) -> Result<bool, StoreError> {
        let sent = self
            .client
            .put_item()
            .table_name(&self.tables.posts)
            .set_item(Some(to_item(Key::attempt(&post.user_id, &post.id, record.number), AttemptItem::from(record))))
            .condition_expression("id = :id AND outcome = :abandoned AND attribute_not_exists(late)")
            .expression_attribute_values(":id", text(record.id.as_str()))
            .expression_attribute_values(":abandoned", text(ABANDONED))
            .send()
            .await;
        written(sent, "telling a late result")
    }
}
