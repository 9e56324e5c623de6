//! The simulated Bluesky, as far as the adapter speaks it: the server that shows all posts, the directory of accounts, and below the name of its host
//! each server that handles and documents name. Of those there are two: one holds everybody's records, one lets in.

mod api;
mod feed;
mod identity;
mod jwt;
mod oauth;
mod proof;
mod shapes;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use domain::platform::PlatformName;
use sha2::{Digest, Sha256};

use crate::World;
use crate::doubles::Double;
use crate::faults::{CommonFault, Dialect, OwnFault};
use crate::token::Account;

const BLUESKY: PlatformName = PlatformName::Bluesky;

/// Holds everybody's records.
const PDS: &str = "pds.bluesky.example";

/// Lets in.
const AUTH: &str = "auth.bluesky.example";

/// Handles that begin so are nobody's.
const NOBODY: &str = "nobody.";

/// Whose handle ends so has no page that names them: only the network's look-up finds them.
const WITHOUT_PAGE: &str = ".dns.example";

/// A token of half an hour, bound to a key.
const ACCESS_TOKEN: &str = "access";

/// A token that is used once, bound to the same key.
const REFRESH_TOKEN: &str = "refresh";

/// Bluesky's double.
pub(crate) struct SimulatedBluesky;

impl Double for SimulatedBluesky {
    fn platform(&self) -> PlatformName {
        BLUESKY
    }

    fn routes(&self) -> Router<Arc<World>> {
        Router::new()
            .route("/{did}", get(identity::document))
            .route("/xrpc/com.atproto.identity.resolveHandle", get(identity::resolve))
            .route("/xrpc/app.bsky.feed.getAuthorFeed", get(feed::author))
            .route("/xrpc/app.bsky.feed.getPosts", get(feed::posts))
            .route("/{host}/.well-known/atproto-did", get(identity::well_known))
            .route("/{host}/.well-known/oauth-protected-resource", get(identity::resource))
            .route("/{host}/.well-known/oauth-authorization-server", get(identity::issuer))
            .route("/{host}/oauth/par", post(oauth::announce))
            .route("/{host}/oauth/authorize", get(oauth::ask).post(oauth::decide))
            .route("/{host}/oauth/token", post(oauth::token))
            .route("/{host}/oauth/revoke", post(oauth::revoke))
            .route("/{host}/xrpc/com.atproto.repo.putRecord", post(api::put))
            .route("/{host}/xrpc/com.atproto.repo.getRecord", get(api::read))
    }

    fn dialect(&self) -> &'static Dialect {
        &shapes::DIALECT
    }

    fn own_faults(&self) -> &'static [OwnFault] {
        shapes::OWN_FAULTS
    }

    fn lacks(&self) -> &'static [CommonFault] {
        &[CommonFault::AppLimited, CommonFault::AppRefused, CommonFault::Duplicate]
    }

    fn acting_token(&self) -> &'static str {
        ACCESS_TOKEN
    }
}

/// The address of the document that names our app, where the service is at `base`.
pub(crate) fn client_id(base: &str) -> String {
    format!("{base}/oauth/{BLUESKY}/client-metadata.json")
}

/// An account by its handle: any that could be one exists, and its DID follows from it.
fn account(handle: &str) -> Option<Account> {
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let is_handle = handle.contains('.') && handle.split('.').all(is_label) && !handle.starts_with(NOBODY);
    let id = || data_encoding::BASE32_NOPAD.encode(&Sha256::digest(handle.as_bytes())[..15]).to_lowercase();
    is_handle.then(|| Account { id: format!("did:plc:{}", id()), name: handle.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_of_bluesky_keeps_its_did() {
        let ada = account("ada.bluesky.example").unwrap();
        assert_eq!(account("ada.bluesky.example").unwrap(), ada);
        assert_ne!(account("bob.bluesky.example").unwrap().id, ada.id);
        assert_eq!(ada.id.len(), "did:plc:".len() + 24);
        for bad in ["ada", "nobody.bluesky.example", "a..b", ""] {
            assert_eq!(account(bad), None, "{bad}");
        }
    }
}
