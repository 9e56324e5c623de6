//! A user's posts by time.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::content::Content;
use domain::id::{GroupId, UserId};
use domain::order::Order;
use domain::platform::PlatformName;
use domain::post::{Post, Status};
use jiff::Timestamp;

use super::item::{ContentItem, PostItem};
use super::key_of;
use crate::cursor::{Cursor, Page, Start};
use crate::items::{BATCH_MAX, Reading, from_item, keyed, text};
use crate::key::{Item, Key, sortable};
use crate::schema::BY_DUE_INDEX;
use crate::{Store, StoreError};

/// A page with something in it is filled from at most this many reads: the next page goes on where they stopped.
const READS_MAX: usize = 5;
/// An empty one is not given while there may be something: more reads than the most posts that a user has take.
const READS_IN_VAIN_MAX: usize = 100;
/// How many rows one read looks at where some of them may not be wanted, or one could not be read.
const FILTERED_READ: usize = 499;
/// A page ends after the text with which it comes to so many bytes: what is read at once is bounded.
const PAGE_BYTES_MAX: usize = 1_536 * 1_024;
/// Posts in one page, and pages, when all are read.
const ALL_PAGE: usize = 499;
const ALL_PAGES_MAX: usize = 100;

/// Which posts; `None` = any.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In one of these; none = any.
    pub statuses: Vec<Status>,
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
        (self.statuses.is_empty() || self.statuses.contains(&post.status()))
            && self.platform.is_none_or(|platform| post.platform == platform)
            && self.group_id.as_ref().is_none_or(|group| post.group_id == *group)
    }

    /// Whether rows between the bounds may be left out.
    fn is_selective(&self) -> bool {
        !self.statuses.is_empty() || self.platform.is_some() || self.group_id.is_some()
    }
}

/// How many of a user's posts are in each of some states.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    of: BTreeMap<&'static str, usize>,
    /// There were more posts than were looked at, the ones that are due last first.
    pub partial: bool,
}

impl Counted {
    /// How many are in one state.
    pub fn of(&self, status: Status) -> usize {
        self.of.get(status.as_str()).copied().unwrap_or_default()
    }
}

impl Store {
    /// A page of at most `limit` (1 to 100) posts by their due time. It ends early where the texts are long, and is not empty while
    /// something follows that matches. One that cannot be read is left out. The index may be a moment behind.
    pub async fn posts(&self, user: &UserId, filter: &Filter, limit: usize, start: Start) -> Result<Page<(Post, Content)>, StoreError> {
        let mut reading = self.reading();
        let mut page = self.posts_page(user, filter, limit, start, &mut reading).await?;
        // All of them were deleted between two reads, or their texts cannot be read: from here on it looks at as many as it can at once.
        for _ in 0..READS_IN_VAIN_MAX {
            let Some(next) = page.next.clone().filter(|_| page.items.is_empty()) else { break };
            page = self.posts_page(user, filter, BATCH_MAX, Start::after(next), &mut reading).await?;
        }
        Ok(page.cut(limit))
    }

    async fn posts_page(
        &self,
        user: &UserId,
        filter: &Filter,
        limit: usize,
        start: Start,
        reading: &mut Reading<'_>,
    ) -> Result<Page<(Post, Content)>, StoreError> {
        let Start { order, after } = start;
        let (mut found, mut start): (Vec<(Post, Item)>, _) = (Vec::new(), after.map(Cursor::into_key));
        for reads in 1..=READS_IN_VAIN_MAX {
            let rows = if filter.is_selective() || reading.has_left_out() { FILTERED_READ } else { limit };
            let (items, last) = self.posts_by_due(user, filter, (rows, order), start.take()).await?;
            for item in items {
                let position = position(&item);
                found.extend(reading.row(post(item))?.filter(|post| filter.matches(post)).map(|post| (post, position)));
                // One more says that there is another page.
                if found.len() > limit {
                    break;
                }
            }
            start = last;
            if start.is_none() || found.len() > limit || (reads >= READS_MAX && !found.is_empty()) {
                break;
            }
        }
        let cut = (found.len() > limit).then(|| found[limit - 1].1.clone());
        found.truncate(limit);
        let (rows, text_cut) = self.with_content(user, found, reading).await?;
        let next = text_cut.or(cut).or(start).map(|key| Cursor::from_key(user, order, &key));
        Ok(Page::new(rows.into_iter().map(|(row, position)| (row, Cursor::from_key(user, order, &position))), next))
    }

    /// How many of a user's posts are in each of these states. At most `rows_max` posts are looked at, those that are due last first; the index
    /// may be a moment behind.
    pub async fn count_posts(&self, user: &UserId, statuses: &[Status], rows_max: usize) -> Result<Counted, StoreError> {
        let (mut counted, mut start, mut left) = (Counted::default(), None, rows_max);
        let names: Vec<String> = (0..statuses.len()).map(|place| format!(":s{place}")).collect();
        loop {
            let values = names.iter().cloned().zip(statuses.iter().map(|status| text(status.as_str())));
            let answer = self
                .client
                .query()
                .table_name(&self.tables.posts)
                .index_name(BY_DUE_INDEX)
                .key_condition_expression("list_pk = :pk")
                .filter_expression(format!("#status IN ({})", names.join(", ")))
                .projection_expression("#status")
                .expression_attribute_names("#status", "status")
                .set_expression_attribute_values(Some(values.chain([(":pk".to_owned(), text(user.as_str()))]).collect()))
                .scan_index_forward(false)
                .limit(i32::try_from(left.min(FILTERED_READ)).unwrap_or(1))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(StoreError::unavailable("counting posts"))?;
            left = left.saturating_sub(usize::try_from(answer.scanned_count).unwrap_or_default().max(1));
            for item in answer.items.unwrap_or_default() {
                let status = item.get("status").and_then(|status| status.as_s().ok()).and_then(|status| Status::parse(status));
                *counted.of.entry(status.map_or("", Status::as_str)).or_default() += 1;
            }
            start = answer.last_evaluated_key;
            if start.is_none() || left == 0 {
                counted.partial = start.is_some();
                return Ok(counted);
            }
        }
    }

    /// The same posts as they stand now, strongly consistent, in no order: an index may have told an older state of them. One that cannot be
    /// read any more is left out.
    pub async fn posts_now(&self, posts: &[Post]) -> Result<Vec<Post>, StoreError> {
        let (mut now, mut reading) = (Vec::new(), self.reading());
        for some in posts.chunks(BATCH_MAX) {
            let keys = some.iter().map(|post| (self.tables.posts.as_str(), Key::post(&post.user_id, &post.id))).collect();
            for item in self.batch_get(keys).await? {
                now.extend(reading.row(post(item))?);
            }
        }
        Ok(now)
    }

    /// All posts of `filter` that `wanted` names, by due time, without content; the index may be a moment behind. An error, not a part
    /// of them, if there are more than 50,000, or one cannot be read.
    pub async fn posts_where(
        &self,
        user: &UserId,
        filter: &Filter,
        wanted: impl Fn(&Post) -> bool + Send,
    ) -> Result<Vec<Post>, StoreError> {
        self.each_post_where(user, filter, wanted).await?.into_iter().collect()
    }

    /// The same for whoever looks at one post after the other: one that cannot be read is told in its place, by its key, and harms no other.
    pub async fn each_post_where(
        &self,
        user: &UserId,
        filter: &Filter,
        wanted: impl Fn(&Post) -> bool + Send,
    ) -> Result<Vec<Result<Post, StoreError>>, StoreError> {
        #[derive(Debug, thiserror::Error)]
        #[error("there are more posts than one read may take")]
        struct TooMany;

        let (mut found, mut start) = (Vec::new(), None);
        for _ in 0..ALL_PAGES_MAX {
            let (items, last) = self.posts_by_due(user, filter, (ALL_PAGE, Order::Asc), start).await?;
            for item in items {
                let post = post(item);
                if post.as_ref().map_or(true, |post| filter.matches(post) && wanted(post)) {
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
        (limit, order): (usize, Order),
        start: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), StoreError> {
        let from = filter.from.map_or_else(|| "0".to_owned(), sortable);
        let to = filter.to.map_or_else(|| "~".to_owned(), sortable);
        // A cursor of a list with other bounds: DynamoDB refuses a start outside of those that are asked for.
        let place = start.as_ref().and_then(|key| key.get("list_sk")).and_then(|place: &AttributeValue| place.as_s().ok());
        let (before, behind) = (place.is_some_and(|place| *place < from), place.is_some_and(|place| *place > to));
        let (yet_to_begin, is_over) = if order == Order::Asc { (before, behind) } else { (behind, before) };
        if is_over {
            return Ok((Vec::new(), None));
        }
        let start = if yet_to_begin { None } else { start };
        let answer = self
            .client
            .query()
            .table_name(&self.tables.posts)
            .index_name(BY_DUE_INDEX)
            .key_condition_expression("list_pk = :pk AND list_sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", text(user.as_str()))
            .expression_attribute_values(":from", text(from))
            .expression_attribute_values(":to", text(to))
            .scan_index_forward(order == Order::Asc)
            .limit(i32::try_from(limit + 1).unwrap_or(100))
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(StoreError::unavailable("listing posts"))?;
        Ok((answer.items.unwrap_or_default(), answer.last_evaluated_key))
    }

    /// The posts with what they say, and the position of the last one where the texts are too long for the rest.
    async fn with_content(
        &self,
        user: &UserId,
        found: Vec<(Post, Item)>,
        reading: &mut Reading<'_>,
    ) -> Result<(Vec<Placed>, Option<Item>), StoreError> {
        if found.is_empty() {
            return Ok((Vec::new(), None));
        }
        let keys = found.iter().map(|(post, _)| (self.tables.posts.as_str(), Key::content(user, &post.id))).collect();
        let mut contents = BTreeMap::new();
        for item in self.batch_get(keys).await? {
            let Some(key) = key_of(&item) else { continue };
            let content = reading.row(keyed(item, |item| from_item::<ContentItem>("content", item)))?;
            contents.extend(content.map(|content| (key.sk, Content::from(content))));
        }
        let (mut posts, mut bytes, count) = (Vec::new(), 0, found.len());
        for (index, (post, position)) in found.into_iter().enumerate() {
            // A post that was deleted between the two reads has no content any more, and no place in the list; nor has one whose content
            // cannot be read.
            let Some(content) = contents.remove(&Key::content(user, &post.id).sk) else { continue };
            bytes += content.text.len() + content.ai_recommendation.as_ref().map_or(0, String::len);
            posts.push(((post, content), position.clone()));
            if bytes >= PAGE_BYTES_MAX && index + 1 < count {
                return Ok((posts, Some(position)));
            }
        }
        Ok((posts, None))
    }
}

fn post(item: Item) -> Result<Post, StoreError> {
    keyed(item, |item| from_item::<PostItem>("post", item)?.try_into())
}

/// A post with what it says, and the key at which a list goes on after it.
type Placed = ((Post, Content), Item);

/// The key at which a list goes on after `item`.
fn position(item: &Item) -> Item {
    ["pk", "sk", "list_pk", "list_sk"].into_iter().filter_map(|name| Some((name.to_owned(), item.get(name)?.clone()))).collect()
}
