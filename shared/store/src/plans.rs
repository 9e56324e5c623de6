//! A user's plan together with what it does to the cycles.

use domain::ledger::LedgerChange;
use domain::user::User;

use crate::items::{number, to_item};
use crate::key::Key;
use crate::ledger::ledger_puts;
use crate::posts::{put, transact_put};
use crate::users::UserItem;
use crate::{Store, StoreError};

/// What came of a change of plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanStored {
    /// It stands.
    Done,
    /// The user or a cycle changed meanwhile: read again and repeat.
    Moved,
}

impl Store {
    /// Stores `user`, whose `rev` is one more than the one that must still stand, and what the change of plan does to the cycles, or
    /// nothing of it. Where held posts may go on by it, they are looked through. Posts that lose their quota slot by it are held by [`Self::hold_beyond_quota`] afterwards; whoever stops before
    /// leaves that to the cycle job.
    pub async fn change_plan(&self, user: &User, ledger: &[LedgerChange], writer: &str) -> Result<PlanStored, StoreError> {
        let mut legs = vec![
            put(&self.tables.users, to_item(Key::profile(&user.id), UserItem::new(user, writer)))
                .condition_expression("rev = :rev")
                .expression_attribute_values(":rev", number(user.rev - 1)),
        ];
        legs.extend(ledger.iter().map(|change| ledger_puts::cycle(&self.tables.ledger, change)));
        legs.extend(ledger.iter().flat_map(|change| ledger_puts::entries(&self.tables.ledger, change)));
        let legs = legs.into_iter().map(transact_put).chain(self.freed_leg(ledger)).collect();
        match self.transact("changing a plan", writer, legs).await? {
            Err(refused) if !refused.is_own(0, user.rev, writer) => Ok(PlanStored::Moved),
            _ => Ok(PlanStored::Done),
        }
    }
}
