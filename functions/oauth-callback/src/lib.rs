//! Finishes a consent: from the platform's redirect to a connection, or to a choice of accounts.
//!
//! *Trigger:* HTTP, `GET /oauth/{platform}/callback`; the platform sends the browser here.
//! *Reads:* flows, sessions, our apps' credentials, tokens that are replaced. *Writes:* flows, connections, choices, the vault; what was
//! replaced is ended at its platform.
//! *On failure:* the browser goes back to the frontend with a code that says what to do; a connection that works is not touched.

mod accept;
mod finish;
mod grants;
mod keep;
mod redirect;
mod retire;

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::Router;
use axum::routing::get;
use cloud::vault::Vault;
use domain::platform::PlatformName;
use edge::clock::Clock;
use edge::config::{self, ConfigError, Web, variables};
use edge::host::Host;
use edge::metrics::Metrics;
use edge::random::Random;
use edge::routing::with_fallbacks_get_alone;
use platforms::{Platforms, PlatformsError};
use store::{Store, Tables};
use utoipa::OpenApi;

/// The addresses that this function answers, as the gateway writes them.
pub const PATHS: &[&str] = &["/oauth/{platform}/callback"];

/// What the HTTP contract says of [`PATHS`].
#[derive(OpenApi)]
#[openapi(paths(finish::callback))]
pub struct Contract;

/// All that this function works with.
#[derive(Clone)]
pub struct Deps {
    /// Flows, sessions, connections, choices.
    pub store: Store,
    /// Tokens and our apps' credentials.
    pub vault: Vault,
    /// The networks.
    pub platforms: Arc<Platforms>,
    /// Those that we have credentials for.
    pub configured: Vec<PlatformName>,
    /// Where the platforms send people back, and where we send them on.
    pub web: Web,
    /// Time.
    pub clock: Clock,
    /// Ids.
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
            metrics: host.metrics("oauth-callback"),
        })
    }
}

/// The function's routes.
pub fn router(deps: Deps) -> Router {
    with_fallbacks_get_alone(Router::new().route("/oauth/{platform}/callback", get(finish::callback))).with_state(deps)
}
