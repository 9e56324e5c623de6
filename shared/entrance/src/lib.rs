//! What stands before the routes of every function that people call: who asks, and whether it was asked before.
//!
//! `edge` has the rules and knows no tables, `store` has the tables and knows no HTTP; here they meet, once for all functions. A
//! route that is added inside has sessions, CSRF and `Idempotency-Key` without a line of its own.

use axum::Router;
use edge::clock::Clock;
use edge::idempotency::Keys;
use edge::problem::Problem;
use edge::random::Random;
use edge::session::{Sessions, require_session, require_session_without_token};
use store::{Store, StoreError};

/// The entrance of one function.
#[derive(Debug, Clone)]
pub struct Entrance {
    store: Store,
    clock: Clock,
    random: Random,
    allowed_origins: Vec<String>,
}

impl Entrance {
    /// An entrance to a function that has the sessions table.
    pub fn new(store: &Store, clock: &Clock, random: &Random, allowed_origins: &[String]) -> Self {
        Self { store: store.clone(), clock: clock.clone(), random: random.clone(), allowed_origins: allowed_origins.to_vec() }
    }

    /// Routes for signed-in people; what changes state also needs the CSRF token.
    pub fn signed_in<S: Clone + Send + Sync + 'static>(&self, routes: Router<S>) -> Router<S> {
        require_session(self.keys().honoured(routes), self.sessions(), self.clock.clone(), &self.allowed_origins)
    }

    /// The routes by which a page that was just loaded learns its CSRF token.
    pub fn resumed<S: Clone + Send + Sync + 'static>(&self, routes: Router<S>) -> Router<S> {
        require_session_without_token(self.keys().honoured(routes), self.sessions(), self.clock.clone(), &self.allowed_origins)
    }

    /// Routes for everybody.
    pub fn open<S: Clone + Send + Sync + 'static>(&self, routes: Router<S>) -> Router<S> {
        self.keys().honoured(routes)
    }

    fn sessions(&self) -> Sessions {
        let (reading, writing) = (self.store.clone(), self.store.clone());
        let find = move |hash| {
            let store = reading.clone();
            async move { store.session(&hash).await.map_err(trouble) }
        };
        let extend = move |hash, session| {
            let store = writing.clone();
            async move { store.touch_session(&hash, &session).await.map_err(trouble) }
        };
        Sessions::new(find, extend)
    }

    fn keys(&self) -> Keys {
        let store = self.store.clone();
        let put = move |record| {
            let store = store.clone();
            async move { store.put_idempotency(&record).await.map_err(trouble) }
        };
        Keys::new(put, self.clock.clone(), self.random.clone())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn trouble(error: StoreError) -> Problem {
    match error {
        StoreError::Unavailable { .. } | StoreError::Contended { .. } => Problem::unavailable_because(&error),
        StoreError::Corrupt { .. } | StoreError::Ledger(_) => Problem::internal(&error),
    }
}
