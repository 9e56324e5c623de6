//! `GET /api/connections`: the accounts that the user let us post to.

use axum::extract::State;
use domain::order::Order;
use edge::contract::{ConnectionJson, ListJson, ListQuery};
use edge::json::{Json, Query};
use edge::problem::Problem;
use edge::session::SignedIn;

use crate::{Deps, trouble};

/// The connected accounts.
///
/// All accounts that the user let us post to, in the order in which they were first connected; also those whose consent has ended since.
#[utoipa::path(get, path = "/api/connections", operation_id = "list_connections", tag = "connections", params(ListQuery),
    security(("session" = [])),
    responses(
        (status = 200, description = "One page.", body = ListJson<ConnectionJson>, links(
            ("disconnect" = (operation_id = "disconnect", parameters(("id" = "$response.body#/items/0/id")))),
            ("reconnect" = (operation_id = "begin_consent", parameters(
                ("platform" = "$response.body#/items/0/platform"),
                ("reconnect" = "$response.body#/items/0/id"),
            ))),
        )),
        (status = 400, description = "invalid_cursor"),
    ))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    signed_in: SignedIn,
    Query(query): Query<ListQuery>,
) -> Result<Json<ListJson<ConnectionJson>>, Problem> {
    let user = &signed_in.session.user_id;
    let connections = deps.store.connections(user).await.map_err(trouble::store)?;
    let rows = connections.iter().map(|connection| (connection.id.to_string(), ConnectionJson::from(connection))).collect();
    ListJson::of_all(rows, &query, Order::Asc, (user, "connections")).map(Json)
}
