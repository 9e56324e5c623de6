//! What a signed-in person sees and manages beside their posts: session, account, quota, analytics, billing,
//! platforms and connections.
//!
//! *Trigger:* HTTP, the addresses of [`PATHS`], and every address that no other function has.
//! *Reads:* users, cycles, their history and what they came to, connections, sessions, posts, their numbers, choices. *Writes:* sessions, connections,
//! choices, the vault; a grant is taken back at its platform, a page to pay on is asked for at the payment provider.
//! *On failure:* 503, and the caller repeats; every call can be repeated.

mod buy_plan;
mod choose_accounts;
mod csv_file;
mod disconnect;
mod export;
mod list_connections;
mod list_platforms;
mod manage_sessions;
mod read_account;
mod read_cycles;
mod read_quota;
mod read_totals;
mod trouble;

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::Router;
use axum::routing::{delete, get, post};
use cloud::vault::Vault;
use domain::analytics::Paces;
use domain::platform::PlatformName;
use edge::clock::Clock;
use edge::config::{self, Billing, ConfigError, Prices, Web, variables};
use edge::host::Host;
use edge::json::Json;
use edge::random::Random;
use edge::routing::with_fallbacks;
use entrance::Entrance;
use platforms::{Payments, Platforms, PlatformsError};
use serde::Serialize;
use store::{Store, Tables};
use url::Url;
use utoipa::{OpenApi, ToSchema};

/// The addresses that this function answers, as the gateway writes them; `$default` is every address that nobody has.
pub const PATHS: &[&str] = &[
    "/api/establish-session",
    "/api/logout",
    "/api/sessions",
    "/api/sessions/{id}",
    "/api/user",
    "/api/user/status",
    "/api/quota",
    "/api/quota/history",
    "/api/analytics/cycles",
    "/api/analytics/totals",
    "/api/export/cycles.csv",
    "/api/export/posts.csv",
    "/api/platforms",
    "/api/connections",
    "/api/connections/{id}",
    "/api/connections/choices/{id}",
    "/api/billing/checkout",
    "/api/billing/portal",
    "/api/health",
    "$default",
];

/// What the HTTP contract says of [`PATHS`].
#[derive(OpenApi)]
#[openapi(paths(
    manage_sessions::establish,
    manage_sessions::log_out,
    manage_sessions::list,
    manage_sessions::end,
    read_account::user,
    read_account::status,
    read_quota::quota,
    read_quota::history,
    read_cycles::list,
    read_totals::list,
    export::cycles,
    export::posts,
    list_platforms::list,
    list_connections::list,
    disconnect::disconnect,
    choose_accounts::offered,
    choose_accounts::choose,
    buy_plan::checkout,
    buy_plan::portal,
    health,
))]
pub struct Contract;

/// All that this function works with.
#[derive(Clone)]
pub struct Deps {
    /// Users, cycles, connections, sessions, posts.
    pub store: Store,
    /// Tokens, and our apps' credentials for taking a grant back.
    pub vault: Vault,
    /// The networks.
    pub platforms: Arc<Platforms>,
    /// Those that we have credentials for.
    pub configured: Vec<PlatformName>,
    /// How often they are asked for metrics: what is told of the next time.
    pub paces: Paces,
    /// The payment provider.
    pub payments: Payments,
    /// What plans are sold for.
    pub prices: Prices,
    /// Where browsers come back to from the provider's pages.
    pub frontend_url: Url,
    /// Time.
    pub clock: Clock,
    /// Ids.
    pub random: Random,
    /// Whose pages may call.
    pub allowed_origins: Vec<String>,
}

/// Why the function could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Variables are missing or wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The adapters could not be made.
    #[error(transparent)]
    Platforms(#[from] PlatformsError),
}

impl Deps {
    /// Reads the configuration and builds the clients; no call is made.
    pub fn new(host: &Host, sdk: &SdkConfig) -> Result<Self, StartError> {
        let ((tables, prefix), networks, paces, web, billing) = config::read(&host.variables, |variables| {
            let tables = Tables {
                users: variables.text(variables::USERS_TABLE),
                posts: variables.text(variables::POSTS_TABLE),
                ledger: variables.text(variables::LEDGER_TABLE),
                sessions: variables.text(variables::SESSIONS_TABLE),
            };
            let (networks, paces) = (config::Platforms::read(variables), config::metrics_paces(variables));
            ((tables, variables.secrets_prefix()), networks, paces, Web::read(variables), Billing::read(variables))
        })?;
        Ok(Self {
            store: Store::new(sdk, tables).leaving_out(host.counts_left_out("account")),
            vault: Vault::open(sdk, prefix),
            configured: networks.configured,
            platforms: Arc::new(Platforms::new(&networks.addresses)?),
            paces,
            clock: host.clock.clone(),
            random: host.random.clone(),
            allowed_origins: web.allowed_origins,
            payments: Payments::new(billing.api_url)?,
            prices: billing.prices,
            frontend_url: web.frontend_url,
        })
    }
}

/// That the service answers.
#[derive(Serialize, ToSchema)]
#[schema(as = ServiceHealth)]
struct HealthJson {
    /// Always `ok`.
    status: &'static str,
    /// The version that runs.
    version: &'static str,
}

/// Whether the service answers.
///
/// For monitors: no session, no table.
#[utoipa::path(get, path = "/api/health", operation_id = "health", tag = "service",
    responses((status = 200, description = "It does.", body = HealthJson)))]
async fn health() -> Json<HealthJson> {
    Json(HealthJson { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

/// The function's routes.
pub fn router(deps: Deps) -> Router {
    let entrance = Entrance::new(&deps.store, &deps.clock, &deps.random, &deps.allowed_origins);
    let first_call = Router::new().route("/api/establish-session", post(manage_sessions::establish));
    let signed_in = Router::new()
        .route("/api/logout", post(manage_sessions::log_out))
        .route("/api/sessions", get(manage_sessions::list))
        .route("/api/sessions/{id}", delete(manage_sessions::end))
        .route("/api/user", get(read_account::user))
        .route("/api/user/status", get(read_account::status))
        .route("/api/quota", get(read_quota::quota))
        .route("/api/quota/history", get(read_quota::history))
        .route("/api/analytics/cycles", get(read_cycles::list))
        .route("/api/analytics/totals", get(read_totals::list))
        .route("/api/export/cycles.csv", get(export::cycles))
        .route("/api/export/posts.csv", get(export::posts))
        .route("/api/platforms", get(list_platforms::list))
        .route("/api/connections", get(list_connections::list))
        .route("/api/connections/{id}", delete(disconnect::disconnect))
        .route("/api/connections/choices/{id}", get(choose_accounts::offered).post(choose_accounts::choose))
        .route("/api/billing/checkout", post(buy_plan::checkout))
        .route("/api/billing/portal", post(buy_plan::portal));
    let open = Router::new().route("/api/health", get(health));
    with_fallbacks(open.merge(entrance.resumed(first_call)).merge(entrance.signed_in(signed_in))).with_state(deps)
}
