//! The routes that exist on one machine only: gift certificates, the clock, the inbox.

use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use domain::people::gift::CYCLES_DEFAULT;
use domain::people::{GiftCertificate, GiftCode, HashKey};
use domain::plan::Plan;
use edge::clock::Clock;
use edge::contract::Time;
use edge::json::Json;
use edge::problem::{FieldCode, Problem, ProblemCode};
use edge::random::Random;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, StatusCode};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use simulator::Simulator;
use std::net::SocketAddr;
use store::{Revoked, Store};

use crate::clock::{ADVANCE_SECS_MAX, ServiceClock};
use crate::driver::Driver;
use embedded::Aws;

/// What these routes work with.
#[derive(Clone)]
pub(crate) struct Local {
    pub(crate) aws: Aws,
    pub(crate) store: Store,
    pub(crate) hash_key: HashKey,
    pub(crate) service_clock: ServiceClock,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) driver: Arc<Driver>,
    pub(crate) simulator: Simulator,
}

/// The routes below `/_local`, for callers on this machine.
pub(crate) fn router(local: Local) -> Router {
    Router::new()
        .route("/_local/gift-certificates", post(issue_gift))
        .route("/_local/gift-certificates/revoke", post(revoke_gift))
        .route("/_local/clock", post(advance_clock))
        .route("/_local/inbox", get(inbox))
        // The SDK puts a slash behind the address that it is given.
        .route("/_local/aws", post(operator))
        .route("/_local/aws/", post(operator))
        .method_not_allowed_fallback(|| async { Problem::new(ProblemCode::MethodNotAllowed) })
        .route_layer(middleware::from_fn(loopback_only))
        .with_state(local)
}

async fn loopback_only(ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request, next: Next) -> Response {
    // A page elsewhere may point its own name at this machine, or send a form here: neither may read codes or move the clock.
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let local_name = ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|name| host.strip_prefix(name).is_some_and(|port| port.is_empty() || port.starts_with(':')));
    let elsewhere = request.headers().get("sec-fetch-site").is_some_and(|site| site == "cross-site");
    if peer.ip().to_canonical().is_loopback() && local_name && !elsewhere {
        next.run(request).await
    } else {
        Problem::not_found().into_response()
    }
}

/// The tables for the operator's command line, as AWS would answer it.
async fn operator(State(local): State<Local>, headers: HeaderMap, body: Bytes) -> Result<Response, Problem> {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let answer = local.aws.serve_operator(target, &body).ok_or_else(Problem::not_found)?;
    let status = StatusCode::from_u16(answer.status).map_err(|error| Problem::internal(&error))?;
    Ok((status, [(CONTENT_TYPE, answer.content_type)], answer.body).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssueGift {
    plan: Plan,
    /// For how many cycles.
    #[serde(default)]
    cycles: Option<u32>,
    /// For ever, without it.
    #[serde(default)]
    valid_seconds: Option<u32>,
}

#[derive(Serialize)]
struct IssuedGift {
    code: String,
}

async fn issue_gift(State(local): State<Local>, Json(request): Json<IssueGift>) -> Result<(StatusCode, Json<IssuedGift>), Problem> {
    let code = GiftCode::from_entropy(local.random.bytes());
    let now = local.clock.now();
    let expires_at = request.valid_seconds.map(|seconds| now + SignedDuration::from_secs(seconds.into()));
    let gift = GiftCertificate::issue(request.plan, request.cycles.unwrap_or(CYCLES_DEFAULT), expires_at, now);
    local.store.issue_gift(&code.keyed_hash(&local.hash_key), &gift).await.map_err(|error| Problem::internal(&error))?;
    Ok((StatusCode::CREATED, Json(IssuedGift { code: code.expose() })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokeGift {
    code: String,
}

/// What an operator does with a certificate that went to the wrong person.
async fn revoke_gift(State(local): State<Local>, Json(request): Json<RevokeGift>) -> Result<StatusCode, Problem> {
    let code = GiftCode::parse(&request.code).map_err(|_| Problem::invalid_code())?;
    let revoked = local.store.revoke_gift(&code.keyed_hash(&local.hash_key), local.clock.now()).await;
    match revoked.map_err(|error| Problem::internal(&error))? {
        Revoked::Done => Ok(StatusCode::NO_CONTENT),
        Revoked::TooLate => Err(Problem::new(ProblemCode::StateConflict)),
        Revoked::Unknown => Err(Problem::not_found()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdvanceClock {
    advance_seconds: i64,
}

#[derive(Serialize)]
struct Advanced {
    now: Time,
}

/// Moves the clock, and lets everything that is due by then start.
async fn advance_clock(State(local): State<Local>, Json(request): Json<AdvanceClock>) -> Result<Json<Advanced>, Problem> {
    if !(1..=ADVANCE_SECS_MAX).contains(&request.advance_seconds) {
        return Err(Problem::validation(Vec::new()).with_error("/advance_seconds", FieldCode::OutOfRange, "Give 1 to 63,072,000 seconds."));
    }
    let at_rest = local.driver.publisher_at_rest().await;
    local.service_clock.advance(request.advance_seconds).map_err(|error| Problem::internal(&*error))?;
    drop(at_rest);
    local.driver.whole_round().await;
    local.simulator.catch_up().await.map_err(|error| Problem::internal(&*error))?;
    Ok(Json(Advanced { now: local.clock.now().into() }))
}

#[derive(Serialize)]
struct Inbox {
    items: Vec<TextMessage>,
}

#[derive(Serialize)]
struct TextMessage {
    to: String,
    text: String,
    at: Time,
}

async fn inbox(State(local): State<Local>) -> Result<Json<Inbox>, Problem> {
    let texts = local.aws.inbox().map_err(|error| Problem::internal(&*error))?;
    let items = texts.into_iter().map(|text| TextMessage { to: text.phone, text: text.body, at: text.sent_at.into() }).collect();
    Ok(Json(Inbox { items }))
}
