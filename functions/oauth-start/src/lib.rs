//! Sends a browser to a platform for consent, and tells platforms who our app is.
//!
//! *Trigger:* HTTP, `GET /oauth/{platform}/start`, signed in; `GET /oauth/{platform}/client-metadata.json`, from anybody.
//! *Reads:* sessions, the connection that is to be made anew, our apps' credentials. *Writes:* the flow, and how many one account begins; the
//! credentials of our app at a server that nobody has named before.
//! *On failure:* nothing was begun; the browser is led back to the frontend with a code that says why, and the person clicks again.

mod app;
mod begin;
mod describe;
mod lead_back;
mod named;

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use cloud::vault::Vault;
use domain::platform::PlatformName;
use edge::clock::Clock;
use edge::config::{self, ConfigError, Web, variables};
use edge::host::Host;
use edge::metrics::Metrics;
use edge::random::Random;
use edge::routing::with_fallbacks_get_alone;
use entrance::Entrance;
use platforms::{Platforms, PlatformsError};
use store::{Store, Tables};
use utoipa::OpenApi;

/// The addresses that this function answers, as the gateway writes them.
pub const PATHS: &[&str] = &["/oauth/{platform}/start", "/oauth/{platform}/client-metadata.json"];

/// What the HTTP contract says of [`PATHS`].
#[derive(OpenApi)]
#[openapi(paths(begin::begin, describe::describe))]
pub struct Contract;

/// All that this function works with.
#[derive(Clone)]
pub struct Deps {
    /// Sessions, flows and connections.
    pub store: Store,
    /// Our apps' credentials.
    pub vault: Vault,
    /// The networks.
    pub platforms: Arc<Platforms>,
    /// Those that we have credentials for.
    pub configured: Vec<PlatformName>,
    /// Where the platforms send people back, and whose pages may call.
    pub web: Web,
    /// Time.
    pub clock: Clock,
    /// States and verifiers.
    pub random: Random,
    /// How many people are led back because of us.
    pub metrics: Metrics,
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
        let (tables, prefix, networks, web) = config::read(&host.variables, |variables| {
            let tables = Tables {
                users: variables.text(variables::USERS_TABLE),
                sessions: variables.text(variables::SESSIONS_TABLE),
                ..Tables::default()
            };
            (tables, variables.secrets_prefix(), config::Platforms::read(variables), Web::read(variables))
        })?;
        Ok(Self {
            store: Store::new(sdk, tables),
            vault: Vault::open(sdk, prefix),
            configured: networks.configured,
            platforms: Arc::new(Platforms::new(&networks.addresses)?),
            web,
            clock: host.clock.clone(),
            random: host.random.clone(),
            metrics: host.metrics("oauth-start"),
        })
    }
}

/// The function's routes.
pub fn router(deps: Deps) -> Router {
    let entrance = Entrance::new(&deps.store, &deps.clock, &deps.random, &deps.web.allowed_origins);
    let router = Router::new().route("/oauth/{platform}/start", get(begin::begin));
    // A HEAD would begin a flow that nobody follows.
    // Around the session: what another site sends is refused before anything is read.
    let guarded = entrance.signed_in(router).route_layer(from_fn_with_state(deps.clone(), lead_back::lead_back));
    let open = Router::new().route("/oauth/{platform}/client-metadata.json", get(describe::describe));
    with_fallbacks_get_alone(guarded.merge(open)).with_state(deps)
}
