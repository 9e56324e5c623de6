//! Plans and the cycles that they open.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long a cycle of a certificate or of an operator's plan lasts.
pub const CYCLE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// No cycle lasts longer: a month of what is bought, at most.
pub const CYCLE_MAX: SignedDuration = SignedDuration::from_hours(31 * 24);

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
    /// An operator's word.
    Operator,
}

impl Source {
    /// The name in JSON and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gift => "gift",
            Self::Subscription => "subscription",
            Self::Operator => "operator",
        }
    }
}

/// The half-open span `[start, end)` of one cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleSpan {
    /// When it begins: the cycle's key.
    pub start: Timestamp,
    /// When it ends: where the next one begins, if there is one.
    pub end: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_ordered_by_what_they_hold() {
        assert!(Plan::ALL.is_sorted() && Plan::ALL.is_sorted_by_key(|plan| plan.quota()));
    }
}
