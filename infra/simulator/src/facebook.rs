//! The simulated Facebook: login dialog and Graph API, as far as the adapter speaks them.
//! See <https://developers.facebook.com/docs/pages-api>.

mod api;
mod businesses;
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

const FACEBOOK: PlatformName = PlatformName::Facebook;

const FIRST_POST: i64 = 122_000_000_000_000;

/// The demo person's Pages.
const PAGES: [(&str, &str); 2] = [("100000000000001", "Demo Bakery"), ("100000000000002", "Demo Garden")];

/// Pages that the person reaches through a business alone: one that Demo Holding owns, one that Demo Agency looks after for a client.
const BUSINESS_PAGES: [(&str, &str); 2] = [("100000000000003", "Demo Cafe"), ("100000000000004", "Demo Client")];

/// Who allows, where the form does not say.
const DEFAULT_PERSON: &str = "demo_facebook";

/// A person's token of two hours.
const SHORT_TOKEN: &str = "short_user";

/// A person's token of 60 days.
const LONG_TOKEN: &str = "long_user";

/// Both of a person.
const USER_TOKENS: [&str; 2] = [SHORT_TOKEN, LONG_TOKEN];

/// A Page's token.
const PAGE_TOKEN: &str = "page";

/// Facebook's double.
pub(crate) struct SimulatedFacebook;

impl Double for SimulatedFacebook {
    fn platform(&self) -> PlatformName {
        FACEBOOK
    }

    /// Every version is served alike.
    fn routes(&self) -> Router<Arc<World>> {
        Router::new()
            .route("/{version}/dialog/oauth", get(oauth::ask).post(oauth::decide))
            .route("/{version}/oauth/access_token", post(oauth::token).get(oauth::token))
            .route("/{version}/me", get(api::me))
            .route("/{version}/me/permissions", get(api::permissions).delete(oauth::revoke))
            .route("/{version}/me/accounts", get(api::accounts))
            .route("/{version}/me/businesses", get(businesses::businesses))
            .route("/{version}/{page}/owned_pages", get(businesses::owned))
            .route("/{version}/{page}/client_pages", get(businesses::clients))
            .route("/{version}/{page}/feed", post(api::create))
            .route("/{version}/{page}/published_posts", get(api::list))
            .route("/{version}/{page}/insights", get(numbers::insights))
            .route("/{version}/{page}", get(numbers::page))
    }

    fn dialect(&self) -> &'static Dialect {
        &shapes::DIALECT
    }

    fn own_faults(&self) -> &'static [OwnFault] {
        shapes::OWN_FAULTS
    }

    fn acting_token(&self) -> &'static str {
        PAGE_TOKEN
    }
}

/// A post's id: the Page's and its own.
fn post_id(page_id: &str, seq: i64) -> String {
    format!("{page_id}_{}", FIRST_POST + seq)
}

/// A person by name: anybody exists, keeps their number, manages both Pages and belongs to both businesses.
fn person(name: &str) -> Account {
    let number = if name == DEFAULT_PERSON { 1 } else { 2 + number_of(name) % 1_000_000_000 };
    Account { id: (200_000_000_000_000 + number).to_string(), name: name.to_owned() }
}

/// Whether the person has a role of their own on the Page.
fn is_own(id: &str) -> bool {
    PAGES.iter().any(|(of, _)| *of == id)
}

/// A Page by its id.
fn page(id: &str) -> Option<Account> {
    PAGES
        .iter()
        .chain(&BUSINESS_PAGES)
        .find(|(of, _)| *of == id)
        .map(|(id, name)| Account { id: (*id).to_owned(), name: (*name).to_owned() })
}
