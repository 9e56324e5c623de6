//! What stands on the platform and is a post's.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::state::{Intent, State};

/// A post on the platform that is taken for ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// The platform's id.
    pub platform_post_id: String,
    /// Where people see it.
    pub url: Option<String>,
    /// When it was made, where the platform says so.
    pub made_at: Option<Timestamp>,
    /// How we know that it is ours.
    pub known: Known,
}

/// How a publication is known to be a post's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// The platform answered so to the send, or of its very key or handle.
    ByAnswer,
    /// A search found nothing else that it could be.
    BySearch,
}

impl Publication {
    /// The state of the post whose send of `intent` it is.
    pub(super) fn state(self, intent: Intent, now: Timestamp) -> State {
        let Self { platform_post_id, url, made_at, known } = self;
        let guessed = (known == Known::BySearch).then_some(intent);
        State::Published { at: made_at.map_or(now, |at| at.min(now)), platform_post_id: Some(platform_post_id), url, guessed }
    }
}
