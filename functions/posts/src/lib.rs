//! Drafts, approval, edits, cancellation, another try, a person's verdict: everything that a person does to a post, and what
//! platforms tell of it.
//!
//! *Trigger:* HTTP, `/api/posts…`, signed in.
//! *Reads:* sessions, users, connections, posts, the ledger. *Writes:* posts, the ledger and its history; schedules and wake-ups.
//! *On failure:* nothing is half done: a post and its reservation change in one transaction. A wake-up that could not be
//! arranged is arranged by the sweeper.

mod answer;
mod approve;
mod arm;
mod cancel;
mod create;
mod delete;
mod edit;
mod list;
mod read;
mod read_analytics;
mod reserve;
mod resolve;
mod retry;
mod trouble;
mod validate;

use aws_config::SdkConfig;
use axum::Router;
use axum::routing::{get, post};
use cloud::timer::Timer;
use domain::analytics::Paces;
use edge::clock::Clock;
use edge::config::{self, ConfigError, Queue, Web, variables};
use edge::host::Host;
use edge::random::Random;
use edge::routing::with_fallbacks;
use entrance::Entrance;
use store::{Store, Tables};
use utoipa::OpenApi;

/// All that this function works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Posts, the ledger, connections, sessions.
    pub store: Store,
    /// For posts that are due.
    pub timer: Timer,
    /// Time.
    pub clock: Clock,
    /// Ids.
    pub random: Random,
    /// Whose pages may call.
    pub allowed_origins: Vec<String>,
    /// How often platforms are asked for metrics: what is told of the next time.
    pub paces: Paces,
}

impl Deps {
    /// Reads the configuration and builds the clients; no call is made.
    pub fn new(host: &Host, sdk: &SdkConfig) -> Result<Self, ConfigError> {
        let (tables, queue, schedules, web, paces) = config::read(&host.variables, |variables| {
            let tables = Tables {
                users: variables.text(variables::USERS_TABLE),
                posts: variables.text(variables::POSTS_TABLE),
                ledger: variables.text(variables::LEDGER_TABLE),
                sessions: variables.text(variables::SESSIONS_TABLE),
            };
            (tables, Queue::read(variables), config::Schedules::read(variables), Web::read(variables), config::metrics_paces(variables))
        })?;
        Ok(Self {
            store: Store::new(sdk, tables).leaving_out(host.counts_left_out("posts")),
            timer: Timer::new(sdk, queue.url.into(), queue.arn, schedules.group, schedules.role_arn, schedules.dead_letter_arn),
            clock: host.clock.clone(),
            random: host.random.clone(),
            allowed_origins: web.allowed_origins,
            paces,
        })
    }
}

/// The paths that API Gateway sends here.
pub const PATHS: &[&str] = &[
    "/api/posts",
    "/api/posts/{id}",
    "/api/posts/{id}/approve",
    "/api/posts/{id}/cancel",
    "/api/posts/{id}/retry",
    "/api/posts/{id}/resolve",
    "/api/posts/{id}/analytics",
];

/// What the HTTP contract says of [`PATHS`].
#[derive(OpenApi)]
#[openapi(paths(
    create::create,
    list::list,
    read::read,
    edit::edit,
    delete::delete,
    approve::approve,
    cancel::cancel,
    retry::retry,
    resolve::resolve,
    read_analytics::read
))]
pub struct Contract;

/// The router of [`PATHS`].
pub fn router(deps: Deps) -> Router {
    let entrance = Entrance::new(&deps.store, &deps.clock, &deps.random, &deps.allowed_origins);
    let router = Router::new()
        .route("/api/posts", post(create::create).get(list::list))
        .route("/api/posts/{id}", get(read::read).patch(edit::edit).delete(delete::delete))
        .route("/api/posts/{id}/approve", post(approve::approve))
        .route("/api/posts/{id}/cancel", post(cancel::cancel))
        .route("/api/posts/{id}/retry", post(retry::retry))
        .route("/api/posts/{id}/resolve", post(resolve::resolve))
        .route("/api/posts/{id}/analytics", get(read_analytics::read));
    with_fallbacks(entrance.signed_in(router)).with_state(deps)
}
