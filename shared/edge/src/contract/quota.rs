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
    plan: Plan,
    quota: u32,
    used_posts: u32,
    reserved_posts: u32,
    remaining_posts: u32,
    cycle_start: Time,
    cycle_end: Time,
    last_posted: Option<Time>,
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
