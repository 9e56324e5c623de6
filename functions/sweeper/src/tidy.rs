//! Secrets that nothing needs: of a consent that stopped between vault and row, of a choice whose time is over, and of a connection that
//! its owner gave up while it was still needed.
//!
//! Whoever makes such a secret, or gives up a connection, notes it first. An hour later nobody can still be at work on it, and the row says
//! whether it is needed.

use cloud::vault::VaultError;
use connecting::{EndError, Ended, Ending};
use domain::connection::Health;
use domain::id::{AttemptId, ConnectionId, UserId};
use domain::ledger::Actor;
use domain::platform::{App, PlatformName, ServerName};
use edge::guarded::{Panicked, guarded};
use edge::problem::chain;
use store::{Leftover, Leftovers, OddLeftover, StoreError};

use crate::Deps;

/// Disconnects in one round: each may wait for a platform, and the round's time is for posts.
pub(crate) const DISCONNECTS_MAX: u32 = 2;

/// Why a note could not be judged this time; the next round tries again.
#[derive(Debug, thiserror::Error)]
enum TidyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    End(#[from] EndError),
    #[error(transparent)]
    Panicked(#[from] Panicked),
}

/// Judges the oldest notes. Returns how many secrets were removed, and how many notes could not be judged.
pub(crate) async fn tidy(deps: &Deps) -> (usize, usize) {
    let Leftovers { notes, odd } = match deps.store.leftovers(deps.clock.now()).await {
        Ok(leftovers) => leftovers,
        Err(error) => {
            tracing::error!(error = chain(&error), "the notes of secrets could not be read");
            return (0, 1);
        }
    };
    let (mut removed, mut failed, mut disconnects) = (0, put_behind(deps, &odd).await, 0);
    for note in notes {
        if matches!(note, Leftover::Disconnect { .. }) {
            disconnects += 1;
            // What waits behind it need not wait with it.
            if disconnects > DISCONNECTS_MAX {
                continue;
            }
        }
        match guarded(judge(deps, &note)).await.unwrap_or_else(|panicked| Err(panicked.into())) {
            Ok(true) => removed += 1,
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(?note, error = chain(&error), "a secret could not be judged");
                failed += 1;
                if let Err(error) = deps.store.put_leftover_behind(&note, deps.clock.now()).await {
                    tracing::warn!(?note, error = chain(&error), "a note stays before the others");
                }
            }
        }
    }
    (removed, failed)
}

/// Takes notes that cannot be read out of sight for a while: operators were told of them, and to tell it each minute says nothing new. Returns how
/// many stay where they are.
async fn put_behind(deps: &Deps, odd: &[OddLeftover]) -> usize {
    let mut stay = 0;
    for note in odd {
        if let Err(error) = deps.store.put_odd_leftover_behind(note, deps.clock.now()).await {
            tracing::warn!(error = chain(&error), "a note that cannot be read stays before the others");
            stay += 1;
        }
    }
    stay
}

/// Whether the secret was removed. The note goes last: a round that stops before it is made good by the next.
async fn judge(deps: &Deps, note: &Leftover) -> Result<bool, TidyError> {
    let removed = match note {
        Leftover::Connection { user_id, connection_id, secret_id, .. } => {
            let secret = deps.vault.connection_secret(secret_id);
            let needed = deps.store.connection(user_id, connection_id).await?.is_some_and(|connection| connection.secret_name == secret);
            if !needed {
                deps.vault.delete(&secret).await?;
                tracing::warn!(%user_id, %connection_id, "tokens without a connection were removed");
            }
            !needed
        }
        Leftover::Disconnect { user_id, connection_id, .. } => finish(deps, user_id, connection_id).await?,
        Leftover::Choice { choice_id, .. } => {
            deps.vault.delete_choice(choice_id).await?;
            true
        }
        Leftover::App { platform, server, .. } => {
            if !remove_app(deps, *platform, server).await? {
                deps.store.put_leftover_behind(note, deps.clock.now()).await?;
                return Ok(false);
            }
            true
        }
    };
    deps.store.forget_leftover(note).await?;
    Ok(removed)
}

/// Removes the credentials of our app at a server, unless somebody needs them. The note of those that stay is judged again another day.
async fn remove_app(deps: &Deps, platform: PlatformName, server: &ServerName) -> Result<bool, TidyError> {
    if !deps.store.begin_server_removal(platform, server, deps.clock.now()).await? {
        return Ok(false);
    }
    deps.vault.delete_app(&App { platform, server: Some(server.clone()) }).await?;
    deps.store.server_is_removed(platform, server).await?;
    tracing::info!(platform = platform.as_str(), %server, "an app at a server that nobody needs was forgotten");
    Ok(true)
}

/// Takes down a connection that its owner gave up, and that nobody has taken down since. What is still needed is noted anew, behind the
/// notes that wait.
async fn finish(deps: &Deps, user_id: &UserId, connection_id: &ConnectionId) -> Result<bool, TidyError> {
    let connection = deps.store.connection(user_id, connection_id).await?;
    let Some(connection) = connection.filter(|connection| connection.health == Health::Disconnecting) else { return Ok(false) };
    let now = deps.clock.now();
    let attempt = AttemptId::new(now, deps.random.bytes());
    let Deps { store, vault, platforms, random, .. } = deps;
    let ending = Ending { store, vault, platforms, random, attempt, actor: Actor::Sweeper };
    // On the heap: it is rare, and every round would be as large as it.
    let ended = Box::pin(connecting::end(&ending, connection, now)).await.unwrap_or_else(|error| {
        // Behind the others, too: one that fails each time must not keep them waiting.
        tracing::error!(%user_id, %connection_id, error = chain(&error), "a disconnect could not be finished");
        Ended::NotYet
    });
    if ended == Ended::NotYet {
        let later = Leftover::Disconnect { user_id: user_id.clone(), connection_id: connection_id.clone(), at: now };
        deps.store.note_leftover(&later).await?;
    }
    Ok(ended == Ended::Gone)
}
