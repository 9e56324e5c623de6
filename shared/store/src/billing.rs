//! What the payment provider told us: each event once, with all that it changes.

use aws_sdk_dynamodb::types::builders::PutBuilder;
use domain::billing::PaidSubscriptions;
use domain::id::UserId;
use domain::ledger::LedgerChange;
use domain::user::User;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::items::{number, to_item};
use crate::key::Key;
use crate::ledger::ledger_puts;
use crate::posts::{put, transact_put};
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
    user_id: Option<UserId>,
    /// What was told of somebody that nobody knew yet.
    waiting: Option<PaidSubscriptions>,
    since: Option<Timestamp>,
    rev: u64,
}

/// A customer of the provider's, as we know them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Customer {
    /// Which user of ours; `None`: nobody has said yet.
    pub user_id: Option<UserId>,
    /// What they pay for, until it is known who they are.
    pub waiting: PaidSubscriptions,
    /// Since when that waits.
    pub since: Option<Timestamp>,
    /// Raised with each stored change; 0: not stored.
    pub rev: u64,
}

/// An event, with all that it changes.
#[derive(Debug)]
pub struct Followed<'a> {
    /// The event, by the provider's id.
    pub event_id: &'a str,
    /// The provider's customer, who is this user from now on.
    pub customer_id: &'a str,
    /// That customer, as they were read.
    pub customer: &'a Customer,
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
    /// The user, the customer or a cycle changed meanwhile: read again.
    Moved,
}

impl Store {
    /// A customer of the provider's, strongly consistent.
    pub async fn customer(&self, customer_id: &str) -> Result<Customer, StoreError> {
        let item: Option<CustomerItem> = self.get(&self.tables.users, "customer", Key::customer(customer_id)).await?;
        let known = |item: CustomerItem| {
            let CustomerItem { user_id, waiting, since, rev } = item;
            Customer { user_id, waiting: waiting.unwrap_or_default(), since, rev }
        };
        Ok(item.map(known).unwrap_or_default())
    }

    /// Keeps what somebody pays for until it is known who they are; `false`: somebody has said so, or other words came meanwhile.
    pub async fn wait_for_customer(&self, customer_id: &str, customer: &Customer) -> Result<bool, StoreError> {
        let Customer { waiting, since, rev, .. } = customer.clone();
        let item = CustomerItem { user_id: None, waiting: Some(waiting), since, rev };
        let leg = customer_leg(&self.tables.users, customer_id, item, rev - 1);
        Ok(self.transact("keeping a billing event", customer_id, vec![transact_put(leg)]).await?.is_ok())
    }

    /// Stores an event with all that it changes, or nothing. The same event is stored once, however often it comes. Posts that lose their
    /// place by it are held by [`Self::hold_beyond_quota`] afterwards; whoever stops before leaves that to the cycle job.
    pub async fn follow_event(&self, followed: &Followed<'_>) -> Result<Follow, StoreError> {
        let Followed { event_id, customer_id, customer, user, ledger, writer, now } = followed;
        let (users, sessions) = (&self.tables.users, &self.tables.sessions);
        let event = EventItem { user_id: user.id.clone(), followed_at: *now, expires_epoch: (*now + EVENT_LIFE).as_second() };
        let known = CustomerItem { user_id: Some(user.id.clone()), waiting: None, since: None, rev: customer.rev + 1 };
        let mut legs = vec![
            put(sessions, to_item(Key::billing_event(event_id), event)).condition_expression("attribute_not_exists(pk)"),
            put(users, to_item(Key::profile(&user.id), UserItem::new(user, writer)))
                .condition_expression("rev = :rev")
                .expression_attribute_values(":rev", number(user.rev - 1)),
            customer_leg(users, customer_id, known, customer.rev),
        ];
        legs.extend(ledger.iter().map(|change| ledger_puts::cycle(&self.tables.ledger, change)));
        legs.extend(ledger.iter().flat_map(|change| ledger_puts::entries(&self.tables.ledger, change)));
        let legs = legs.into_iter().map(transact_put).chain(self.freed_leg(ledger)).collect();
        match self.transact("following a billing event", writer, legs).await? {
            // Otherwise it is its own write, sent again, or the same event by another request.
            Err(refused) if !refused.failed(0) && !refused.is_own(1, user.rev, writer) => Ok(Follow::Moved),
            _ => Ok(Follow::Done),
        }
    }
}

/// The customer, if they are still as they were read.
fn customer_leg(table: &str, customer_id: &str, customer: CustomerItem, read_rev: u64) -> PutBuilder {
    let leg = put(table, to_item(Key::customer(customer_id), customer));
    match read_rev {
        0 => leg.condition_expression("attribute_not_exists(pk)"),
        rev => leg.condition_expression("rev = :rev").expression_attribute_values(":rev", number(rev)),
    }
}
