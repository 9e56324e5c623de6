//! Posting under a key, and reading back.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use domain::text::{TextUnit, weighted_graphemes_length};
use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::act;
use super::shapes::{KEYS_FORGOTTEN, error};
use super::{FIRST_POST, Host, MASTODON, bare, html};
use crate::World;
use crate::faults::{CommonFault, Failed, Operation};
use crate::numbers::PostNumbers;
use crate::storage::StoredPost;
use crate::token::Token;

/// For so long a key stands for the post that it made.
const KEY_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// What a server says of a post that is not there (any more).
const NO_RECORD: &str = "Record not found";

#[derive(Deserialize)]
struct NewStatus {
    #[serde(default)]
    status: String,
}

#[derive(Deserialize)]
pub(super) struct ListQuery {
    limit: Option<usize>,
    max_id: Option<String>,
}

/// `POST /api/v1/statuses`.
pub(super) async fn create(
    State(world): State<Arc<World>>,
    Path(host): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failed> {
    act(&world, (&host, &headers), Operation::Publish, "write:statuses", |token| {
        let server = Host(&host);
        let Ok(NewStatus { status }) = serde_json::from_slice(&body) else {
            return Ok(error(StatusCode::BAD_REQUEST, "There was a problem parsing the request body"));
        };
        if let Some(objection) = objection(&server, &status) {
            return Ok(error(StatusCode::UNPROCESSABLE_ENTITY, &objection));
        }
        let keeps_keys = server.is_mastodon() && !world.storage.stands(MASTODON, KEYS_FORGOTTEN, &token.account)?;
        let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).filter(|_| keeps_keys);
        let (now, id_of) = (world.clock.now(), |seq: i64| server.stored(&(FIRST_POST + seq).to_string()));
        match world.storage.create_post_once(MASTODON, &token.account, (status.trim(), key, KEY_LIFE), now, id_of)? {
            Some(made) => told(&world, &server, &made, token),
            None => Ok(error(StatusCode::NOT_FOUND, NO_RECORD)),
        }
    })
    .await
}

/// What a server says to a text that it does not take.
fn objection(server: &Host<'_>, text: &str) -> Option<String> {
    let max = server.text_max();
    let length = if server.is_mastodon() { weighted_graphemes_length(text) } else { TextUnit::Graphemes.measure(text) };
    if text.trim().is_empty() {
        Some("Validation failed: Text can't be blank".to_owned())
    } else {
        (length > max).then(|| format!("Validation failed: Text character limit of {max} exceeded"))
    }
}

/// `GET /api/v1/accounts/{id}/statuses`: 40 at most, newest first.
pub(super) async fn list(
    State(world): State<Arc<World>>,
    Path((host, id)): Path<(String, String)>,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    act(&world, (&host, &headers), Operation::List, "read:statuses", |token| {
        let server = Host(&host);
        let lag = SignedDuration::from_secs(world.storage.list_lag_secs(MASTODON, &token.account)?);
        let all = world.storage.posts(MASTODON, Some(&server.stored(&id)), Timestamp::UNIX_EPOCH, world.clock.now() - lag)?;
        let number = |id: &str| id.parse::<i64>().unwrap_or(i64::MAX);
        let before = query.max_id.as_deref().map_or(i64::MAX, number);
        let page = all.iter().filter(|post| number(bare(&post.id)) < before).take(query.limit.unwrap_or(20).clamp(1, 40));
        let mut told = Vec::new();
        for post in page {
            told.push(shown(&server, post, &world.numbers(MASTODON, post, world.clock.now())?));
        }
        Ok(Json(told).into_response())
    })
    .await
}

/// `GET /api/v1/statuses/{id}`.
pub(super) async fn show(
    State(world): State<Arc<World>>,
    Path((host, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    act(&world, (&host, &headers), Operation::Metrics, "read:statuses", |token| {
        let server = Host(&host);
        match world.storage.post(MASTODON, &token.account.id, &server.stored(&id))? {
            Some(post) => told(&world, &server, &post, token),
            None => Ok(error(StatusCode::NOT_FOUND, NO_RECORD)),
        }
    })
    .await
}

fn told(world: &World, server: &Host<'_>, post: &StoredPost, token: &Token) -> Result<Response, Failed> {
    let mut status = shown(server, post, &world.numbers(MASTODON, post, world.clock.now())?);
    if world.storage.stands(MASTODON, CommonFault::MetricMissing.as_str(), &token.account)?
        && let Some(status) = status.as_object_mut()
    {
        status.remove("replies_count");
    }
    Ok(Json(status).into_response())
}

fn shown(server: &Host<'_>, post: &StoredPost, numbers: &PostNumbers) -> Value {
    let (Host(host), id, name) = (server, bare(&post.id), bare(&post.account.name));
    let created_at = post.created_at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
    let url = format!("https://{host}/@{name}");
    json!({
        "id": id, "uri": format!("https://{host}/users/{name}/statuses/{id}"), "url": format!("{url}/{id}"), "created_at": created_at,
        "account": { "id": bare(&post.account.id), "username": name, "acct": name, "url": url }, "content": html::of(&post.text),
        "visibility": "public", "sensitive": false, "spoiler_text": "", "language": "en", "in_reply_to_id": null, "reblog": null,
        "media_attachments": [], "mentions": [], "tags": [], "emojis": [], "card": null, "poll": null, "edited_at": null,
        "favourites_count": numbers.likes, "reblogs_count": numbers.shares, "replies_count": numbers.comments, "quotes_count": 0,
    })
}
