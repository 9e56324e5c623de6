//! What the posts of one cycle come to.

use jiff::Timestamp;

use super::{Watch, sum};

/// The sums of one cycle's posts. They are computed from the posts' own rows when somebody asks, and never stored: each post is in them once,
/// with what it told last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// `None`: no platform has told.
    pub reach: Option<u64>,
    /// `None`: no platform has told.
    pub engagement: Option<u64>,
    /// The last time that a platform told one of the posts' numbers.
    pub captured_at: Option<Timestamp>,
    /// When one of them is read next; `None`: not any more.
    pub next_sync_at: Option<Timestamp>,
}

impl Sums {
    /// Of those of the posts that the cycle which began at `cycle_start` paid for.
    pub fn of(watches: &[Watch], cycle_start: Timestamp) -> Self {
        let paid = watches.iter().filter(|watch| watch.cycle_start == Some(cycle_start));
        paid.fold(Self::default(), |sums, watch| Self {
            reach: sum([sums.reach, watch.numbers.reach]),
            engagement: sum([sums.engagement, watch.numbers.engagement()]),
            captured_at: sums.captured_at.max(watch.observed_at),
            next_sync_at: [sums.next_sync_at, watch.next_sync_at].into_iter().flatten().min(),
        })
    }
}
