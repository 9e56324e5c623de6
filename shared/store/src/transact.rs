//! The one way in which a transaction is sent.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, TransactWriteItem};

use crate::items::written_by;
use crate::key::Item;
use crate::{Rounds, Store, StoreError};

/// Reasons that pass by themselves within moments. The SDK repeats none of them: to it, a cancelled transaction is an answer.
const PASSING: [&str; 3] = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
const FAILED: &str = "ConditionalCheckFailed";

/// What each leg of a transaction met of which nothing was written. The condition of at least one failed.
#[derive(Debug)]
pub(crate) struct Refused(Vec<CancellationReason>);

impl Refused {
    /// Whether the condition of this leg failed.
    pub(crate) fn failed(&self, leg: usize) -> bool {
        self.0.get(leg).is_some_and(failed)
    }

    /// The legs whose conditions failed.
    pub(crate) fn legs(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().filter(|(_, reason)| failed(reason)).map(|(leg, _)| leg)
    }

    /// The item in the way of a leg that asked for it.
    pub(crate) fn standing(&self, leg: usize) -> Option<&Item> {
        self.0.get(leg)?.item.as_ref()
    }

    /// Whether the item in the way of a leg is `writer`'s own, at `rev`: it was stored before, and the answer was lost.
    pub(crate) fn is_own(&self, leg: usize, rev: u64, writer: &str) -> bool {
        written_by(self.standing(leg), rev) == Some(writer)
    }
}

impl Store {
    /// Sends a transaction. `Err` inside: a condition failed, which says something of what the caller has read.
    ///
    /// That another transaction, or too much traffic, holds an item says nothing, and nothing was written: the same is sent again after some
    /// milliseconds, a bounded number of times. `writer` draws the pauses, see [`Rounds`].
    pub(crate) async fn transact(
        &self,
        doing: &'static str,
        writer: &str,
        legs: Vec<TransactWriteItem>,
    ) -> Result<Result<(), Refused>, StoreError> {
        let mut rounds = Rounds::new(doing, writer);
        loop {
            rounds.next().await?;
            let request = self.client.transact_write_items().set_transact_items(Some(legs.clone()));
            let Err(error) = Box::pin(request.send()).await else { return Ok(Ok(())) };
            match cancellation(&error) {
                Some(reasons) if reasons.iter().any(failed) => return Ok(Err(Refused(reasons.to_vec()))),
                Some(reasons) if passes(reasons) => {}
                _ => return Err(StoreError::unavailable(doing)(error)),
            }
        }
    }
}

/// The reasons of a cancelled transaction, one a leg.
fn cancellation<R>(error: &SdkError<TransactWriteItemsError, R>) -> Option<&[CancellationReason]> {
    match error.as_service_error()? {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => Some(cancelled.cancellation_reasons()),
        _ => None,
    }
}

fn failed(reason: &CancellationReason) -> bool {
    reason.code() == Some(FAILED)
}

/// Whether every leg that was refused may go through a moment later.
fn passes(reasons: &[CancellationReason]) -> bool {
    let mut refused = reasons.iter().filter_map(|reason| reason.code().filter(|code| *code != "None")).peekable();
    refused.peek().is_some() && refused.all(|code| PASSING.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(codes: &[&str]) -> Vec<CancellationReason> {
        codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect()
    }

    #[test]
    fn what_passes_by_itself_is_told_from_what_does_not() {
        for (codes, expected) in [
            (vec!["None", "TransactionConflict"], true),
            (vec!["TransactionConflict", "ThrottlingError", "None"], true),
            (vec!["ProvisionedThroughputExceeded"], true),
            (vec!["TransactionConflict", "ItemCollectionSizeLimitExceeded"], false),
            (vec!["ValidationError"], false),
            (vec!["None"], false),
            (vec![], false),
        ] {
            assert_eq!(passes(&reasons(&codes)), expected, "{codes:?}");
        }
    }

    #[test]
    fn the_legs_whose_conditions_failed_are_told() {
        let refused = Refused(reasons(&["None", FAILED, "TransactionConflict", FAILED]));
        assert_eq!(refused.legs().collect::<Vec<_>>(), [1, 3]);
        assert!(refused.failed(1) && !refused.failed(2) && !refused.failed(9));
        assert!(refused.standing(1).is_none() && !refused.is_own(1, 1, "me"));
    }
}
