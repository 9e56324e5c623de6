//! The simulated X: <https://docs.x.com/x-api>, as far as the adapter speaks it.

mod api;
mod numbers;
mod oauth;
mod shapes;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::World;
use crate::storage::StoredPost;

const FIRST_POST: i64 = 1_990_000_000_000_000_000;

/// The routes below `/x`.
pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/i/oauth2/authorize", get(oauth::ask).post(oauth::decide))
        .route("/2/oauth2/token", post(oauth::token))
        .route("/2/oauth2/revoke", post(oauth::revoke))
        .route("/2/users/me", get(api::me))
        .route("/2/users/{id}/tweets", get(api::list))
        .route("/2/tweets", post(api::create).get(numbers::tweets))
}

/// X's number of a post: longer than what a JavaScript number holds.
pub(crate) fn post_id(post: &StoredPost) -> String {
    (FIRST_POST + post.seq).to_string()
}

/// The other way round.
pub(crate) fn seq(post_id: &str) -> Option<i64> {
    post_id.parse::<i64>().ok()?.checked_sub(FIRST_POST)
}
