//! What everybody sees: an account's posts, and what they count.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use edge::contract::Time;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{cid, record, uri};
use super::identity::known;
use super::shapes::problem;
use super::{BLUESKY, SimulatedBluesky};
use crate::World;
use crate::faults::{Call, CommonFault, Failed, Operation, guarded};
use crate::storage::StoredPost;
use crate::token::Account;

/// Posts in one call.
const URIS_MAX: usize = 25;

#[derive(Deserialize)]
pub(super) struct Feed {
    actor: String,
    limit: Option<usize>,
    cursor: Option<usize>,
}

/// `GET /xrpc/app.bsky.feed.getAuthorFeed`.
pub(super) async fn author(State(world): State<Arc<World>>, Query(feed): Query<Feed>) -> Result<Response, Failed> {
    let Some(account) = known(&world, &feed.actor)? else {
        return Ok(problem(StatusCode::BAD_REQUEST, "InvalidRequest", "Profile not found"));
    };
    let call = Call { double: &SimulatedBluesky, on: Operation::List, account: Some(&account) };
    guarded(&world, call, || {
        let lag = SignedDuration::from_secs(world.storage.list_lag_secs(BLUESKY, &account)?);
        let all = world.storage.posts(BLUESKY, Some(&account.id), Timestamp::UNIX_EPOCH, world.clock.now() - lag)?;
        // A cursor is the place in the list.
        let (start, count) = (feed.cursor.unwrap_or_default(), feed.limit.unwrap_or(50).clamp(1, 100));
        let shown = all.iter().skip(start).take(count).map(|post| Ok::<_, Failed>(json!({ "post": shown(&world, post)? })));
        let mut answer = json!({ "feed": shown.collect::<Result<Vec<_>, Failed>>()? });
        if all.len() > start + count {
            answer["cursor"] = json!((start + count).to_string());
        }
        Ok(Json(answer).into_response())
    })
    .await
}

/// `GET /xrpc/app.bsky.feed.getPosts`. What is not there is left out.
pub(super) async fn posts(State(world): State<Arc<World>>, Query(asked): Query<Vec<(String, String)>>) -> Result<Response, Failed> {
    let uris: Vec<_> = asked.iter().filter(|(name, _)| name == "uris").map(|(_, uri)| uri.as_str()).take(URIS_MAX).collect();
    let first = uris.first().and_then(|uri| parts(uri)).map(|(did, _)| did);
    let account: Option<Account> = match first {
        Some(did) => known(&world, did)?,
        None => None,
    };
    let call = Call { double: &SimulatedBluesky, on: Operation::Metrics, account: account.as_ref() };
    guarded(&world, call, || {
        let mut posts = Vec::new();
        for (did, rkey) in uris.iter().filter_map(|uri| parts(uri)) {
            let Some(post) = world.storage.post(BLUESKY, did, rkey)? else { continue };
            let numbers = world.numbers(BLUESKY, &post, world.clock.now())?;
            let mut shown = shown(&world, &post)?;
            shown["likeCount"] = json!(numbers.likes);
            shown["replyCount"] = json!(numbers.comments);
            shown["quoteCount"] = json!(0);
            if !world.storage.stands(BLUESKY, CommonFault::MetricMissing.as_str(), &post.account)? {
                shown["repostCount"] = json!(numbers.shares);
            }
            posts.push(shown);
        }
        Ok(Json(json!({ "posts": posts })).into_response())
    })
    .await
}

fn shown(world: &World, post: &StoredPost) -> Result<Value, Failed> {
    let record = record(world, &post.account.id, &post.id)?;
    let author = json!({ "did": post.account.id, "handle": post.account.name });
    Ok(json!({
        "uri": uri(&post.account.id, &post.id), "cid": cid(&record.to_string()), "author": author, "record": record,
        "indexedAt": Time::from(post.created_at),
    }))
}

fn parts(uri: &str) -> Option<(&str, &str)> {
    uri.strip_prefix("at://")?.split_once("/app.bsky.feed.post/")
}
