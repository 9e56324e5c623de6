//! `DELETE /api/connections/{id}`: the account is no longer ours to post to.

use axum::extract::State;
use connecting::{Ended, Ending};
use domain::connection::{Connection, Health};
use domain::id::{AttemptId, ConnectionId, UserId};
use domain::ledger::Actor;
use edge::json::Path;
use edge::problem::Problem;
use edge::session::SignedIn;
use http::StatusCode;
use store::{ConnectionWrite, Leftover, Rounds};

use crate::{Deps, trouble};

/// Disconnects an account.
///
/// No new post starts from here on, and what is scheduled is held. Work in flight ends first: then 202, and the same call again finishes
/// it, or we do within the next hours. The grant is taken back at the platform if it can be, and the tokens are deleted in any case. The
/// same account that is connected again has the same id, and its held posts go on.
#[utoipa::path(delete, path = "/api/connections/{id}", operation_id = "disconnect", tag = "connections",
    params(("id" = ConnectionId, Path, description = "Which connection.")), security(("session" = [], "csrf" = [])),
    responses(
        (status = 202, description = "Work in flight ends first; the same call again finishes it, or we do later."),
        (status = 204, description = "Disconnected."),
    ))]
pub(crate) async fn disconnect(State(deps): State<Deps>, signed_in: SignedIn, Path(id): Path<ConnectionId>) -> Result<StatusCode, Problem> {
    let user = &signed_in.session.user_id;
    let connection = mark(&deps, user, &id).await?;
    let now = deps.clock.now();
    let attempt = AttemptId::new(now, deps.random.bytes());
    let Deps { store, vault, platforms, random, .. } = &deps;
    let ending = Ending { store, vault, platforms, random, attempt, actor: Actor::User };
    match connecting::end(&ending, connection, now).await.map_err(trouble::end)? {
        Ended::Gone => Ok(StatusCode::NO_CONTENT),
        Ended::NotYet => Ok(StatusCode::ACCEPTED),
    }
}

/// Marks it, so that nobody starts anything with it. Noted first: should this call be the last one, the sweeper finishes it.
async fn mark(deps: &Deps, user: &UserId, id: &ConnectionId) -> Result<Connection, Problem> {
    let now = deps.clock.now();
    let writer = AttemptId::new(now, deps.random.bytes()).to_string();
    let mut rounds = Rounds::new("disconnecting an account", &writer);
    loop {
        rounds.next().await.map_err(trouble::store)?;
        let connection = deps.store.connection(user, id).await.map_err(trouble::store)?.ok_or_else(Problem::not_found)?;
        if connection.health == Health::Disconnecting {
            return Ok(connection);
        }
        let note = Leftover::Disconnect { user_id: user.clone(), connection_id: id.clone(), at: now };
        deps.store.note_leftover(&note).await.map_err(trouble::store)?;
        let marked = connection.disconnecting(now);
        if matches!(deps.store.turn_connection(&marked, &writer).await.map_err(trouble::store)?, ConnectionWrite::Done) {
            return Ok(marked);
        }
    }
}
