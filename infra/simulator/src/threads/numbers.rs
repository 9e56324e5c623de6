//! The numbers of posts: `GET /{post}/insights`. One metric that Threads does not have fails the whole call.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde_json::json;

use super::THREADS;
use super::api::act;
use super::shapes::{bad_request, forbidden, unknown, with_usage};
use crate::World;
use crate::consent::Params;
use crate::faults::{CommonFault, Failed, Operation};
use crate::numbers::PostNumbers;

/// The one that a fault takes away.
const TAKEN_AWAY: &str = "quotes";

pub(super) async fn insights(
    State(world): State<Arc<World>>,
    Path((_, post_id)): Path<(String, String)>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let params = Params(query);
    act(&world, &headers, &params, Operation::Metrics, |token| {
        if !token.allows("threads_manage_insights") {
            return Ok(forbidden("threads_manage_insights"));
        }
        let Some(post) = world.storage.post(THREADS, &token.account.id, &post_id)? else { return Ok(unknown()) };
        let numbers = world.numbers(THREADS, &post, world.clock.now())?;
        let taken_away = world.storage.stands(THREADS, CommonFault::MetricMissing.as_str(), &token.account)?;
        let mut data = Vec::new();
        for name in params.get("metric").unwrap_or_default().split(',') {
            match value(&numbers, name).filter(|_| !(taken_away && name == TAKEN_AWAY)) {
                Some(value) => data.push(json!({
                    "name": name, "period": "lifetime", "values": [{ "value": value }], "title": name,
                    "id": format!("{post_id}/insights/{name}/lifetime"),
                })),
                None => return Ok(bad_request(100, 0, "(#100) metric must be one of the following values: views, likes")),
            }
        }
        let percent = if world.storage.stands(THREADS, CommonFault::Busy.as_str(), &token.account)? { 90 } else { 1 };
        Ok(with_usage(Json(json!({ "data": data })).into_response(), percent, 0))
    })
    .await
}

/// Shares are told in three parts.
fn value(numbers: &PostNumbers, name: &str) -> Option<u64> {
    let PostNumbers { impressions, likes, comments, shares, .. } = *numbers;
    Some(match name {
        "views" => impressions,
        "likes" => likes,
        "replies" => comments,
        "reposts" => shares / 2,
        "quotes" => shares / 4,
        "shares" => shares - shares / 2 - shares / 4,
        _ => return None,
    })
}
