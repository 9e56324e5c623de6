//! A transition of a post together with what it does to its cycle.

use domain::ledger::{Cause, LedgerError};
use domain::post::{Event, LedgerEffect, Post, Transition};

use super::commit::{Commit, Owner, PostChange};
use crate::{Rounds, Store, StoreError};

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

/// What came of it.
#[derive(Debug)]
pub enum Settled {
    /// It stands, by this call or by an earlier one of the same writer.
    Done,
    /// Another change of the post came first; this is what stands now, `None` if the post is gone.
    PostMoved(Option<Box<Post>>),
    /// The platform's post belongs to another post of ours: this one.
    AlreadyBound(Owner),
}

impl Store {
    /// Stores the post, the try's row, the ledger and its history in one transaction, or nothing of it.
    ///
    /// Other posts of the same cycle may settle at the same time: the cycle is then read again, a bounded number of times.
    pub async fn settle(&self, settlement: &Settlement<'_>) -> Result<Settled, StoreError> {
        let Transition { post, attempt, ledger, .. } = settlement.transition;
        let mut rounds = Rounds::new("settling a post", settlement.writer);
        loop {
            rounds.next().await?;
            let change = match ledger {
                LedgerEffect::Keep => None,
                effect => {
                    let start = post.cycle_start.ok_or(LedgerError::NothingReserved)?;
                    let cycle = self.cycle(&post.user_id, start).await?.ok_or(LedgerError::NothingReserved)?;
                    let cause = settlement.cause.clone();
                    // A cycle that holds no reservation any more may be our own write of an earlier call: the post tells.
                    let changed = match effect {
                        LedgerEffect::Settle => cycle.settle(cause),
                        LedgerEffect::Unsettle => cycle.unsettle(cause),
                        LedgerEffect::Release | LedgerEffect::Keep => cycle.release(cause),
                    };
                    match changed {
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
                    intent: None,
                    // Whoever finds an account lost has read it a while ago.
                    look_through: post.is_held(),
                })
                .await?;
            match commit {
                Commit::Done => return Ok(Settled::Done),
                Commit::PostMoved(standing) => return Ok(Settled::PostMoved(standing)),
                Commit::AlreadyBound(owner) => return Ok(Settled::AlreadyBound(owner)),
                // No connection is checked here: what has happened is written down whatever becomes of the account.
                Commit::CycleMoved | Commit::ConnectionUnusable => {}
            }
        }
    }

    async fn settled_before(&self, settlement: &Settlement<'_>, error: LedgerError) -> Result<Settled, StoreError> {
        let post = &settlement.transition.post;
        match self.post(&post.user_id, &post.id).await? {
            Some((standing, _)) if standing.rev < post.rev => Err(error.into()),
            standing => Ok(Settled::PostMoved(standing.map(|(post, _)| Box::new(post)))),
        }
    }
}
