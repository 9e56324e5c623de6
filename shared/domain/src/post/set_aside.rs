//! Sends that their owner did not find, while the post says something else or goes elsewhere.

use serde::{Deserialize, Serialize};

use super::state::{Intent, Post, SentTo};
use crate::content::ContentHash;
use crate::id::ConnectionId;

/// How many of these a post remembers.
pub const SET_ASIDE_KEPT: usize = 4;

/// What may show of a post as it was before an edit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// What it said.
    pub content_hash: ContentHash,
    /// Where it went.
    pub connection_id: ConnectionId,
    /// The sends that its owner did not find.
    pub unseen: Vec<Intent>,
    /// Their row among the intents of that account.
    pub sent_to: Option<SentTo>,
}

impl Post {
    /// Another text, or another account, than `content_hash` and `connection_id` of before. What may show yet is of the old ones, and is set
    /// aside. Its row stays there, as a rival of whatever looks like it. Where the post is as it was once, what was set aside then counts again.
    pub(super) fn turned(mut self, content_hash: ContentHash, connection_id: ConnectionId) -> Self {
        let is_as_now = |kept: &SetAside| kept.content_hash == self.content_hash && kept.connection_id == self.connection_id;
        let back = self.set_aside.iter().position(is_as_now).map(|place| self.set_aside.remove(place));
        let (unseen, sent_to) = back.map(|kept| (kept.unseen, kept.sent_to)).unwrap_or_default();
        let before = SetAside {
            content_hash,
            connection_id,
            unseen: std::mem::replace(&mut self.unseen, unseen),
            sent_to: std::mem::replace(&mut self.sent_to, sent_to),
        };
        if !before.unseen.is_empty() {
            if self.set_aside.len() >= SET_ASIDE_KEPT {
                self.set_aside.remove(0);
            }
            self.set_aside.push(before);
        }
        self
    }
}
