//! The simulated Mastodon, and servers that speak its API: <https://docs.joinmastodon.org/methods/>, as far as the adapter speaks it.
//!
//! Any host exists, each with accounts, apps and posts of its own, below `/_sim/mastodon/<host>`. What it runs follows from its name.

mod api;
mod html;
mod oauth;
mod server;
mod shapes;
mod statuses;

use std::sync::Arc;

use axum::routing::{get, post};
use axum::{Router, middleware};
use domain::platform::PlatformName;

use crate::World;
use crate::doubles::Double;
use crate::faults::{CommonFault, Dialect, OwnFault};
use crate::token::{Account, number_of};

const MASTODON: PlatformName = PlatformName::Mastodon;

const FIRST_POST: i64 = 115_600_000_000_000_000;

/// A token without an end.
const ACCESS_TOKEN: &str = "access";

/// Mastodon's double.
pub(crate) struct SimulatedMastodon;

impl Double for SimulatedMastodon {
    fn platform(&self) -> PlatformName {
        MASTODON
    }

    fn routes(&self) -> Router<Arc<World>> {
        Router::new()
            .route("/{host}/.well-known/nodeinfo", get(server::links))
            .route("/{host}/nodeinfo/2.0", get(server::nodeinfo))
            .route("/{host}/.well-known/oauth-authorization-server", get(server::metadata))
            .route("/{host}/api/v1/instance", get(server::instance_v1))
            .route("/{host}/api/v2/instance", get(server::instance_v2))
            .route("/{host}/api/v1/apps", post(oauth::register))
            .route("/{host}/oauth/authorize", get(oauth::ask).post(oauth::decide))
            .route("/{host}/oauth/token", post(oauth::token))
            .route("/{host}/oauth/revoke", post(oauth::revoke))
            .route("/{host}/api/v1/accounts/verify_credentials", get(api::verify_credentials))
            .route("/{host}/api/v1/accounts/{id}/statuses", get(statuses::list))
            .route("/{host}/api/v1/statuses", post(statuses::create))
            .route("/{host}/api/v1/statuses/{id}", get(statuses::show))
            .layer(middleware::from_fn(server::of_another_kind))
    }

    fn dialect(&self) -> &'static Dialect {
        &shapes::DIALECT
    }

    fn own_faults(&self) -> &'static [OwnFault] {
        shapes::OWN_FAULTS
    }

    /// No server looks at our app beside the account, and none refuses a text that it has already.
    fn lacks(&self) -> &'static [CommonFault] {
        &[CommonFault::AppLimited, CommonFault::AppRefused, CommonFault::Duplicate]
    }

    fn acting_token(&self) -> &'static str {
        ACCESS_TOKEN
    }
}

/// A server, by what its name says.
struct Host<'a>(&'a str);

impl Host<'_> {
    fn first_label(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }

    /// `gotosocial.example` and `pleroma.example` run what they are called after, any other one Mastodon.
    fn software(&self) -> &'static str {
        ["gotosocial", "pleroma"].into_iter().find(|software| *software == self.first_label()).unwrap_or("mastodon")
    }

    fn is_mastodon(&self) -> bool {
        self.software() == "mastodon"
    }

    /// `old.example` runs a version before 4.3.
    fn is_old(&self) -> bool {
        self.first_label() == "old"
    }

    /// `website.example` and `moved.example` are no servers of this kind.
    fn speaks_no_api(&self) -> bool {
        ["website", "moved"].contains(&self.first_label())
    }

    /// `long.example` takes ten times as much text.
    fn text_max(&self) -> u32 {
        if self.first_label() == "long" { 5_000 } else { 500 }
    }

    /// An account by its name: any exists, and its number follows from it.
    fn account(&self, name: &str) -> Account {
        let Self(host) = self;
        let full = format!("{name}@{host}");
        Account { id: format!("{}@{host}", 100_000_000_000_000_000 + number_of(&full) % 900_000_000_000_000_000), name: full }
    }

    /// The id that the storage has, where the hosts are side by side.
    fn stored(&self, id: &str) -> String {
        format!("{id}@{}", self.0)
    }

    /// Whether it is one of its own.
    fn has(&self, account: &Account) -> bool {
        account.id.split_once('@').is_some_and(|(_, host)| host == self.0)
    }
}

/// The id as its server tells it, or the name as people there know it.
fn bare(stored: &str) -> &str {
    stored.split('@').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_keeps_its_number_and_is_another_one_on_each_server() {
        let (one, other) = (Host("mastodon.example"), Host("other.example"));
        assert_eq!(one.account("ada"), one.account("ada"));
        assert_ne!(bare(&one.account("ada").id), bare(&other.account("ada").id));
        assert!(one.has(&one.account("ada")) && !other.has(&one.account("ada")));
    }

    #[test]
    fn what_a_server_runs_follows_from_its_name() {
        for (host, software, text_max) in [
            ("mastodon.example", "mastodon", 500),
            ("long.example", "mastodon", 5_000),
            ("gotosocial.example", "gotosocial", 500),
            ("pleroma.example", "pleroma", 500),
        ] {
            assert_eq!((Host(host).software(), Host(host).text_max()), (software, text_max), "{host}");
        }
    }
}
