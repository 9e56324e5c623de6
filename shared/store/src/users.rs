//! Profiles, the uniqueness of phone numbers, and gift certificates.

use aws_sdk_dynamodb::types::builders::PutBuilder;
use domain::id::UserId;
use domain::ledger::LedgerChange;
use domain::people::gift::{GiftCertificate, GiftHash};
use domain::people::phone::{PhoneHash, PhoneNumber};
use domain::plan::{Plan, Source, Subscription};
use domain::user::User;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::items::{number, to_item, written_by};
use crate::key::Key;
use crate::ledger::ledger_puts;
use crate::posts::{cancellation, failed, is_conflict, put, transact_put};
use crate::{Store, StoreError};

#[derive(Serialize, Deserialize)]
struct UserItem {
    id: UserId,
    phone: String,
    created_at: Timestamp,
    subscription: Option<SubscriptionItem>,
    rev: u64,
    writer: String,
}

#[derive(Serialize, Deserialize)]
struct SubscriptionItem {
    plan: Plan,
    anchor: Timestamp,
    active: bool,
    source: Source,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct PhoneItem {
    pub(crate) user_id: UserId,
}

#[derive(Serialize, Deserialize)]
struct GiftItem {
    plan: Plan,
    issued_at: Timestamp,
    expires_at: Option<Timestamp>,
    redeemed_by: Option<UserId>,
    redeemed_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

impl UserItem {
    fn new(user: &User, writer: &str) -> Self {
        let subscription =
            user.subscription.map(|Subscription { plan, anchor, active, source }| SubscriptionItem { plan, anchor, active, source });
        Self {
            id: user.id.clone(),
            phone: user.phone.as_str().to_owned(),
            created_at: user.created_at,
            subscription,
            rev: user.rev,
            writer: writer.to_owned(),
        }
    }
}

impl From<UserItem> for User {
    fn from(item: UserItem) -> Self {
        let subscription =
            item.subscription.map(|SubscriptionItem { plan, anchor, active, source }| Subscription { plan, anchor, active, source });
        Self { id: item.id, phone: PhoneNumber::from_stored(item.phone), created_at: item.created_at, subscription, rev: item.rev }
    }
}

impl From<&GiftCertificate> for GiftItem {
    fn from(gift: &GiftCertificate) -> Self {
        let GiftCertificate { plan, issued_at, expires_at, redeemed_by, redeemed_at, revoked_at } = gift.clone();
        Self { plan, issued_at, expires_at, redeemed_by, redeemed_at, revoked_at }
    }
}

impl From<GiftItem> for GiftCertificate {
    fn from(item: GiftItem) -> Self {
        let GiftItem { plan, issued_at, expires_at, redeemed_by, redeemed_at, revoked_at } = item;
        Self { plan, issued_at, expires_at, redeemed_by, redeemed_at, revoked_at }
    }
}

/// The legs by which a new user joins a transaction.
pub(crate) fn new_user_puts(table: &str, user: &User, phone: &PhoneHash, writer: &str) -> [PutBuilder; 2] {
    let phone_item = to_item(Key::phone(phone.as_str()), PhoneItem { user_id: user.id.clone() });
    let profile = to_item(Key::profile(&user.id), UserItem::new(user, writer));
    [put(table, phone_item), put(table, profile)].map(|leg| leg.condition_expression("attribute_not_exists(pk)"))
}

/// A certificate's redemption, with all that it brings.
#[derive(Debug)]
pub struct Redemption<'a> {
    /// The certificate's place.
    pub hash: &'a GiftHash,
    /// The certificate, redeemed.
    pub gift: &'a GiftCertificate,
    /// Its new owner, with the plan; `rev` is one more than the one that must still stand.
    pub user: &'a User,
    /// The first cycle of the plan.
    pub ledger: &'a LedgerChange,
    /// The request that writes.
    pub writer: &'a str,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeemed {
    /// It stands.
    Done,
    /// The certificate, the user or the cycle changed meanwhile: read again.
    Moved,
}

impl Store {
    /// A user's profile, strongly consistent.
    pub async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let item: Option<UserItem> = self.get(&self.tables.users, "user", Key::profile(id)).await?;
        Ok(item.map(Into::into))
    }

    /// The user that a verified phone number belongs to.
    pub async fn user_by_phone(&self, phone: &PhoneHash) -> Result<Option<User>, StoreError> {
        let item: Option<PhoneItem> = self.get(&self.tables.users, "phone", Key::phone(phone.as_str())).await?;
        match item {
            Some(item) => self.user(&item.user_id).await,
            None => Ok(None),
        }
    }

    /// Stores a new gift certificate.
    pub async fn issue_gift(&self, hash: &GiftHash, gift: &GiftCertificate) -> Result<(), StoreError> {
        self.client
            .put_item()
            .table_name(&self.tables.users)
            .set_item(Some(to_item(Key::gift(hash.as_str()), GiftItem::from(gift))))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await
            .map(|_| ())
            .map_err(StoreError::unavailable("issuing a gift certificate"))
    }

    /// A gift certificate, strongly consistent.
    pub async fn gift(&self, hash: &GiftHash) -> Result<Option<GiftCertificate>, StoreError> {
        let item: Option<GiftItem> = self.get(&self.tables.users, "gift certificate", Key::gift(hash.as_str())).await?;
        Ok(item.map(Into::into))
    }

    /// Redeems a certificate: it, the plan, the cycle and its history, or nothing.
    pub async fn redeem(&self, redemption: &Redemption<'_>) -> Result<Redeemed, StoreError> {
        let table = &self.tables.users;
        let Redemption { hash, gift, user, ledger, writer } = redemption;
        let mut legs = vec![
            put(table, to_item(Key::profile(&user.id), UserItem::new(user, writer)))
                .condition_expression("rev = :rev")
                .expression_attribute_values(":rev", number(user.rev - 1)),
            put(table, to_item(Key::gift(hash.as_str()), GiftItem::from(*gift)))
                .condition_expression("attribute_exists(pk) AND attribute_not_exists(redeemed_by) AND attribute_not_exists(revoked_at)"),
            ledger_puts::cycle(&self.tables.ledger, ledger),
        ];
        legs.extend(ledger_puts::entries(&self.tables.ledger, ledger));
        let legs = legs.into_iter().map(transact_put).collect();
        let sent = self.client.transact_write_items().set_transact_items(Some(legs)).send().await;
        let Err(error) = sent else { return Ok(Redeemed::Done) };
        match cancellation(&error) {
            Some(reasons) if written_by(reasons.first().and_then(|reason| reason.item.as_ref()), user.rev) == Some(*writer) => {
                Ok(Redeemed::Done)
            }
            Some(reasons) if reasons.iter().any(|reason| failed(Some(reason)) || is_conflict(reason)) => Ok(Redeemed::Moved),
            _ => Err(StoreError::unavailable("redeeming a gift certificate")(error)),
        }
    }
}
