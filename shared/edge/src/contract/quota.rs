//! Quota.

use domain::ledger::Cycle;
use domain::plan::Plan;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// The numbers of one cycle: `quota = used + reserved + remaining`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Quota)]
pub struct QuotaJson {
    plan: Plan,
    quota: u32,
    used_posts: u32,
    reserved_posts: u32,
    remaining_posts: u32,
    cycle_start: Timestamp,
    cycle_end: Timestamp,
    last_posted: Option<Timestamp>,
    updated_at: Timestamp,
}

impl From<&Cycle> for QuotaJson {
    fn from(cycle: &Cycle) -> Self {
        Self {
            plan: cycle.plan,
            quota: cycle.quota,
            used_posts: cycle.used,
            reserved_posts: cycle.reserved,
            remaining_posts: cycle.remaining,
            cycle_start: cycle.span.start,
            cycle_end: cycle.span.end,
            last_posted: cycle.last_posted,
            updated_at: cycle.updated_at,
        }
    }
}
