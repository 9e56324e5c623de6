//! Posts whose zone has other rules now than when their owner said when.
//!
//! Zones are compiled in, so their rules change with a release. An instant that was stored, and perhaps approved, stays: which of the
//! two its owner would have today only they know. Such a post is told of; an edit moves it.

use jiff::Timestamp;
use jiff::civil::DateTime;

use super::state::{Post, Status};
use crate::id::PostId;
use crate::timing::instant_by_rules;

/// A post that waits for an instant which is not what its local time means by the rules that its zone has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneChange {
    /// Which post.
    pub post_id: PostId,
    /// When it goes out: the instant that is stored.
    pub due_at: Timestamp,
    /// What its owner asked for.
    pub local_time: DateTime,
    /// In this zone.
    pub time_zone: String,
    /// What that means now; `None`: there is no such zone any more.
    pub now_means: Option<Timestamp>,
}

impl ZoneChange {
    /// What has changed for a post that is a draft or scheduled; `None`: nothing, or it was given an instant.
    pub fn of(post: &Post) -> Option<Self> {
        let waits = matches!(post.status(), Status::Draft | Status::Scheduled | Status::Held);
        let local_time = post.local_time.filter(|_| waits)?;
        let time_zone = post.time_zone.clone()?;
        let now_means = instant_by_rules(local_time, &time_zone);
        let differs = now_means != Some(post.due_at);
        differs.then(|| Self { post_id: post.id.clone(), due_at: post.due_at, local_time, time_zone, now_means })
    }
}
