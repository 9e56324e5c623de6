//! What goes wrong here, as the problems of the contract.

use cloud::vault::VaultError;
use connecting::{ConnectError, EndError};
use domain::connection::ReconnectRefused;
use edge::problem::{Problem, ProblemCode};
use jiff::SignedDuration;
use store::StoreError;

/// For `map_err` on a store call.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
pub(crate) fn store(error: StoreError) -> Problem {
    match error {
        StoreError::Unavailable { .. } | StoreError::Contended { .. } => Problem::unavailable_because(&error),
        StoreError::Corrupt { .. } | StoreError::Ledger(_) => Problem::internal(&error),
    }
}

/// For `map_err` on a vault call.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
pub(crate) fn vault(error: VaultError) -> Problem {
    if error.is_retryable() { Problem::unavailable_because(&error) } else { Problem::internal(&error) }
}

/// For `map_err` on making a connection.
pub(crate) fn connect(error: ConnectError) -> Problem {
    match error {
        ConnectError::Store(error) => store(error),
        ConnectError::Vault(error) => vault(error),
        ConnectError::TooMany => Problem::new(ProblemCode::StateConflict)
            .with_detail(format!("{} accounts are connected, which is the most. Disconnect one first.", connecting::CONNECTIONS_MAX))
            .that_passes(),
        ConnectError::Refused(ReconnectRefused::LessThanNow) => Problem::new(ProblemCode::StateConflict)
            .with_detail("The new consent allows less than the one in force, which stands. Connect again and allow all."),
        ConnectError::Refused(ReconnectRefused::Disconnecting) => {
            // It passes by itself, so it says when.
            let problem = Problem::new(ProblemCode::StateConflict).with_detail("The account is being disconnected. Try again in a minute.");
            problem.with_retry_after(SignedDuration::from_mins(1))
        }
    }
}

/// For `map_err` on taking a connection down.
pub(crate) fn end(error: EndError) -> Problem {
    match error {
        EndError::Store(error) => store(error),
        EndError::Vault(error) => vault(error),
    }
}
