//! What goes wrong here, as the problems of the contract. The one place where they are told apart.

use domain::ledger::LedgerError;
use domain::post::{CHANGES_MAX, DRAFTS_MAX, Refused};
use edge::problem::{Problem, ProblemCode};
use store::StoreError;

/// For `map_err` on a store call.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
pub(crate) fn store(error: StoreError) -> Problem {
    match error {
        StoreError::Unavailable { .. } | StoreError::Contended { .. } => Problem::unavailable_because(&error),
        StoreError::Corrupt { .. } | StoreError::Ledger(_) => Problem::internal(&error),
    }
}

/// For `map_err` on a transition.
pub(crate) fn refused(refused: Refused) -> Problem {
    match refused {
        Refused::InFlight => Problem::new(ProblemCode::PostInFlight),
        Refused::ChangedTooOften => {
            Problem::new(ProblemCode::StateConflict).with_detail(format!("The post has been changed {CHANGES_MAX} times. Write a new one."))
        }
        Refused::TooLate => {
            Problem::new(ProblemCode::StateConflict).with_detail("The post's last moment has passed. Give it another time.")
        }
        Refused::WrongState(status) => Problem::new(ProblemCode::StateConflict)
            .with_detail(format!("A post that is {} does not allow this. Read it again.", status.as_str())),
    }
}

/// One draft more is not kept.
pub(crate) fn too_many_drafts() -> Problem {
    let detail = format!("{DRAFTS_MAX} drafts are kept. Approve, cancel or delete some first.");
    Problem::new(ProblemCode::StateConflict).with_detail(detail).that_passes()
}

/// For `map_err` on a reservation.
pub(crate) fn ledger(error: LedgerError) -> Problem {
    match error {
        LedgerError::QuotaExhausted => Problem::new(ProblemCode::QuotaExhausted),
        LedgerError::NothingReserved => Problem::internal(&error),
    }
}
