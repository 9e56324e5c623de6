//! The tokens of the accounts that one run reads by: fetched once an account, however many of its posts are due.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use connecting::tokens::{self, Access, AccessError, Usable};
use domain::connection::{Connection, TokenState};
use domain::id::ConnectionId;
use domain::token::TokenSet;

/// What is held of one account. Its posts wait for each other here, and for those of no other.
type Held = tokio::sync::Mutex<Option<(Box<Connection>, TokenSet)>>;

/// The accounts of one run.
#[derive(Default)]
pub(crate) struct Accounts(Mutex<BTreeMap<ConnectionId, Arc<Held>>>);

impl Accounts {
    /// Live tokens of `connection`. `refused` names a version that the platform did not take.
    pub(crate) async fn usable(&self, access: &Access<'_>, connection: Connection, refused: Option<&str>) -> Result<Usable, AccessError> {
        let held = self.held(&connection.id);
        let mut held = held.lock().await;
        if let Some((known, tokens)) = held.as_ref()
            && known.token_state(access.clock.now()) == TokenState::Live
            && refused != Some(known.secret_version.as_str())
        {
            return Ok(Usable::Ready(known.clone(), tokens.clone()));
        }
        let usable = tokens::usable(access, connection, refused).await?;
        *held = match &usable {
            Usable::Ready(connection, tokens) => Some((connection.clone(), tokens.clone())),
            Usable::Later | Usable::Dead | Usable::Gone => None,
        };
        Ok(usable)
    }

    fn held(&self, account: &ConnectionId) -> Arc<Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(account.clone()).or_default().clone()
    }
}
