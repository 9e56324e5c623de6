//! OAuth flows: begun, taken once, and what came of them.

use domain::id::{AttemptId, UserId};
use domain::people::Issuer;
use domain::people::flow_end::FlowEnd;
use domain::people::oauth_flow::{OAuthFlow, StateHash};
use domain::people::return_path::ReturnPath;
use domain::people::session::SessionHash;
use domain::platform::{PlatformName, ServerName};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::items::{text, to_item, value, written};
use crate::key::Key;
use crate::{Store, StoreError};

#[derive(Serialize, Deserialize)]
struct FlowItem {
    user_id: UserId,
    session_hash: SessionHash,
    platform: PlatformName,
    return_to: ReturnPath,
    code_verifier: String,
    carried: Option<String>,
    server: Option<ServerName>,
    issuer: Option<Issuer>,
    created_at: Timestamp,
    expires_at: Timestamp,
    expires_epoch: i64,
    account_id: Option<String>,
    consumed_at: Option<Timestamp>,
    outcome: Option<FlowEnd>,
}

/// Where a flow stands.
#[derive(Debug)]
pub struct FlowTaken {
    /// The flow.
    pub flow: OAuthFlow,
    /// When its one exchange was taken: nobody else may have it.
    pub consumed_at: Option<Timestamp>,
    /// What came of it.
    pub end: Option<FlowEnd>,
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
            carried: flow.carried.as_ref().map(|carried| carried.expose_secret().to_owned()),
            server: flow.server.clone(),
            issuer: flow.issuer.clone(),
            created_at: flow.created_at,
            expires_at: flow.expires_at,
            expires_epoch: flow.expires_at.as_second(),
            account_id: flow.account_id.clone(),
            consumed_at: None,
            outcome: None,
        };
        self.put_fresh(&self.tables.sessions, "storing an OAuth flow", to_item(Key::flow(flow.state_hash.as_str()), item)).await
    }

    /// A flow and how far it is, strongly consistent.
    pub async fn flow(&self, state: &StateHash) -> Result<Option<FlowTaken>, StoreError> {
        let item: Option<FlowItem> = self.get(&self.tables.sessions, "OAuth flow", Key::flow(state.as_str())).await?;
        Ok(item.map(|item| FlowTaken {
            consumed_at: item.consumed_at,
            end: item.outcome,
            flow: OAuthFlow {
                state_hash: state.clone(),
                user_id: item.user_id,
                session_hash: item.session_hash,
                platform: item.platform,
                return_to: item.return_to,
                account_id: item.account_id,
                server: item.server,
                issuer: item.issuer,
                code_verifier: SecretString::from(item.code_verifier),
                carried: item.carried.map(SecretString::from),
                created_at: item.created_at,
                expires_at: item.expires_at,
            },
        }))
    }

    /// Takes the flow's one exchange; `false`: it was taken before. Stored before the code goes out.
    ///
    /// `taker` is unique to the request, so that our own write is recognised when the SDK re-sends it.
    pub async fn consume_flow(&self, state: &StateHash, taker: &AttemptId, now: Timestamp) -> Result<bool, StoreError> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.tables.sessions)
            .set_key(Some(Key::flow(state.as_str()).into_item()))
            .update_expression("SET consumed_at = :now, taker = :taker")
            .condition_expression("attribute_exists(pk) AND (attribute_not_exists(consumed_at) OR taker = :taker)")
            .expression_attribute_values(":now", text(now.to_string()))
            .expression_attribute_values(":taker", text(taker.as_str()))
            .send()
            .await;
        written(sent, "consuming an OAuth flow")
    }

    /// Notes what came of a flow, so that a repeated callback tells the same. Only whoever took it may.
    pub async fn end_flow(&self, state: &StateHash, taker: &AttemptId, end: &FlowEnd) -> Result<(), StoreError> {
        self.client
            .update_item()
            .table_name(&self.tables.sessions)
            .set_key(Some(Key::flow(state.as_str()).into_item()))
            .update_expression("SET outcome = :outcome")
            .condition_expression("taker = :taker")
            .expression_attribute_values(":outcome", value(end))
            .expression_attribute_values(":taker", text(taker.as_str()))
            .send()
            .await
            .map(|_| ())
            .map_err(StoreError::unavailable("noting what came of an OAuth flow"))
    }
}
