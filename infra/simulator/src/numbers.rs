//! The numbers of a simulated post: they grow with its age, each post's to its own end.

use domain::platform::PlatformName;
use jiff::{SignedDuration, Timestamp};

use crate::World;
use crate::faults::CommonFault;
use crate::storage::StoredPost;

/// Half of the people who will ever see a post have seen it at this age.
const HALF_AGE: SignedDuration = SignedDuration::from_hours(12);

/// What a platform counts of one post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PostNumbers {
    /// People who saw it.
    pub(crate) reach: u64,
    /// Times that it was shown.
    pub(crate) impressions: u64,
    /// Likes.
    pub(crate) likes: u64,
    /// Comments.
    pub(crate) comments: u64,
    /// Shares.
    pub(crate) shares: u64,
    /// Clicks.
    pub(crate) clicks: u64,
}

impl PostNumbers {
    /// Of a post that is `age` old.
    fn at(seq: i64, age: SignedDuration) -> Self {
        let age = age.as_secs().max(0).unsigned_abs();
        let audience = 1_000 + 37 * (seq.unsigned_abs() % 100);
        let reach = audience * age / (age + HALF_AGE.as_secs().unsigned_abs());
        Self { reach, impressions: reach + reach / 4, likes: reach / 20, comments: reach / 100, shares: reach / 50, clicks: reach / 10 }
    }

    fn halved(self) -> Self {
        let Self { reach, impressions, likes, comments, shares, clicks } = self;
        Self {
            reach: reach / 2,
            impressions: impressions / 2,
            likes: likes / 2,
            comments: comments / 2,
            shares: shares / 2,
            clicks: clicks / 2,
        }
    }
}

impl World {
    /// What the platform counts of a post now.
    pub(crate) fn numbers(&self, platform: PlatformName, post: &StoredPost, now: Timestamp) -> rusqlite::Result<PostNumbers> {
        let numbers = PostNumbers::at(post.seq, now.duration_since(post.created_at));
        let falls = self.storage.stands(platform, CommonFault::NumbersFall.as_str(), &post.account)?;
        Ok(if falls { numbers.halved() } else { numbers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_from_nothing_towards_an_end() {
        let at = |hours| PostNumbers::at(1, SignedDuration::from_hours(hours));
        assert_eq!(at(0).impressions, 0);
        assert!(at(1).reach < at(6).reach && at(6).likes < at(24).likes && at(720).reach < 1_037);
    }
}
