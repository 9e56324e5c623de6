//! What a step comes to, for whoever decides on the next.

use connecting::tokens::AccessError;
use domain::post::Refused;
use store::StoreError;

/// Where a step left the post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It changed, or somebody changed it: look again.
    Again,
    /// Nothing is left to do for this wake-up.
    Rest,
}

/// Why a step could not be taken; the record comes back, or the sweeper does.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A table did not answer.
    #[error("a table failed")]
    Store(#[from] StoreError),
    /// A table or the vault did not answer.
    #[error("the tokens failed")]
    Tokens(#[from] AccessError),
    /// A step that the post's state does not have: a bug of ours, nothing was written.
    #[error("the post refuses the step")]
    Refused(#[from] Refused),
    /// The stored content is not what was approved: it must not be sent.
    #[error("the content is not the approved one")]
    ContentChanged,
}
