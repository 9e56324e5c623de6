//! A transition of a post together with what it does to its cycle.

use std::collections::HashSet;

use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::ledger::{Cause, Cycle, LedgerChange, LedgerError};
use domain::planted::Bug;
use domain::post::{Event, LedgerEffect, Post, Transition};

use super::commit::{Commit, LEGS_MAX, Leg, Owner, PostChange};
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

impl Settlement<'_> {
    /// What it does to the cycle.
    fn change(&self, effect: LedgerEffect, cycle: &Cycle) -> Result<LedgerChange, LedgerError> {
        let cause = self.cause.clone();
        match effect {
            LedgerEffect::Settle => cycle.settle(cause),
            LedgerEffect::Unsettle => cycle.unsettle(cause),
            LedgerEffect::Release | LedgerEffect::Keep => cycle.release(cause),
        }
    }

    fn stored<'a>(&'a self, ledger: &'a [LedgerChange]) -> PostChange<'a> {
        PostChange {
            post: &self.transition.post,
            writer: self.writer,
            content: None,
            attempt: self.transition.attempt.as_ref(),
            event: self.event,
            ledger,
            usable: None,
            intent: None,
            // Whoever finds an account lost has read it a while ago.
            look_through: self.transition.post.is_held(),
        }
    }

    /// Whether it may stand in one transaction with others: it writes nothing of its owner's but the cycle.
    pub fn joins(&self) -> bool {
        self.transition.ledger == LedgerEffect::Settle && !self.transition.post.is_held()
    }
}

impl Store {
    /// Stores settlements of one owner's cycle in one transaction, all or none. `false`: nothing was stored, because something stands in the way
    /// of one of them, or because they do not fit together. Each by itself is then a case for [`Self::settle`].
    ///
    /// Ten posts that are due in one second cost one write of their cycle instead of ten, which would cancel each other.
    pub async fn settle_together(&self, settlements: &[Settlement<'_>]) -> Result<bool, StoreError> {
        let Some(first) = settlements.first() else { return Ok(true) };
        let Post { user_id, cycle_start, .. } = &first.transition.post;
        let Some(start) = *cycle_start else { return Ok(false) };
        let is_like_first =
            |one: &Settlement<'_>| one.transition.post.cycle_start == *cycle_start && one.transition.post.user_id == *user_id;
        if !settlements.iter().all(|one| one.joins() && is_like_first(one)) {
            return Ok(false);
        }
        let mut rounds = Rounds::new("settling posts together", first.writer);
        loop {
            rounds.next().await?;
            let Some(cycle) = self.cycle(user_id, start).await? else { return Ok(false) };
            let Ok(change) = all_changes(settlements, &cycle) else { return Ok(false) };
            let Some(legs) = self.legs_together(settlements, change) else { return Ok(false) };
            let (means, legs): (Vec<Leg>, Vec<_>) = legs.into_iter().unzip();
            let Err(refused) = self.transact("settling posts together", first.writer, legs).await? else { return Ok(true) };
            if !refused.legs().all(|leg| means.get(leg) == Some(&Leg::Cycle)) {
                return Ok(false);
            }
        }
    }

    /// The legs of all; `None`: they are too many, or two of them write one item, which no transaction may.
    fn legs_together(&self, settlements: &[Settlement<'_>], change: LedgerChange) -> Option<Vec<(Leg, TransactWriteItem)>> {
        let bound: Vec<_> = settlements.iter().filter_map(|one| one.transition.post.platform_post_id()).collect();
        let differ = bound.iter().collect::<HashSet<_>>().len() == bound.len();
        let change = [change];
        let ledgers = std::iter::once(&change[..]).chain(std::iter::repeat(&[][..]));
        let legs: Vec<_> = settlements.iter().zip(ledgers).flat_map(|(one, ledger)| self.legs(&one.stored(ledger))).collect();
        (differ && legs.len() <= LEGS_MAX).then_some(legs)
    }

    /// Stores the post, the try's row, the ledger and its history in one transaction, or nothing of it.
    ///
    /// Other posts of the same cycle may settle at the same time: the cycle is then read again, a bounded number of times.
    pub async fn settle(&self, settlement: &Settlement<'_>) -> Result<Settled, StoreError> {
        let Transition { post, ledger, .. } = settlement.transition;
        let mut rounds = Rounds::new("settling a post", settlement.writer);
        loop {
            rounds.next().await?;
            let change = match ledger {
                LedgerEffect::Keep => None,
                effect => {
                    let start = post.cycle_start.ok_or(LedgerError::NothingReserved)?;
                    let cycle = self.cycle(&post.user_id, start).await?.ok_or(LedgerError::NothingReserved)?;
                    // A cycle that holds no reservation any more may be our own write of an earlier call: the post tells.
                    match settlement.change(*effect, &cycle) {
                        Ok(change) => Some(change),
                        Err(error) => return self.settled_before(settlement, error).await,
                    }
                }
            };
            match self.commit(&settlement.stored(change.as_slice())).await? {
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

/// What all of them do to the cycle, one after the other, as one change.
fn all_changes(settlements: &[Settlement<'_>], cycle: &Cycle) -> Result<LedgerChange, LedgerError> {
    let mut changes = settlements.iter();
    let first = changes.next().ok_or(LedgerError::NothingReserved)?;
    let change = first.change(LedgerEffect::Settle, cycle)?;
    if Bug::SettledTogetherCountOnce.is_planted() {
        return Ok(change);
    }
    changes.try_fold(change, |change, next| change.and_then(|cycle| next.change(LedgerEffect::Settle, cycle)))
}
