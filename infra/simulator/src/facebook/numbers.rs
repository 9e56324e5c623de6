//! The numbers of a Page's post: `GET /{post}/insights`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::api::{act, unknown_page};
use super::shapes::{bad_request, forbidden};
use super::{FACEBOOK, PAGE_TOKEN};
use crate::World;
use crate::consent::Params;
use crate::faults::{CommonFault, Failed, Operation};
use crate::numbers::PostNumbers;

/// The one that a fault takes away.
const TAKEN_AWAY: &str = "post_clicks";

/// `GET /{post}/insights`. One metric that is not there fails the call.
pub(super) async fn insights(
    State(world): State<Arc<World>>,
    Path((_, post_id)): Path<(String, String)>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let params = Params(query);
    act(&world, &headers, &params, (Operation::Metrics, &[PAGE_TOKEN]), |token| {
        if !token.allows("read_insights") {
            return Ok(forbidden("read_insights"));
        }
        let Some(post) = world.storage.post(FACEBOOK, &token.account.id, &post_id)? else { return Ok(unknown_page()) };
        let numbers = world.numbers(FACEBOOK, &post, world.clock.now())?;
        let taken_away = world.storage.stands(FACEBOOK, CommonFault::MetricMissing.as_str(), &token.account)?;
        let mut data = Vec::new();
        for name in params.get("metric").unwrap_or_default().split(',') {
            match value(&numbers, name).filter(|_| !(taken_away && name == TAKEN_AWAY)) {
                Some(value) => data.push(json!({
                    "name": name, "period": "lifetime", "values": [{ "value": value }], "title": name, "id": format!("{post_id}/insights/{name}/lifetime"),
                })),
                None => return Ok(bad_request(100, 0, "(#100) The value must be a valid insights metric")),
            }
        }
        let mut response = Json(json!({ "data": data, "paging": {} })).into_response();
        let percent = if world.storage.stands(FACEBOOK, CommonFault::Busy.as_str(), &token.account)? { 90 } else { 1 };
        let usage = json!({ token.account.id.as_str(): [{ "type": "pages", "call_count": percent, "total_cputime": 1, "total_time": 1,
            "estimated_time_to_regain_access": 0 }] });
        if let Ok(usage) = HeaderValue::from_str(&usage.to_string()) {
            response.headers_mut().insert("x-business-use-case-usage", usage);
        }
        Ok(response)
    })
    .await
}

fn value(numbers: &PostNumbers, name: &str) -> Option<Value> {
    let PostNumbers { reach, impressions, likes, comments, shares, clicks } = numbers;
    Some(match name {
        "post_media_view" => json!({ "organic": impressions, "paid": 0 }),
        "post_total_media_view_unique" => json!(reach),
        "post_reactions_by_type_total" => json!({ "like": likes, "love": 0 }),
        "post_activity_by_action_type" => json!({ "like": likes, "comment": comments, "share": shares }),
        "post_clicks" => json!(clicks),
        _ => return None,
    })
}

/// `GET /{page}`: whether this token sees it.
pub(super) async fn page(
    State(world): State<Arc<World>>,
    Path((_, page_id)): Path<(String, String)>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    act(&world, &headers, &Params(query), (Operation::Identity, &[PAGE_TOKEN]), |token| {
        Ok(if token.account.id == page_id { Json(json!({ "id": page_id })).into_response() } else { unknown_page() })
    })
    .await
}
