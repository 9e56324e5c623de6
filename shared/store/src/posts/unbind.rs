//! A binding that a search guessed, taken back for the post to whose send the platform itself has answered.

use aws_sdk_dynamodb::types::{Delete, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use domain::content::ContentHash;
use domain::ledger::{Cause, LedgerError};
use domain::post::{Event, Post, Transition};

use super::commit::{Leg, Owner, PostChange, put, transact_put};
use crate::items::{number, text, to_item};
use crate::key::{Item, Key};
use crate::watches::key_of;
use crate::{Rounds, Store, StoreError};

/// What is stored when a post loses what a search had taken for it.
#[derive(Debug)]
pub struct Unbinding<'a> {
    /// The post as it was published.
    pub before: &'a Post,
    /// Its step back into doubt.
    pub transition: &'a Transition,
    /// The post whose publication it is.
    pub heir: &'a Post,
    /// What the content of the loser looks like on the platform.
    pub looks: &'a ContentHash,
    /// The attempt that writes.
    pub writer: &'a str,
    /// The step, in a word.
    pub event: &'a Event,
    /// Told in the history.
    pub cause: Cause,
}

impl Store {
    /// Moves the binding to its heir, and the loser back into doubt: post, cycle and history, the rows of its metrics and of its intent, in
    /// one transaction. `false`: the loser has changed, or the binding has.
    pub async fn unbind(&self, unbinding: &Unbinding<'_>) -> Result<bool, StoreError> {
        let Unbinding { before, transition, heir, looks, writer, event, cause } = unbinding;
        let Transition { post, .. } = transition;
        let Some(bound_id) = before.platform_post_id() else { return Ok(false) };
        let start = before.cycle_start.ok_or(LedgerError::NothingReserved)?;
        let mut rounds = Rounds::new("taking a binding back", writer);
        loop {
            rounds.next().await?;
            let cycle = self.cycle(&post.user_id, start).await?.ok_or(LedgerError::NothingReserved)?;
            let change = match cycle.unsettle(cause.clone()) {
                Ok(change) => [change],
                Err(error) => return self.lost_before(post, error).await,
            };
            let back = PostChange { ledger: &change, intent: Some(looks), ..PostChange::of(post, writer, event) };
            let (means, mut legs): (Vec<Leg>, Vec<TransactWriteItem>) = self.legs(&back).into_iter().unzip();
            legs.push(self.handed_over(before, bound_id, heir));
            legs.extend(self.metrics_gone(before).await?);
            match self.transact("taking a binding back", writer, legs).await? {
                Ok(()) => return Ok(true),
                Err(refused) if refused.failed(0) => return Ok(refused.is_own(0, post.rev, writer)),
                Err(refused) if refused.failed(means.len()) => return Ok(false),
                // A cycle or the metrics have moved on: both are read again.
                Err(_) => {}
            }
        }
    }

    /// A cycle without a use to undo may be our own write of an earlier call: the post tells.
    async fn lost_before(&self, post: &Post, error: LedgerError) -> Result<bool, StoreError> {
        match self.post(&post.user_id, &post.id).await? {
            Some((standing, _)) if standing.rev < post.rev => Err(error.into()),
            _ => Ok(false),
        }
    }

    fn handed_over(&self, before: &Post, bound_id: &str, heir: &Post) -> TransactWriteItem {
        let owner = Owner { post_id: heir.id.clone(), user_id: heir.user_id.clone() };
        let row: Item = to_item(Key::bound(before.platform, bound_id), owner);
        let leg = put(&self.tables.posts, row)
            .condition_expression("post_id = :loser")
            .expression_attribute_values(":loser", text(before.id.as_str()));
        transact_put(leg)
    }

    /// The row of the metrics goes as it was read, and with it what it told of its cycle.
    async fn metrics_gone(&self, before: &Post) -> Result<Option<TransactWriteItem>, StoreError> {
        let Some(watch) = self.watches_of([before]).await?.pop().transpose()? else { return Ok(None) };
        let delete = Delete::builder()
            .table_name(&self.tables.posts)
            .set_key(Some(key_of(&watch).into_item()))
            .condition_expression("rev = :rev")
            .expression_attribute_values(":rev", number(watch.rev))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .expect("table and key are set");
        Ok(Some(TransactWriteItem::builder().delete(delete).build()))
    }
}
