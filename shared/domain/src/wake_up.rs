//! The message that says "look at this post".

use serde::{Deserialize, Serialize};

use crate::id::{PostId, UserId};

/// No message of ours is longer; what is longer is not ours.
pub const WAKE_UP_BYTES_MAX: usize = 256;

/// What travels from the scheduler to the publisher: no content, no token, no truth. Whoever gets one reads the post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WakeUp {
    /// The post to look at.
    pub post_id: PostId,
    /// Its owner, without whom it cannot be addressed.
    pub user_id: UserId,
    /// The post's version when the message was made; an older one does nothing.
    pub version: u32,
}
