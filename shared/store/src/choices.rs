//! The accounts of a consent that wait for a choice.

use domain::choice::{Choice, Claim};
use domain::id::{AttemptId, ChoiceId, UserId};
use serde::{Deserialize, Serialize};

use crate::items::{text, to_item, value, written};
use crate::key::Key;
use crate::{Store, StoreError};

#[derive(Serialize, Deserialize)]
struct ChoiceItem {
    #[serde(flatten)]
    choice: Choice,
    expires_epoch: i64,
}

impl Store {
    /// Stores a choice.
    pub async fn offer_choice(&self, choice: &Choice) -> Result<(), StoreError> {
        let item = ChoiceItem { expires_epoch: choice.expires_at.as_second(), choice: choice.clone() };
        let key = Key::choice(&choice.user_id, &choice.id);
        self.put_fresh(&self.tables.sessions, "storing a choice of accounts", to_item(key, item)).await
    }

    /// A user's choice, strongly consistent.
    pub async fn choice(&self, user: &UserId, id: &ChoiceId) -> Result<Option<Choice>, StoreError> {
        let item: Option<ChoiceItem> = self.get(&self.tables.sessions, "choice of accounts", Key::choice(user, id)).await?;
        Ok(item.map(|item| item.choice))
    }

    /// Stores a claim in the place of the one that `before` holds, or as the first; `false`: somebody else's is there.
    pub async fn claim_choice(&self, choice: &Choice, claim: &Claim, before: Option<&AttemptId>) -> Result<bool, StoreError> {
        // Our own write, sent again, finds ourselves.
        let condition = match before {
            None => "attribute_exists(pk) AND (attribute_not_exists(#claim) OR #claim.#holder = :me)",
            Some(_) => "#claim.#holder IN (:before, :me)",
        };
        let update = self
            .client
            .update_item()
            .table_name(&self.tables.sessions)
            .set_key(Some(Key::choice(&choice.user_id, &choice.id).into_item()))
            .update_expression("SET #claim = :claim")
            .condition_expression(condition)
            .expression_attribute_names("#claim", "claim")
            .expression_attribute_names("#holder", "holder")
            .expression_attribute_values(":claim", value(claim))
            .expression_attribute_values(":me", text(claim.holder.as_str()));
        let update = before.into_iter().fold(update, |update, before| update.expression_attribute_values(":before", text(before.as_str())));
        written(update.send().await, "claiming a choice of accounts")
    }
}
