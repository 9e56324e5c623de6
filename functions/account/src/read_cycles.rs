//! `/api/analytics/cycles`: what the cycles that have ended came to.

use axum::extract::State;
use domain::analytics::{Sums, Watch};
use domain::id::UserId;
use domain::ledger::CycleAnalytics;
use domain::order::Order;
use edge::contract::{ListJson, ListQuery, Time};
use edge::json::{Json, Query};
use edge::problem::Problem;
use edge::session::SignedIn;
use jiff::SignedDuration;
use serde::Serialize;
use store::{Cursor, List, Start, StoreError};
use utoipa::ToSchema;

use crate::{Deps, trouble};

/// Posts that are added up in one answer: those of two years at 800 a month.
const WATCHES_MAX: usize = 20_000;
/// A platform's clock may be behind ours: a post may seem to be older than the cycle that paid for it.
const BEHIND_MAX: SignedDuration = SignedDuration::from_hours(1);

/// One cycle.
#[derive(Serialize, ToSchema)]
#[schema(as = CycleAnalytics)]
pub(crate) struct CycleJson {
    /// When it began.
    cycle_start: Time,
    /// When it ended.
    cycle_end: Time,
    /// How many posts it held.
    quota: u32,
    /// How many were used.
    posts_used: u32,
    /// How many of them were published.
    successful_posts: u32,
    /// `null`: no platform has told.
    total_reach: Option<u64>,
    /// `null`: no platform has told.
    engagement: Option<u64>,
    /// When a platform last told something of the cycle's posts; `null`: none has.
    captured_at: Option<Time>,
    /// When a platform is asked next for one of them; `null`: not any more.
    next_sync_at: Option<Time>,
    /// The row is kept until then, two years after the cycle's end.
    retention_expiry: Time,
}

impl CycleJson {
    fn new(told: &CycleAnalytics, watches: &[Watch]) -> Self {
        let CycleAnalytics { span, quota, posts_used, successful_posts, retention_expiry } = *told;
        let Sums { reach, engagement, captured_at, next_sync_at } = Sums::of(watches, span.start);
        Self {
            cycle_start: span.start.into(),
            cycle_end: span.end.into(),
            quota,
            posts_used,
            successful_posts,
            total_reach: reach,
            engagement,
            captured_at: captured_at.map(Time::from),
            next_sync_at: next_sync_at.map(Time::from),
            retention_expiry: retention_expiry.into(),
        }
    }
}

/// What the posts of these cycles tell. A post may be published long after the end of the cycle that paid for it: when its owner has found it.
pub(crate) async fn watches(deps: &Deps, user: &UserId, cycles: &[CycleAnalytics]) -> Result<Vec<Watch>, StoreError> {
    let Some(first) = cycles.iter().map(|cycle| cycle.span.start).min() else { return Ok(Vec::new()) };
    let Some(watches) = deps.store.watches(user, first - BEHIND_MAX, deps.clock.now(), WATCHES_MAX).await? else {
        tracing::warn!(user_id = %user, "more posts than are added up");
        return Ok(Vec::new());
    };
    Ok(watches.into_iter().map(|watch| deps.paces.told(watch)).collect())
}

/// What ended cycles came to.
///
/// Newest first unless another order is asked for. A cycle is here within the hour after its end. A post that is settled later is counted in
/// it within the hour. What platforms tell of its posts is added up when it is asked for, unless more than 20,000 posts were published since
/// the oldest cycle of the page began.
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
    let start = Start::asked(query.cursor.as_deref(), query.order, Order::Desc, (user, List::Cycles));
    let start = start.map_err(|_| Problem::invalid_cursor())?;
    let page = deps.store.cycle_analytics(user, deps.clock.now(), limit, start).await.map_err(trouble::store)?;
    let watches = watches(&deps, user, &page.items).await.map_err(trouble::store)?;
    let next = page.next.clone();
    let rows = page.into_rows().map(|(told, place)| (CycleJson::new(&told, &watches), place));
    Ok(Json(ListJson::of_rows(rows, next.as_ref(), Cursor::encode)))
}
