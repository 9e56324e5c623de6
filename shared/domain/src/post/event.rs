//! The steps of a post's life, one for each stored change.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::state::{Post, Status};
use crate::ledger::Actor;

/// One step of a post's story. Its row stands under the `rev` that it led to: the rows of a post are its revs, each once.
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

impl Event {
    /// The step from `from` to what `post` now is.
    pub fn of(from: Status, post: &Post, actor: Actor, note: &str, at: Timestamp) -> Self {
        Self { at, from: Some(from), to: post.status(), actor, note: note.to_owned() }
    }
}
