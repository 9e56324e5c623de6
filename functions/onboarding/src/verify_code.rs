//! `POST /api/verify-code`: signs in with the code that was sent.
//!
//! The try is counted and stored before the code is compared. The code's use, the session and a new user are one
//! transaction. Whatever is wrong, the refusal is the same.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::id::{SessionId, UserId};
use domain::ledger::Cycle;
use domain::people::limit::Subject;
use domain::people::phone::PhoneHash;
use domain::people::session::IDLE;
use domain::people::verification::CountedTry;
use domain::people::{PhoneNumber, Session, SessionToken, VerificationCode};
use domain::user::User;
use edge::contract::{Time, UserJson};
use edge::http_event::ClientAddress;
use edge::json::Json;
use edge::problem::{Problem, chain};
use edge::session::{check_origin, read_token, set_cookie};
use http::HeaderMap;
use http::header::{SET_COOKIE, USER_AGENT};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use store::{Rounds, SignIn, StoreError};
use utoipa::ToSchema;

use crate::{Deps, HashKeyError, limits};

/// A code, and the phone that it was sent to.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = VerifyCode)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// The one that the code was sent to.
    #[schema(max_length = 40, example = "+61 412 345 678")]
    phone: String,
    /// Six digits; spaces, dashes, full-width forms and what came along with a pasted one do no harm.
    #[schema(max_length = 40, example = "123456")]
    code: String,
}

/// A session that began.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SignedIn)]
pub(crate) struct SignedInJson {
    /// Always `true`.
    success: bool,
    /// Who is signed in.
    user: UserJson,
    /// For the header `X-CSRF-Token`.
    csrf_token: String,
    /// When the session ends, unless it is extended.
    expires_at: Time,
}

/// A session that began.
struct Begun {
    user: User,
    running: Option<Cycle>,
    token: SessionToken,
    session: Session,
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VerifyError {
    /// Wrong, expired, used, exhausted or malformed.
    #[error("the code cannot be used")]
    InvalidCode,
    /// No code was ever sent to such a number.
    #[error("not a phone number")]
    NoNumber,
    /// This address tried as many as it may, until so much later.
    #[error("the next try has to wait")]
    TooMany(SignedDuration),
    /// A table did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing can be hashed.
    #[error(transparent)]
    HashKey(#[from] HashKeyError),
}

/// Signs in with the code that was sent.
///
/// A number that is new becomes a user. Whatever is wrong with a code, the refusal is the same. What cannot be a code at all uses up no
/// try.
#[utoipa::path(post, path = "/api/verify-code", operation_id = "verify_code", tag = "onboarding", request_body = Request,
    responses(
        (status = 200, description = "Signed in.", body = SignedInJson, headers(("Set-Cookie" = String, description = "The session."))),
        (status = 400, description = "invalid_code"),
        (status = 429, description = "too_many_requests"),
        (status = 503, description = "unavailable"),
    ))]
pub(crate) async fn answer(
    State(deps): State<Deps>,
    address: ClientAddress,
    headers: HeaderMap,
    Json(request): Json<Request>,
) -> Result<Response, Problem> {
    check_origin(&headers, &deps.allowed_origins)?;
    let user_agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    let begun = verify_code(&deps, &request, address, user_agent).await?;
    if let Some(presented) = read_token(&headers) {
        end_earlier(&deps, &presented).await;
    }
    let body = SignedInJson {
        success: true,
        user: UserJson::new(&begun.user, begun.running.as_ref(), deps.clock.now()),
        csrf_token: begun.token.csrf_token().expose().to_owned(),
        expires_at: begun.session.expires_at.into(),
    };
    Ok(([(SET_COOKIE, set_cookie(&begun.token, IDLE))], Json(body)).into_response())
}

async fn verify_code(deps: &Deps, request: &Request, address: ClientAddress, user_agent: Option<&str>) -> Result<Begun, VerifyError> {
    // What cannot be a number or a code at all is a slip of the hand, and uses up no try.
    let phone = PhoneNumber::parse(&request.phone).map_err(|_| VerifyError::NoNumber)?;
    let code = VerificationCode::parse(&request.code).map_err(|_| VerifyError::InvalidCode)?;
    let key = deps.hash_key().await?;
    let caller = limits::caller(deps, address).await?;
    if let Some(wait) = limits::count(deps, &deps.limits.tried_by_address, Subject::Address(&caller)).await? {
        return Err(VerifyError::TooMany(wait));
    }
    let counted = count_try(deps, &phone.keyed_hash(key)).await?;
    if !counted.matches(&code, key) {
        return Err(VerifyError::InvalidCode);
    }
    sign_in(deps, &phone, &counted, user_agent).await
}

async fn count_try(deps: &Deps, phone: &PhoneHash) -> Result<CountedTry, VerifyError> {
    // Each round that another try wins has used one up: the code is exhausted long before the rounds are.
    let mut rounds = Rounds::new("counting a try", phone.as_str());
    loop {
        rounds.next().await?;
        let challenge = deps.store.challenge(phone).await?.ok_or(VerifyError::InvalidCode)?;
        let counted = challenge.count_try(deps.clock.now()).map_err(|_| VerifyError::InvalidCode)?;
        if deps.store.count_try(&counted).await? {
            return Ok(counted);
        }
    }
}

async fn sign_in(deps: &Deps, phone: &PhoneNumber, counted: &CountedTry, user_agent: Option<&str>) -> Result<Begun, VerifyError> {
    let challenge = counted.challenge();
    let mut rounds = Rounds::new("signing in", challenge.phone_hash.as_str());
    loop {
        rounds.next().await?;
        let now = deps.clock.now();
        let found = deps.store.user_by_phone(&challenge.phone_hash).await?;
        let is_new = found.is_none();
        let user = found.unwrap_or_else(|| User::new(UserId::new(now, deps.random.bytes()), phone.clone(), now));
        // Read before the code is used up: a failure here costs a try and not the code.
        let running = deps.store.running_cycle(&user, now).await?;
        let token = SessionToken::from_entropy(deps.random.bytes());
        let session = Session::open(SessionId::new(now, deps.random.bytes()), user.id.clone(), user_agent, now);
        match deps.store.sign_in(challenge, (&token.hash(), &session), is_new.then_some(&user)).await? {
            SignIn::Done => {
                tracing::info!(user_id = %user.id, session_id = %session.id, is_new, "signed in");
                return Ok(Begun { user, running, token, session });
            }
            SignIn::CodeGone => return Err(VerifyError::InvalidCode),
            SignIn::LookAgain => {}
        }
    }
}

/// Signing in in a browser ends the session that it had, whoever's: the cookie is replaced, and nobody holds that one any more. The new one
/// stands whatever happens here.
async fn end_earlier(deps: &Deps, presented: &SessionToken) {
    if let Err(error) = deps.store.end_session(&presented.hash()).await {
        tracing::warn!(error = chain(&error), "an earlier session stays until it expires");
    }
}
