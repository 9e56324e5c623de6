//! Posts: the hot item under 1 KB, its content beside it, and the rows that tell its story.

mod commit;
mod drafts;
mod item;
mod late;
mod list;
mod rivals;
mod settle;
mod unbind;
mod wake;

pub use commit::{Commit, Owner, PostChange};
pub(crate) use commit::{put, transact_put};
pub use list::{Counted, Filter};
pub use settle::{Settled, Settlement};
pub use unbind::Unbinding;
pub use wake::Wanted;

use std::collections::{BTreeMap, BTreeSet};

use domain::content::Content;
use domain::id::{PostId, UserId};
use domain::platform::PlatformName;
use domain::post::{AttemptRecord, Event, Post};

use crate::items::{BATCH_MAX, from_item, keyed, text};
use crate::key::{Item, Key, POST, user_pk};
use crate::{Store, StoreError};
use item::{AttemptItem, ContentItem, PostItem};

/// A query reads at most this many pages of 1 MB: far more than one post's story.
const PAGES_MAX: usize = 10;

/// A post with everything that is known of it.
#[derive(Debug, Clone)]
pub struct Story {
    /// The post.
    pub post: Post,
    /// What it says.
    pub content: Content,
    /// The tries that ended, oldest first.
    pub attempts: Vec<AttemptRecord>,
    /// Every step that it took, oldest first.
    pub events: Vec<Event>,
}

impl Store {
    /// A post and what it says, strongly consistent.
    pub async fn post(&self, user: &UserId, id: &PostId) -> Result<Option<(Post, Content)>, StoreError> {
        let table = self.tables.posts.as_str();
        let items = self.batch_get(vec![(table, Key::post(user, id)), (table, Key::content(user, id))]).await?;
        let mut post = None;
        let mut content = None;
        for item in items {
            if is_content(&item) {
                content = Some(from_item::<ContentItem>("content", item)?.into());
            } else {
                post = Some(from_item::<PostItem>("post", item)?.try_into()?);
            }
        }
        Ok(post.zip(content))
    }

    /// A post with its whole story, strongly consistent. Of the tries and steps, those that cannot be read are left out.
    pub async fn story(&self, user: &UserId, id: &PostId) -> Result<Option<Story>, StoreError> {
        let (mut post, mut content, mut attempts, mut events) = (None, None, Vec::new(), Vec::new());
        let mut reading = self.reading();
        for item in self.story_items(user, id).await? {
            let sk = item.get("sk").and_then(|sk| sk.as_s().ok()).cloned().unwrap_or_default();
            match sk.split('#').nth(2) {
                None => post = Some(from_item::<PostItem>("post", item)?.try_into()?),
                Some("CONTENT") => content = Some(from_item::<ContentItem>("content", item)?.into()),
                Some("TRY") => {
                    let attempt = reading.row(keyed(item, |item| from_item::<AttemptItem>("attempt", item)))?;
                    attempts.extend(attempt.map(AttemptRecord::from));
                }
                Some(_) => events.extend(reading.row(keyed(item, |item| from_item::<Event>("event", item)))?),
            }
        }
        Ok(post.zip(content).map(|(post, content)| Story { post, content, attempts, events }))
    }

    /// Of these ids at the platform, those that belong to a post of ours already, and to which.
    pub async fn bound(&self, platform: PlatformName, ids: &[String]) -> Result<BTreeMap<String, Owner>, StoreError> {
        // Each once: a batch that names a key twice is refused.
        let ids: Vec<&String> = ids.iter().collect::<BTreeSet<_>>().into_iter().collect();
        let mut bound = BTreeMap::new();
        for chunk in ids.chunks(BATCH_MAX) {
            let keys = chunk.iter().map(|id| (self.tables.posts.as_str(), Key::bound(platform, id))).collect();
            for item in self.batch_get(keys).await? {
                let key = key_of(&item);
                let id = chunk.iter().find(|id| key == Some(Key::bound(platform, id)));
                bound.extend(id.map(|id| Ok::<_, StoreError>(((*id).clone(), from_item("binding", item)?))).transpose()?);
            }
        }
        Ok(bound)
    }

    async fn story_items(&self, user: &UserId, id: &PostId) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        let mut start = None;
        for _ in 0..PAGES_MAX {
            let answer = self
                .client
                .query()
                .table_name(&self.tables.posts)
                .consistent_read(true)
                .key_condition_expression("pk = :pk AND begins_with(sk, :sk)")
                .expression_attribute_values(":pk", text(user_pk(user)))
                .expression_attribute_values(":sk", text(format!("{POST}{id}")))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(StoreError::unavailable("reading a post's story"))?;
            items.extend(answer.items.unwrap_or_default());
            start = answer.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        Ok(items)
    }
}

fn is_content(item: &Item) -> bool {
    key_of(item).is_some_and(|key| key.sk.ends_with("#CONTENT"))
}

fn key_of(item: &Item) -> Option<Key> {
    let part = |name| item.get(name)?.as_s().ok().cloned();
    Some(Key { pk: part("pk")?, sk: part("sk")? })
}
