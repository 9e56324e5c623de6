//! How many drafts a user has: a number beside the posts, changed in the very transactions that make drafts and end them.
//!
//! Drafts cost nothing and wait for nobody, so nothing else bounds them. An index may be behind and the posts themselves are much to read;
//! this row is one. It is raised and lowered instead of computed. That is safe because a post fences each transaction with it: what is carried
//! out a second time is refused as a whole.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use domain::id::UserId;
use domain::post::{DRAFTS_MAX, Status};
use serde::Deserialize;

use super::commit::PostChange;
use crate::items::{from_item, number};
use crate::key::Key;
use crate::{Store, StoreError};

#[derive(Deserialize)]
struct DraftsItem {
    drafts: i64,
}

impl Store {
    /// How many drafts a user has, strongly consistent.
    pub async fn drafts(&self, user: &UserId) -> Result<usize, StoreError> {
        let items = self.batch_get(vec![(self.tables.posts.as_str(), Key::drafts(user))]).await?;
        let counted = items.into_iter().next().map(|item| from_item::<DraftsItem>("number of drafts", item)).transpose()?;
        Ok(counted.map_or(0, |item| usize::try_from(item.drafts).unwrap_or_default()))
    }

    /// The leg by which so many drafts are made; it fails where there would be more than [`DRAFTS_MAX`].
    pub(super) fn drafts_made(&self, user: &UserId, made: usize) -> TransactWriteItem {
        let room = DRAFTS_MAX.saturating_sub(made);
        let values = BTreeMap::from([(":made", number(made as u64)), (":room", number(room as u64))]);
        self.drafts_leg(user, "ADD drafts :made", Some("attribute_not_exists(drafts) OR drafts <= :room"), values)
    }

    /// The leg by which a draft is one no more.
    pub(super) fn draft_gone(&self, user: &UserId) -> TransactWriteItem {
        self.drafts_leg(user, "ADD drafts :gone", None, BTreeMap::from([(":gone", AttributeValue::N("-1".to_owned()))]))
    }

    /// The leg of a change by which a post becomes a draft or is one no more.
    pub(super) fn drafts_changed(&self, change: &PostChange<'_>) -> Option<TransactWriteItem> {
        let (was, is) = (change.event.from == Some(Status::Draft), change.event.to == Status::Draft);
        match (was, is) {
            (false, true) => Some(self.drafts_made(&change.post.user_id, 1)),
            (true, false) => Some(self.draft_gone(&change.post.user_id)),
            _ => None,
        }
    }

    fn drafts_leg(
        &self,
        user: &UserId,
        update: &str,
        condition: Option<&str>,
        values: BTreeMap<&str, AttributeValue>,
    ) -> TransactWriteItem {
        let update = Update::builder()
            .table_name(&self.tables.posts)
            .set_key(Some(Key::drafts(user).into_item()))
            .update_expression(update)
            .set_condition_expression(condition.map(str::to_owned))
            .set_expression_attribute_values(Some(values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()))
            .build()
            .expect("table, key and expression are set");
        TransactWriteItem::builder().update(update).build()
    }
}
