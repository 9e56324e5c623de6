//! Errors as the caller sees them. Causes are logged here, once, and not shown.

use edge::problem::{Problem, ProblemCode, chain};
use store::StoreError;

use crate::HashKeyError;
use crate::redeem_gift::RedeemError;
use crate::send_code::SendCodeError;
use crate::verify_code::VerifyError;

/// What a table's failure is to a caller.
pub(crate) fn of_store(error: &StoreError) -> Problem {
    match error {
        StoreError::Unavailable { .. } | StoreError::Contended { .. } => Problem::unavailable_because(error),
        StoreError::Corrupt { .. } | StoreError::Ledger(_) => Problem::internal(error),
    }
}

fn of_hash_key(error: &HashKeyError) -> Problem {
    // Also where only an operator can help: what is missing may be put there without a deploy.
    Problem::unavailable_because(error)
}

impl From<SendCodeError> for Problem {
    fn from(error: SendCodeError) -> Self {
        match error {
            SendCodeError::TooSoon(wait) => Self::too_many_requests(wait),
            SendCodeError::Contended => Self::unavailable_because(&error),
            SendCodeError::Text(_, wait) => {
                tracing::warn!(error = chain(&error), "a code could not be sent");
                Self::unavailable(wait)
            }
            SendCodeError::Store(error) => of_store(&error),
            SendCodeError::HashKey(error) => of_hash_key(&error),
        }
    }
}

impl From<VerifyError> for Problem {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::InvalidCode => Self::new(ProblemCode::InvalidCode),
            VerifyError::TooMany(wait) => Self::too_many_requests(wait),
            VerifyError::Contended => Self::unavailable_because(&error),
            VerifyError::Store(error) => of_store(&error),
            VerifyError::HashKey(error) => of_hash_key(&error),
        }
    }
}

impl From<RedeemError> for Problem {
    fn from(error: RedeemError) -> Self {
        match error {
            RedeemError::InvalidCode => Self::new(ProblemCode::InvalidCode),
            RedeemError::PlanRunning => Self::new(ProblemCode::InvalidCode)
                .with_detail("A plan is running already. No gift certificate was used; one that is valid stays so."),
            RedeemError::NoUser => Self::new(ProblemCode::SessionExpired),
            RedeemError::Contended => Self::unavailable_because(&error),
            RedeemError::Store(error) => of_store(&error),
            RedeemError::HashKey(error) => of_hash_key(&error),
        }
    }
}
