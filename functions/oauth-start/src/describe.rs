//! `GET /oauth/{platform}/client-metadata.json`: who our app is, for servers that know apps by such a document.
//!
//! The document shows the public half of the app's key and our callback. Whoever lets somebody in reads it before; nobody is signed in.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::platform::{App, PlatformName};
use edge::json::{Json, Path};
use edge::problem::Problem;
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use platforms::AppCredentials;

use crate::Deps;

/// As long as this process remembers the app's credentials.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// Describes our app to a platform.
///
/// A platform whose servers know apps by such a document reads it: its address is our app's id there.
#[utoipa::path(get, path = "/oauth/{platform}/client-metadata.json", operation_id = "describe_app", tag = "oauth",
    params(("platform" = PlatformName, Path, description = "Which platform.")),
    responses(
        (status = 200, description = "The metadata of an OAuth client, with its public key.", body = Object, content_type = "application/json"),
        (status = 404, description = "not_found"),
        (status = 503, description = "unavailable"),
    ))]
pub(crate) async fn describe(State(deps): State<Deps>, Path(platform): Path<PlatformName>) -> Result<Response, Problem> {
    let adapter = deps.platforms.get(platform);
    if !deps.configured.contains(&platform) || !adapter.has_client_document() {
        return Err(Problem::not_found());
    }
    let credentials = deps.vault.app_credentials(&App { platform, server: None }, deps.clock.now()).await;
    let (client_id, client_secret) = credentials.map_err(|error| Problem::unavailable_because(&error))?;
    if client_id != deps.web.client_document_url(platform).as_str() {
        tracing::warn!(platform = platform.as_str(), "the client_id of our app is not the address at which it is described");
    }
    let app = AppCredentials { client_id, client_secret };
    let document = adapter.client_document(&app, &deps.web.callback_url(platform)).ok_or_else(Problem::not_found)?;
    Ok(([(CACHE_CONTROL, KEPT)], Json(document)).into_response())
}
