//! What tests and people ask the simulator itself: what was posted, what was called, what shall go wrong.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get};
use axum::{Json, Router};
use domain::platform::PlatformName;
use edge::contract::Time;
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use crate::World;
use crate::doubles::{DOUBLES, Double};
use crate::faults::{CommonFault, Failed, Fault, FaultKind};
use crate::storage::StoredPost;

/// Whose posts are asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    /// Of all accounts, without it.
    account_id: Option<String>,
}

/// `posts`, `faults` and `calls` of one platform.
pub(crate) fn routes(double: &'static dyn Double) -> Router<Arc<World>> {
    let platform = double.platform();
    let list_faults = move |State(world): State<Arc<World>>| async move { list_faults(&world, platform) };
    let add_fault = move |State(world): State<Arc<World>>, Json(fault): Json<Fault>| async move { add_fault(&world, double, &fault) };
    let clear_faults = move |State(world): State<Arc<World>>| async move {
        world.storage.clear_faults(platform)?;
        Ok::<_, Failed>(StatusCode::NO_CONTENT)
    };
    let delete_post = move |State(world): State<Arc<World>>, Path(id): Path<String>| async move { delete_post(&world, platform, &id) };
    let list_posts = move |State(world): State<Arc<World>>, Query(whose): Query<Whose>| async move { list_posts(&world, platform, &whose) };
    Router::new()
        .route("/posts/{id}", delete(delete_post))
        .route("/posts", get(list_posts))
        .route("/calls", get(move |State(world): State<Arc<World>>| async move { Ok::<_, Failed>(Json(world.storage.calls(platform)?)) }))
        .route("/faults", get(list_faults).post(add_fault).delete(clear_faults))
}

/// The same of a name that no network has: a 404 that lists the names.
pub(crate) fn unknown() -> Router<Arc<World>> {
    let paths = ["/{platform}/posts/{id}", "/{platform}/posts", "/{platform}/calls", "/{platform}/faults"];
    paths.into_iter().fold(Router::new(), |router, path| router.route(path, any(refuse_unknown)))
}

async fn refuse_unknown() -> Response {
    let names = DOUBLES.map(|double| double.platform().as_str()).join(", ");
    (StatusCode::NOT_FOUND, format!("no platform has this name; the simulated ones are: {names}")).into_response()
}

fn list_posts(world: &World, platform: PlatformName, whose: &Whose) -> Result<Response, Failed> {
    let posts = world.storage.posts(platform, whose.account_id.as_deref(), Timestamp::UNIX_EPOCH, world.clock.now())?;
    let items: Vec<_> = posts.iter().map(shown).collect();
    Ok(Json(json!({ "items": items })).into_response())
}

fn shown(post: &StoredPost) -> serde_json::Value {
    let created_at = Time::from(post.created_at);
    json!({ "id": post.id, "account": post.account.name, "account_id": post.account.id, "text": post.text, "created_at": created_at })
}

/// As its owner would at the platform.
fn delete_post(world: &World, platform: PlatformName, id: &str) -> Result<StatusCode, Failed> {
    let was_there = world.storage.delete_post(platform, id)?;
    Ok(if was_there { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND })
}

fn list_faults(world: &World, platform: PlatformName) -> Result<Response, Failed> {
    Ok(Json(json!({ "items": world.storage.faults(platform)? })).into_response())
}

fn add_fault(world: &World, double: &dyn Double, fault: &Fault) -> Result<Response, Failed> {
    let kind = match fault.checked(double) {
        Ok(kind) => kind,
        Err(objection) => return Ok((StatusCode::UNPROCESSABLE_ENTITY, objection).into_response()),
    };
    let (platform, account) = (double.platform(), fault.account.as_deref());
    match kind {
        FaultKind::Common(CommonFault::TokenRevoked) => world.storage.revoke_account(platform, account)?,
        FaultKind::Common(CommonFault::TokenExpired) => {
            world.storage.expire_account(platform, double.acting_token(), account, world.clock.now())?;
        }
        kind => world.storage.add_fault(platform, fault, kind.stands())?,
    }
    Ok((StatusCode::CREATED, Json(fault)).into_response())
}
