//! Follows the payment provider: what is paid for is the plan.
//!
//! *Trigger:* HTTP, `POST /api/billing/webhook`, by Stripe.
//! *Reads:* users, cycles, customers, followed events, posts, our keys at the provider. *Writes:* the same but the keys; of posts, that they
//! are held, because their cycle no longer has their place.
//! *On failure:* 503, nothing is stored, and Stripe sends the event again for three days. Posts that were not held once the event was
//! stored are left to the cycle job.

mod event;
mod follow;
mod receive;

use aws_config::SdkConfig;
use axum::Router;
use axum::routing::post;
use cloud::vault::Vault;
use edge::clock::Clock;
use edge::config::{self, Billing, ConfigError, Prices, variables};
use edge::host::Host;
use edge::metrics::Metrics;
use edge::random::Random;
use edge::routing::with_fallbacks;
use platforms::{Payments, PlatformsError};
use store::{Store, Tables};
use utoipa::OpenApi;

/// The addresses that this function answers, as the gateway writes them.
pub const PATHS: &[&str] = &["/api/billing/webhook"];

/// What the HTTP contract says of [`PATHS`].
#[derive(OpenApi)]
#[openapi(paths(receive::receive))]
pub struct Contract;

/// All that this function works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Users, cycles, customers, events, posts.
    pub store: Store,
    /// Our keys at the provider.
    pub vault: Vault,
    /// The payment provider: pages that were left open are closed.
    pub payments: Payments,
    /// What plans are sold for.
    pub prices: Prices,
    /// Time.
    pub clock: Clock,
    /// Ids.
    pub random: Random,
    /// What is paid for and not given.
    pub metrics: Metrics,
}

/// Why the function could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Variables are missing or wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The client of the payment provider could not be made.
    #[error(transparent)]
    Payments(#[from] PlatformsError),
}

impl Deps {
    /// Reads the configuration and builds the clients; no call is made.
    pub fn new(host: &Host, sdk: &SdkConfig) -> Result<Self, StartError> {
        let (tables, prefix, billing) = config::read(&host.variables, |variables| {
            let tables = Tables {
                users: variables.text(variables::USERS_TABLE),
                posts: variables.text(variables::POSTS_TABLE),
                ledger: variables.text(variables::LEDGER_TABLE),
                sessions: variables.text(variables::SESSIONS_TABLE),
            };
            (tables, variables.secrets_prefix(), Billing::read(variables))
        })?;
        let (clock, random) = (host.clock.clone(), host.random.clone());
        let metrics = host.metrics("billing-webhook");
        let payments = Payments::new(billing.api_url)?;
        let (store, vault) = (Store::new(sdk, tables), Vault::open(sdk, prefix));
        Ok(Self { store, vault, payments, prices: billing.prices, clock, random, metrics })
    }
}

/// The function's routes.
pub fn router(deps: Deps) -> Router {
    with_fallbacks(Router::new().route("/api/billing/webhook", post(receive::receive))).with_state(deps)
}
