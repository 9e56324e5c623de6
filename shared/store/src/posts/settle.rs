//! A transition of a post together with what it does to its cycle.

use std::time::Duration;

use domain::ledger::{Cause, LedgerError};
use domain::post::{Event, LedgerEffect, Transition};

use super::commit::{Commit, PostChange};
use crate::{Store, StoreError};

/// How often a cycle that others keep changing is read again before we give up for the moment.
const ROUNDS_MAX: u8 = 40;
/// The longest pause between two rounds.
const PAUSE_MILLIS_MAX: u64 = 200;

/// What is stored when a post moves on.
#[derive(Debug)]
pub struct Settlement<'a> {
    /// The move.
    pub transition: &'a Transition,
    /// The attempt or request that writes.
    pub writer: &'a str,
    /// The step, in a word.
    pub event: &'a Event,
    /// Told in the history, if a number changes.
    pub cause: Cause,
}

impl Store {
    /// Stores the post, the try's row, the ledger and its history in one transaction, or nothing of it.
    ///
    /// Other posts of the same cycle may settle at the same time: the cycle is then read again, a bounded number of times.
    pub async fn settle(&self, settlement: &Settlement<'_>) -> Result<Commit, StoreError> {
        let Transition { post, attempt, ledger, .. } = settlement.transition;
        for round in 0..ROUNDS_MAX {
            let change = match ledger {
                LedgerEffect::Keep => None,
                effect => {
                    let start = post.cycle_start.ok_or(LedgerError::NothingReserved)?;
                    let cycle = self.cycle(&post.user_id, start).await?.ok_or(LedgerError::NothingReserved)?;
                    let cause = settlement.cause.clone();
                    // A cycle that holds no reservation any more may be our own write of an earlier call: the post tells.
                    match if *effect == LedgerEffect::Settle { cycle.settle(cause) } else { cycle.release(cause) } {
                        Ok(change) => Some(change),
                        Err(error) => return self.settled_before(settlement, error).await,
                    }
                }
            };
            let commit = self
                .commit(&PostChange {
                    post,
                    writer: settlement.writer,
                    content: None,
                    attempt: attempt.as_ref(),
                    event: settlement.event,
                    ledger: change.as_slice(),
                    usable: None,
                })
                .await?;
            if !matches!(commit, Commit::LedgerMoved) {
                return Ok(commit);
            }
            tokio::time::sleep(pause(round, &settlement.cause)).await;
        }
        Err(StoreError::Contended { doing: "settling a post" })
    }

    async fn settled_before(&self, settlement: &Settlement<'_>, error: LedgerError) -> Result<Commit, StoreError> {
        let post = &settlement.transition.post;
        match self.post(&post.user_id, &post.id).await? {
            Some((standing, _)) if standing.rev < post.rev => Err(error.into()),
            standing => Ok(Commit::PostMoved(standing.map(|(post, _)| Box::new(post)))),
        }
    }
}

/// Up to ten milliseconds more with each round, and never the same as another's: those that collided once must not again.
fn pause(round: u8, cause: &Cause) -> Duration {
    let ceiling_millis = (10 * (u64::from(round) + 1)).min(PAUSE_MILLIS_MAX);
    let jitter = u64::from(cause.entropy[usize::from(round) % cause.entropy.len()]);
    Duration::from_millis(1 + jitter * ceiling_millis / 256)
}
