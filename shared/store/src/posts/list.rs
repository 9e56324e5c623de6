//! A user's posts by time.

use domain::content::Content;
use domain::id::{GroupId, UserId};
use domain::platform::PlatformName;
use domain::post::{Post, Status};
use jiff::Timestamp;

use super::item::{ContentItem, PostItem};
use super::key_of;
use crate::cursor::{Cursor, Page};
use crate::items::{BATCH_MAX, from_item, text};
use crate::key::{Item, Key, sortable};
use crate::schema::BY_DUE_INDEX;
use crate::{Store, StoreError};

/// A page is filled from at most this many reads: a filter that matches little ends a page early, with a cursor.
const READS_MAX: usize = 5;
/// A page ends after the text with which it comes to so many bytes: what a function may answer is bounded, and JSON doubles some letters.
const PAGE_BYTES_MAX: usize = 1_536 * 1_024;
/// Posts in one page, and pages, when all are read.
const ALL_PAGE: usize = 499;
const ALL_PAGES_MAX: usize = 100;

/// Which posts; `None` = any.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this status.
    pub status: Option<Status>,
    /// On this platform.
    pub platform: Option<PlatformName>,
    /// Of this request.
    pub group_id: Option<GroupId>,
    /// Due at or after.
    pub from: Option<Timestamp>,
    /// Due before.
    pub to: Option<Timestamp>,
}

impl Filter {
    fn matches(&self, post: &Post) -> bool {
        self.status.is_none_or(|status| post.status() == status)
            && self.platform.is_none_or(|platform| post.platform == platform)
            && self.group_id.as_ref().is_none_or(|group| post.group_id == *group)
    }
}

impl Store {
    /// A page of at most `limit` (1 to 100) posts by their due time; it ends early where the texts are long. The index may be a moment
    /// behind.
    pub async fn posts(
        &self,
        user: &UserId,
        filter: &Filter,
        limit: usize,
        after: Option<Cursor>,
    ) -> Result<Page<(Post, Content)>, StoreError> {
        let mut found: Vec<(Post, Item)> = Vec::new();
        let mut start = after.map(Cursor::into_key);
        let mut next = None;
        for _ in 0..READS_MAX {
            let (items, last) = self.posts_by_due(user, filter, limit, start.take()).await?;
            for item in items {
                let position = position(&item);
                let post: Post = from_item::<PostItem>("post", item)?.try_into()?;
                if filter.matches(&post) {
                    found.push((post, position.clone()));
                }
                if found.len() == limit {
                    next = Some(position);
                    break;
                }
            }
            if next.is_some() || last.is_none() {
                break;
            }
            start = last;
        }
        let (items, cut) = self.with_content(user, found).await?;
        let next = cut.or(next).or(start).map(|key| Cursor::from_key(user, &key));
        Ok(Page { items, next })
    }

    /// The same posts as they stand now, strongly consistent, in no order: an index may have told an older state of them.
    pub async fn posts_now(&self, posts: &[Post]) -> Result<Vec<Post>, StoreError> {
        let mut now = Vec::new();
        for some in posts.chunks(BATCH_MAX) {
            let keys = some.iter().map(|post| (self.tables.posts.as_str(), Key::post(&post.user_id, &post.id))).collect();
            for item in self.batch_get(keys).await? {
                now.push(from_item::<PostItem>("post", item)?.try_into()?);
            }
        }
        Ok(now)
    }

    /// All posts of `filter` that `wanted` names, by due time, without content; the index may be a moment behind. An error, not a part
    /// of them, if there are more than 50,000.
    pub async fn posts_where(
        &self,
        user: &UserId,
        filter: &Filter,
        wanted: impl Fn(&Post) -> bool + Send,
    ) -> Result<Vec<Post>, StoreError> {
        #[derive(Debug, thiserror::Error)]
        #[error("there are more posts than one read may take")]
        struct TooMany;

        let (mut found, mut start) = (Vec::new(), None);
        for _ in 0..ALL_PAGES_MAX {
            let (items, last) = self.posts_by_due(user, filter, ALL_PAGE, start).await?;
            for item in items {
                let post: Post = from_item::<PostItem>("post", item)?.try_into()?;
                if filter.matches(&post) && wanted(&post) {
                    found.push(post);
                }
            }
            if last.is_none() {
                return Ok(found);
            }
            start = last;
        }
        Err(StoreError::Unavailable { doing: "reading all posts of a user", source: Box::new(TooMany) })
    }

    async fn posts_by_due(
        &self,
        user: &UserId,
        filter: &Filter,
        limit: usize,
        start: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), StoreError> {
        let from = filter.from.map_or_else(|| "0".to_owned(), sortable);
        let to = filter.to.map_or_else(|| "~".to_owned(), sortable);
        // A cursor of a list with other bounds: DynamoDB refuses a start outside of those that are asked for.
        let place = start.as_ref().and_then(|key| key.get("list_sk")?.as_s().ok());
        if place.is_some_and(|place| *place > to) {
            return Ok((Vec::new(), None));
        }
        let start = if place.is_some_and(|place| *place < from) { None } else { start };
        let answer = self
            .client
            .query()
            .table_name(&self.tables.posts)
            .index_name(BY_DUE_INDEX)
            .key_condition_expression("list_pk = :pk AND list_sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", text(user.as_str()))
            .expression_attribute_values(":from", text(from))
            .expression_attribute_values(":to", text(to))
            .limit(i32::try_from(limit + 1).unwrap_or(100))
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(StoreError::unavailable("listing posts"))?;
        Ok((answer.items.unwrap_or_default(), answer.last_evaluated_key))
    }

    /// The posts with what they say, and the position of the last one where the texts are too long for the rest.
    async fn with_content(&self, user: &UserId, found: Vec<(Post, Item)>) -> Result<(Vec<(Post, Content)>, Option<Item>), StoreError> {
        if found.is_empty() {
            return Ok((Vec::new(), None));
        }
        let keys = found.iter().map(|(post, _)| (self.tables.posts.as_str(), Key::content(user, &post.id))).collect();
        let mut contents = std::collections::BTreeMap::new();
        for item in self.batch_get(keys).await? {
            if let Some(key) = key_of(&item) {
                contents.insert(key.sk, Content::from(from_item::<ContentItem>("content", item)?));
            }
        }
        let (mut posts, mut bytes, count) = (Vec::new(), 0, found.len());
        for (index, (post, position)) in found.into_iter().enumerate() {
            // A post that was deleted between the two reads has no content any more, and no place in the list.
            let Some(content) = contents.remove(&Key::content(user, &post.id).sk) else { continue };
            bytes += content.text.len() + content.ai_recommendation.as_ref().map_or(0, String::len);
            posts.push((post, content));
            if bytes >= PAGE_BYTES_MAX && index + 1 < count {
                return Ok((posts, Some(position)));
            }
        }
        Ok((posts, None))
    }
}

/// The key at which a list goes on after `item`.
fn position(item: &Item) -> Item {
    ["pk", "sk", "list_pk", "list_sk"].into_iter().filter_map(|name| Some((name.to_owned(), item.get(name)?.clone()))).collect()
}
