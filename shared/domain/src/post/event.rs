//! What people and jobs did to a post. What workers did is told by the attempts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::state::Status;
use crate::ledger::Actor;

/// One step of a post's story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// The status before; `None` for the first.
    pub from: Option<Status>,
    /// The status after.
    pub to: Status,
    /// By whom.
    pub actor: Actor,
    /// What was done, in a word.
    pub note: String,
}
