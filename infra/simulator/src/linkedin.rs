//! The simulated LinkedIn: <https://learn.microsoft.com/linkedin/marketing>, as far as the adapter speaks it.

mod api;
mod little;
mod numbers;
mod oauth;
mod organizations;
mod shapes;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use domain::platform::PlatformName;

use crate::World;
use crate::doubles::Double;
use crate::faults::{Dialect, OwnFault};
use crate::token::{Account, number_of};

const LINKEDIN: PlatformName = PlatformName::LinkedIn;

const FIRST_POST: i64 = 7_390_000_000_000_000_000;

/// The organizations of whoever consents, and the person's role in each. In the last one nobody may post.
const ORGANIZATIONS: [(&str, &str, &str); 3] = [
    ("urn:li:organization:90000001", "Demo Bakery Ltd", "ADMINISTRATOR"),
    ("urn:li:organization:90000002", "Demo Garden Ltd", "CONTENT_ADMINISTRATOR"),
    ("urn:li:organization:90000003", "Demo Museum", "ANALYST"),
];

/// Who allows, where the form does not say.
const DEFAULT_PERSON: &str = "demo_linkedin";

/// A token of 60 days, which acts for the person and for their organizations.
const ACCESS_TOKEN: &str = "access";

/// A token of a year that stays the same.
const REFRESH_TOKEN: &str = "refresh";

/// LinkedIn's double.
pub(crate) struct SimulatedLinkedIn;

impl Double for SimulatedLinkedIn {
    fn platform(&self) -> PlatformName {
        LINKEDIN
    }

    fn routes(&self) -> Router<Arc<World>> {
        Router::new()
            .route("/oauth/v2/authorization", get(oauth::ask).post(oauth::decide))
            .route("/oauth/v2/accessToken", post(oauth::token))
            .route("/oauth/v2/revoke", post(oauth::revoke))
            .route("/v2/userinfo", get(organizations::userinfo))
            .route("/rest/organizationAcls", get(organizations::roles))
            .route("/rest/organizations", get(organizations::names))
            .route("/rest/posts", post(api::create).get(api::list))
            .route("/rest/organizationalEntityShareStatistics", get(numbers::statistics))
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

/// A post's URN.
fn post_id(seq: i64) -> String {
    format!("urn:li:share:{}", FIRST_POST + seq)
}

/// A person by name: anybody exists, and their id follows from the name.
fn person(name: &str) -> Account {
    Account { id: format!("urn:li:person:{}", sub(name)), name: name.to_owned() }
}

/// The id of a person's account with our app.
fn sub(name: &str) -> String {
    data_encoding::BASE32_NOPAD.encode(&number_of(name).to_be_bytes()).chars().take(10).collect()
}

/// An organization by its URN.
fn organization(id: &str) -> Option<Account> {
    ORGANIZATIONS.iter().find(|(of, ..)| *of == id).map(|(id, name, _)| Account { id: (*id).to_owned(), name: (*name).to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_of_linkedin_keeps_their_id() {
        assert_eq!(person("ada"), person("ada"));
        assert_ne!(person("ada").id, person("bob").id);
        assert_eq!(person("ada").id.len(), "urn:li:person:".len() + 10);
    }
}
