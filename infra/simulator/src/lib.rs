//! The platforms' doubles: consent, tokens, posting, reading back, and faults on demand.
//!
//! One axum router, mounted at `/_sim`, speaks each network's own protocol below `/_sim/{platform}` closely enough that the real
//! adapters cannot tell. See README.md for what it does and what it leaves out.

mod bluesky;
mod consent;
mod control;
mod doubles;
mod facebook;
mod faults;
mod linkedin;
mod mastodon;
mod numbers;
mod page;
mod storage;
pub mod stripe;
mod threads;
mod token;
mod x;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use domain::platform::PlatformName;
use edge::clock::Clock;
use edge::random::Random;
use url::Url;

use doubles::DOUBLES;
use storage::Storage;

/// The app that is registered with every simulated platform.
pub const APP_CLIENT_ID: &str = "postledger-local";

/// Its secret. It opens nothing but the simulator.
pub const APP_CLIENT_SECRET: &str = "simulated-app-secret";

/// The private key that the app proves itself by at Bluesky. It opens nothing but the simulator.
const BLUESKY_APP_KEY: &str = "c2ltdWxhdGVkLWJsdWVza3ktYXBwLXNpZ25pbmcta2U";

/// What the payment provider signs with on this machine. It opens nothing else.
pub const WEBHOOK_SECRET: &str = "whsec_simulated0123456789";

/// What the provider's API is called with on this machine.
pub const BILLING_API_KEY: &str = "sk_test_simulated";

/// The price of the starter plan on this machine.
pub const STARTER_PRICE: &str = "price_local_starter";

/// The price of the professional plan on this machine.
pub const PROFESSIONAL_PRICE: &str = "price_local_professional";

/// The largest body that is read: Facebook's longest text, form encoded, is below it.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// What `PLATFORM_ADDRESSES` holds where every platform is a simulator whose router is mounted at `{base_url}/_sim`.
pub fn addresses(base_url: &Url) -> String {
    format!("*={}/_sim", base_url.as_str().trim_end_matches('/'))
}

/// The app's credentials at `platform`, where the service is at `base_url`: its id and its secret.
pub fn app_credentials(platform: PlatformName, base_url: &Url) -> (String, String) {
    match platform {
        PlatformName::Bluesky => (bluesky::client_id(base_url.as_str().trim_end_matches('/')), BLUESKY_APP_KEY.to_owned()),
        _ => (APP_CLIENT_ID.to_owned(), APP_CLIENT_SECRET.to_owned()),
    }
}

/// The simulated platforms. Clones share their state.
#[derive(Clone)]
pub struct Simulator(Arc<World>);

/// What the handlers stand on.
struct World {
    storage: Storage,
    clock: Clock,
    random: Random,
    base: String,
    renewing: tokio::sync::Mutex<()>,
}

impl Simulator {
    /// Opens the state in `data_dir`, where it outlives the process, or an empty one in memory.
    ///
    /// `base_url` is the address of the service: it gives the one redirect address per platform that is registered.
    pub fn open(data_dir: Option<&Path>, clock: Clock, base_url: &Url) -> anyhow::Result<Self> {
        let storage = Storage::open(data_dir).context("opening the simulator's state")?;
        let base = base_url.as_str().trim_end_matches('/').to_owned();
        Ok(Self(Arc::new(World { storage, clock, random: Random::system(), base, renewing: tokio::sync::Mutex::default() })))
    }

    /// The routes, to be nested at `/_sim`.
    pub fn router(&self) -> Router {
        let mut router = control::unknown().nest("/stripe", stripe::routes());
        for double in DOUBLES {
            router = router.nest(&format!("/{}", double.platform()), double.routes().merge(control::routes(double)));
        }
        router.layer(DefaultBodyLimit::max(BODY_BYTES_MAX)).with_state(Arc::clone(&self.0))
    }
}

impl Simulator {
    /// What happens by itself until now: subscriptions are renewed, and the service is told.
    pub async fn catch_up(&self) -> anyhow::Result<()> {
        let _one_after_the_other = self.0.renewing.lock().await;
        stripe::renew(&self.0).await
    }
}

impl World {
    /// The redirect address that is registered for the app at `platform`.
    fn redirect_uri(&self, platform: PlatformName) -> String {
        format!("{}/oauth/{platform}/callback", self.base)
    }

    /// A fresh credential.
    fn secret(&self, prefix: &str) -> String {
        format!("{prefix}{}", data_encoding::BASE32_NOPAD.encode(&self.random.bytes::<25>()).to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_do_not_depend_on_a_last_slash() {
        for base in ["http://localhost:3000", "http://localhost:3000/"] {
            assert_eq!(addresses(&Url::parse(base).unwrap()), "*=http://localhost:3000/_sim");
        }
    }
}
