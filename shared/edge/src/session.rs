//! The session of a request: its cookie, its CSRF token and where it comes from.

mod cookie;
mod origin;

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use domain::people::session::{CsrfToken, Session, SessionHash, SessionToken};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::request::Parts;
use http::{HeaderMap, Method};

pub use cookie::{SESSION_COOKIE, clear_cookie, read_token, set_cookie};
pub use origin::check_origin;

use crate::clock::Clock;
use crate::problem::{Problem, ProblemCode};

/// The header that carries the CSRF token.
pub const CSRF_HEADER: &str = "x-csrf-token";

/// Who is signed in. Only requests that passed [`require_session`] have it.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The session as it is stored.
    pub session: Session,
    /// Under which name it is stored.
    pub token_hash: SessionHash,
    /// What the frontend must send with the session's state-changing requests.
    pub csrf_token: CsrfToken,
}

impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::new(ProblemCode::SessionRequired))
    }
}

type Find = Arc<dyn Fn(SessionHash) -> BoxFuture<'static, Result<Option<Session>, Problem>> + Send + Sync>;
type Extend = Arc<dyn Fn(SessionHash, Session) -> BoxFuture<'static, Result<bool, Problem>> + Send + Sync>;

/// Where sessions are kept.
#[derive(Clone)]
pub struct Sessions {
    find: Find,
    extend: Extend,
}

impl Sessions {
    /// `find` reads a stored session. `extend` stores that one was used, if it is still there, and says whether it was.
    pub fn new<L, F, X, G>(find: L, extend: X) -> Self
    where
        L: Fn(SessionHash) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Option<Session>, Problem>> + Send + 'static,
        X: Fn(SessionHash, Session) -> G + Send + Sync + 'static,
        G: Future<Output = Result<bool, Problem>> + Send + 'static,
    {
        Self { find: Arc::new(move |hash| find(hash).boxed()), extend: Arc::new(move |hash, session| extend(hash, session).boxed()) }
    }
}

/// What a request must bring beside the cookie when it changes state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CsrfRule {
    Token,
    OriginAlone,
}

#[derive(Clone)]
struct Gate {
    sessions: Sessions,
    clock: Clock,
    allowed_origins: Arc<[String]>,
    rule: CsrfRule,
}

/// Lets only signed-in requests pass to `routes`, and puts [`SignedIn`] on them.
///
/// Without exactly one sound cookie: 401 `session_required`; not stored or dead at `clock`'s time: 401 `session_expired`. Requests
/// that may change state also need the session's CSRF token in a header and an allowed origin: else 403 `csrf_rejected`. What
/// passes counts as use: the idle time begins anew.
pub fn require_session<S>(routes: Router<S>, sessions: Sessions, clock: Clock, allowed_origins: &[String]) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let gate = Gate { sessions, clock, allowed_origins: allowed_origins.into(), rule: CsrfRule::Token };
    routes.route_layer(middleware::from_fn_with_state(gate, pass))
}

/// [`require_session`] without the CSRF header, for the one call by which a freshly loaded page learns its CSRF token.
/// The origin is checked all the same.
pub fn require_session_without_token<S>(routes: Router<S>, sessions: Sessions, clock: Clock, allowed_origins: &[String]) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let gate = Gate { sessions, clock, allowed_origins: allowed_origins.into(), rule: CsrfRule::OriginAlone };
    routes.route_layer(middleware::from_fn_with_state(gate, pass))
}

async fn pass(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    match gate.admit(request.method(), request.headers()).await {
        Ok(signed_in) => {
            request.extensions_mut().insert(signed_in);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

impl Gate {
    /// What costs nothing is checked before the table is asked.
    fn admit(&self, method: &Method, headers: &HeaderMap) -> impl Future<Output = Result<SignedIn, Problem>> + Send + use<> {
        let changes = changes_state(method);
        let checked = if changes { check_origin(headers, &self.allowed_origins) } else { Ok(()) };
        let token = checked.and_then(|()| read_token(headers).ok_or_else(|| Problem::new(ProblemCode::SessionRequired)));
        let presented = (changes && self.rule == CsrfRule::Token).then(|| presented_csrf(headers));
        let gate = self.clone();
        async move {
            let token = token?;
            let signed_in = gate.signed_in(&token).await?;
            match presented {
                Some(presented) if !presented.as_deref().is_some_and(|presented| signed_in.csrf_token.matches(presented)) => {
                    Err(Problem::new(ProblemCode::CsrfRejected))
                }
                _ => gate.used(signed_in).await,
            }
        }
    }

    async fn signed_in(&self, token: &SessionToken) -> Result<SignedIn, Problem> {
        let token_hash = token.hash();
        let stored = (self.sessions.find)(token_hash.clone()).await?;
        let session = stored.filter(|session| session.is_live(self.clock.now()));
        let session = session.ok_or_else(|| Problem::new(ProblemCode::SessionExpired))?;
        Ok(SignedIn { session, token_hash, csrf_token: token.csrf_token() })
    }

    /// Notes the use of a session where it is worth a write. One that was ended meanwhile stays ended.
    async fn used(&self, signed_in: SignedIn) -> Result<SignedIn, Problem> {
        let now = self.clock.now();
        if !signed_in.session.should_touch(now) {
            return Ok(signed_in);
        }
        let session = signed_in.session.clone().touched(now);
        match (self.sessions.extend)(signed_in.token_hash.clone(), session.clone()).await {
            Ok(true) => Ok(SignedIn { session, ..signed_in }),
            Ok(false) => Err(Problem::new(ProblemCode::SessionExpired)),
            // The session was read and is live: that its use is not noted, which was logged where it arose, harms nobody yet.
            Err(_) => Ok(signed_in),
        }
    }
}

fn changes_state(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn presented_csrf(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(CSRF_HEADER).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().map(str::to_owned),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
