//! `GET /api/connections`: the accounts that the user let us post to.

use axum::extract::State;
use edge::contract::{ConnectionJson, ListJson};
use edge::json::Json;
use edge::problem::Problem;
use edge::session::SignedIn;

use crate::{Deps, trouble};

/// The connected accounts.
///
/// All accounts that the user let us post to, also those whose consent has ended since.
#[utoipa::path(get, path = "/api/connections", operation_id = "list_connections", tag = "connections", security(("session" = [])),
    responses((status = 200, description = "All of them.", body = ListJson<ConnectionJson>, links(
        ("disconnect" = (operation_id = "disconnect", parameters(("id" = "$response.body#/items/0/id")))),
        ("reconnect" = (operation_id = "begin_consent", parameters(
            ("platform" = "$response.body#/items/0/platform"),
            ("reconnect" = "$response.body#/items/0/id"),
        ))),
    ))))]
pub(crate) async fn list(State(deps): State<Deps>, signed_in: SignedIn) -> Result<Json<ListJson<ConnectionJson>>, Problem> {
    let connections = deps.store.connections(&signed_in.session.user_id).await.map_err(trouble::store)?;
    Ok(Json(ListJson::whole(connections.iter().map(ConnectionJson::from).collect())))
}
