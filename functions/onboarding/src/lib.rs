//! Signs people in by phone, and gives them a plan for a gift certificate.
//!
//! *Trigger:* HTTP, the addresses of [`PATHS`].
//! *Reads:* users, cycles, sessions, verification codes, gift certificates, counts of limits, the hash key. *Writes:* the same but the key; text messages.
//! *On failure:* 503, and the caller repeats. A code that was used up without an answer is asked for again; a certificate
//! that was redeemed without an answer is redeemed again, with the same answer.

mod limits;
mod list_plans;
mod problems;
mod redeem_gift;
mod send_code;
mod verify_code;

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::Router;
use axum::routing::{get, post};
use cloud::texts::TextMessages;
use cloud::vault::{HashKeySecret, VaultError};
use domain::people::HashKey;
use domain::people::hash::KeyTooShort;
use edge::clock::Clock;
use edge::config::{self, PhoneCodes, Web, variables};
use edge::host::Host;
use edge::metrics::Metrics;
use edge::random::Random;
use edge::routing::with_fallbacks;
use entrance::Entrance;
use secrecy::ExposeSecret;
use store::{Store, Tables};
use tokio::sync::OnceCell;
use utoipa::OpenApi;

use crate::limits::CodeLimits;

/// The addresses that this function answers, as the gateway writes them.
pub const PATHS: &[&str] = &["/api/verification-codes", "/api/verify-code", "/api/plans", "/api/redeem-gift"];

/// What the HTTP contract says of [`PATHS`].
#[derive(OpenApi)]
#[openapi(paths(send_code::answer, verify_code::answer, list_plans::answer, redeem_gift::answer))]
pub struct Contract;

/// All that onboarding works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Users, cycles, sessions, codes, certificates.
    pub store: Store,
    /// Where the hash key is.
    pub hash_key_secret: HashKeySecret,
    /// Codes go out here.
    pub texts: TextMessages,
    /// Time.
    pub clock: Clock,
    /// Codes, tokens and ids.
    pub random: Random,
    /// Whose pages may call.
    pub allowed_origins: Vec<String>,
    limits: CodeLimits,
    metrics: Metrics,
    hash_key: Arc<OnceCell<HashKey>>,
}

/// Why the function could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Variables are missing or wrong.
    #[error(transparent)]
    Config(#[from] config::ConfigError),
}

/// Why there is no hash key.
#[derive(Debug, thiserror::Error)]
pub enum HashKeyError {
    /// The vault did not give it.
    #[error("reading the hash key")]
    Vault(#[from] VaultError),
    /// It protects nothing.
    #[error("the hash key is unfit")]
    Unfit(#[from] KeyTooShort),
}

impl Deps {
    /// Reads the configuration and builds the clients; no call is made.
    pub fn new(host: &Host, sdk: &SdkConfig) -> Result<Self, StartError> {
        let (tables, hash_key, web, codes) = config::read(&host.variables, |variables| {
            let tables = Tables {
                users: variables.text(variables::USERS_TABLE),
                ledger: variables.text(variables::LEDGER_TABLE),
                sessions: variables.text(variables::SESSIONS_TABLE),
                ..Tables::default()
            };
            (tables, variables.text(variables::HASH_KEY_SECRET), Web::read(variables), PhoneCodes::read(variables))
        })?;
        Ok(Self {
            store: Store::new(sdk, tables),
            hash_key_secret: HashKeySecret::new(sdk, hash_key),
            texts: TextMessages::new(sdk),
            clock: host.clock.clone(),
            random: host.random.clone(),
            allowed_origins: web.allowed_origins,
            limits: CodeLimits::new(codes),
            metrics: host.metrics("onboarding"),
            hash_key: Arc::default(),
        })
    }

    /// The key under which phones, codes and certificates are stored. Read from the vault once, by whoever needs it first.
    pub async fn hash_key(&self) -> Result<&HashKey, HashKeyError> {
        let read = || async {
            let key = self.hash_key_secret.read().await?;
            Ok(HashKey::new(key.expose_secret().as_bytes().to_vec())?)
        };
        self.hash_key.get_or_try_init(read).await
    }
}

/// The function's routes.
pub fn router(deps: Deps) -> Router {
    let entrance = Entrance::new(&deps.store, &deps.clock, &deps.random, &deps.allowed_origins);
    let signed_in = Router::new().route("/api/redeem-gift", post(redeem_gift::answer));
    let open = Router::new()
        .route("/api/verification-codes", post(send_code::answer))
        .route("/api/verify-code", post(verify_code::answer))
        .route("/api/plans", get(list_plans::answer));
    with_fallbacks(entrance.open(open).merge(entrance.signed_in(signed_in))).with_state(deps)
}
