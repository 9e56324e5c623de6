//! Errors as the caller sees them. Causes are logged here, once, and not shown.

use domain::people::gift::NotGranted;
use edge::problem::{FieldError, Problem, ProblemCode, chain};
use store::StoreError;

use crate::HashKeyError;
use crate::redeem_gift::RedeemError;
use crate::send_code::{SendCodeError, no_number};
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
            VerifyError::InvalidCode => Self::invalid_code(),
            VerifyError::NoNumber => {
                let FieldError { pointer, code, detail } = no_number();
                Self::new(ProblemCode::InvalidCode).with_error(pointer, code, detail)
            }
            VerifyError::TooMany(wait) => Self::too_many_requests(wait),
            VerifyError::Store(error) => of_store(&error),
            VerifyError::HashKey(error) => of_hash_key(&error),
        }
    }
}

impl From<RedeemError> for Problem {
    fn from(error: RedeemError) -> Self {
        match error {
            RedeemError::InvalidCode => Self::invalid_code(),
            RedeemError::NotGranted(NotGranted::TooManyAhead) => Self::new(ProblemCode::StateConflict).with_detail(
                "Your certificates bring as many cycles ahead as one can have. This one was not used, and stays valid: redeem it in a later cycle.",
            )
            .that_passes(),
            RedeemError::NotGranted(NotGranted::NoCycle) => Self::new(ProblemCode::StateConflict).with_detail(
                "No cycle runs that it could be added to. The certificate was not used, and stays valid: redeem it in a minute.",
            )
            .that_passes(),
            RedeemError::NotGranted(NotGranted::CycleFull) => Self::new(ProblemCode::StateConflict).with_detail(
                "Your cycle holds as many posts as one can. The certificate was not used, and stays valid: redeem it in a later cycle.",
            )
            .that_passes(),
            RedeemError::TooMany(wait) => Self::too_many_requests(wait),
            RedeemError::NoUser => Self::new(ProblemCode::SessionExpired),
            RedeemError::Store(error) => of_store(&error),
            RedeemError::HashKey(error) => of_hash_key(&error),
        }
    }
}
