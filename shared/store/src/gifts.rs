//! Gift certificates: issued and revoked by operators, redeemed once.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use domain::id::UserId;
use domain::ledger::LedgerChange;
use domain::people::gift::{GiftCertificate, GiftHash};
use domain::plan::Plan;
use domain::planted::Bug;
use domain::user::User;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::items::{from_item, number, to_item};
use crate::key::{GIFT, Key};
use crate::ledger::ledger_puts;
use crate::posts::{put, transact_put};
use crate::users::{TablePlace, UserItem};
use crate::{Rounds, Store, StoreError};

/// What may still become of a certificate that nobody has redeemed and nobody has revoked.
const STILL_VALID: &str = "attribute_exists(pk) AND attribute_not_exists(redeemed_by) AND attribute_not_exists(revoked_at)";

#[derive(Serialize, Deserialize)]
struct GiftItem {
    plan: Plan,
    cycles: u32,
    issued_at: Timestamp,
    expires_at: Option<Timestamp>,
    redeemed_by: Option<UserId>,
    redeemed_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

impl From<&GiftCertificate> for GiftItem {
    fn from(gift: &GiftCertificate) -> Self {
        let GiftCertificate { plan, cycles, issued_at, expires_at, redeemed_by, redeemed_at, revoked_at } = gift.clone();
        Self { plan, cycles, issued_at, expires_at, redeemed_by, redeemed_at, revoked_at }
    }
}

impl From<GiftItem> for GiftCertificate {
    fn from(item: GiftItem) -> Self {
        let GiftItem { plan, cycles, issued_at, expires_at, redeemed_by, redeemed_at, revoked_at } = item;
        Self { plan, cycles, issued_at, expires_at, redeemed_by, redeemed_at, revoked_at }
    }
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
    /// The cycles that it changes; at most one for each month that posts can be written ahead.
    pub ledger: &'a [LedgerChange],
    /// The request that writes.
    pub writer: &'a str,
}

/// What came of a redemption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeemed {
    /// It stands.
    Done,
    /// The certificate, the user or a cycle changed meanwhile: read again.
    Moved,
}

/// What came of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// Nobody can redeem it any more.
    Done,
    /// Somebody has redeemed it: what it brought is theirs.
    TooLate,
    /// There is no such certificate.
    Unknown,
}

impl Store {
    /// Stores a new gift certificate. Sent twice by the client, it stands once.
    pub async fn issue_gift(&self, hash: &GiftHash, gift: &GiftCertificate) -> Result<(), StoreError> {
        let sent = self
            .client
            .put_item()
            .table_name(&self.tables.users)
            .set_item(Some(to_item(Key::gift(hash.as_str()), GiftItem::from(gift))))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = sent else { return Ok(()) };
        if let Some(PutItemError::ConditionalCheckFailedException(refused)) = error.as_service_error() {
            let standing = refused.item.clone().map(|item| from_item::<GiftItem>("gift certificate", item)).transpose()?;
            if standing.map(GiftCertificate::from).as_ref() == Some(gift) {
                return Ok(());
            }
        }
        Err(StoreError::unavailable("issuing a gift certificate")(error))
    }

    /// A page of all certificates by their stored hash, in no order, and where the next starts. It reads the whole table over all its
    /// pages: for operators alone.
    pub async fn gifts(&self, place: Option<TablePlace>) -> Result<(Vec<(String, GiftCertificate)>, Option<TablePlace>), StoreError> {
        let (items, next) = self.scan_users("listing gift certificates", GIFT, place).await?;
        let named = items.into_iter().map(|item| {
            let hash = item.get("pk").and_then(|pk| pk.as_s().ok()?.strip_prefix("GIFT#")).unwrap_or_default().to_owned();
            Ok((hash, from_item::<GiftItem>("gift certificate", item)?.into()))
        });
        Ok((named.collect::<Result<_, StoreError>>()?, next))
    }

    /// A gift certificate, strongly consistent.
    pub async fn gift(&self, hash: &GiftHash) -> Result<Option<GiftCertificate>, StoreError> {
        let item: Option<GiftItem> = self.get(&self.tables.users, "gift certificate", Key::gift(hash.as_str())).await?;
        Ok(item.map(Into::into))
    }

    /// Takes a certificate back that nobody has redeemed. Repeated, it is the same.
    pub async fn revoke_gift(&self, hash: &GiftHash, now: Timestamp) -> Result<Revoked, StoreError> {
        let mut rounds = Rounds::new("revoking a gift certificate", hash.as_str());
        loop {
            rounds.next().await?;
            let Some(standing) = self.gift(hash).await? else { return Ok(Revoked::Unknown) };
            if standing.revoked_at.is_some() {
                return Ok(Revoked::Done);
            }
            let Some(revoked) = standing.revoke(now) else { return Ok(Revoked::TooLate) };
            let write = self.client.put_item().table_name(&self.tables.users).condition_expression(STILL_VALID);
            let sent = write.set_item(Some(to_item(Key::gift(hash.as_str()), GiftItem::from(&revoked)))).send().await;
            let Err(error) = sent else { return Ok(Revoked::Done) };
            match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_) | PutItemError::TransactionConflictException(_)) => {}
                _ => return Err(StoreError::unavailable("revoking a gift certificate")(error)),
            }
        }
    }

    /// Redeems a certificate: it, the plan, the cycles and their history, or nothing.
    pub async fn redeem(&self, redemption: &Redemption<'_>) -> Result<Redeemed, StoreError> {
        let Redemption { hash, gift, user, ledger, writer } = redemption;
        let table = &self.tables.users;
        let still_valid = if Bug::CertificateGrantedTwice.is_planted() { "attribute_exists(pk)" } else { STILL_VALID };
        let mut legs = vec![
            put(table, to_item(Key::profile(&user.id), UserItem::new(user, writer)))
                .condition_expression("rev = :rev")
                .expression_attribute_values(":rev", number(user.rev - 1)),
            put(table, to_item(Key::gift(hash.as_str()), GiftItem::from(*gift))).condition_expression(still_valid),
        ];
        legs.extend(ledger.iter().map(|change| ledger_puts::cycle(&self.tables.ledger, change)));
        legs.extend(ledger.iter().flat_map(|change| ledger_puts::entries(&self.tables.ledger, change)));
        let legs = legs.into_iter().map(transact_put).chain(self.freed_leg(ledger)).collect();
        match self.transact("redeeming a gift certificate", writer, legs).await? {
            Err(refused) if !refused.is_own(0, user.rev, writer) => Ok(Redeemed::Moved),
            _ => Ok(Redeemed::Done),
        }
    }
}
