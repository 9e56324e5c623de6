//! What was granted, the Pages, posting and reading back.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::shapes::{authorised, bad_request, duplicate, forbidden};
use super::{FACEBOOK, LONG_TOKEN, PAGE_TOKEN, SimulatedFacebook, USER_TOKENS, page};
use crate::World;
use crate::consent::Params;
use crate::faults::{Call, Failed, Operation, guarded};
use crate::storage::{NewToken, StoredPost};
use crate::token::{Account, Token};

type Fields = Vec<(String, String)>;

/// `GET /me`.
pub(super) async fn me(State(world): State<Arc<World>>, Query(query): Query<Fields>, headers: HeaderMap) -> Result<Response, Failed> {
    act(&world, &headers, &Params(query), (Operation::Identity, &USER_TOKENS), |token| {
        Ok(Json(json!({ "id": token.account.id, "name": token.account.name })).into_response())
    })
    .await
}

/// `GET /me/permissions`.
pub(super) async fn permissions(
    State(world): State<Arc<World>>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    act(&world, &headers, &Params(query), (Operation::Identity, &USER_TOKENS), |token| {
        let granted: Vec<_> = token.scopes.iter().map(|scope| json!({ "permission": scope, "status": "granted" })).collect();
        Ok(Json(json!({ "data": granted })).into_response())
    })
    .await
}

/// `GET /me/accounts`: one Page at a time, whatever the limit, so that clients have to follow the links.
pub(super) async fn accounts(
    State(world): State<Arc<World>>,
    Path(version): Path<String>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let params = Params(query);
    act(&world, &headers, &params, (Operation::Identity, &USER_TOKENS), |token| {
        if !token.allows("pages_show_list") {
            return Ok(Json(json!({ "data": [] })).into_response());
        }
        let mut ids = world.storage.granted_account_ids(token.grant_id)?;
        ids.retain(|id| super::is_own(id));
        let at = params.get("after").and_then(|after| after.parse::<usize>().ok()).unwrap_or(0);
        let data: Vec<_> =
            ids.get(at).and_then(|id| page(id)).map(|page| shown_page(&world, token, &page)).transpose()?.into_iter().collect();
        let mut answer = json!({ "data": data, "paging": { "cursors": { "after": (at + 1).to_string() } } });
        if at + 1 < ids.len() {
            let base = &world.base;
            let next = format!("{base}/_sim/facebook/{version}/me/accounts?access_token={}&limit=1&after={}", token.value, at + 1);
            answer["paging"]["next"] = json!(next);
        }
        Ok(Json(answer).into_response())
    })
    .await
}

fn shown_page(world: &World, user: &Token, page: &Account) -> Result<Value, Failed> {
    let value = page_token(world, user, page)?;
    Ok(json!({ "id": page.id, "name": page.name, "access_token": value, "tasks": ["CREATE_CONTENT", "ANALYZE"] }))
}

/// The token that a consent has for a Page: the same, whichever list shows it.
pub(super) fn page_token(world: &World, user: &Token, page: &Account) -> Result<String, Failed> {
    let stored = world.storage.account_token(user.grant_id, PAGE_TOKEN, &page.id)?.map(|token| token.value);
    stored.map_or_else(|| issue_page_token(world, user, page), Ok)
}

/// It ends with a short-lived user token and never with a long-lived one.
fn issue_page_token(world: &World, user: &Token, page: &Account) -> Result<String, Failed> {
    let value = world.secret("fp-");
    let expires_at = if user.kind == LONG_TOKEN { None } else { user.expires_at };
    let token = NewToken { value: &value, kind: PAGE_TOKEN, account: page, expires_at };
    world.storage.insert_token(FACEBOOK, user.grant_id, &token)?;
    Ok(value)
}

/// `POST /{page}/feed`, with a form or JSON.
pub(super) async fn create(
    State(world): State<Arc<World>>,
    Path((_, page_id)): Path<(String, String)>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failed> {
    let params = body_params(&headers, &body).with_fallback(Params(query));
    act(&world, &headers, &params, (Operation::Publish, &[PAGE_TOKEN]), |token| {
        if token.account.id != page_id {
            return Ok(unknown_page());
        }
        if !token.allows("pages_manage_posts") {
            return Ok(forbidden("pages_manage_posts"));
        }
        let Some(message) = params.get("message") else {
            return Ok(bad_request(100, 0, "(#100) Missing message or attachment"));
        };
        let id_of = |seq| super::post_id(&page_id, seq);
        Ok(match world.storage.create_post(FACEBOOK, &token.account, message, world.clock.now(), id_of)? {
            Some(post) => Json(json!({ "id": post.id, "permalink_url": permalink(&post) })).into_response(),
            None => duplicate(),
        })
    })
    .await
}

/// The fields of a form, or the text fields of a JSON object.
fn body_params(headers: &HeaderMap, body: &[u8]) -> Params {
    let json = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if !json {
        return Params(url::form_urlencoded::parse(body).into_owned().collect());
    }
    let fields = serde_json::from_slice::<serde_json::Map<String, Value>>(body).unwrap_or_default();
    Params(fields.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect())
}

/// `GET /{page}/published_posts`.
pub(super) async fn list(
    State(world): State<Arc<World>>,
    Path((_, page_id)): Path<(String, String)>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let params = Params(query);
    act(&world, &headers, &params, (Operation::List, &[PAGE_TOKEN]), |token| {
        if token.account.id != page_id {
            return Ok(unknown_page());
        }
        if !token.allows("pages_read_engagement") {
            return Ok(forbidden("pages_read_engagement"));
        }
        let since = params.get("since").and_then(|since| Timestamp::from_second(since.parse().ok()?).ok()).unwrap_or(Timestamp::UNIX_EPOCH);
        let limit = params.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(25_usize).clamp(1, 100);
        let lag = SignedDuration::from_secs(world.storage.list_lag_secs(FACEBOOK, &token.account)?);
        let visible = world.clock.now() - lag;
        let until = params.get("until").and_then(|until| Timestamp::from_second(until.parse().ok()?).ok());
        let posts = world.storage.posts(FACEBOOK, Some(&page_id), since, until.map_or(visible, |until| visible.min(until)))?;
        // A cursor is the place in the list.
        let start = params.get("after").and_then(|after| after.parse().ok()).unwrap_or(0_usize);
        let data: Vec<_> = posts.iter().skip(start).take(limit).map(shown_post).collect();
        let mut paging = json!({ "cursors": { "before": start.to_string(), "after": (start + limit).to_string() } });
        if posts.len() > start + limit {
            paging["next"] = json!("https://graph.facebook.example/next");
        }
        Ok(Json(json!({ "data": data, "paging": paging })).into_response())
    })
    .await
}

fn shown_post(post: &StoredPost) -> Value {
    let created_time = post.created_at.strftime("%Y-%m-%dT%H:%M:%S+0000").to_string();
    json!({ "id": post.id, "message": post.text, "created_time": created_time, "permalink_url": permalink(post) })
}

fn permalink(post: &StoredPost) -> String {
    format!("https://www.facebook.com/{}/posts/{}", post.account.id, super::FIRST_POST + post.seq)
}

pub(super) fn unknown_page() -> Response {
    bad_request(100, 33, "Unsupported request. Object does not exist or cannot be loaded due to missing permissions.")
}

/// Runs `effect` for the owner of a live token of one of the kinds.
pub(super) async fn act(
    world: &World,
    headers: &HeaderMap,
    params: &Params,
    (on, kinds): (Operation, &[&str]),
    effect: impl FnOnce(&Token) -> Result<Response, Failed> + Send,
) -> Result<Response, Failed> {
    match authorised(world, headers, params, kinds)? {
        Ok(token) => {
            let call = Call { double: &SimulatedFacebook, on, account: Some(&token.account) };
            guarded(world, call, || effect(&token)).await
        }
        Err(refusal) => {
            world.storage.count_call(FACEBOOK, on)?;
            Ok(refusal)
        }
    }
}
