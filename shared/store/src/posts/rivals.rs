//! What may show on a platform account, whoever's it is: one row a post, from its intent until it is known what became of it.
//!
//! Two customers may have connected the same account. A search of one's post must not take what the other's sent, so these rows stand under
//! the account. They hold ids and a hash, and nothing of what is said.

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
    looks: ContentHash,
}

impl Store {
    /// The other posts that may show on the account that `post` was sent to and look as `looks` says, as they stand now. `None`, not a part of
    /// them, if they are more than one batch, or if one was deleted by its owner: when that was sent, nobody knows any more.
    pub async fn rivals(&self, post: &Post, looks: &ContentHash) -> Result<Option<Vec<Post>>, StoreError> {
        let Some(account) = &post.sent_to else { return Ok(Some(Vec::new())) };
        let Some(owners) = self.intents(post.platform, account, looks).await? else { return Ok(None) };
        let others = owners.iter().filter(|owner| owner.post_id != post.id && !Bug::RivalsIgnored.is_planted());
        let keys: Vec<_> = others.map(|owner| (self.tables.posts.as_str(), Key::post(&owner.user_id, &owner.post_id))).collect();
        match keys.len() {
            0 => return Ok(Some(Vec::new())),
            count if count > BATCH_MAX => return Ok(None),
            _ => {}
        }
        let (named, mut rivals) = (keys.len(), Vec::new());
        let items = self.batch_get(keys).await?;
        if items.len() < named {
            return Ok(None);
        }
        for item in items {
            let rival: Post = from_item::<PostItem>("post", item)?.try_into()?;
            rivals.extend(Some(rival).filter(Post::may_show));
        }
        Ok(Some(rivals))
    }

    /// Whose posts have a row of these looks; `None`: not all rows were read.
    async fn intents(&self, platform: PlatformName, account: &str, looks: &ContentHash) -> Result<Option<Vec<Owner>>, StoreError> {
        let (mut owners, mut start) = (Vec::new(), None);
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
                owners.push(from_item::<IntentItem>("intent", item)?.of);
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(Some(owners));
            }
        }
        Ok(None)
    }

    /// The leg that notes what may show of `post`, or that nothing does any more; none, where neither changes.
    pub(super) fn intent_leg(&self, post: &Post, looks: Option<&ContentHash>) -> Option<TransactWriteItem> {
        let account = post.sent_to.as_deref()?;
        match looks {
            Some(looks) if post.may_show() => {
                let of = Owner { post_id: post.id.clone(), user_id: post.user_id.clone() };
                let row = to_item(Key::intent(post.platform, account, &post.id), IntentItem { of, looks: looks.clone() });
                Some(transact_put(put(&self.tables.posts, row)))
            }
            _ if post.may_show() => None,
            _ => self.intent_gone(post),
        }
    }

    /// The leg that removes the row of a post that was sent somewhere.
    pub(super) fn intent_gone(&self, post: &Post) -> Option<TransactWriteItem> {
        let key = Key::intent(post.platform, post.sent_to.as_deref()?, &post.id);
        let delete = Delete::builder().table_name(&self.tables.posts).set_key(Some(key.into_item())).build();
        Some(TransactWriteItem::builder().delete(delete.expect("table and key are set")).build())
    }
}
