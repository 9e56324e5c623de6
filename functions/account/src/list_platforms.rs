//! `/api/platforms`: what can be connected, and what each takes.

use axum::extract::State;
use domain::platform::{Needs, PlatformName, Reconcile};
use domain::text::TextUnit;
use edge::contract::{ConnectionJson, ListJson};
use edge::json::Json;
use edge::problem::Problem;
use edge::session::SignedIn;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Deps, trouble};

/// One platform.
#[derive(Serialize, ToSchema)]
#[schema(as = Platform)]
pub(crate) struct PlatformJson {
    /// Its name in the contract.
    platform: PlatformName,
    /// Its name as people write it.
    name: &'static str,
    /// Whether accounts can be connected here.
    configured: bool,
    /// The user's accounts there.
    connections: Vec<ConnectionJson>,
    /// What a post may hold there.
    limits: LimitsJson,
    /// What the user must tell before the consent.
    #[schema(value_type = Option<Needs>)]
    needs: Option<&'static str>,
    /// How a lost answer is cleared up.
    reconcile: ReconcileJson,
}

/// How a lost answer is cleared up.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Reconcile)]
enum ReconcileJson {
    /// The create call takes our key and may be repeated.
    Key,
    /// A stored handle can be read or finished.
    Handle,
    /// The account's own posts can be searched.
    Search,
    /// Only a person can tell.
    Person,
}

impl From<Reconcile> for ReconcileJson {
    fn from(class: Reconcile) -> Self {
        match class {
            Reconcile::Key { .. } => Self::Key,
            Reconcile::Handle => Self::Handle,
            Reconcile::Search => Self::Search,
            Reconcile::Person => Self::Person,
        }
    }
}

/// What a post may hold on a platform.
#[derive(Serialize, ToSchema)]
#[schema(as = PlatformLimits)]
struct LimitsJson {
    /// The longest text, in `text_unit`.
    text_max: u32,
    /// How the platform counts a text.
    #[schema(value_type = TextUnit)]
    text_unit: &'static str,
    /// The most bytes of text in UTF-8; `null`: they have no limit of their own.
    text_bytes_max: Option<u32>,
    /// No kind of medium is taken.
    #[schema(value_type = Vec<String>, max_items = 0)]
    media: [String; 0],
}

/// What can be connected.
///
/// Every platform, what it takes, and which of the user's accounts are connected there.
#[utoipa::path(get, path = "/api/platforms", operation_id = "list_platforms", tag = "connections", security(("session" = [])),
    responses((status = 200, description = "Every platform.", body = ListJson<PlatformJson>)))]
pub(crate) async fn list(State(deps): State<Deps>, signed_in: SignedIn) -> Result<Json<ListJson<PlatformJson>>, Problem> {
    let connections = deps.store.connections(&signed_in.session.user_id).await.map_err(trouble::store)?;
    let items = deps.platforms.all().map(|platform| {
        let name = platform.name();
        let descriptor = platform.descriptor();
        PlatformJson {
            platform: name,
            name: descriptor.display_name,
            configured: deps.configured.contains(&name),
            connections: connections.iter().filter(|connection| connection.platform == name).map(ConnectionJson::from).collect(),
            limits: LimitsJson {
                text_max: descriptor.text.max,
                text_unit: descriptor.text.unit.as_str(),
                text_bytes_max: descriptor.text.bytes_max,
                media: [],
            },
            needs: descriptor.needs.map(Needs::as_str),
            reconcile: (descriptor.reconcile)(&descriptor.usual_facts()).into(),
        }
    });
    Ok(Json(ListJson::whole(items.collect())))
}
