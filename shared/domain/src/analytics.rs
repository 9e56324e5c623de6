//! What platforms tell of a published post: its numbers, when they are read next, and what a cycle's posts come to.

mod pace;
mod sums;
mod watch;

pub use pace::{Pace, Paces};
pub use sums::Sums;
pub use watch::{END_AGE, LADDER, Rhythm, Task, Trouble, WATCH_AGE_MAX, Watch, Watching};

use serde::{Deserialize, Serialize};

/// A post's numbers. `None`: the platform has never told this one; it is not zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// How often it was shown.
    pub impressions: Option<u64>,
    /// How many people saw it.
    pub reach: Option<u64>,
    /// How often people did something with it, as the platform itself counts that.
    pub engagements: Option<u64>,
    /// Likes, and every other reaction.
    pub likes: Option<u64>,
    /// Comments and replies.
    pub comments: Option<u64>,
    /// Shares, reposts and quotes.
    pub shares: Option<u64>,
    /// Clicks.
    pub clicks: Option<u64>,
}

impl Numbers {
    /// How often people did something with it: the platform's own count or, where it has none, the sum of what it tells.
    pub fn engagement(&self) -> Option<u64> {
        let parts = [self.likes, self.comments, self.shares, self.clicks];
        self.engagements.or_else(|| sum(parts))
    }

    /// These numbers, and those of `older` that the platform does not tell any more. A number that fell is what it is now.
    #[must_use]
    pub fn or(self, older: Self) -> Self {
        Self {
            impressions: self.impressions.or(older.impressions),
            reach: self.reach.or(older.reach),
            engagements: self.engagements.or(older.engagements),
            likes: self.likes.or(older.likes),
            comments: self.comments.or(older.comments),
            shares: self.shares.or(older.shares),
            clicks: self.clicks.or(older.clicks),
        }
    }

    /// Those of several posts together; what none of them tells stays untold. The parts of an engagement that is told are in it.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let both = |mine, theirs| sum([mine, theirs]);
        Self {
            impressions: both(self.impressions, other.impressions),
            reach: both(self.reach, other.reach),
            engagements: both(self.engagement(), other.engagement()),
            likes: both(self.likes, other.likes),
            comments: both(self.comments, other.comments),
            shares: both(self.shares, other.shares),
            clicks: both(self.clicks, other.clicks),
        }
    }
}

/// The sum of those that are told; `None` where none is.
pub fn sum(parts: impl IntoIterator<Item = Option<u64>>) -> Option<u64> {
    parts.into_iter().flatten().reduce(u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engagement_is_the_platforms_own_count_or_the_sum_of_what_it_tells() {
        let parts = Numbers { likes: Some(3), shares: Some(2), ..Numbers::default() };
        assert_eq!(parts.engagement(), Some(5));
        assert_eq!(Numbers { engagements: Some(9), ..parts }.engagement(), Some(9));
        assert_eq!(Numbers { impressions: Some(7), ..Numbers::default() }.engagement(), None, "not told is not zero");
    }

    #[test]
    fn what_is_no_longer_told_stays_and_what_falls_falls() {
        let older = Numbers { likes: Some(10), clicks: Some(4), ..Numbers::default() };
        let newer = Numbers { likes: Some(8), ..Numbers::default() };
        assert_eq!(newer.or(older), Numbers { likes: Some(8), clicks: Some(4), ..Numbers::default() });
    }

    #[test]
    fn numbers_of_several_posts_add_up_and_untold_ones_stay_untold() {
        let x = Numbers { impressions: Some(5), engagements: Some(2), likes: Some(1), ..Numbers::default() };
        let facebook = Numbers { impressions: Some(7), reach: Some(6), likes: Some(3), ..Numbers::default() };
        let both = x.plus(facebook);
        assert_eq!((both.impressions, both.reach, both.engagement(), both.comments), (Some(12), Some(6), Some(5), None));
        assert_eq!(Numbers::default().plus(x).engagement(), Some(2));
    }
}
