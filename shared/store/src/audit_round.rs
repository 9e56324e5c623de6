//! How far the nightly audit has come, so that it goes on there and has seen everybody after so many nights.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::items::{number, text, to_item, written};
use crate::key::{Item, Key};
use crate::{Store, StoreError, TablePlace};

/// One walk over all users, in as many nights as it takes.
#[derive(Debug, Clone)]
pub struct AuditRound {
    /// When it began.
    pub began_at: Timestamp,
    /// Users whose books it has read, or tried to.
    pub users: u64,
    place: Option<TablePlace>,
    rev: u64,
}

#[derive(Serialize, Deserialize)]
struct RoundItem {
    began_at: Timestamp,
    users: u64,
    reached: Option<Reached>,
    rev: u64,
}

/// The key of the last item that was looked at. It need not be there any more.
#[derive(Serialize, Deserialize)]
struct Reached {
    pk: String,
    sk: String,
}

impl AuditRound {
    /// Where the next page begins.
    pub fn place(&self) -> Option<TablePlace> {
        self.place.clone()
    }

    /// Whether everybody was seen.
    pub fn is_over(&self) -> bool {
        self.place.is_none()
    }

    /// After a page of `users`, and where the next one begins; `None`: that was the last.
    #[must_use]
    pub fn after(self, users: usize, next: Option<TablePlace>) -> Self {
        Self { users: self.users + users as u64, place: next, rev: self.rev + 1, ..self }
    }
}

impl Store {
    /// The round that goes on at `now`, or that begins because the last one is over.
    pub async fn audit_round(&self, now: Timestamp) -> Result<AuditRound, StoreError> {
        let item: Option<RoundItem> = self.get(&self.tables.ledger, "audit", Key::audit()).await?;
        let rev = item.as_ref().map_or(0, |item| item.rev);
        Ok(match item {
            Some(RoundItem { began_at, users, reached: Some(reached), rev }) => {
                let place = Some(TablePlace(Key { pk: reached.pk, sk: reached.sk }.into_item()));
                AuditRound { began_at, users, place, rev }
            }
            _ => AuditRound { began_at: now, users: 0, place: None, rev },
        })
    }

    /// Keeps how far a round has come; `false`: another run is further, and goes on by itself.
    pub async fn keep_audit_round(&self, round: &AuditRound) -> Result<bool, StoreError> {
        let reached = round.place.as_ref().map(|place| Reached { pk: part(&place.0, "pk"), sk: part(&place.0, "sk") });
        let item = RoundItem { began_at: round.began_at, users: round.users, reached, rev: round.rev };
        let sent = self
            .client
            .put_item()
            .table_name(&self.tables.ledger)
            .set_item(Some(to_item(Key::audit(), item)))
            // Also over its own write, which the client sends again when the answer was lost.
            .condition_expression("attribute_not_exists(pk) OR rev < :rev OR (rev = :rev AND began_at = :began)")
            .expression_attribute_values(":rev", number(round.rev))
            .expression_attribute_values(":began", text(round.began_at.to_string()))
            .send()
            .await;
        written(sent, "keeping how far the audit came")
    }
}

fn part(key: &Item, name: &str) -> String {
    key.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default()
}
