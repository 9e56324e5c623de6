//! What a cycle comes to when it is closed. What its posts were seen and liked is in their own rows, and added up when somebody asks.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::Cycle;
use crate::plan::CycleSpan;

/// How long the analytics of a cycle are kept after its end.
const RETENTION_MONTHS: i64 = 24;

/// What a closed cycle came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CycleAnalytics {
    /// When.
    pub span: CycleSpan,
    /// How many posts it held.
    pub quota: u32,
    /// How many places were used.
    pub posts_used: u32,
    /// How many posts were published. Only publishing uses a place, so it is the same number.
    pub successful_posts: u32,
    /// From then on it is gone.
    pub retention_expiry: Timestamp,
}

impl CycleAnalytics {
    /// What the ledger says of a cycle.
    pub fn of(cycle: &Cycle) -> Self {
        let kept_until = cycle.span.end.to_zoned(TimeZone::UTC).checked_add(RETENTION_MONTHS.months());
        Self {
            span: cycle.span,
            quota: cycle.quota(),
            posts_used: cycle.used,
            successful_posts: cycle.used,
            retention_expiry: kept_until.map_or(Timestamp::MAX, |at| at.timestamp()),
        }
    }
}
