//! `GET /oauth/{platform}/start`: a flow is stored, and the browser goes to the platform.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::id::{ConnectionId, UserId};
use domain::people::limit::Subject;
use domain::people::oauth_flow::{BEGUN_BY_USER, OAuthFlow};
use domain::people::{CodeVerifier, FlowState, ReturnPath};
use domain::platform::PlatformName;
use edge::json::{Path, Query};
use edge::prefetch;
use edge::problem::Problem;
use edge::session::SignedIn;
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use platforms::{AppCredentials, Ask, AuthorizeError, Consent};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Deps;

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
}

/// Goes to the platform's consent page.
///
/// It begins a flow for the signed-in user, bound to user, session and platform, whose state works once.
#[utoipa::path(get, path = "/oauth/{platform}/start", operation_id = "begin_consent", tag = "oauth",
    params(("platform" = PlatformName, Path, description = "Which platform."), Wanted), security(("session" = [])),
    responses(
        (status = 303, description = "To the platform's consent page. Where nothing was begun, a browser that navigates is led back to the \
            frontend, with `error=` and one of `session_required`, `csrf_rejected`, `not_found`, `too_many_requests`, `unavailable`, `internal`; \
            a program is told the problem.", headers(("Location" = String, description = "On the platform, or a page of the frontend."))),
        (status = 403, description = "csrf_rejected"),
        (status = 429, description = "too_many_requests"),
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
    let now = deps.clock.now();
    let state = FlowState::from_entropy(deps.random.bytes());
    let verifier = CodeVerifier::from_entropy(deps.random.bytes());
    let return_to = ReturnPath::from_request(wanted.return_to.as_deref());
    let user_id = signed_in.session.user_id;
    let mut flow = OAuthFlow::open(&state, &verifier, (user_id.clone(), signed_in.token_hash), platform, return_to, now);
    if let Some(id) = wanted.reconnect {
        flow = flow.only_for(account_of(&deps, &user_id, platform, &id).await?);
    }
    count(&deps, &user_id, now).await?;

    let credentials = deps.vault.app_credentials(platform, now).await;
    let (client_id, client_secret) = credentials.map_err(|error| Problem::unavailable_because(&error))?;
    let redirect_uri = deps.web.callback_url(platform);
    let state = SecretString::from(state.expose());
    let ask = Ask { state: &state, code_verifier: &verifier, redirect_uri: &redirect_uri };
    let consent = deps.platforms.get(platform).authorize(&AppCredentials { client_id, client_secret }, &ask).await;
    let Consent { url: address, .. } = consent.map_err(|error| not_begun(&error))?;

    deps.store.begin_flow(&flow).await.map_err(|error| Problem::unavailable_because(&error))?;
    tracing::info!(%user_id, platform = platform.as_str(), "a consent was begun");
    let mut location = HeaderValue::from_str(address.as_str()).map_err(|error| Problem::internal(&error))?;
    location.set_sensitive(true);
    Ok((StatusCode::SEE_OTHER, [(LOCATION, location), (CACHE_CONTROL, HeaderValue::from_static("no-store"))]).into_response())
}

/// What keeps a consent from its beginning.
fn not_begun(error: &AuthorizeError) -> Problem {
    match error {
        AuthorizeError::Refused { .. } => Problem::not_found(),
        AuthorizeError::Unavailable { .. } => Problem::unavailable_because(error),
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

/// The account behind a connection of the user on this platform; everything else is the same 404.
async fn account_of(deps: &Deps, user: &UserId, platform: PlatformName, id: &str) -> Result<String, Problem> {
    let id = ConnectionId::parse(id).map_err(|_| Problem::not_found())?;
    let connection = deps.store.connection(user, &id).await.map_err(|error| Problem::unavailable_because(&error))?;
    let connection = connection.filter(|connection| connection.platform == platform).ok_or_else(Problem::not_found)?;
    Ok(connection.platform_user_id)
}
