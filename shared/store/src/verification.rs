//! Verification codes, and the sign-in that uses one up.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update};
use domain::people::phone::PhoneHash;
use domain::people::session::{Session, SessionHash};
use domain::people::verification::{Challenge, CodeHash, CountedTry, SendHistory};
use domain::user::User;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::items::{number, text, to_item};
use crate::key::Key;
use crate::posts::{put, transact_put};
use crate::sessions::SessionItem;
use crate::users::new_user_puts;
use crate::{Store, StoreError};

#[derive(Serialize, Deserialize)]
struct ChallengeItem {
    code_hash: CodeHash,
    created_at: Timestamp,
    expires_at: Timestamp,
    tries_left: u32,
    sends: Vec<Timestamp>,
    expires_epoch: i64,
}

/// What came of a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignIn {
    /// The code is used up and the session stands.
    Done,
    /// The code was used or replaced meanwhile.
    CodeGone,
    /// The number got its user meanwhile, or the items were being written: read again and repeat.
    LookAgain,
}

impl Store {
    /// The last challenge of a phone, also when it has run out: its history limits the next.
    pub async fn challenge(&self, phone: &PhoneHash) -> Result<Option<Challenge>, StoreError> {
        let key = Key::challenge(phone.as_str());
        let item: Option<ChallengeItem> = self.get(&self.tables.sessions, "verification code", key).await?;
        Ok(item.map(|item| Challenge {
            phone_hash: phone.clone(),
            code_hash: item.code_hash,
            created_at: item.created_at,
            expires_at: item.expires_at,
            tries_left: item.tries_left,
            sends: SendHistory::from_stored(item.sends),
        }))
    }

    /// Stores a new challenge in place of `previous`; `false`: another one was stored at the same time.
    pub async fn replace_challenge(&self, challenge: &Challenge, previous: Option<&Challenge>) -> Result<bool, StoreError> {
        let item = ChallengeItem {
            code_hash: challenge.code_hash.clone(),
            created_at: challenge.created_at,
            expires_at: challenge.expires_at,
            tries_left: challenge.tries_left,
            sends: challenge.sends.times().to_vec(),
            expires_epoch: challenge.keep_until().as_second(),
        };
        let write = self
            .client
            .put_item()
            .table_name(&self.tables.sessions)
            .set_item(Some(to_item(Key::challenge(challenge.phone_hash.as_str()), item)));
        let write = match previous {
            None => write.condition_expression("attribute_not_exists(pk)"),
            Some(previous) => {
                write.condition_expression("code_hash = :hash").expression_attribute_values(":hash", text(previous.code_hash.as_str()))
            }
        };
        match write.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                // A transaction that holds the item at this moment is another request too.
                Some(PutItemError::ConditionalCheckFailedException(_) | PutItemError::TransactionConflictException(_)) => Ok(false),
                _ => Err(StoreError::unavailable("storing a verification code")(error)),
            },
        }
    }

    /// Counts a try before it is compared; `false`: another try was counted at the same time, read again.
    pub async fn count_try(&self, counted: &CountedTry) -> Result<bool, StoreError> {
        let challenge = counted.challenge();
        let sent = self
            .client
            .update_item()
            .table_name(&self.tables.sessions)
            .set_key(Some(Key::challenge(challenge.phone_hash.as_str()).into_item()))
            .update_expression("SET tries_left = :left")
            .condition_expression("code_hash = :hash AND tries_left = :before")
            .expression_attribute_values(":left", number(challenge.tries_left))
            .expression_attribute_values(":before", number(challenge.tries_left + 1))
            .expression_attribute_values(":hash", text(challenge.code_hash.as_str()))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_) | UpdateItemError::TransactionConflictException(_)) => Ok(false),
                _ => Err(StoreError::unavailable("counting a try")(error)),
            },
        }
    }

    /// Uses up the code and opens the session, with the user if the number is new: all of it or nothing.
    pub async fn sign_in(
        &self,
        challenge: &Challenge,
        session: (&SessionHash, &Session),
        new_user: Option<&User>,
    ) -> Result<SignIn, StoreError> {
        let used = Update::builder()
            .table_name(&self.tables.sessions)
            .set_key(Some(Key::challenge(challenge.phone_hash.as_str()).into_item()))
            .update_expression("SET tries_left = :none, used_by = :session")
            .condition_expression("code_hash = :hash AND attribute_not_exists(used_by)")
            .expression_attribute_values(":none", number(0_u64))
            .expression_attribute_values(":session", text(session.1.id.as_str()))
            .expression_attribute_values(":hash", text(challenge.code_hash.as_str()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .expect("table, key and expression are set");
        let mut legs = vec![TransactWriteItem::builder().update(used).build()];
        let item = to_item(Key::session(session.0.as_str()), SessionItem::from(session.1));
        legs.push(transact_put(put(&self.tables.sessions, item).condition_expression("attribute_not_exists(pk)")));
        if let Some(user) = new_user {
            legs.extend(new_user_puts(&self.tables.users, user, &challenge.phone_hash, session.1.id.as_str()).map(transact_put));
        }
        match self.transact("signing in", session.1.id.as_str(), legs).await? {
            Ok(()) => Ok(SignIn::Done),
            Err(refused) if refused.failed(0) => {
                // Used by this very session: the client sent again what had landed, and its answer was lost.
                let used_by = refused.standing(0).and_then(|item| item.get("used_by")?.as_s().ok());
                Ok(if used_by.is_some_and(|used_by| used_by == session.1.id.as_str()) { SignIn::Done } else { SignIn::CodeGone })
            }
            // The number has got its user meanwhile.
            Err(_) => Ok(SignIn::LookAgain),
        }
    }
}
