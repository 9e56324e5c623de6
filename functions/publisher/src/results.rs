//! Results of one owner's posts, stored together.
//!
//! All posts of an owner write one cycle. At once they would cancel each other's transactions. So one result is stored at a time, and those
//! that gather meanwhile go into the next transaction, all of them.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use domain::ledger::Cause;
use domain::post::{Event, Transition};
use edge::problem::chain;
use store::{Settled, Settlement, Store, StoreError};
use tokio::sync::oneshot::{self, Sender};
use tokio::sync::{Mutex, MutexGuard};

/// A result waits so long for another of the same owner to be stored.
const WAITS_MAX: Duration = Duration::from_secs(2);

/// A transition with all that is stored beside it.
#[derive(Debug)]
pub(crate) struct Unstored {
    pub(crate) transition: Transition,
    /// Whose write it is: by this it is recognised, should it be stored again.
    pub(crate) writer: String,
    pub(crate) event: Event,
    pub(crate) cause: Cause,
}

impl Unstored {
    pub(crate) fn settlement(&self) -> Settlement<'_> {
        Settlement { transition: &self.transition, writer: &self.writer, event: &self.event, cause: self.cause.clone() }
    }
}

/// A result that waits, and who is told when another's write has stored it.
#[derive(Debug)]
struct Gathered {
    result: Arc<Unstored>,
    stored: Sender<()>,
}

/// Those of one owner in one batch.
#[derive(Debug, Default)]
pub(crate) struct Results {
    gathered: std::sync::Mutex<Vec<Gathered>>,
    /// Held by whoever stores.
    stores: Mutex<()>,
}

impl Results {
    /// Stores a result: alone, with others, or by the write of another that took it along.
    pub(crate) async fn store(&self, store: &Store, result: Unstored) -> Result<Settled, StoreError> {
        let result = Arc::new(result);
        let (stored, mut told) = oneshot::channel();
        if result.settlement().joins() {
            self.lock().push(Gathered { result: result.clone(), stored });
        }
        let _alone = self.alone().await;
        if told.try_recv().is_ok() {
            return Ok(Settled::Done);
        }
        let gathered = std::mem::take(&mut *self.lock());
        if together(store, gathered, &result).await {
            return Ok(Settled::Done);
        }
        store.settle(&result.settlement()).await
    }

    /// Returns when no other result is being stored, or has been for long.
    async fn alone(&self) -> Option<MutexGuard<'_, ()>> {
        tokio::time::timeout(WAITS_MAX, self.stores.lock()).await.ok()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Gathered>> {
        // Only whole entries are ever put in, so a panic elsewhere leaves nothing half-written.
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stores what has gathered in one transaction. `false`: `own` is not among it, or nothing was stored. Each is then stored by whoever brought it.
async fn together(store: &Store, gathered: Vec<Gathered>, own: &Arc<Unstored>) -> bool {
    let waits: Vec<Gathered> = gathered.into_iter().filter(|one| Arc::ptr_eq(&one.result, own) || !one.stored.is_closed()).collect();
    if waits.len() < 2 || !waits.iter().any(|one| Arc::ptr_eq(&one.result, own)) {
        return false;
    }
    let settlements: Vec<_> = waits.iter().map(|one| one.result.settlement()).collect();
    match store.settle_together(&settlements).await {
        Ok(true) => {
            for one in waits {
                // Whoever has stopped waiting recognises the write when they store it themselves.
                let _ = one.stored.send(());
            }
            true
        }
        Ok(false) => false,
        Err(error) => {
            tracing::warn!(results = waits.len(), error = chain(&error), "results were not stored together");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_result_waits_for_another_and_not_for_long() {
        let results = Results::default();
        let first = results.alone().await;
        assert!(first.is_some());
        let mut next = std::pin::pin!(results.alone());
        assert!(futures::poll!(next.as_mut()).is_pending());
        let began = tokio::time::Instant::now();
        assert!(next.await.is_none() && began.elapsed() == WAITS_MAX, "the first hangs");
        drop(first);
        assert!(results.alone().await.is_some());
    }
}
