//! Quota.

use domain::ledger::Cycle;
use domain::plan::Plan;
use serde::Serialize;
use utoipa::ToSchema;

use super::Time;

/// The numbers of one cycle: `quota = used + reserved + remaining`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Quota)]
pub struct QuotaJson {
    /// The plan of the cycle.
    plan: Plan,
    /// How many posts it holds.
    quota: u32,
    /// How many went out.
    used_posts: u32,
    /// How many are promised to approved posts.
    reserved_posts: u32,
    /// How many are left.
    remaining_posts: u32,
    /// When it began.
    cycle_start: Time,
    /// When it ends.
    cycle_end: Time,
    /// When a post of it last went out; `null`: none has.
    last_posted: Option<Time>,
    /// When its numbers last changed.
    updated_at: Time,
}

impl From<&Cycle> for QuotaJson {
    fn from(cycle: &Cycle) -> Self {
        Self {
            plan: cycle.plan,
            quota: cycle.quota(),
            used_posts: cycle.used,
            reserved_posts: cycle.reserved,
            remaining_posts: cycle.remaining(),
            cycle_start: cycle.span.start.into(),
            cycle_end: cycle.span.end.into(),
            last_posted: cycle.last_posted.map(Time::from),
            updated_at: cycle.updated_at.into(),
        }
    }
}
