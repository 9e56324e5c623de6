//! Records: written under a key of whoever writes, and read by everybody.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE32_NOPAD;
use domain::text::graphemes_length;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::oauth::is_bound;
use super::proof::{Shown, key_shown, with_nonce};
use super::shapes::{challenge, invalid_request, invalid_swap, problem, scope_missing};
use super::{ACCESS_TOKEN, BLUESKY, PDS, SimulatedBluesky};
use crate::World;
use crate::faults::{Call, Failed, Operation, guarded};
use crate::token::Token;

const PUT: &str = "/xrpc/com.atproto.repo.putRecord";

/// The kind of note that keeps a record.
const RECORD: &str = "bluesky-record";

#[derive(Deserialize)]
struct Put {
    repo: String,
    collection: String,
    rkey: String,
    record: Value,
    /// `null`: only if there is nothing.
    #[serde(rename = "swapRecord")]
    swap: Option<Value>,
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    repo: String,
    collection: String,
    rkey: String,
}

/// `POST /xrpc/com.atproto.repo.putRecord`.
pub(super) async fn put(
    State(world): State<Arc<World>>,
    Path(host): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failed> {
    if host != PDS {
        return Ok(StatusCode::NOT_FOUND.into_response());
    }
    let access = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("DPoP "));
    let key = match key_shown(&world, &headers, &Shown { host: &host, path: PUT, access })? {
        Ok(key) => key,
        Err(refusal) => return Ok(*refusal),
    };
    let stored = world.storage.token(BLUESKY, access.unwrap_or_default())?;
    let is_live = |token: &Token| token.kind == ACCESS_TOKEN && !token.revoked && !token.is_expired(world.clock.now());
    let Some(token) = stored.filter(is_live) else {
        world.storage.count_call(BLUESKY, Operation::Publish)?;
        return Ok(with_nonce(&world, &host, challenge("invalid_token", "The token is not live.")));
    };
    if !is_bound(&world, &token, &key)? {
        return Ok(with_nonce(&world, &host, challenge("invalid_token", "The token is bound to another key.")));
    }
    let call = Call { double: &SimulatedBluesky, on: Operation::Publish, account: Some(&token.account) };
    let response = guarded(&world, call, || written(&world, &token, &body)).await?;
    Ok(with_nonce(&world, &host, response))
}

fn written(world: &World, token: &Token, body: &[u8]) -> Result<Response, Failed> {
    let Ok(put) = serde_json::from_slice::<Put>(body) else { return Ok(invalid_request("Invalid input")) };
    let is_allowed = |scope: &String| {
        scope.starts_with("repo:app.bsky.feed.post?")
            && ["create", "update"].iter().all(|action| scope.contains(&format!("action={action}")))
    };
    if !token.scopes.iter().any(is_allowed) {
        return Ok(scope_missing());
    }
    if let Some(objection) = objection(&put, &token.account.id) {
        return Ok(invalid_request(objection));
    }
    let uri = uri(&put.repo, &put.rkey);
    let stands = world.storage.post(BLUESKY, &put.repo, &put.rkey)?.is_some();
    let record = put.record.to_string();
    let is_same = stands && world.storage.noted(RECORD, &uri)?.as_deref() == Some(record.as_str());
    // The same again changes nothing and is looked at before the swap, as in the reference server.
    if stands && !is_same && put.swap.is_none() {
        return Ok(invalid_swap());
    }
    let mut answer = json!({ "uri": uri, "cid": cid(&record), "validationStatus": "valid" });
    if !is_same {
        let text = put.record["text"].as_str().unwrap_or_default();
        world.storage.put_post(BLUESKY, &token.account, text, world.clock.now(), &put.rkey)?;
        world.storage.note(RECORD, &uri, &record)?;
        answer["commit"] = json!({ "cid": cid(&uri), "rev": put.rkey });
    }
    Ok(Json(answer).into_response())
}

/// What is wrong with a record, by the lexicon.
fn objection(put: &Put, account: &str) -> Option<&'static str> {
    let text = put.record["text"].as_str();
    let is_tid = put.rkey.len() == 13 && put.rkey.bytes().all(|byte| matches!(byte, b'2'..=b'7' | b'a'..=b'z'));
    let has_time = put.record["createdAt"].as_str().is_some_and(|told| told.parse::<Timestamp>().is_ok());
    let facets = put.record["facets"].as_array().map(Vec::as_slice).unwrap_or_default();
    let letters = |facet: &Value, name: &str| usize::try_from(facet["index"][name].as_u64()?).ok();
    let stands = |facet: &Value| {
        text.is_some_and(|text| matches!((letters(facet, "byteStart"), letters(facet, "byteEnd")), (Some(start), Some(end)) if start < end && text.get(start..end).is_some()))
    };
    [
        (put.repo == account, "the repo is another account's"),
        (put.collection == "app.bsky.feed.post" && put.record["$type"] == "app.bsky.feed.post", "the record is no post"),
        (is_tid, "the key is no TID"),
        (text.is_some_and(|text| text.len() <= 3_000), "text must not be longer than 3000 bytes"),
        (text.is_some_and(|text| graphemes_length(text) <= 300), "text must not be longer than 300 graphemes"),
        (has_time, "createdAt must be a datetime"),
        (facets.iter().all(stands), "a facet stands nowhere"),
    ]
    .into_iter()
    .find_map(|(is_fine, objection)| (!is_fine).then_some(objection))
}

/// `GET /xrpc/com.atproto.repo.getRecord`.
pub(super) async fn read(
    State(world): State<Arc<World>>,
    Path(host): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Failed> {
    let uri = uri(&wanted.repo, &wanted.rkey);
    let stands =
        host == PDS && wanted.collection == "app.bsky.feed.post" && world.storage.post(BLUESKY, &wanted.repo, &wanted.rkey)?.is_some();
    match world.storage.noted(RECORD, &uri)?.filter(|_| stands) {
        Some(record) => {
            let value: Value = serde_json::from_str(&record)?;
            Ok(Json(json!({ "uri": uri, "cid": cid(&record), "value": value })).into_response())
        }
        None => Ok(problem(StatusCode::BAD_REQUEST, "RecordNotFound", &format!("Could not locate record: {uri}"))),
    }
}

/// The record of a post that is there.
pub(super) fn record(world: &World, account: &str, rkey: &str) -> Result<Value, Failed> {
    let record = world.storage.noted(RECORD, &uri(account, rkey))?.unwrap_or_default();
    Ok(serde_json::from_str(&record)?)
}

pub(super) fn uri(account: &str, rkey: &str) -> String {
    format!("at://{account}/app.bsky.feed.post/{rkey}")
}

pub(super) fn cid(text: &str) -> String {
    format!("bafyrei{}", BASE32_NOPAD.encode(&Sha256::digest(text.as_bytes())).to_lowercase())
}
