//! `/api/platforms`: what can be connected, and what each takes.

use axum::extract::State;
use domain::platform::PlatformName;
use domain::text::TextLimit;
use edge::contract::{ConnectionJson, ListJson};
use edge::json::Json;
use edge::problem::Problem;
use edge::session::SignedIn;
use platforms::Needs;
use serde::Serialize;

use crate::{Deps, trouble};

#[derive(Serialize)]
pub(crate) struct PlatformJson {
    platform: PlatformName,
    name: &'static str,
    configured: bool,
    connections: Vec<ConnectionJson>,
    limits: LimitsJson,
    needs: Option<&'static str>,
    reconcile: &'static str,
}

#[derive(Serialize)]
struct LimitsJson {
    text_max: u32,
    text_unit: &'static str,
    /// No kind of medium is taken.
    media: [String; 0],
}

pub(crate) async fn list(State(deps): State<Deps>, signed_in: SignedIn) -> Result<Json<ListJson<PlatformJson>>, Problem> {
    let connections = deps.store.connections(&signed_in.session.user_id).await.map_err(trouble::store)?;
    let items = deps.platforms.all().map(|platform| {
        let name = platform.name();
        let limit = TextLimit::for_platform(name);
        let capabilities = platform.capabilities();
        PlatformJson {
            platform: name,
            name: name.display_name(),
            configured: deps.configured.contains(&name),
            connections: connections.iter().filter(|connection| connection.platform == name).map(ConnectionJson::from).collect(),
            limits: LimitsJson { text_max: limit.max, text_unit: limit.unit.as_str(), media: [] },
            needs: capabilities.needs.map(Needs::as_str),
            reconcile: capabilities.reconcile.as_str(),
        }
    });
    Ok(Json(ListJson::whole(items.collect())))
}
