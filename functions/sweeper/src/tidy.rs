//! Secrets that nothing needs: of a consent that stopped between vault and row, and of a choice whose time is over.
//!
//! Whoever makes such a secret notes it first. An hour later nobody can still be at work on it, and the row says whether it is needed.

use cloud::vault::VaultError;
use edge::problem::chain;
use store::{Leftover, StoreError};

use crate::Deps;

/// Why a note could not be judged this time; the next round tries again.
#[derive(Debug, thiserror::Error)]
enum TidyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// Judges the oldest notes. Returns how many secrets were removed, and how many notes could not be judged.
pub(crate) async fn tidy(deps: &Deps) -> (usize, usize) {
    let notes = match deps.store.leftovers(deps.clock.now()).await {
        Ok(notes) => notes,
        Err(error) => {
            tracing::error!(error = chain(&error), "the notes of secrets could not be read");
            return (0, 1);
        }
    };
    let (mut removed, mut failed) = (0, 0);
    for note in notes {
        match judge(deps, &note).await {
            Ok(true) => removed += 1,
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(error = chain(&error), "a secret could not be judged");
                failed += 1;
            }
        }
    }
    (removed, failed)
}

/// Whether the secret was removed. The note goes last: a round that stops before it is made good by the next.
async fn judge(deps: &Deps, note: &Leftover) -> Result<bool, TidyError> {
    let removed = match note {
        Leftover::Connection { user_id, connection_id, .. } => {
            let needed = deps.store.connection(user_id, connection_id).await?.is_some();
            if !needed {
                deps.vault.delete(&deps.vault.connection_secret(connection_id)).await?;
                tracing::warn!(%user_id, %connection_id, "tokens without a connection were removed");
            }
            !needed
        }
        Leftover::Choice { choice_id, .. } => {
            deps.vault.delete_choice(choice_id).await?;
            true
        }
    };
    deps.store.forget_leftover(note).await?;
    Ok(removed)
}
