//! What can go wrong with a table.

use std::error::Error;

use aws_sdk_dynamodb::error::SdkError;

/// A read or write that did not come to an answer. A condition that failed is an answer, not an error.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// DynamoDB refused or did not answer; the write may have landed.
    #[error("while {doing}")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A stored item is not what we write.
    #[error("a stored {what} cannot be read")]
    Corrupt {
        /// Which kind of item.
        what: &'static str,
        /// What is odd about it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The ledger does not hold what the post says it holds: a bug of ours, nothing was written.
    #[error("the ledger refuses a change")]
    Ledger(#[from] domain::ledger::LedgerError),
    /// Others kept changing the same items.
    #[error("too many changes at once while {doing}")]
    Contended {
        /// What was being done.
        doing: &'static str,
    },
}

impl StoreError {
    /// For `map_err` on a call to DynamoDB.
    pub(crate) fn unavailable<E, R>(doing: &'static str) -> impl FnOnce(SdkError<E, R>) -> Self
    where
        E: Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        move |source| Self::Unavailable { doing, source: Box::new(source) }
    }

    /// For `map_err` on an item that does not parse.
    pub(crate) fn corrupt<E: Error + Send + Sync + 'static>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Corrupt { what, source: Box::new(source) }
    }
}
