//! `DELETE /api/connections/{id}`: the account is no longer ours to post to.

use axum::extract::State;
use domain::connection::{Connection, Health};
use domain::id::{AttemptId, ConnectionId, UserId};
use domain::post::Status;
use edge::json::Path;
use edge::problem::{Problem, chain};
use edge::session::SignedIn;
use http::StatusCode;
use platforms::AppCredentials;
use store::{ConnectionWrite, Filter, StoreError};

use crate::{Deps, trouble};

/// A worker may be refreshing its tokens at the same time.
const ROUNDS_MAX: usize = 5;
/// More posts than one account has under way.
const POSTS_LOOKED_AT: usize = 100;

/// No new post starts from here on. Work in flight ends first: then 202, and the same call again finishes it. The grant is taken
/// back at the platform if it can be, and the tokens are deleted in any case.
pub(crate) async fn disconnect(State(deps): State<Deps>, signed_in: SignedIn, Path(id): Path<ConnectionId>) -> Result<StatusCode, Problem> {
    let user = &signed_in.session.user_id;
    let connection = mark(&deps, user, &id).await?;
    let refreshing = connection.lease.as_ref().is_some_and(|lease| lease.until > deps.clock.now());
    if refreshing || sending(&deps, &connection).await.map_err(trouble::store)? {
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

async fn sending(deps: &Deps, connection: &Connection) -> Result<bool, StoreError> {
    let filter = Filter { status: Some(Status::Publishing), platform: Some(connection.platform), ..Filter::default() };
    let posts = deps.store.posts(&connection.user_id, &filter, POSTS_LOOKED_AT, None).await?;
    Ok(posts.items.iter().any(|(post, _)| post.connection_id == connection.id))
}

/// Tells the platform, as far as it listens. One consent may carry several accounts, and taking it back ends all of them: it
/// stays while another account of the same platform is connected.
async fn take_back(deps: &Deps, connection: &Connection) {
    if let Err(error) = try_take_back(deps, connection).await {
        tracing::warn!(connection_id = %connection.id, error = chain(&*error), "a grant was not taken back at its platform");
    }
}

async fn try_take_back(deps: &Deps, connection: &Connection) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let connections = deps.store.connections(&connection.user_id).await?;
    if connections.iter().any(|other| other.platform == connection.platform && other.id != connection.id) {
        return Ok(());
    }
    let tokens = deps.vault.read(&connection.secret_name, &connection.secret_version).await?;
    let (client_id, client_secret) = deps.vault.app_credentials(connection.platform, deps.clock.now()).await?;
    let app = AppCredentials { client_id, client_secret };
    Ok(deps.platforms.get(connection.platform).revoke(&app, &tokens).await?)
}
