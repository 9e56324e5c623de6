//! Plans and the cycles that they open.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long a cycle lasts.
pub const CYCLE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What a customer has bought: how many posts a cycle holds. The higher plan is the one that holds more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// 12 posts a cycle.
    Starter,
    /// 52 posts a cycle.
    Professional,
}

impl Plan {
    /// Every plan on offer, smallest first.
    pub const ALL: [Self; 2] = [Self::Starter, Self::Professional];

    /// How many posts a cycle of this plan holds.
    pub fn quota(self) -> u32 {
        match self {
            Self::Starter => 12,
            Self::Professional => 52,
        }
    }

    /// The name in JSON and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starter => "starter",
            Self::Professional => "professional",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plan| plan.as_str() == text)
    }
}

/// Where a plan came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A gift certificate.
    Gift,
    /// A paid subscription.
    Subscription,
}

impl Source {
    /// The name in JSON and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gift => "gift",
            Self::Subscription => "subscription",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Gift, Self::Subscription].into_iter().find(|source| source.as_str() == text)
    }
}

/// A user's running plan. Its cycles are counted from `anchor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscription {
    /// What was bought.
    pub plan: Plan,
    /// When cycle 0 began.
    pub anchor: Timestamp,
    /// Whether new cycles open.
    pub active: bool,
    /// Where it came from.
    pub source: Source,
}

/// The half-open span `[start, end)` of one cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CycleSpan {
    /// Anchor + 30·k days.
    pub start: Timestamp,
    /// The next cycle's start.
    pub end: Timestamp,
}

impl Subscription {
    /// The cycle that holds `at`. What lies before the anchor counts as the first cycle.
    pub fn cycle_at(&self, at: Timestamp) -> CycleSpan {
        let elapsed = at.duration_since(self.anchor).as_millis().max(0);
        let index = i64::try_from(elapsed / CYCLE.as_millis()).unwrap_or(i64::MAX);
        let start = self.anchor + SignedDuration::from_millis(index * i64::try_from(CYCLE.as_millis()).unwrap_or(i64::MAX));
        CycleSpan { start, end: start + CYCLE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plans_are_ordered_by_what_they_hold() {
        assert!(Plan::ALL.is_sorted() && Plan::ALL.is_sorted_by_key(|plan| plan.quota()));
    }

    proptest! {
        #[test]
        fn cycles_tile_time_without_gap_or_overlap(anchor in 0_i64..4_000_000_000, after in 0_i64..2_000_000_000) {
            let anchor = Timestamp::from_second(anchor).unwrap();
            let at = anchor + SignedDuration::from_secs(after);
            let subscription = Subscription { plan: Plan::Starter, anchor, active: true, source: Source::Gift };
            let span = subscription.cycle_at(at);
            prop_assert!(span.start <= at && at < span.end);
            prop_assert_eq!(subscription.cycle_at(span.end).start, span.end);
            prop_assert_eq!(subscription.cycle_at(span.start), span);
        }
    }
}
