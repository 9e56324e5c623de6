//! `GET /oauth/{platform}/start`: a flow is stored, and the browser goes to the platform.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::connection::Connection;
use domain::id::{ConnectionId, UserId};
use domain::people::limit::Subject;
use domain::people::oauth_flow::{BEGUN_BY_USER, OAuthFlow};
use domain::people::{CodeVerifier, FlowState, ReturnPath};
use domain::platform::{Named, PlatformName};
use edge::json::{Path, Query};
use edge::prefetch;
use edge::problem::{Problem, chain};
use edge::session::SignedIn;
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::{SignedDuration, Timestamp};
use platforms::{Ask, AuthorizeError, Consent};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::{self, AppError};
use crate::{Deps, named};

/// How long the platform may take to be asked, with all its calls: what is left of the function's time is for keeping what came.
const ASK_MAX: Duration = Duration::from_secs(20);
/// A server's app is removed within moments.
const LEAVING_WAIT: SignedDuration = SignedDuration::from_secs(5);

/// The query.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// The page of the frontend to come back to, from a fixed list; anything else means `/`.
    #[param(example = "/connections")]
    return_to: Option<String>,
    /// The connection that is to be made anew: a consent of another account then changes nothing.
    #[param(value_type = Option<ConnectionId>)]
    reconnect: Option<String>,
    /// The server's name, where the platform needs it. It may be left out where a connection is made anew.
    #[param(example = "mastodon.social", max_length = 1000)]
    server: Option<String>,
    /// The account's handle, where the platform needs it. It may be left out where a connection is made anew.
    #[param(example = "ada.bsky.social", max_length = 1000)]
    handle: Option<String>,
}

/// Goes to the platform's consent page.
///
/// It begins a flow for the signed-in user, bound to user, session and platform, whose state works once.
#[utoipa::path(get, path = "/oauth/{platform}/start", operation_id = "begin_consent", tag = "oauth",
    params(("platform" = PlatformName, Path, description = "Which platform."), Wanted), security(("session" = [])),
    responses(
        (status = 303, description = "To the platform's consent page. Where nothing was begun, a browser that navigates is led back to the \
            frontend, with `error=` and one of `session_required`, `csrf_rejected`, `not_found`, `validation_failed`, `too_many_requests`, \
            `unavailable`, `internal`; a program is told the problem. `validation_failed`: what the user named is no server, or no account, \
            that could be connected.",
            headers(("Location" = String, description = "On the platform, or a page of the frontend."))),
        (status = 403, description = "csrf_rejected"),
        (status = 422, description = "validation_failed"),
        (status = 429, description = "too_many_requests"),
        (status = 503, description = "unavailable"),
    ))]
pub(crate) async fn begin(
    State(deps): State<Deps>,
    signed_in: SignedIn,
    Path(platform): Path<PlatformName>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if !deps.configured.contains(&platform) {
        return Err(Problem::not_found());
    }
    // Or the table fills with flows that nobody follows.
    prefetch::refuse(&headers)?;
    let user_id = &signed_in.session.user_id;
    let before = match &wanted.reconnect {
        Some(id) => Some(connection(&deps, user_id, platform, id).await?),
        None => None,
    };
    let needs = deps.platforms.get(platform).descriptor().needs;
    let named = named::named(needs, (wanted.server.as_deref(), wanted.handle.as_deref()), before.as_ref())?;
    let now = deps.clock.now();
    count(&deps, user_id, now).await?;
    let state = FlowState::from_entropy(deps.random.bytes());
    let verifier = CodeVerifier::from_entropy(deps.random.bytes());
    let return_to = ReturnPath::from_request(wanted.return_to.as_deref());
    let flow = OAuthFlow::open(&state, &verifier, (user_id.clone(), signed_in.token_hash), platform, return_to, now)
        .at(named.as_ref().and_then(Named::server).cloned());
    let flow = before.map(|connection| connection.platform_user_id).into_iter().fold(flow, OAuthFlow::only_for);

    let Consent { url, issuer, carried } = asked(&deps, &flow, (&state, &verifier), named.as_ref()).await?;
    deps.store.begin_flow(&flow.begun(issuer, carried)).await.map_err(|error| Problem::unavailable_because(&error))?;
    tracing::info!(%user_id, platform = platform.as_str(), "a consent was begun");
    let mut location = HeaderValue::from_str(url.as_str()).map_err(|error| Problem::internal(&error))?;
    location.set_sensitive(true);
    Ok((StatusCode::SEE_OTHER, [(LOCATION, location), (CACHE_CONTROL, HeaderValue::from_static("no-store"))]).into_response())
}

/// Asks the platform, or the server that the user named.
async fn asked(
    deps: &Deps,
    flow: &OAuthFlow,
    (state, code_verifier): (&FlowState, &CodeVerifier),
    named: Option<&Named>,
) -> Result<Consent, Problem> {
    let (platform, redirect_uri) = (flow.platform, deps.web.callback_url(flow.platform));
    let state = SecretString::from(state.expose());
    let asking = async {
        let app = app::credentials(deps, &flow.user_id, &flow.app()).await?;
        let (entropy, now) = (deps.random.bytes(), deps.clock.now());
        let ask = Ask { state: &state, code_verifier, redirect_uri: &redirect_uri, named, entropy: &entropy, now };
        Ok::<_, AppError>(deps.platforms.get(platform).authorize(&app, &ask).await?)
    };
    let asked = tokio::time::timeout(ASK_MAX, asking).await;
    asked.map_err(|error| Problem::unavailable_because(&error))?.map_err(|error| not_begun(&error, named, deps.clock.now()))
}

/// What keeps a consent from its beginning.
fn not_begun(error: &AppError, named: Option<&Named>, now: Timestamp) -> Problem {
    match (error, named) {
        (AppError::Register(refused @ AuthorizeError::Refused { .. }), Some(named)) => {
            tracing::info!(error = chain(refused), "what a user named leads nowhere");
            named::unknown(named)
        }
        // What a platform as a whole refuses is ours to mend.
        (AppError::Register(refused @ AuthorizeError::Refused { .. }), None) => Problem::internal(refused),
        (AppError::TooMany(bucket), _) => Problem::too_many_requests(bucket.ends_at.duration_since(now)),
        (AppError::Leaving, _) => Problem::unavailable(LEAVING_WAIT),
        (AppError::Register(AuthorizeError::Unavailable { .. }) | AppError::Store(_) | AppError::Vault(_), _) => {
            Problem::unavailable_because(error)
        }
    }
}

/// Or 429: the table would fill with flows, and the platform with questions in our app's name.
async fn count(deps: &Deps, user_id: &UserId, now: Timestamp) -> Result<(), Problem> {
    let bucket = BEGUN_BY_USER.bucket(Subject::User(user_id), now);
    if deps.store.count(&bucket).await.map_err(|error| Problem::unavailable_because(&error))? {
        return Ok(());
    }
    tracing::warn!(%user_id, limit = BEGUN_BY_USER.name, max = BEGUN_BY_USER.max, "a limit was reached");
    Err(Problem::too_many_requests(bucket.ends_at.duration_since(now)))
}

/// A connection of the user on this platform; everything else is the same 404.
async fn connection(deps: &Deps, user: &UserId, platform: PlatformName, id: &str) -> Result<Connection, Problem> {
    let id = ConnectionId::parse(id).map_err(|_| Problem::not_found())?;
    let connection = deps.store.connection(user, &id).await.map_err(|error| Problem::unavailable_because(&error))?;
    connection.filter(|connection| connection.platform == platform).ok_or_else(Problem::not_found)
}
