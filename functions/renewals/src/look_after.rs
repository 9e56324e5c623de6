//! One grant whose time has come: what it needs, by its row as it stands now.

use connecting::tokens::{self, AccessError, Grant};
use domain::connection::{Connection, GrantStep, Terms};
use domain::post::FUNCTION_TIMEOUT;
use edge::guarded::Panicked;
use jiff::Timestamp;
use store::{ConnectionWrite, DueGrant, StoreError};

use crate::Deps;
use crate::ask::ask;

/// What became of a grant of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Became {
    /// It lives on.
    Renewed,
    /// Its owner is asked to connect again.
    Asked,
    /// It is over.
    Over,
    /// It is looked at later, because nothing came of it now.
    PutOff {
        /// Whether half of its life is over.
        late: bool,
    },
    /// The index was behind, or somebody was faster.
    Nothing,
}

/// Why a grant was left as it is; the next run finds it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookError {
    /// A table did not answer, or holds a row that cannot be read.
    #[error("a table failed")]
    Store(#[from] StoreError),
    /// A table or the vault did not answer.
    #[error("the tokens failed")]
    Tokens(#[from] AccessError),
    /// The row does not add up.
    #[error(transparent)]
    Panicked(#[from] Panicked),
}

/// Reads the row, because the index is only a hint, and does what the grant needs.
pub(crate) async fn look_after(deps: &Deps, due: &DueGrant, writer: &str) -> Result<Became, LookError> {
    let DueGrant { user_id, connection_id } = due;
    let Some(connection) = deps.store.connection(user_id, connection_id).await? else { return Ok(Became::Nothing) };
    let now = deps.clock.now();
    let terms = deps.platforms.get(connection.platform).descriptor().terms();
    match connection.grant_step(&terms, now, deps.random.bytes()) {
        GrantStep::Nothing => Ok(Became::Nothing),
        GrantStep::Later(at) => {
            write(deps, &connection.renewing_at(at, now), writer).await?;
            Ok(Became::Nothing)
        }
        GrantStep::Renew if !deps.configured.contains(&connection.platform) => {
            let late = connection.life.is_late(&terms, now);
            write(deps, &connection.renewing_later(now), writer).await?;
            Ok(Became::PutOff { late })
        }
        GrantStep::Renew => renew(deps, connection, &terms, now).await,
        GrantStep::Ask(by) => Ok(ask(deps, connection, by, writer).await?),
        GrantStep::Over => {
            tracing::warn!(%connection_id, %user_id, platform = connection.platform.as_str(), "a grant has ended");
            tokens::mark_dead(&deps.access(FUNCTION_TIMEOUT.unsigned_abs()), &connection).await?;
            Ok(Became::Over)
        }
    }
}

/// The lease that a renewal takes puts the next try off, so nothing has to be written of one that fails.
async fn renew(deps: &Deps, connection: Connection, terms: &Terms, now: Timestamp) -> Result<Became, LookError> {
    let late = connection.life.is_late(terms, now);
    // No renewal may take longer than a publisher's: leases are made for it.
    let access = deps.access(FUNCTION_TIMEOUT.unsigned_abs());
    Ok(match tokens::renew_grant(&access, connection).await? {
        Grant::Renewed => Became::Renewed,
        Grant::Over => Became::Over,
        Grant::Later => Became::PutOff { late },
    })
}

/// Whether it was written: whoever has changed the row meanwhile wins, and the next run looks again.
pub(crate) async fn write(deps: &Deps, connection: &Connection, writer: &str) -> Result<bool, StoreError> {
    Ok(matches!(deps.store.update_connection(connection, writer).await?, ConnectionWrite::Done))
}
