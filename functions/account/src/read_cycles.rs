//! `/api/analytics/cycles`: what the cycles that have ended came to.

use axum::extract::State;
use domain::ledger::CycleAnalytics;
use edge::contract::{ListJson, ListQuery};
use edge::json::{Json, Query};
use edge::problem::{Problem, ProblemCode};
use edge::session::SignedIn;
use jiff::Timestamp;
use serde::Serialize;
use store::{Cursor, List};
use utoipa::ToSchema;

use crate::{Deps, trouble};

/// One cycle.
#[derive(Serialize, ToSchema)]
#[schema(as = CycleAnalytics)]
pub(crate) struct CycleJson {
    cycle_start: Timestamp,
    cycle_end: Timestamp,
    quota: u32,
    posts_used: u32,
    successful_posts: u32,
    /// `null`: no platform has told.
    total_reach: Option<u64>,
    /// `null`: no platform has told.
    engagement: Option<u64>,
    /// The row is kept until then, two years after the cycle's end.
    retention_expiry: Timestamp,
}

impl From<CycleAnalytics> for CycleJson {
    fn from(told: CycleAnalytics) -> Self {
        let CycleAnalytics { span, quota, posts_used, successful_posts, total_reach, engagement, retention_expiry } = told;
        let (cycle_start, cycle_end) = (span.start, span.end);
        Self { cycle_start, cycle_end, quota, posts_used, successful_posts, total_reach, engagement, retention_expiry }
    }
}

/// The cycles that have ended, newest first. One is here within the hour after its end; a post that is settled later is counted in it
/// within the hour.
#[utoipa::path(get, path = "/api/analytics/cycles", operation_id = "cycle_analytics", tag = "account", params(ListQuery),
    security(("session" = [])),
    responses(
        (status = 200, description = "One page.", body = ListJson<CycleJson>),
        (status = 400, description = "invalid_cursor"),
    ))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    signed_in: SignedIn,
    Query(query): Query<ListQuery>,
) -> Result<Json<ListJson<CycleJson>>, Problem> {
    let user = &signed_in.session.user_id;
    let limit = query.limit()?;
    let cursor = query.cursor.as_deref().map(|cursor| Cursor::decode(cursor, user, List::Cycles)).transpose();
    let cursor = cursor.map_err(|_| Problem::new(ProblemCode::InvalidCursor))?;
    let page = deps.store.cycle_analytics(user, deps.clock.now(), limit, cursor).await.map_err(trouble::store)?;
    Ok(Json(ListJson { items: page.items.into_iter().map(Into::into).collect(), next_cursor: page.next.map(|cursor| cursor.encode()) }))
}
