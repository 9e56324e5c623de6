//! The numbers of an organization's posts: `GET /rest/organizationalEntityShareStatistics`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::LINKEDIN;
use super::api::acting_as;
use super::shapes::{failure, forbidden};
use crate::World;
use crate::consent::Params;
use crate::faults::{CommonFault, Failed, Operation};
use crate::numbers::PostNumbers;

/// The one that a fault takes away.
const TAKEN_AWAY: &str = "clickCount";

/// A row for each post of which there is something to tell; one that is gone has none.
pub(super) async fn statistics(
    State(world): State<Arc<World>>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let params = Params(query);
    acting_as(&world, &headers, Operation::Metrics, params.get("organizationalEntity"), |token, account| {
        if !token.allows("r_organization_admin") {
            return Ok(forbidden("organizationalEntityShareStatistics.FINDER-organizationalEntity"));
        }
        let Some(ids) = params.get("shares").and_then(|ids| ids.strip_prefix("List(")?.strip_suffix(')')) else {
            return Ok(failure(StatusCode::BAD_REQUEST, "ILLEGAL_ARGUMENT", "shares must be a list"));
        };
        let now = world.clock.now();
        let taken_away = world.storage.stands(LINKEDIN, CommonFault::MetricMissing.as_str(), account)?;
        let mut elements = Vec::new();
        for id in ids.split(',') {
            let Some(post) = world.storage.post(LINKEDIN, &account.id, id)? else { continue };
            let mut totals = totals(&world.numbers(LINKEDIN, &post, now)?);
            if let Some(totals) = totals.as_object_mut().filter(|_| taken_away) {
                totals.remove(TAKEN_AWAY);
            }
            elements.push(json!({ "organizationalEntity": account.id, "share": id, "totalShareStatistics": totals }));
        }
        Ok(Json(json!({ "paging": { "start": 0, "count": 10, "links": [] }, "elements": elements })).into_response())
    })
    .await
}

fn totals(numbers: &PostNumbers) -> Value {
    let PostNumbers { reach, impressions, likes, comments, shares, clicks } = numbers;
    json!({
        "uniqueImpressionsCount": reach, "impressionCount": impressions, "likeCount": likes, "commentCount": comments, "shareCount": shares,
        "clickCount": clicks, "engagement": 0.05,
    })
}
