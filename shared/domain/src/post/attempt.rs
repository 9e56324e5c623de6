//! One worker's try.

use jiff::Timestamp;

use super::LEASE;
use crate::id::AttemptId;

/// A try under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Names every write of the try.
    pub id: AttemptId,
    /// 1 for the first.
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// Until when nobody else may take the post.
    pub lease_until: Timestamp,
}

impl Attempt {
    /// The try after so many.
    pub(super) fn next(made: u32, id: AttemptId, now: Timestamp) -> Self {
        Self { id, number: made + 1, started_at: now, lease_until: now + LEASE }
    }

    /// Whether its worker may still be at it.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.lease_until
    }
}
