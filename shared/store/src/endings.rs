//! Grants that a platform takes back as a whole, and consents under way: neither goes on while the other could harm it.
//!
//! A person's grants at such a platform are one. Whoever takes them back looks for connections that live on them; one that is being made is
//! not among those yet. So both leave a row first and look for the other's row then, strongly consistent: of two at once, at least one sees the
//! other. Whose consent it is, is known only after the code was exchanged: until then it counts for everybody's at the platform. Rows of
//! whoever stopped half-way end by themselves.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::id::{AttemptId, ChoiceId};
use domain::platform::PlatformName;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::items::{from_item, text, to_item};
use crate::key::{Item, Key};
use crate::{Store, StoreError};

/// Longer than any function runs that connects accounts or takes a grant back, and than clocks differ.
const UNDER_WAY: SignedDuration = SignedDuration::from_secs(40);
/// A choice that is made in its last moment is still being connected for so long.
const CHOSEN_LATE: SignedDuration = SignedDuration::from_mins(1);
/// Rows of one look: more than functions run at once.
const ROWS_MAX: i32 = 1_000;

/// Consents whose code is being exchanged.
const CONSENT: &str = "CONSENT#";
/// Grants that are being taken back.
const ENDING: &str = "ENDING#";
/// Accounts that wait for a choice.
const CHOICE: &str = "CHOICE#";

#[derive(Serialize, Deserialize)]
struct HoldItem {
    until: Timestamp,
    expires_epoch: i64,
}

impl HoldItem {
    fn until(until: Timestamp) -> Self {
        Self { until, expires_epoch: until.as_second() }
    }
}

impl Store {
    /// A consent at a platform begins to bring tokens. Repeating it does no harm.
    pub async fn begin_consent(&self, platform: PlatformName, attempt: &AttemptId, now: Timestamp) -> Result<(), StoreError> {
        self.note_need(consent_key(platform, attempt), now + UNDER_WAY).await
    }

    /// What the consent brought is stored, or lost. Repeating it does no harm.
    pub async fn consent_is_over(&self, platform: PlatformName, attempt: &AttemptId) -> Result<(), StoreError> {
        self.drop_need(consent_key(platform, attempt)).await
    }

    /// Whether a consent at the platform is under way, whoever's it is.
    pub async fn is_consent_under_way(&self, platform: PlatformName, now: Timestamp) -> Result<bool, StoreError> {
        self.is_needed(Key::grants_pk(platform), CONSENT, now).await
    }

    /// A grant at a platform is about to be taken back. Repeating it does no harm.
    pub async fn begin_ending(&self, platform: PlatformName, attempt: &AttemptId, now: Timestamp) -> Result<(), StoreError> {
        self.note_need(ending_key(platform, attempt), now + UNDER_WAY).await
    }

    /// It is taken back, or stays. Repeating it does no harm.
    pub async fn ending_is_over(&self, platform: PlatformName, attempt: &AttemptId) -> Result<(), StoreError> {
        self.drop_need(ending_key(platform, attempt)).await
    }

    /// Whether a grant at the platform is being taken back, whoever's it is.
    pub async fn is_ending_under_way(&self, platform: PlatformName, now: Timestamp) -> Result<bool, StoreError> {
        self.is_needed(Key::grants_pk(platform), ENDING, now).await
    }

    /// Accounts of a person's grant wait for a choice until `expires_at`: the grant must not end before.
    pub async fn hold_for_choice(
        &self,
        platform: PlatformName,
        grantor: &str,
        choice: &ChoiceId,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.note_need(choice_key(platform, grantor, choice), expires_at + CHOSEN_LATE).await
    }

    /// The choice is made, and what was chosen is connected. Repeating it does no harm.
    pub async fn choice_is_over(&self, platform: PlatformName, grantor: &str, choice: &ChoiceId) -> Result<(), StoreError> {
        self.drop_need(choice_key(platform, grantor, choice)).await
    }

    /// Whether accounts of a person's grant wait for a choice.
    pub(crate) async fn is_choice_open(&self, platform: PlatformName, grantor: &str, now: Timestamp) -> Result<bool, StoreError> {
        self.is_needed(Key::grants_of_pk(platform, grantor), CHOICE, now).await
    }

    async fn note_need(&self, key: Key, until: Timestamp) -> Result<(), StoreError> {
        let item = to_item(key, HoldItem::until(until));
        let sent = self.client.put_item().table_name(&self.tables.sessions).set_item(Some(item)).send().await;
        sent.map(drop).map_err(StoreError::unavailable("noting that a grant is needed"))
    }

    async fn drop_need(&self, key: Key) -> Result<(), StoreError> {
        let sent = self.client.delete_item().table_name(&self.tables.sessions).set_key(Some(key.into_item())).send().await;
        sent.map(drop).map_err(StoreError::unavailable("noting that a grant is no longer needed"))
    }

    async fn is_needed(&self, pk: String, rows: &str, now: Timestamp) -> Result<bool, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.sessions)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :sk)")
            .expression_attribute_values(":pk", text(pk))
            .expression_attribute_values(":sk", AttributeValue::S(rows.to_owned()))
            .limit(ROWS_MAX)
            .send()
            .await
            .map_err(StoreError::unavailable("asking who needs a grant"))?;
        // One that cannot be read stops nobody: all consents of a platform would wait for it.
        let is_live = |item: Item| match from_item::<HoldItem>("note about a grant", item) {
            Ok(note) => note.until > now,
            Err(error) => {
                tracing::error!(error = %error, rows, "a note about a grant could not be read");
                false
            }
        };
        // More rows than one look shows: some of them may count.
        Ok(answer.items.unwrap_or_default().into_iter().any(is_live) || answer.last_evaluated_key.is_some())
    }
}

fn consent_key(platform: PlatformName, attempt: &AttemptId) -> Key {
    Key { pk: Key::grants_pk(platform), sk: format!("{CONSENT}{attempt}") }
}

fn ending_key(platform: PlatformName, attempt: &AttemptId) -> Key {
    Key { pk: Key::grants_pk(platform), sk: format!("{ENDING}{attempt}") }
}

fn choice_key(platform: PlatformName, grantor: &str, choice: &ChoiceId) -> Key {
    Key { pk: Key::grants_of_pk(platform, grantor), sk: format!("{CHOICE}{choice}") }
}
