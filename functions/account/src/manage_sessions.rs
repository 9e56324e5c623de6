//! `/api/establish-session`, `/api/logout`, `/api/sessions`: who is signed in where.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::id::SessionId;
use domain::order::Order;
use domain::people::session::IDLE;
use edge::contract::{ListJson, ListQuery, Time, UserJson};
use edge::json::{Empty, Json, NoFields, Path, Query};
use edge::problem::{Problem, ProblemCode};
use edge::session::{SignedIn, clear_cookie, read_token, set_cookie};
use http::header::SET_COOKIE;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Deps, read_account, trouble};

/// What a page that was just loaded needs.
#[derive(Serialize, ToSchema)]
#[schema(as = Established)]
pub(crate) struct EstablishedJson {
    /// Who is signed in.
    user: UserJson,
    /// For the header `X-CSRF-Token`.
    csrf_token: String,
    /// When the session ends, unless it is extended.
    expires_at: Time,
}

/// A session as its owner sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionJson {
    /// Names the session.
    id: SessionId,
    /// When it began.
    created_at: Time,
    /// When it was last used.
    last_seen_at: Time,
    /// What the browser called itself; `null`: nothing.
    user_agent: Option<String>,
    /// Whether it is the one that asks.
    current: bool,
}

/// Extends the session.
///
/// It tells the session's CSRF token, for a page that was just loaded. A session that was ended meanwhile stays ended.
#[utoipa::path(post, path = "/api/establish-session", operation_id = "establish_session", tag = "session",
    request_body = Option<NoFields>, security(("session" = [])),
    responses(
        (status = 200, description = "The session goes on.", body = EstablishedJson,
            headers(("Set-Cookie" = String, description = "The session, extended."))),
    ))]
pub(crate) async fn establish(State(deps): State<Deps>, signed_in: SignedIn, headers: HeaderMap, _: Empty) -> Result<Response, Problem> {
    let (now, session) = (deps.clock.now(), signed_in.session);
    let (user, running) = read_account::account(&deps, &session.user_id).await?;
    let body = EstablishedJson {
        user: UserJson::new(&user, running.as_ref(), now),
        csrf_token: signed_in.csrf_token.expose().to_owned(),
        expires_at: session.expires_at.into(),
    };
    let token = read_token(&headers).ok_or_else(|| Problem::new(ProblemCode::SessionRequired))?;
    let max_age = session.expires_at.duration_since(now).min(IDLE);
    Ok(([(SET_COOKIE, set_cookie(&token, max_age))], Json(body)).into_response())
}

/// Signs out.
///
/// Ends the session everywhere and clears its cookie.
#[utoipa::path(post, path = "/api/logout", operation_id = "log_out", tag = "session",
    request_body = Option<NoFields>, security(("session" = [], "csrf" = [])),
    responses((status = 204, description = "Signed out.", headers(("Set-Cookie" = String, description = "The session, cleared.")))))]
pub(crate) async fn log_out(State(deps): State<Deps>, signed_in: SignedIn, _: Empty) -> Result<Response, Problem> {
    deps.store.end_session(&signed_in.token_hash).await.map_err(trouble::store)?;
    tracing::info!(user_id = %signed_in.session.user_id, session_id = %signed_in.session.id, "signed out");
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, clear_cookie())]).into_response())
}

/// The user's live sessions.
///
/// Newest first unless another order is asked for; `current` is the one that asks.
#[utoipa::path(get, path = "/api/sessions", operation_id = "list_sessions", tag = "session", params(ListQuery), security(("session" = [])),
    responses(
        (status = 200, description = "One page.", body = ListJson<SessionJson>),
        (status = 400, description = "invalid_cursor"),
    ))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    signed_in: SignedIn,
    Query(query): Query<ListQuery>,
) -> Result<Json<ListJson<SessionJson>>, Problem> {
    let (now, user) = (deps.clock.now(), &signed_in.session.user_id);
    let stored = deps.store.sessions(user).await.map_err(trouble::store)?;
    let live = stored.into_iter().map(|stored| stored.session).filter(|session| session.is_live(now));
    // Ids begin with the time at which they were made.
    let rows = live
        .map(|session| {
            let told = SessionJson {
                current: session.id == signed_in.session.id,
                id: session.id.clone(),
                created_at: session.created_at.into(),
                last_seen_at: session.last_seen_at.into(),
                user_agent: session.user_agent,
            };
            (session.id.to_string(), told)
        })
        .collect();
    ListJson::of_all(rows, &query, Order::Desc, (user, "sessions")).map(Json)
}

/// Ends one of the user's sessions.
///
/// Whoever holds it is signed out at once. Ending the own one is signing out.
#[utoipa::path(delete, path = "/api/sessions/{id}", operation_id = "end_session", tag = "session",
    params(("id" = SessionId, Path, description = "Which session.")), security(("session" = [], "csrf" = [])),
    responses((status = 204, description = "Ended.")))]
pub(crate) async fn end(State(deps): State<Deps>, signed_in: SignedIn, Path(id): Path<SessionId>) -> Result<Response, Problem> {
    let stored = deps.store.sessions(&signed_in.session.user_id).await.map_err(trouble::store)?;
    let stored = stored.into_iter().find(|stored| stored.session.id == id).ok_or_else(Problem::not_found)?;
    if deps.store.end_listed_session(&stored).await.map_err(trouble::store)? {
        tracing::info!(user_id = %signed_in.session.user_id, session_id = %id, "a session was ended");
        let own = (id == signed_in.session.id).then(|| HeaderMap::from_iter([(SET_COOKIE, clear_cookie())]));
        Ok((StatusCode::NO_CONTENT, own.unwrap_or_default()).into_response())
    } else {
        Err(Problem::not_found())
    }
}
