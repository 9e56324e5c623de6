//! The one way in which a transaction is sent.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, TransactWriteItem};

use crate::items::written_by;
use crate::key::Item;
use crate::{Rounds, Store, StoreError};

const FAILED: &str = "ConditionalCheckFailed";
const CONFLICT: &str = "TransactionConflict";
const THROTTLED: [&str; 2] = ["ThrottlingError", "ProvisionedThroughputExceeded"];

/// How often the same is sent that meets others: with their pauses, in about three seconds. Callers have rounds of their own, and the two multiply.
const SENDS_MAX: u32 = 30;
/// How often a table may refuse it for too much traffic, which ends less soon.
const THROTTLED_MAX: u32 = 4;

/// Why a transaction was cancelled that may go through a moment later. The SDK repeats none: to it, a cancelled transaction is an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passing {
    /// Others hold its items.
    Conflict,
    /// There is too much traffic.
    Throttled,
}

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
    /// milliseconds. After thirty conflicts it is [`StoreError::Contended`], and at the fourth refusal for traffic
    /// [`StoreError::Unavailable`]. `writer` draws the pauses, see [`Rounds`].
    pub(crate) async fn transact(
        &self,
        doing: &'static str,
        writer: &str,
        legs: Vec<TransactWriteItem>,
    ) -> Result<Result<(), Refused>, StoreError> {
        let mut rounds = Rounds::new(doing, writer).at_most(SENDS_MAX);
        let mut throttled = 0;
        loop {
            rounds.next().await?;
            let request = self.client.transact_write_items().set_transact_items(Some(legs.clone()));
            let Err(error) = Box::pin(request.send()).await else { return Ok(Ok(())) };
            let reasons = cancellation(&error).unwrap_or_default();
            if reasons.iter().any(failed) {
                return Ok(Err(Refused(reasons.to_vec())));
            }
            let passing = passing(reasons);
            throttled += u32::from(passing == Some(Passing::Throttled));
            if passing.is_none() || throttled == THROTTLED_MAX {
                return Err(StoreError::unavailable(doing)(error));
            }
            if passing == Some(Passing::Throttled) {
                rounds.after_traffic().await;
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

/// Why every leg that was refused may go through a moment later; `None`: one may not, or none was refused.
fn passing(reasons: &[CancellationReason]) -> Option<Passing> {
    let mut passing = None;
    for code in reasons.iter().filter_map(CancellationReason::code).filter(|code| *code != "None") {
        passing = match code {
            CONFLICT => passing.or(Some(Passing::Conflict)),
            code if THROTTLED.contains(&code) => Some(Passing::Throttled),
            _ => return None,
        };
    }
    passing
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
            (vec!["None", "TransactionConflict"], Some(Passing::Conflict)),
            (vec!["TransactionConflict", "ThrottlingError", "None"], Some(Passing::Throttled)),
            (vec!["ThrottlingError", "TransactionConflict"], Some(Passing::Throttled)),
            (vec!["ProvisionedThroughputExceeded"], Some(Passing::Throttled)),
            (vec!["TransactionConflict", "ItemCollectionSizeLimitExceeded"], None),
            (vec!["ValidationError"], None),
            (vec!["None"], None),
            (vec![], None),
        ] {
            assert_eq!(passing(&reasons(&codes)), expected, "{codes:?}");
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
