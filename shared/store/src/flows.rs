//! OAuth flows, and the accounts that wait for a choice.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use domain::id::{ChoiceId, ConnectionId, UserId};
use domain::people::oauth_flow::{OAuthFlow, StateHash};
use domain::people::return_path::ReturnPath;
use domain::people::session::SessionHash;
use domain::platform::PlatformName;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::items::{text, to_item};
use crate::key::Key;
use crate::{Store, StoreError};

#[derive(Serialize, Deserialize)]
struct FlowItem {
    user_id: UserId,
    session_hash: SessionHash,
    platform: PlatformName,
    return_to: ReturnPath,
    code_verifier: String,
    created_at: Timestamp,
    expires_at: Timestamp,
    expires_epoch: i64,
    consumed_at: Option<Timestamp>,
    connected: Option<ConnectionId>,
    choice: Option<ChoiceId>,
}

/// Where a flow stands.
#[derive(Debug)]
pub struct FlowTaken {
    /// The flow.
    pub flow: OAuthFlow,
    /// Its code was or is being exchanged: nobody else may.
    pub consumed: bool,
    /// The connection that it brought.
    pub connected: Option<ConnectionId>,
    /// The choice that it brought.
    pub choice: Option<ChoiceId>,
}

/// Several accounts of one consent. Their tokens wait in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Its id.
    pub id: ChoiceId,
    /// Whose.
    pub user_id: UserId,
    /// Where.
    pub platform: PlatformName,
    /// To choose from.
    pub accounts: Vec<ChoiceAccount>,
    /// From when on it is refused.
    pub expires_at: Timestamp,
}

/// One account to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceAccount {
    /// The platform's id.
    pub account_id: String,
    /// Its name.
    pub username: String,
    /// A profile or a page.
    pub kind: String,
}

#[derive(Serialize, Deserialize)]
struct ChoiceItem {
    #[serde(flatten)]
    choice: Choice,
    expires_epoch: i64,
}

impl Store {
    /// Stores a new flow.
    pub async fn begin_flow(&self, flow: &OAuthFlow) -> Result<(), StoreError> {
        let item = FlowItem {
            user_id: flow.user_id.clone(),
            session_hash: flow.session_hash.clone(),
            platform: flow.platform,
            return_to: flow.return_to,
            code_verifier: flow.code_verifier.expose_secret().to_owned(),
            created_at: flow.created_at,
            expires_at: flow.expires_at,
            expires_epoch: flow.expires_at.as_second(),
            consumed_at: None,
            connected: None,
            choice: None,
        };
        self.client
            .put_item()
            .table_name(&self.tables.sessions)
            .set_item(Some(to_item(Key::flow(flow.state_hash.as_str()), item)))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await
            .map(|_| ())
            .map_err(StoreError::unavailable("storing an OAuth flow"))
    }

    /// A flow and how far it is, strongly consistent.
    pub async fn flow(&self, state: &StateHash) -> Result<Option<FlowTaken>, StoreError> {
        let item: Option<FlowItem> = self.get(&self.tables.sessions, "OAuth flow", Key::flow(state.as_str())).await?;
        Ok(item.map(|item| FlowTaken {
            consumed: item.consumed_at.is_some(),
            connected: item.connected,
            choice: item.choice,
            flow: OAuthFlow {
                state_hash: state.clone(),
                user_id: item.user_id,
                session_hash: item.session_hash,
                platform: item.platform,
                return_to: item.return_to,
                code_verifier: SecretString::from(item.code_verifier),
                created_at: item.created_at,
                expires_at: item.expires_at,
            },
        }))
    }

    /// Takes the flow's one exchange; `false`: it was taken before. Stored before the code goes out.
    ///
    /// `taker` is unique to the request, so that our own write is recognised when the SDK re-sends it.
    pub async fn consume_flow(&self, state: &StateHash, taker: &str, now: Timestamp) -> Result<bool, StoreError> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.tables.sessions)
            .set_key(Some(Key::flow(state.as_str()).into_item()))
            .update_expression("SET consumed_at = :now, taker = :taker")
            .condition_expression("attribute_exists(pk) AND (attribute_not_exists(consumed_at) OR taker = :taker)")
            .expression_attribute_values(":now", text(now.to_string()))
            .expression_attribute_values(":taker", text(taker))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(StoreError::unavailable("consuming an OAuth flow")(error)),
            },
        }
    }

    /// Notes what a flow brought, so that a repeated callback shows the same.
    pub async fn finish_flow(
        &self,
        state: &StateHash,
        connected: Option<&ConnectionId>,
        choice: Option<&ChoiceId>,
    ) -> Result<(), StoreError> {
        let (name, value) = match (connected, choice) {
            (Some(id), _) => ("connected", id.as_str()),
            (None, Some(id)) => ("choice", id.as_str()),
            (None, None) => return Ok(()),
        };
        self.client
            .update_item()
            .table_name(&self.tables.sessions)
            .set_key(Some(Key::flow(state.as_str()).into_item()))
            .update_expression(format!("SET {name} = :result"))
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":result", text(value))
            .send()
            .await
            .map(|_| ())
            .map_err(StoreError::unavailable("noting what an OAuth flow brought"))
    }

    /// Stores a choice.
    pub async fn offer_choice(&self, choice: &Choice) -> Result<(), StoreError> {
        let item = ChoiceItem { expires_epoch: choice.expires_at.as_second(), choice: choice.clone() };
        self.client
            .put_item()
            .table_name(&self.tables.sessions)
            .set_item(Some(to_item(Key::choice(&choice.user_id, &choice.id), item)))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await
            .map(|_| ())
            .map_err(StoreError::unavailable("storing a choice of accounts"))
    }

    /// A user's choice, strongly consistent.
    pub async fn choice(&self, user: &UserId, id: &ChoiceId) -> Result<Option<Choice>, StoreError> {
        let item: Option<ChoiceItem> = self.get(&self.tables.sessions, "choice of accounts", Key::choice(user, id)).await?;
        Ok(item.map(|item| item.choice))
    }

    /// Removes a choice. Repeating it does no harm.
    pub async fn end_choice(&self, user: &UserId, id: &ChoiceId) -> Result<(), StoreError> {
        self.client
            .delete_item()
            .table_name(&self.tables.sessions)
            .set_key(Some(Key::choice(user, id).into_item()))
            .send()
            .await
            .map(|_| ())
            .map_err(StoreError::unavailable("removing a choice of accounts"))
    }
}
