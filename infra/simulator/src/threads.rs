//! The simulated Threads: <https://developers.facebook.com/docs/threads>, as far as the adapter speaks it.

mod api;
mod containers;
mod numbers;
mod oauth;
mod shapes;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use domain::platform::PlatformName;

use crate::World;
use crate::doubles::Double;
use crate::faults::{Dialect, OwnFault};
use crate::token::{Account, number_of};

const THREADS: PlatformName = PlatformName::Threads;

const FIRST_POST: i64 = 18_040_000_000_000_000;

const FIRST_CONTAINER: i64 = 17_900_000_000_000_000;

/// Above what a double-precision number holds exactly.
const FIRST_PERSON: u64 = 26_000_000_000_000_000;

/// Who allows, where the form does not say.
const DEFAULT_ACCOUNT: &str = "demo_threads";

/// A token of an hour.
const SHORT_TOKEN: &str = "short";

/// A token of 60 days.
const LONG_TOKEN: &str = "long";

/// Both.
const TOKENS: [&str; 2] = [SHORT_TOKEN, LONG_TOKEN];

/// Threads' double.
pub(crate) struct SimulatedThreads;

impl Double for SimulatedThreads {
    fn platform(&self) -> PlatformName {
        THREADS
    }

    /// Every version is served alike.
    fn routes(&self) -> Router<Arc<World>> {
        Router::new()
            .route("/oauth/authorize", get(oauth::ask).post(oauth::decide))
            .route("/oauth/access_token", post(oauth::short))
            .route("/access_token", get(oauth::long))
            .route("/refresh_access_token", get(oauth::extend))
            .route("/{version}/debug_token", get(oauth::inspect))
            .route("/{version}/me", get(api::me))
            .route("/{version}/{user}/threads", post(containers::create).get(api::list))
            .route("/{version}/{user}/threads_publish", post(containers::publish))
            .route("/{version}/{post}/insights", get(numbers::insights))
            .route("/{version}/{thing}", get(containers::read))
    }

    fn dialect(&self) -> &'static Dialect {
        &shapes::DIALECT
    }

    fn own_faults(&self) -> &'static [OwnFault] {
        shapes::OWN_FAULTS
    }

    fn acting_token(&self) -> &'static str {
        LONG_TOKEN
    }
}

fn post_id(seq: i64) -> String {
    (FIRST_POST + seq).to_string()
}

fn container_id(seq: i64) -> String {
    (FIRST_CONTAINER + seq).to_string()
}

/// An account by name: anybody exists and keeps their number.
fn account(name: &str) -> Account {
    Account { id: (FIRST_PERSON + number_of(name) % 1_000_000_000).to_string(), name: name.to_owned() }
}
