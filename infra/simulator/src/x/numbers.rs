//! The numbers of posts: `GET /2/tweets`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::X;
use super::api::act;
use super::shapes::{FIELD_DROPPED, Fields, invalid_request};
use crate::World;
use crate::faults::{CommonFault, Failed, Operation};

/// Posts in one call.
const IDS_MAX: usize = 100;
/// For so long the author is told more than everybody.
const OWN_NUMBERS_AGE: SignedDuration = SignedDuration::from_hours(30 * 24);

#[derive(Deserialize)]
pub(super) struct TweetsQuery {
    ids: String,
}

/// What was found stands in `data`, what was not in `errors`. A post of which not all is told that was asked for is not told at all.
pub(super) async fn tweets(
    State(world): State<Arc<World>>,
    (Query(query), Query(fields)): (Query<TweetsQuery>, Query<Fields>),
    headers: HeaderMap,
) -> Result<Response, Failed> {
    act(&world, &headers, Operation::Metrics, "tweet.read", |token| {
        let ids: Vec<_> = query.ids.split(',').collect();
        if ids.len() > IDS_MAX {
            return Ok(invalid_request());
        }
        let wants_own = fields.ask("non_public_metrics");
        let dropped = world.storage.stands(X, FIELD_DROPPED, &token.account)?;
        let hidden = world.storage.stands(X, CommonFault::MetricMissing.as_str(), &token.account)?;
        let (now, mut data, mut errors) = (world.clock.now(), Vec::new(), Vec::new());
        for id in ids {
            match world.storage.post(X, &token.account.id, id)? {
                None => errors.push(missing(id, "Not Found Error", "resource-not-found")),
                Some(post) if wants_own && (hidden || now >= post.created_at + OWN_NUMBERS_AGE) => {
                    errors.push(missing(id, "Field Authorization Error", "not-authorized-for-field"));
                }
                Some(post) => {
                    let numbers = world.numbers(X, &post, now)?;
                    let mut shown = json!({ "id": id, "text": post.text, "edit_history_tweet_ids": [id] });
                    if fields.ask("public_metrics") {
                        shown["public_metrics"] = json!({
                            "quote_count": 0, "reply_count": numbers.comments, "like_count": numbers.likes, "bookmark_count": 0,
                            "impression_count": numbers.impressions,
                        });
                        if !dropped {
                            shown["public_metrics"][fields.reposts()] = json!(numbers.shares);
                        }
                    }
                    if wants_own {
                        let engagements = numbers.likes + numbers.comments + numbers.shares + numbers.clicks;
                        shown["non_public_metrics"] = json!({
                            "impression_count": numbers.impressions, "url_link_clicks": numbers.clicks, "user_profile_clicks": 0,
                            "engagements": engagements,
                        });
                    }
                    data.push(shown);
                }
            }
        }
        let mut answer = json!({});
        for (name, list) in [("data", data), ("errors", errors)] {
            if !list.is_empty() {
                answer[name] = Value::Array(list);
            }
        }
        Ok(Json(answer).into_response())
    })
    .await
}

fn missing(id: &str, title: &str, kind: &str) -> Value {
    json!({
        "value": id, "resource_id": id, "parameter": "ids", "resource_type": "tweet", "title": title,
        "detail": format!("Could not find tweet with ids: [{id}]."), "type": format!("https://api.twitter.com/2/problems/{kind}"),
    })
}
