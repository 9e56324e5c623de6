//! `Idempotency-Key`: a POST that is sent again is not made again.
//!
//! The key counts for the signed-in user, or for the calling address where nobody is signed in. The rules are
//! [`domain::idempotency`]; here they meet HTTP. What is stored is an answer to what was asked, and nothing else:
//!
//! - An answer that sets a cookie holds a secret (`verify-code`, `establish-session`; it carries a CSRF token too). It is
//!   never stored. Such a request is made again, and its route says what that means: a code that was used stays used, and a
//!   session tells the same token.
//! - An answer that says *not now* or *not you* (401, 403, 429, 5xx) or that nothing could be read (413, 415) is not
//!   final: the same request may be made again at once.
//! - Of the 409s only `state_conflict` is final. The others pass: a post comes to rest, a quota slot or an account comes
//!   back. So does whatever says when to ask again (`Retry-After`).
//! - If an answer cannot be stored, the caller gets it all the same, and the key stays claimed until the lease ends.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use domain::id::ClaimId;
use domain::idempotency::{IdempotencyKey, Meeting, Record, RecordName, Scope, Seed, StoredAnswer};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::{CONTENT_TYPE, ETAG, IF_MATCH, LOCATION, RETRY_AFTER, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jiff::SignedDuration;

use crate::clock::Clock;
use crate::http_event::{BODY_BYTES_MAX, ClientAddress, RESPONSE_BYTES_MAX};
use crate::problem::{Passes, Problem, ProblemCode, chain};
use crate::random::Random;
use crate::session::SignedIn;

/// The header that carries the key.
pub const KEY_HEADER: &str = "idempotency-key";
/// Tells that an answer was given before.
pub const REPLAYED_HEADER: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The headers that belong to an answer; the others belong to its way.
const STORED_HEADERS: [HeaderName; 3] = [CONTENT_TYPE, ETAG, LOCATION];
/// When it is worth to ask again for an answer that is being made.
const ASK_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(1);
/// How often a key is claimed anew when its record changed meanwhile.
const ROUNDS_MAX: usize = 3;

type Put = Arc<dyn Fn(Record) -> BoxFuture<'static, Result<Option<Record>, Problem>> + Send + Sync>;

/// Where records are kept, and what new ones are made of.
#[derive(Clone)]
pub struct Keys {
    put: Put,
    clock: Clock,
    random: Random,
}

impl Keys {
    /// `put` stores a record in the place of the one that it was made from, and answers `None`; else it answers the record that
    /// stands there.
    pub fn new<P, F>(put: P, clock: Clock, random: Random) -> Self
    where
        P: Fn(Record) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Option<Record>, Problem>> + Send + 'static,
    {
        Self { put: Arc::new(move |record| put(record).boxed()), clock, random }
    }

    /// Honours the key on every POST of `routes`. Of what stands before the routes, whatever decides who asks comes first: it is
    /// to be laid around the result.
    pub fn honoured<S: Clone + Send + Sync + 'static>(self, routes: Router<S>) -> Router<S> {
        routes.route_layer(middleware::from_fn_with_state(self, honour))
    }
}

/// What a route makes its ids from, where the request carries a key: then a second run finds what a first has made.
#[derive(Debug, Clone)]
pub struct Run(pub Option<Seed>);

impl<S: Sync> FromRequestParts<S> for Run {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<Seed>().cloned()))
    }
}

async fn honour(State(keys): State<Keys>, request: Request, next: Next) -> Response {
    let key = if request.method() == Method::POST { presented_key(request.headers()) } else { Ok(None) };
    match key {
        Ok(None) => next.run(request).await,
        Ok(Some(key)) => keys.run_once(&key, request, next).await.unwrap_or_else(IntoResponse::into_response),
        Err(problem) => problem.into_response(),
    }
}

fn presented_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let mut values = headers.get_all(KEY_HEADER).iter();
    let key = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().ok().and_then(|text| IdempotencyKey::parse(text).ok()),
        (Some(_), Some(_)) => None,
    };
    let malformed = || {
        Problem::new(ProblemCode::MalformedRequest)
            .with_detail("This Idempotency-Key cannot be used. Give one of 1 to 128 visible ASCII characters.")
    };
    key.map(Some).ok_or_else(malformed)
}

/// What became of a claim.
enum Claimed {
    Mine(Record),
    Answered(StoredAnswer),
}

impl Keys {
    async fn run_once(&self, key: &IdempotencyKey, request: Request, next: Next) -> Result<Response, Problem> {
        let (mut parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| Problem::new(ProblemCode::PayloadTooLarge))?;
        match self.claim(key, &parts, &body).await? {
            Claimed::Answered(answer) => Ok(replay(answer)),
            Claimed::Mine(record) => {
                parts.extensions.insert(record.seed());
                let answer = next.run(Request::from_parts(parts, Body::from(body))).await;
                Ok(self.conclude(record, answer).await)
            }
        }
    }

    async fn claim(&self, key: &IdempotencyKey, parts: &Parts, body: &Bytes) -> Result<Claimed, Problem> {
        let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
        let if_match: Vec<&[u8]> = parts.headers.get_all(IF_MATCH).iter().map(HeaderValue::as_bytes).collect();
        let print = key.print(parts.method.as_str(), target, &if_match, body);
        let now = self.clock.now();
        let claim = ClaimId::new(now, self.random.bytes());
        let mut record = Record::open(name(key, parts), print.clone(), claim.clone(), now);
        for _ in 0..ROUNDS_MAX {
            let Some(standing) = (self.put)(record.clone()).await? else { return Ok(Claimed::Mine(record)) };
            match standing.meet(print.clone(), claim.clone(), now) {
                Meeting::Free(next) => record = next,
                Meeting::Answered(answer) => return Ok(Claimed::Answered(answer)),
                Meeting::Reused => return Err(Problem::new(ProblemCode::IdempotencyKeyReused)),
                Meeting::InFlight => return Err(in_flight()),
            }
        }
        // Others with the same key came first each time: one of them runs.
        Err(in_flight())
    }

    /// Stores what the run came to. Whatever happens here, the caller gets the answer.
    async fn conclude(&self, record: Record, answer: Response) -> Response {
        let (parts, body) = answer.into_parts();
        let body = match axum::body::to_bytes(body, RESPONSE_BYTES_MAX).await {
            Ok(body) => body,
            Err(error) => return Problem::internal(&error).into_response(),
        };
        let record = match stored_form(&parts, &body) {
            Some(answer) => record.answered(answer),
            None => record.reopened(),
        };
        match (self.put)(record).await {
            Ok(None) => {}
            Ok(Some(_)) => tracing::warn!("a run outlived its lease, and another took its key"),
            Err(problem) => tracing::warn!(error = chain(&Unstored(problem.code())), "an answer is given but cannot be given again"),
        }
        Response::from_parts(parts, Body::from(body))
    }
}

/// Why an answer was not stored. The cause was logged where it arose.
#[derive(Debug, thiserror::Error)]
#[error("the record of a key was not stored: {}", .0.as_str())]
struct Unstored(ProblemCode);

fn name(key: &IdempotencyKey, parts: &Parts) -> RecordName {
    match (parts.extensions.get::<SignedIn>(), parts.extensions.get::<ClientAddress>()) {
        (Some(signed_in), _) => key.name(Scope::User(&signed_in.session.user_id)),
        (None, Some(client)) => key.name(Scope::Client(&client.limit_key())),
        (None, None) => key.name(Scope::Client("")),
    }
}

fn in_flight() -> Problem {
    Problem::new(ProblemCode::IdempotencyInFlight).with_retry_after(ASK_AGAIN_AFTER)
}

/// What may be stored of an answer, if it is final and holds no secret.
fn stored_form(answer: &http::response::Parts, body: &Bytes) -> Option<StoredAnswer> {
    let http::response::Parts { status, headers, .. } = answer;
    if headers.contains_key(SET_COOKIE) || !is_final(answer) {
        return None;
    }
    let text = |name: &HeaderName| Some((name.as_str().to_owned(), headers.get(name)?.to_str().ok()?.to_owned()));
    let body = String::from_utf8(body.to_vec()).ok()?;
    Some(StoredAnswer { status: status.as_u16(), headers: STORED_HEADERS.iter().filter_map(text).collect(), body })
}

/// Whether the same request would be answered the same: it was made, or it was read and refused for what it asks.
fn is_final(answer: &http::response::Parts) -> bool {
    if answer.headers.contains_key(RETRY_AFTER) || answer.extensions.get::<Passes>().is_some() {
        return false;
    }
    match answer.status {
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => true,
        StatusCode::CONFLICT => answer.extensions.get::<ProblemCode>() == Some(&ProblemCode::StateConflict),
        status => status.is_success() || status.is_redirection(),
    }
}

fn replay(answer: StoredAnswer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED_HEADER, HeaderValue::from_static("true"));
    response
}

#[cfg(test)]
mod tests;
