//! Who an account is and where: handles, DIDs and what servers publish of themselves.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::shapes::problem;
use super::{AUTH, PDS, WITHOUT_PAGE, account};
use crate::World;
use crate::faults::Failed;
use crate::token::Account;

/// The kind of note that keeps the handle behind a DID.
const HANDLE: &str = "bluesky-handle";

#[derive(Deserialize)]
pub(super) struct Resolving {
    handle: String,
}

/// `GET https://{handle}/.well-known/atproto-did`: the DID alone, as text.
pub(super) async fn well_known(State(world): State<Arc<World>>, Path(handle): Path<String>) -> Result<Response, Failed> {
    match named(&world, &handle)?.filter(|_| !handle.ends_with(WITHOUT_PAGE)) {
        Some(account) => Ok(account.id.into_response()),
        None => Ok(StatusCode::NOT_FOUND.into_response()),
    }
}

/// `GET /xrpc/com.atproto.identity.resolveHandle`.
pub(super) async fn resolve(State(world): State<Arc<World>>, Query(asked): Query<Resolving>) -> Result<Response, Failed> {
    match named(&world, &asked.handle)? {
        Some(account) => Ok(Json(json!({ "did": account.id })).into_response()),
        None => Ok(problem(StatusCode::BAD_REQUEST, "InvalidRequest", "Unable to resolve handle")),
    }
}

/// `GET https://plc.directory/{did}`.
pub(super) async fn document(State(world): State<Arc<World>>, Path(did): Path<String>) -> Result<Response, Failed> {
    let Some(handle) = world.storage.noted(HANDLE, &did)? else {
        return Ok((StatusCode::NOT_FOUND, Json(json!({ "message": format!("DID not registered: {did}") }))).into_response());
    };
    let key = json!({ "id": format!("{did}#atproto"), "type": "Multikey", "controller": did, "publicKeyMultibase": "zSimulated" });
    let service = json!({ "id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": format!("https://{PDS}") });
    let body = json!({
        "@context": ["https://www.w3.org/ns/did/v1"], "id": did, "alsoKnownAs": [format!("at://{handle}")], "verificationMethod": [key],
        "service": [service],
    });
    Ok(Json(body).into_response())
}

/// `GET https://{pds}/.well-known/oauth-protected-resource` (RFC 9728).
pub(super) async fn resource(Path(host): Path<String>) -> Response {
    if host != PDS {
        return StatusCode::NOT_FOUND.into_response();
    }
    let body = json!({
        "resource": format!("https://{PDS}"), "authorization_servers": [format!("https://{AUTH}")], "scopes_supported": [],
        "bearer_methods_supported": ["header"],
    });
    Json(body).into_response()
}

/// `GET https://{issuer}/.well-known/oauth-authorization-server` (RFC 8414).
pub(super) async fn issuer(Path(host): Path<String>) -> Response {
    if host != AUTH {
        return StatusCode::NOT_FOUND.into_response();
    }
    let at = |path: &str| format!("https://{AUTH}{path}");
    let body = json!({
        "issuer": at(""), "authorization_endpoint": at("/oauth/authorize"), "token_endpoint": at("/oauth/token"),
        "pushed_authorization_request_endpoint": at("/oauth/par"), "revocation_endpoint": at("/oauth/revoke"),
        "require_pushed_authorization_requests": true, "authorization_response_iss_parameter_supported": true,
        "client_id_metadata_document_supported": true, "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256"], "dpop_signing_alg_values_supported": ["ES256"],
        "code_challenge_methods_supported": ["S256"], "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"], "scopes_supported": ["atproto", "transition:generic"],
    });
    Json(body).into_response()
}

/// The account that has a handle. It is remembered: a DID does not tell it.
pub(super) fn named(world: &World, handle: &str) -> Result<Option<Account>, Failed> {
    let Some(account) = account(handle) else { return Ok(None) };
    world.storage.note(HANDLE, &account.id, handle)?;
    Ok(Some(account))
}

/// The account behind a DID that somebody has looked up.
pub(super) fn known(world: &World, did: &str) -> Result<Option<Account>, Failed> {
    Ok(world.storage.noted(HANDLE, did)?.and_then(|handle| account(&handle)))
}
