//! Sessions, by the hash of their cookie.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::id::{SessionId, UserId};
use domain::people::session::{Session, SessionHash};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::items::{from_item, named, number, text, written};
use crate::key::{Item, Key};
use crate::schema::BY_USER_INDEX;
use crate::{Store, StoreError};

/// More than a person can have: ten codes a day for the thirty days that a session lives at most. The list shows the newest.
const SESSIONS_MAX: i32 = 400;

#[derive(Serialize, Deserialize)]
pub(crate) struct SessionItem {
    id: SessionId,
    user_id: UserId,
    created_at: Timestamp,
    last_seen_at: Timestamp,
    expires_at: Timestamp,
    user_agent: Option<String>,
    /// The index of a user's sessions.
    user_pk: String,
    expires_epoch: i64,
}

impl From<&Session> for SessionItem {
    fn from(session: &Session) -> Self {
        Self {
            id: session.id.clone(),
            user_id: session.user_id.clone(),
            created_at: session.created_at,
            last_seen_at: session.last_seen_at,
            expires_at: session.expires_at,
            user_agent: session.user_agent.clone(),
            user_pk: session.user_id.to_string(),
            expires_epoch: session.expires_at.as_second(),
        }
    }
}

impl From<SessionItem> for Session {
    fn from(item: SessionItem) -> Self {
        Self {
            id: item.id,
            user_id: item.user_id,
            created_at: item.created_at,
            last_seen_at: item.last_seen_at,
            expires_at: item.expires_at,
            user_agent: item.user_agent,
        }
    }
}

/// A session in a list, with the key that removes it.
#[derive(Debug, Clone)]
pub struct StoredSession {
    /// The session.
    pub session: Session,
    key: Key,
}

impl Store {
    /// A session, strongly consistent: one that was ended a moment ago is gone.
    pub async fn session(&self, hash: &SessionHash) -> Result<Option<Session>, StoreError> {
        let item: Option<SessionItem> = self.get(&self.tables.sessions, "session", Key::session(hash.as_str())).await?;
        Ok(item.map(Into::into))
    }

    /// Extends a session that still exists; a request in flight during a logout never brings one back.
    pub async fn touch_session(&self, hash: &SessionHash, session: &Session) -> Result<bool, StoreError> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.tables.sessions)
            .set_key(Some(Key::session(hash.as_str()).into_item()))
            .update_expression("SET last_seen_at = :seen, expires_at = :expires, expires_epoch = :epoch")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":seen", text(session.last_seen_at.to_string()))
            .expression_attribute_values(":expires", text(session.expires_at.to_string()))
            .expression_attribute_values(":epoch", number(u64::try_from(session.expires_at.as_second()).unwrap_or(0)))
            .send()
            .await;
        written(sent, "extending a session")
    }

    /// Ends a session. Repeating it does no harm.
    pub async fn end_session(&self, hash: &SessionHash) -> Result<(), StoreError> {
        self.client
            .delete_item()
            .table_name(&self.tables.sessions)
            .set_key(Some(Key::session(hash.as_str()).into_item()))
            .send()
            .await
            .map(|_| ())
            .map_err(StoreError::unavailable("ending a session"))
    }

    /// A user's sessions that can be read, newest first. The index may be a moment behind; dead ones may still be in it.
    pub async fn sessions(&self, user: &UserId) -> Result<Vec<StoredSession>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.sessions)
            .index_name(BY_USER_INDEX)
            .key_condition_expression("user_pk = :pk")
            .expression_attribute_values(":pk", text(user.as_str()))
            .scan_index_forward(false)
            .limit(SESSIONS_MAX)
            .send()
            .await
            .map_err(StoreError::unavailable("listing sessions"))?;
        let stored = |item: Item| {
            let part = |name| item.get(name).and_then(|value: &AttributeValue| value.as_s().ok()).cloned();
            let key = Key { pk: part("pk").unwrap_or_default(), sk: part("sk").unwrap_or_default() };
            let id = part("id").unwrap_or_else(|| "without an id".to_owned());
            // The key comes of the cookie: an error tells the session by its id, and whose it is.
            let session = named(from_item::<SessionItem>("session", item), || format!("{id} of {user}"))?;
            Ok(StoredSession { session: session.into(), key })
        };
        self.readable(answer.items.unwrap_or_default().into_iter().map(stored))
    }

    /// Ends a session from the user's own list; `false`: it is gone already.
    pub async fn end_listed_session(&self, stored: &StoredSession) -> Result<bool, StoreError> {
        let sent = self
            .client
            .delete_item()
            .table_name(&self.tables.sessions)
            .set_key(Some(stored.key.clone().into_item()))
            .condition_expression("user_id = :user")
            .expression_attribute_values(":user", text(stored.session.user_id.as_str()))
            .send()
            .await;
        written(sent, "ending a session")
    }
}
