//! The simulated X: <https://docs.x.com/x-api>, as far as the adapter speaks it.

mod api;
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

const X: PlatformName = PlatformName::X;

const FIRST_POST: i64 = 1_990_000_000_000_000_000;

/// A token of two hours.
const ACCESS_TOKEN: &str = "access";

/// A token that is used once.
const REFRESH_TOKEN: &str = "refresh";

/// X's double.
pub(crate) struct SimulatedX;

impl Double for SimulatedX {
    fn platform(&self) -> PlatformName {
        X
    }

    fn routes(&self) -> Router<Arc<World>> {
        Router::new()
            .route("/i/oauth2/authorize", get(oauth::ask).post(oauth::decide))
            .route("/2/oauth2/token", post(oauth::token))
            .route("/2/oauth2/revoke", post(oauth::revoke))
            .route("/2/users/me", get(api::me))
            .route("/2/users/{id}/tweets", get(api::list))
            .route("/2/tweets", post(api::create).get(numbers::tweets))
    }

    fn dialect(&self) -> &'static Dialect {
        &shapes::DIALECT
    }

    fn own_faults(&self) -> &'static [OwnFault] {
        shapes::OWN_FAULTS
    }

    fn acting_token(&self) -> &'static str {
        ACCESS_TOKEN
    }
}

/// X's number of a post: longer than what a JavaScript number holds.
fn post_id(seq: i64) -> String {
    (FIRST_POST + seq).to_string()
}

/// An account by its handle: any exists, and its number follows from it.
fn account(handle: &str) -> Account {
    Account { id: (100_000_000_000_000_000 + number_of(handle) % 900_000_000_000_000_000).to_string(), name: handle.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_of_x_keeps_its_number() {
        assert_eq!(account("demo_x"), account("demo_x"));
        assert_ne!(account("demo_x").id, account("demo_y").id);
        assert_eq!(account("demo_x").id.len(), 18);
    }
}
