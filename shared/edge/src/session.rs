//! The session of a request: its cookie, its CSRF token and where it comes from.

mod cookie;
mod origin;

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::Route;
use domain::people::session::{CsrfToken, Session, SessionHash, SessionToken};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::request::Parts;
use http::{HeaderMap, Method};
use tower::{Layer, Service};

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

type Lookup = Arc<dyn Fn(SessionHash) -> BoxFuture<'static, Result<Option<Session>, Problem>> + Send + Sync>;

/// What a request must bring beside the cookie when it changes state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CsrfRule {
    Token,
    OriginAlone,
}

#[derive(Clone)]
struct Gate {
    lookup: Lookup,
    clock: Clock,
    allowed_origins: Arc<[String]>,
    rule: CsrfRule,
}

/// Lets only signed-in requests pass, and puts [`SignedIn`] on them. For `Router::route_layer`.
///
/// `lookup` finds the stored session. Without exactly one sound cookie: 401 `session_required`; not stored or dead at
/// `clock`'s time: 401 `session_expired`. Requests that may change state also need the session's CSRF token in a header
/// and an allowed origin: else 403 `csrf_rejected`.
pub fn require_session<L, F>(
    lookup: L,
    clock: Clock,
    allowed_origins: Vec<String>,
) -> impl Layer<
    Route,
    Service: Service<Request, Response = Response, Error = std::convert::Infallible, Future: Send + 'static>
                 + Clone
                 + Send
                 + Sync
                 + 'static,
> + Clone
+ Send
+ Sync
+ 'static
where
    L: Fn(SessionHash) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Option<Session>, Problem>> + Send + 'static,
{
    let gate = Gate::new(lookup, clock, allowed_origins, CsrfRule::Token);
    middleware::from_fn_with_state(gate, pass)
}

/// [`require_session`] without the CSRF header, for the one call by which a freshly loaded page learns its CSRF token.
/// The origin is checked all the same.
pub fn require_session_without_token<L, F>(
    lookup: L,
    clock: Clock,
    allowed_origins: Vec<String>,
) -> impl Layer<
    Route,
    Service: Service<Request, Response = Response, Error = std::convert::Infallible, Future: Send + 'static>
                 + Clone
                 + Send
                 + Sync
                 + 'static,
> + Clone
+ Send
+ Sync
+ 'static
where
    L: Fn(SessionHash) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Option<Session>, Problem>> + Send + 'static,
{
    let gate = Gate::new(lookup, clock, allowed_origins, CsrfRule::OriginAlone);
    middleware::from_fn_with_state(gate, pass)
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
    fn new<L, F>(lookup: L, clock: Clock, allowed_origins: Vec<String>, rule: CsrfRule) -> Self
    where
        L: Fn(SessionHash) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Option<Session>, Problem>> + Send + 'static,
    {
        Self { lookup: Arc::new(move |hash| lookup(hash).boxed()), clock, allowed_origins: allowed_origins.into(), rule }
    }

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
                _ => Ok(signed_in),
            }
        }
    }

    async fn signed_in(&self, token: &SessionToken) -> Result<SignedIn, Problem> {
        let token_hash = token.hash();
        let stored = (self.lookup)(token_hash.clone()).await?;
        let session = stored.filter(|session| session.is_live(self.clock.now()));
        let session = session.ok_or_else(|| Problem::new(ProblemCode::SessionExpired))?;
        Ok(SignedIn { session, token_hash, csrf_token: token.csrf_token() })
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
