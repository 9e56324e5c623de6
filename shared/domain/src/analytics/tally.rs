//! What the posts of one cycle come to.

use jiff::Timestamp;

use super::{Numbers, Watch, sum};
use crate::planted::Bug;

/// The sums of one cycle. They are computed from what a post brought before and what it brings now, and stored with it in one transaction:
/// however often a number is told, it is in the sum once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// `None`: no platform has told.
    pub reach: Option<u64>,
    /// `None`: no platform has told.
    pub engagement: Option<u64>,
    /// The last time that a platform told one of its posts' numbers.
    pub captured_at: Option<Timestamp>,
    /// Raised with each stored change; 0: nothing is stored.
    pub rev: u64,
}

impl Tally {
    /// The tally without what a post told that is not there after all.
    #[must_use]
    pub fn without(self, gone: &Watch) -> Self {
        let nothing = Watch { numbers: Numbers::default(), ..gone.clone() };
        self.with(&gone.numbers, &nothing)
    }

    /// The tally with what `after` tells in the place of what `before` told of the same post.
    #[must_use]
    pub fn with(self, before: &Numbers, after: &Watch) -> Self {
        let before = if Bug::NumbersCountedTwice.is_planted() { &Numbers::default() } else { before };
        let replaced =
            |total: Option<u64>, old: Option<u64>, new: Option<u64>| sum([total.map(|total| total.saturating_sub(old.unwrap_or(0))), new]);
        Self {
            reach: replaced(self.reach, before.reach, after.numbers.reach),
            engagement: replaced(self.engagement, before.engagement(), after.numbers.engagement()),
            captured_at: self.captured_at.max(after.observed_at),
            rev: self.rev + 1,
        }
    }
}
