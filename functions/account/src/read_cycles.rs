//! `/api/analytics/cycles`: what the cycles that have ended came to.

use axum::extract::State;
use domain::analytics::Sums;
use domain::id::UserId;
use domain::ledger::CycleAnalytics;
use domain::order::Order;
use edge::contract::{ListJson, ListQuery, Time};
use edge::json::{Json, Query};
use edge::problem::Problem;
use edge::session::SignedIn;
use jiff::Timestamp;
use serde::Serialize;
use store::{Cursor, List, PaidWatches, Start, StoreError};
use utoipa::ToSchema;

use crate::{Deps, trouble};

/// Posts that are added up in one answer: those of two years at 800 a month.
const WATCHES_MAX: usize = 20_000;

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
    /// `null`: no platform has told, or the cycle is too old to be added up.
    total_reach: Option<u64>,
    /// `null`: no platform has told, or the cycle is too old to be added up.
    engagement: Option<u64>,
    /// When a platform last told something of the cycle's posts; `null`: none has, or the cycle is too old to be added up.
    captured_at: Option<Time>,
    /// When a platform is asked next for one of them; `null`: not any more, or the cycle is too old to be added up.
    next_sync_at: Option<Time>,
    /// The row is kept until then, two years after the cycle's end.
    retention_expiry: Time,
}

impl CycleJson {
    fn new(told: &CycleAnalytics, sums: Sums) -> Self {
        let CycleAnalytics { span, quota, posts_used, successful_posts, retention_expiry } = *told;
        let Sums { reach, engagement, captured_at, next_sync_at } = sums;
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

/// The sums of these cycles, in their order. A cycle of which more posts may exist than are added up has none.
pub(crate) async fn sums(deps: &Deps, user: &UserId, cycles: &[CycleAnalytics]) -> Result<Vec<Sums>, StoreError> {
    let starts: Vec<_> = cycles.iter().map(|cycle| cycle.span.start).collect();
    let (Some(first), Some(last)) = (starts.iter().min(), starts.iter().max()) else { return Ok(Vec::new()) };
    let PaidWatches { watches, whole_since } = deps.store.watches_paid(user, (*first, *last), deps.clock.now(), WATCHES_MAX).await?;
    if whole_since > *first {
        tracing::warn!(user_id = %user, %whole_since, "more posts than are added up");
    }
    let paid = PaidWatches { watches: watches.into_iter().map(|watch| deps.paces.told(watch)).collect(), whole_since };
    Ok(starts.into_iter().map(|start| sums_of(&paid, start)).collect())
}

fn sums_of(paid: &PaidWatches, cycle_start: Timestamp) -> Sums {
    if cycle_start < paid.whole_since { Sums::default() } else { Sums::of(&paid.watches, cycle_start) }
}

/// What ended cycles came to.
///
/// Newest first unless another order is asked for. A cycle is here within the hour after its end. A post that is settled later is counted in
/// it within the hour. What platforms tell of its posts is added up when it is asked for, from the newest 20,000 posts. It is `null` for a cycle
/// since whose beginning more were published.
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
    let sums = sums(&deps, user, &page.items).await.map_err(trouble::store)?;
    let next = page.next.clone();
    let rows = page.into_rows().zip(sums).map(|((told, place), sums)| (CycleJson::new(&told, sums), place));
    Ok(Json(ListJson::of_rows(rows, next.as_ref(), Cursor::encode)))
}

#[cfg(test)]
mod tests {
    use domain::analytics::{Numbers, Watch, Watching};
    use domain::id::{ConnectionId, PostId};
    use domain::platform::PlatformName;

    use super::*;

    #[test]
    fn only_cycles_beyond_the_bound_are_untold() {
        let at = |secs| Timestamp::from_second(secs).unwrap();
        let watch = |published: i64, cycle: i64| Watch {
            post_id: PostId::new(at(0), [1; 10]),
            user_id: UserId::new(at(0), [2; 10]),
            connection_id: ConnectionId::new(at(0), [3; 10]),
            platform: PlatformName::X,
            platform_post_id: "9".to_owned(),
            published_at: at(published),
            cycle_start: Some(at(cycle)),
            numbers: Numbers { reach: Some(5), ..Numbers::default() },
            observed_at: Some(at(published)),
            asked_at: None,
            watching: Watching::Ended,
            next_sync_at: None,
            rev: 1,
        };
        let paid = PaidWatches { watches: vec![watch(250, 200), watch(220, 200), watch(150, 100)], whole_since: at(200) };
        assert_eq!(sums_of(&paid, at(200)).reach, Some(10));
        assert_eq!(sums_of(&paid, at(100)), Sums::default(), "a part of its posts is no sum");
    }
}
