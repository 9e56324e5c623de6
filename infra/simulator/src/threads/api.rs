//! Who the account is, and reading back.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::shapes::{authorised, forbidden, unknown};
use super::{SimulatedThreads, THREADS};
use crate::World;
use crate::consent::Params;
use crate::faults::{Call, Failed, Operation, guarded};
use crate::storage::StoredPost;
use crate::token::Token;

type Fields = Vec<(String, String)>;

/// `GET /me`.
pub(super) async fn me(State(world): State<Arc<World>>, Query(query): Query<Fields>, headers: HeaderMap) -> Result<Response, Failed> {
    act(&world, &headers, &Params(query), Operation::Identity, |token| {
        if !token.allows("threads_basic") {
            return Ok(forbidden("threads_basic"));
        }
        Ok(Json(json!({ "id": token.account.id, "username": token.account.name })).into_response())
    })
    .await
}

/// `GET /{user}/threads`.
pub(super) async fn list(
    State(world): State<Arc<World>>,
    Path((_, user)): Path<(String, String)>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let params = Params(query);
    act(&world, &headers, &params, Operation::List, |token| {
        if token.account.id != user {
            return Ok(unknown());
        }
        let time = |name: &str| params.get(name).and_then(|time| Timestamp::from_second(time.parse().ok()?).ok());
        let limit = params.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(25_usize).clamp(1, 100);
        let lag = SignedDuration::from_secs(world.storage.list_lag_secs(THREADS, &token.account)?);
        let visible = world.clock.now() - lag;
        let until = time("until").map_or(visible, |until| visible.min(until));
        let posts = world.storage.posts(THREADS, Some(&user), time("since").unwrap_or(Timestamp::UNIX_EPOCH), until)?;
        // A cursor is the place in the list.
        let start = params.get("after").and_then(|after| after.parse().ok()).unwrap_or(0_usize);
        let data: Vec<_> = posts.iter().skip(start).take(limit).map(shown).collect();
        let mut paging = json!({ "cursors": { "before": start.to_string(), "after": (start + limit).to_string() } });
        if posts.len() > start + limit {
            paging["next"] = json!("https://graph.threads.example/next");
        }
        Ok(Json(json!({ "data": data, "paging": paging })).into_response())
    })
    .await
}

fn shown(post: &StoredPost) -> Value {
    let timestamp = post.created_at.strftime("%Y-%m-%dT%H:%M:%S+0000").to_string();
    json!({ "id": post.id, "text": post.text, "timestamp": timestamp, "permalink": permalink(post), "media_type": "TEXT_POST" })
}

pub(super) fn permalink(post: &StoredPost) -> String {
    let code = data_encoding::BASE32_NOPAD.encode(&post.seq.to_be_bytes());
    format!("https://www.threads.net/@{}/post/{code}", post.account.name)
}

/// Runs `effect` for the account of a live token.
pub(super) async fn act(
    world: &World,
    headers: &HeaderMap,
    params: &Params,
    on: Operation,
    effect: impl FnOnce(&Token) -> Result<Response, Failed> + Send,
) -> Result<Response, Failed> {
    match authorised(world, headers, params)? {
        Ok(token) => {
            let call = Call { double: &SimulatedThreads, on, account: Some(&token.account) };
            guarded(world, call, || effect(&token)).await
        }
        Err(refusal) => {
            world.storage.count_call(THREADS, on)?;
            Ok(refusal)
        }
    }
}
