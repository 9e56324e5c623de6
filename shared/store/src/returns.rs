//! Users whose waiting posts are looked through: a plan or an account came back, or an account was lost.
//!
//! Whoever causes that leaves a note in the very transaction, and the sweeper goes by it. The mark names the last cause, so a note that is
//! followed is taken away only if nothing came after it.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::id::UserId;
use domain::ledger::LedgerChange;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::items::{from_item, keyed, text, to_item};
use crate::key::{Key, RETURNS};
use crate::posts::{put, transact_put};
use crate::{Store, StoreError};

/// Notes of one look: more than a round follows, so that none waits behind others for ever.
const NOTES_MAX: i32 = 1_000;

/// That a user's waiting posts are to be looked through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnNote {
    /// Whose.
    pub user_id: UserId,
    /// The last change that asked for it; each has its own.
    mark: String,
    /// When that was.
    pub at: Timestamp,
}

impl Store {
    /// The users whose waiting posts are to be looked through, a bounded number. A note that cannot be read harms no other.
    pub async fn return_notes(&self) -> Result<Vec<Result<ReturnNote, StoreError>>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.users)
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(RETURNS))
            .limit(NOTES_MAX)
            .send()
            .await
            .map_err(StoreError::unavailable("listing users whose posts may go on"))?;
        Ok(answer.items.unwrap_or_default().into_iter().map(|item| keyed(item, |item| from_item("return note", item))).collect())
    }

    /// The user's posts were looked through. A note that was left meanwhile stays. Repeating it does no harm.
    pub async fn followed_return(&self, note: &ReturnNote) -> Result<(), StoreError> {
        let sent = self
            .client
            .delete_item()
            .table_name(&self.tables.users)
            .set_key(Some(Key::return_note(&note.user_id).into_item()))
            .condition_expression("attribute_not_exists(pk) OR mark = :mark")
            .expression_attribute_values(":mark", text(&note.mark))
            .send()
            .await;
        match sent {
            // One that is being written is a newer one.
            Err(error) if matches!(error.code(), Some("ConditionalCheckFailedException" | "TransactionConflictException")) => Ok(()),
            sent => sent.map(drop).map_err(StoreError::unavailable("taking a return note away")),
        }
    }

    /// The leg by which a change has a user's waiting posts looked through. `mark` is the change's own.
    pub(crate) fn return_leg(&self, user: &UserId, mark: String, at: Timestamp) -> TransactWriteItem {
        let note = ReturnNote { user_id: user.clone(), mark, at };
        transact_put(put(&self.tables.users, to_item(Key::return_note(user), note)))
    }

    /// The leg of changes of the ledger, if a held post may have a quota slot by one of them.
    pub(crate) fn freed_leg(&self, changes: &[LedgerChange]) -> Option<TransactWriteItem> {
        let change = changes.iter().find(|change| change.frees)?;
        let mark = change.entries.last().map(|entry| entry.id.to_string()).unwrap_or_default();
        Some(self.return_leg(&change.cycle.user_id, mark, change.cycle.updated_at))
    }
}
