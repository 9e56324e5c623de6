//! What the payment provider told us: each event once, with all that it changes.

use domain::id::UserId;
use domain::ledger::LedgerChange;
use domain::user::User;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::items::{number, text, to_item, written_by};
use crate::key::Key;
use crate::ledger::ledger_puts;
use crate::posts::{cancellation, failed, is_conflict, put, transact_put};
use crate::users::UserItem;
use crate::{Store, StoreError};

/// How long an event is remembered. The provider repeats for three days, and its dashboard offers events of the last 30.
const EVENT_LIFE: SignedDuration = SignedDuration::from_hours(40 * 24);

#[derive(Serialize, Deserialize)]
struct EventItem {
    user_id: UserId,
    followed_at: Timestamp,
    expires_epoch: i64,
}

#[derive(Serialize, Deserialize)]
struct CustomerItem {
    user_id: UserId,
}

/// An event, with all that it changes.
#[derive(Debug)]
pub struct Followed<'a> {
    /// The event, by the provider's id.
    pub event_id: &'a str,
    /// The provider's customer, who is this user from now on.
    pub customer_id: &'a str,
    /// The user afterwards; `rev` is one more than the one that must still stand.
    pub user: &'a User,
    /// The cycles that it changes.
    pub ledger: &'a [LedgerChange],
    /// The request that writes.
    pub writer: &'a str,
    /// When.
    pub now: Timestamp,
}

/// What came of following an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// It stands, by this call or by an earlier one.
    Done,
    /// The user or a cycle changed meanwhile: read again.
    Moved,
    /// The provider's customer is another user of ours.
    Foreign,
}

impl Store {
    /// The user that a customer of the provider's is, strongly consistent.
    pub async fn user_of_customer(&self, customer_id: &str) -> Result<Option<UserId>, StoreError> {
        let item: Option<CustomerItem> = self.get(&self.tables.users, "customer", Key::customer(customer_id)).await?;
        Ok(item.map(|item| item.user_id))
    }

    /// Stores an event with all that it changes, or nothing. The same event is stored once, however often it comes. Posts that lose their
    /// place by it are held by [`Self::hold_beyond_quota`] afterwards; whoever stops before leaves that to the cycle job.
    pub async fn follow_event(&self, followed: &Followed<'_>) -> Result<Follow, StoreError> {
        let Followed { event_id, customer_id, user, ledger, writer, now } = followed;
        let (users, sessions) = (&self.tables.users, &self.tables.sessions);
        let event = EventItem { user_id: user.id.clone(), followed_at: *now, expires_epoch: (*now + EVENT_LIFE).as_second() };
        let customer = to_item(Key::customer(customer_id), CustomerItem { user_id: user.id.clone() });
        let mut legs = vec![
            put(sessions, to_item(Key::billing_event(event_id), event)).condition_expression("attribute_not_exists(pk)"),
            put(users, to_item(Key::profile(&user.id), UserItem::new(user, writer)))
                .condition_expression("rev = :rev")
                .expression_attribute_values(":rev", number(user.rev - 1)),
            put(users, customer)
                .condition_expression("attribute_not_exists(pk) OR user_id = :user")
                .expression_attribute_values(":user", text(user.id.as_str())),
        ];
        legs.extend(ledger.iter().map(|change| ledger_puts::cycle(&self.tables.ledger, change)));
        legs.extend(ledger.iter().flat_map(|change| ledger_puts::entries(&self.tables.ledger, change)));
        let legs = legs.into_iter().map(transact_put).chain(self.freed_leg(ledger)).collect();
        let sent = self.client.transact_write_items().set_transact_items(Some(legs)).send().await;
        let Err(error) = sent else { return Ok(Follow::Done) };
        let Some(reasons) = cancellation(&error) else { return Err(StoreError::unavailable("following a billing event")(error)) };
        let user_leg = reasons.get(1).and_then(|reason| reason.item.as_ref());
        match reasons {
            // Its own write, sent again, or the same event by another request.
            _ if failed(reasons.first()) || written_by(user_leg, user.rev) == Some(*writer) => Ok(Follow::Done),
            _ if failed(reasons.get(2)) => Ok(Follow::Foreign),
            _ if reasons.iter().any(|reason| failed(Some(reason)) || is_conflict(reason)) => Ok(Follow::Moved),
            _ => Err(StoreError::unavailable("following a billing event")(error)),
        }
    }
}
