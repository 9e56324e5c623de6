//! Identity, posting and reading back.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;

use super::shapes::{FIELD_DROPPED, Fields, duplicate, forbidden, invalid_request, shown, unauthorized, with_fresh_limits};
use super::{ACCESS_TOKEN, SimulatedX, X};
use crate::World;
use crate::faults::{Call, Failed, Operation, guarded};
use crate::token::{Token, bearer};

#[derive(Deserialize)]
struct NewPost {
    text: String,
}

#[derive(Deserialize)]
pub(super) struct ListQuery {
    max_results: Option<usize>,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    pagination_token: Option<usize>,
}

/// The fields stand beside the rest of the query.
type Asked = Query<Fields>;

/// `GET /2/users/me`.
pub(super) async fn me(State(world): State<Arc<World>>, headers: HeaderMap) -> Result<Response, Failed> {
    act(&world, &headers, Operation::Identity, "users.read", |token| {
        let account = &token.account;
        Ok(Json(json!({ "data": { "id": account.id, "name": account.name, "username": account.name } })).into_response())
    })
    .await
}

/// `POST /2/tweets`.
pub(super) async fn create(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Result<Response, Failed> {
    act(&world, &headers, Operation::Publish, "tweet.write", |token| {
        let text = match serde_json::from_slice::<NewPost>(&body) {
            Ok(post) if !post.text.trim().is_empty() => post.text,
            _ => return Ok(invalid_request()),
        };
        let Some(post) = world.storage.create_post(X, &token.account, &text, world.clock.now(), super::post_id)? else {
            return Ok(duplicate());
        };
        let data = json!({ "id": post.id, "text": post.text, "edit_history_tweet_ids": [post.id] });
        Ok((StatusCode::CREATED, Json(json!({ "data": data }))).into_response())
    })
    .await
}

/// `GET /2/users/{id}/tweets`.
pub(super) async fn list(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    (Query(query), Query(fields)): (Query<ListQuery>, Asked),
    headers: HeaderMap,
) -> Result<Response, Failed> {
    act(&world, &headers, Operation::List, "tweet.read", |token| {
        let lag = SignedDuration::from_secs(world.storage.list_lag_secs(X, &token.account)?);
        let from = query.start_time.unwrap_or(Timestamp::UNIX_EPOCH);
        let visible = world.clock.now() - lag;
        let to = query.end_time.map_or(visible, |end| visible.min(end));
        // A token is the place in the list.
        let (start, count) = (query.pagination_token.unwrap_or_default(), query.max_results.unwrap_or(10).clamp(5, 100));
        let all = world.storage.posts(X, Some(&id), from, to)?;
        let posts: Vec<_> = all.iter().skip(start).take(count).collect();
        let mut answer = json!({ "meta": { "result_count": posts.len() } });
        if all.len() > start + count {
            answer["meta"]["next_token"] = json!((start + count).to_string());
        }
        if !posts.is_empty() {
            let dropped = world.storage.stands(X, FIELD_DROPPED, &token.account)?;
            answer["data"] = posts.into_iter().map(|post| shown(post, &fields, dropped)).collect();
        }
        Ok(Json(answer).into_response())
    })
    .await
}

/// Runs `effect` for the owner of a live access token that holds `scope`.
pub(super) async fn act(
    world: &World,
    headers: &HeaderMap,
    on: Operation,
    scope: &str,
    effect: impl FnOnce(&Token) -> Result<Response, Failed> + Send,
) -> Result<Response, Failed> {
    let now = world.clock.now();
    let token = world.storage.token(X, bearer(headers).unwrap_or_default())?;
    let live = token.filter(|token| token.kind == ACCESS_TOKEN && !token.revoked && !token.is_expired(now));
    let Some(token) = live else {
        world.storage.count_call(X, on)?;
        return Ok(unauthorized());
    };
    let call = Call { double: &SimulatedX, on, account: Some(&token.account) };
    let allowed = token.allows(scope);
    guarded(world, call, || {
        let response = if allowed { effect(&token)? } else { forbidden() };
        Ok(with_fresh_limits(response, now))
    })
    .await
}
