//! Containers: made, looked at, published once.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Response};
use domain::text::emoji_bytes_length;
use http::HeaderMap;
use jiff::SignedDuration;
use serde_json::json;

use super::api::{act, permalink};
use super::shapes::{CONTAINER_FAILED, CONTAINER_LOST, IN_PROGRESS, bad_request, forbidden, no_such_container, unknown};
use super::{FIRST_CONTAINER, THREADS, container_id, post_id};
use crate::World;
use crate::consent::Params;
use crate::faults::{Failed, Operation};
use crate::storage::StoredContainer;
use crate::token::Account;

/// For so long a container can be published.
const LIFE: SignedDuration = SignedDuration::from_hours(24);

const LETTERS_MAX: u32 = 500;

type Fields = Vec<(String, String)>;

/// `POST /{user}/threads`.
pub(super) async fn create(
    State(world): State<Arc<World>>,
    Path((_, user)): Path<(String, String)>,
    headers: HeaderMap,
    Form(form): Form<Fields>,
) -> Result<Response, Failed> {
    let params = Params(form);
    act(&world, &headers, &params, Operation::Prepare, |token| {
        if token.account.id != user {
            return Ok(unknown());
        }
        if !token.allows("threads_content_publish") {
            return Ok(forbidden("threads_content_publish"));
        }
        if params.get("media_type") != Some("TEXT") || params.get("auto_publish_text").is_some() {
            return Ok(bad_request(100, 0, "(#100) Only containers of texts are simulated"));
        }
        let Some(text) = params.get("text").filter(|text| emoji_bytes_length(text) <= LETTERS_MAX) else {
            return Ok(bad_request(100, 0, "(#100) Param text must be at most 500 characters long."));
        };
        let seq = world.storage.create_container(THREADS, &token.account, text, world.clock.now())?;
        Ok(Json(json!({ "id": container_id(seq) })).into_response())
    })
    .await
}

/// `POST /{user}/threads_publish`.
pub(super) async fn publish(
    State(world): State<Arc<World>>,
    Path((_, user)): Path<(String, String)>,
    headers: HeaderMap,
    Form(form): Form<Fields>,
) -> Result<Response, Failed> {
    let params = Params(form);
    act(&world, &headers, &params, Operation::Publish, |token| {
        if token.account.id != user {
            return Ok(unknown());
        }
        if !token.allows("threads_content_publish") {
            return Ok(forbidden("threads_content_publish"));
        }
        let container = container(&world, &token.account, params.get("creation_id").unwrap_or_default())?;
        let Some(container) = container else { return Ok(no_such_container()) };
        if status(&world, &container)? != "FINISHED" {
            return Ok(no_such_container());
        }
        Ok(match world.storage.publish_container(THREADS, &container, world.clock.now(), post_id)? {
            Some(post) => Json(json!({ "id": post.id })).into_response(),
            None => no_such_container(),
        })
    })
    .await
}

/// `GET /{container}` or `GET /{post}`: what became of the one, and where people see the other.
pub(super) async fn read(
    State(world): State<Arc<World>>,
    Path((_, id)): Path<(String, String)>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    act(&world, &headers, &Params(query), Operation::LookUp, |token| {
        if let Some(post) = world.storage.post(THREADS, &token.account.id, &id)? {
            return Ok(Json(json!({ "id": id, "permalink": permalink(&post) })).into_response());
        }
        let is_lost = world.storage.stands(THREADS, CONTAINER_LOST, &token.account)?;
        let Some(container) = container(&world, &token.account, &id)?.filter(|_| !is_lost) else { return Ok(unknown()) };
        let mut told = json!({ "id": id, "status": status(&world, &container)? });
        if told["status"] == "ERROR" {
            told["error_message"] = json!("UNKNOWN");
        }
        Ok(Json(told).into_response())
    })
    .await
}

fn container(world: &World, account: &Account, id: &str) -> Result<Option<StoredContainer>, Failed> {
    let Some(seq) = id.parse::<i64>().ok().and_then(|number| number.checked_sub(FIRST_CONTAINER)) else { return Ok(None) };
    Ok(world.storage.container(THREADS, &account.id, seq)?)
}

fn status(world: &World, container: &StoredContainer) -> Result<&'static str, Failed> {
    let stands = |fault| world.storage.stands(THREADS, fault, &container.account);
    Ok(match container {
        container if container.is_published => "PUBLISHED",
        container if container.made_at + LIFE <= world.clock.now() => "EXPIRED",
        _ if stands(CONTAINER_FAILED)? => "ERROR",
        _ if stands(IN_PROGRESS)? => "IN_PROGRESS",
        _ => "FINISHED",
    })
}
