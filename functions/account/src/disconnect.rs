//! `DELETE /api/connections/{id}`: the account is no longer ours to post to.

use axum::extract::State;
use domain::connection::{Connection, Health};
use domain::id::{AttemptId, ConnectionId, UserId};
use domain::post::{Post, Status};
use edge::json::Path;
use edge::problem::{Problem, chain};
use edge::session::SignedIn;
use http::StatusCode;
use jiff::SignedDuration;
use platforms::AppCredentials;
use store::{ConnectionWrite, Filter, StoreError};

use crate::{Deps, trouble};

/// A worker may be refreshing its tokens at the same time.
const ROUNDS_MAX: usize = 5;
/// A post that was due longer ago is at rest: it goes out a day late at most, and is searched for for three hours.
const IN_FLIGHT_SINCE: SignedDuration = SignedDuration::from_hours(48);

/// No new post starts from here on. Work in flight ends first: then 202, and the same call again finishes it. The grant is taken
/// back at the platform if it can be, and the tokens are deleted in any case.
#[utoipa::path(delete, path = "/api/connections/{id}", operation_id = "disconnect", tag = "connections",
    params(("id" = ConnectionId, Path)), security(("session" = [], "csrf" = [])),
    responses(
        (status = 202, description = "Work in flight ends first; the same call again finishes it."),
        (status = 204, description = "Disconnected."),
    ))]
pub(crate) async fn disconnect(State(deps): State<Deps>, signed_in: SignedIn, Path(id): Path<ConnectionId>) -> Result<StatusCode, Problem> {
    let user = &signed_in.session.user_id;
    let connection = mark(&deps, user, &id).await?;
    let refreshing = connection.lease.as_ref().is_some_and(|lease| lease.until > deps.clock.now());
    if refreshing || in_flight(&deps, &connection).await.map_err(trouble::store)? {
        return Ok(StatusCode::ACCEPTED);
    }
    // Under a lease of our own: a reconnect at this moment is refused instead of losing its tokens to us.
    let now = deps.clock.now();
    let attempt = AttemptId::new(now, deps.random.bytes());
    let connection = connection.leased(attempt.clone(), now);
    if matches!(deps.store.update_connection(&connection, attempt.as_str()).await.map_err(trouble::store)?, ConnectionWrite::Moved(_)) {
        return Ok(StatusCode::ACCEPTED);
    }
    take_back(&deps, &connection).await;
    deps.vault.delete(&connection.secret_name).await.map_err(trouble::vault)?;
    if !deps.store.delete_connection(&connection).await.map_err(trouble::store)? {
        return Ok(StatusCode::ACCEPTED);
    }
    tracing::info!(user_id = %user, connection_id = %id, platform = connection.platform.as_str(), "disconnected");
    Ok(StatusCode::NO_CONTENT)
}

/// Marks it, so that nobody starts anything with it.
async fn mark(deps: &Deps, user: &UserId, id: &ConnectionId) -> Result<Connection, Problem> {
    let now = deps.clock.now();
    let writer = AttemptId::new(now, deps.random.bytes()).to_string();
    for _ in 0..ROUNDS_MAX {
        let connection = deps.store.connection(user, id).await.map_err(trouble::store)?.ok_or_else(Problem::not_found)?;
        if connection.health == Health::Disconnecting {
            return Ok(connection);
        }
        let marked = connection.disconnecting(now);
        if matches!(deps.store.update_connection(&marked, &writer).await.map_err(trouble::store)?, ConnectionWrite::Done) {
            return Ok(marked);
        }
    }
    Err(trouble::store(StoreError::Contended { doing: "disconnecting an account" }))
}

/// Whether a worker may still need the tokens: to send, or to find what it sent.
async fn in_flight(deps: &Deps, connection: &Connection) -> Result<bool, StoreError> {
    #[cfg(feature = "planted")]
    if domain::planted::is(domain::planted::Bug::DisconnectDoesNotWait) {
        return Ok(false);
    }
    let from = Some(deps.clock.now() - IN_FLIGHT_SINCE);
    let filter = Filter { platform: Some(connection.platform), from, ..Filter::default() };
    let needs = |post: &Post| {
        post.connection_id == connection.id && matches!(post.status(), Status::Publishing | Status::Processing | Status::Unknown)
    };
    deps.store.any_post_now(&connection.user_id, &filter, needs).await
}

/// Tells the platform, as far as it listens. Where a person's grants are one, taking it back ends all of that person's accounts, also
/// another customer's: it stays while anybody's is connected.
async fn take_back(deps: &Deps, connection: &Connection) {
    if let Err(error) = try_take_back(deps, connection).await {
        tracing::warn!(connection_id = %connection.id, error = chain(&*error), "a grant was not taken back at its platform");
    }
}

async fn try_take_back(deps: &Deps, connection: &Connection) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    if let Some(grantor) = &connection.grantor {
        // Leaves first and looks then: of several that leave at once, at least the last one sees that nobody is left.
        deps.store.leave_grant(connection).await?;
        if deps.store.is_grant_held(connection.platform, grantor).await? {
            return Ok(());
        }
    }
    let tokens = deps.vault.read(&connection.secret_name, &connection.secret_version).await?;
    let (client_id, client_secret) = deps.vault.app_credentials(connection.platform, deps.clock.now()).await?;
    let app = AppCredentials { client_id, client_secret };
    Ok(deps.platforms.get(connection.platform).revoke(&app, &tokens).await?)
}
