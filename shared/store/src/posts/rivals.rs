//! What may show on a platform account, whoever's it is: one row a post, from its intent until it is known what became of it.
//!
//! Two customers may have connected the same account. A search of one's post must not take what the other's sent, so these rows stand under
//! the account. They hold ids and a hash, and nothing of what is said.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::{Delete, TransactWriteItem};
use domain::content::ContentHash;
use domain::planted::Bug;
use domain::platform::PlatformName;
use domain::post::Post;
use serde::{Deserialize, Serialize};

use super::commit::{Owner, put, transact_put};
use super::item::PostItem;
use crate::items::{BATCH_MAX, from_item, text, to_item};
use crate::key::Key;
use crate::{Store, StoreError};

/// Rows of one account that are read: some thousand stand in one page of 1 MB.
const PAGES_MAX: usize = 3;

#[derive(Serialize, Deserialize)]
struct IntentItem {
    #[serde(flatten)]
    of: Owner,
    version: u32,
    looks: ContentHash,
}

impl IntentItem {
    /// Whether it stands for what this post was sent as.
    fn is_of(&self, post: &Post) -> bool {
        self.of.post_id == post.id && post.sent_to.as_ref().is_some_and(|sent| sent.version == self.version)
    }
}

impl Store {
    /// The other posts that may show on the account that `post` was sent to and look as `looks` says, as they stand now. `None`, not a part of
    /// them, if they are more than one batch. `None` too, if the owner of one has deleted it or changed its text: it says no longer when that
    /// was sent.
    pub async fn rivals(&self, post: &Post, looks: &ContentHash) -> Result<Option<Vec<Post>>, StoreError> {
        let Some(sent) = &post.sent_to else { return Ok(Some(Vec::new())) };
        let Some(rows) = self.intents(post.platform, &sent.account, looks).await? else { return Ok(None) };
        let others: Vec<_> = rows.into_iter().filter(|row| !row.is_of(post) && !Bug::RivalsIgnored.is_planted()).collect();
        let posts: BTreeSet<_> = others.iter().map(|row| (&row.of.user_id, &row.of.post_id)).collect();
        if posts.is_empty() {
            return Ok(Some(Vec::new()));
        }
        // Of two rows of one post, one at least is left from an earlier text.
        if posts.len() > BATCH_MAX || posts.len() < others.len() {
            return Ok(None);
        }
        let keys = posts.into_iter().map(|(user, id)| (self.tables.posts.as_str(), Key::post(user, id))).collect();
        let mut rivals = Vec::new();
        for item in self.batch_get(keys).await? {
            rivals.push(from_item::<PostItem>("post", item)?.try_into()?);
        }
        let stands = |row: &IntentItem| rivals.iter().any(|rival| row.is_of(rival));
        Ok(others.iter().all(stands).then(|| rivals.into_iter().filter(Post::may_show).collect()))
    }

    /// The rows of these looks; `None`: not all were read.
    async fn intents(&self, platform: PlatformName, account: &str, looks: &ContentHash) -> Result<Option<Vec<IntentItem>>, StoreError> {
        let (mut rows, mut start) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let answer = self
                .client
                .query()
                .table_name(&self.tables.posts)
                .consistent_read(true)
                .key_condition_expression("pk = :pk")
                .filter_expression("looks = :looks")
                .expression_attribute_values(":pk", text(Key::account_pk(platform, account)))
                .expression_attribute_values(":looks", text(looks.as_str()))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(StoreError::unavailable("looking for rivals"))?;
            for item in answer.items.unwrap_or_default() {
                rows.push(from_item("intent", item)?);
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(Some(rows));
            }
        }
        Ok(None)
    }

    /// The leg that notes what may show of `post`, or that nothing does any more; none, where neither changes.
    pub(super) fn intent_leg(&self, post: &Post, looks: Option<&ContentHash>) -> Option<TransactWriteItem> {
        let sent = post.sent_to.as_ref()?;
        match looks {
            Some(looks) if post.may_show() => {
                let of = Owner { post_id: post.id.clone(), user_id: post.user_id.clone() };
                let item = IntentItem { of, version: sent.version, looks: looks.clone() };
                let row = to_item(Key::intent(post.platform, sent, &post.id), item);
                Some(transact_put(put(&self.tables.posts, row)))
            }
            _ if post.may_show() => None,
            _ => self.intent_gone(post),
        }
    }

    /// The leg that removes the row of a post that was sent somewhere.
    pub(super) fn intent_gone(&self, post: &Post) -> Option<TransactWriteItem> {
        let key = Key::intent(post.platform, post.sent_to.as_ref()?, &post.id);
        let delete = Delete::builder().table_name(&self.tables.posts).set_key(Some(key.into_item())).build();
        Some(TransactWriteItem::builder().delete(delete.expect("table and key are set")).build())
    }
}
