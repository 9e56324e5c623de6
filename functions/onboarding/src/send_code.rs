//! `POST /api/verification-codes`: sends a code to a phone.
//!
//! The challenge is stored before the text goes out, so that no code is ever on its way that is not counted. Known and
//! unknown numbers take the same path, so that nobody learns from it who is a customer; and so do blocked ones (of countries that are
//! not served, or whose owners take no texts), up to the text, under a code that nobody can type.

use axum::extract::State;
use cloud::texts::TextError;
use domain::people::limit::Subject;
use domain::people::phone::PhoneHash;
use domain::people::verification::{Challenge, LIFETIME, RESEND_AFTER};
use domain::people::{HashKey, PhoneNumber, VerificationCode};
use edge::contract::Time;
use edge::http_event::ClientAddress;
use edge::json::Json;
use edge::problem::{FieldCode, FieldError, Problem, chain};
use edge::session::check_origin;
use http::{HeaderMap, StatusCode};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use store::{Rounds, StoreError};
use utoipa::ToSchema;

use crate::{Deps, HashKeyError, limits};

/// Where a code is to go.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SendCode)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// In international form; spaces, hyphens, dots and parentheses may separate the digits. What came along with a pasted one does no harm.
    #[schema(max_length = 40, example = "+61 412 345 678")]
    phone: String,
}

/// What the caller learns: nothing about the phone.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CodeSent)]
pub(crate) struct SentJson {
    /// Until when the code can be used.
    expires_at: Time,
    /// From when on the next one can be asked for.
    resend_after: Time,
}

/// Why no code is on its way.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendCodeError {
    /// This phone, this address or all together got as many as they may, until so much later.
    #[error("the next code has to wait")]
    TooSoon(SignedDuration),
    /// The text was not accepted; the code is dead, and the phone's next has to wait as after any other.
    #[error("a code could not be sent")]
    Text(#[source] TextError, SignedDuration),
    /// A table did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing can be hashed.
    #[error(transparent)]
    HashKey(#[from] HashKeyError),
}

/// Sends a verification code to a phone.
///
/// The next code for the same phone has to wait a minute. A new code kills the one before.
#[utoipa::path(post, path = "/api/verification-codes", operation_id = "send_code", tag = "onboarding", request_body = Request,
    responses(
        (status = 202, description = "The same for known, unknown and blocked numbers.", body = SentJson),
        (status = 429, description = "too_many_requests"),
        (status = 503, description = "unavailable"),
    ))]
pub(crate) async fn answer(
    State(deps): State<Deps>,
    address: ClientAddress,
    headers: HeaderMap,
    Json(request): Json<Request>,
) -> Result<(StatusCode, Json<SentJson>), Problem> {
    check_origin(&headers, &deps.allowed_origins)?;
    let phone = phone_of(&request.phone)?;
    let challenge = send_code(&deps, &phone, address).await?;
    let sent = SentJson { expires_at: challenge.expires_at.into(), resend_after: challenge.resend_after().into() };
    Ok((StatusCode::ACCEPTED, Json(sent)))
}

fn phone_of(text: &str) -> Result<PhoneNumber, Problem> {
    PhoneNumber::parse(text).map_err(|_| Problem::validation(vec![no_number()]))
}

/// What is told of a text that is no number, here and where its code is used.
pub(crate) fn no_number() -> FieldError {
    let detail = "This is no mobile phone number. Give one in international form, such as +61 412 345 678.";
    FieldError::new("/phone", FieldCode::PhoneInvalid, detail)
}

async fn send_code(deps: &Deps, phone: &PhoneNumber, address: ClientAddress) -> Result<Challenge, SendCodeError> {
    let caller = limits::caller(deps, address).await?;
    if let Some(wait) = limits::count(deps, &deps.limits.asked_by_address, Subject::Address(&caller)).await? {
        return Err(SendCodeError::TooSoon(wait));
    }
    let served = deps.limits.countries.include(phone);
    let entropy = deps.random.bytes();
    let code = if served { VerificationCode::from_entropy(entropy) } else { VerificationCode::unanswerable(entropy) };
    let challenge = store_challenge(deps, phone, &code).await?;
    // After the phone's own limit: one that is asked for again and again uses up nobody else's codes. What goes nowhere is counted by itself,
    // for the same work, and takes nobody's place.
    let in_all = if served { &deps.limits.sent_in_all } else { &deps.limits.unserved_in_all };
    if let Some(wait) = limits::count(deps, in_all, Subject::Everybody).await? {
        kill(deps, &challenge).await;
        return Err(SendCodeError::TooSoon(wait));
    }
    if served {
        hand_over(deps, phone, &code, &challenge).await?;
    } else {
        tracing::info!("a code for a country that is not served was asked for");
    }
    Ok(challenge)
}

async fn hand_over(deps: &Deps, phone: &PhoneNumber, code: &VerificationCode, challenge: &Challenge) -> Result<(), SendCodeError> {
    let error = match deps.texts.send(phone.as_str(), &text_of(code)).await {
        Ok(accepted) => {
            tracing::info!(message_id = accepted.message_id, "the text with a verification code was accepted");
            return Ok(());
        }
        Err(error) => error,
    };
    kill(deps, challenge).await;
    if error.is_about_the_number() {
        tracing::warn!(error = chain(&error), "a phone takes no texts");
        return Ok(());
    }
    Err(SendCodeError::Text(error, RESEND_AFTER))
}

async fn store_challenge(deps: &Deps, phone: &PhoneNumber, code: &VerificationCode) -> Result<Challenge, SendCodeError> {
    let key = deps.hash_key().await?;
    let phone_hash = phone.keyed_hash(key);
    let mut rounds = Rounds::new("storing a verification code", phone_hash.as_str());
    loop {
        rounds.next().await?;
        let previous = deps.store.challenge(&phone_hash).await?;
        // After the read: a code that was stored meanwhile lies in the past, and the wait for the next is no longer than the limit.
        let now = deps.clock.now();
        let sends = previous.as_ref().map(|previous| previous.sends.clone());
        let challenge = Challenge::open(phone_hash.clone(), code, key, sends, now);
        let challenge = match (challenge, previous.as_ref()) {
            (Ok(challenge), _) => challenge,
            // Our own write of the round before, sent twice by the client: it stands.
            (Err(_), Some(stored)) if is_ours(stored, &phone_hash, code, key) => return Ok(stored.clone()),
            (Err(wait), _) => return Err(SendCodeError::TooSoon(wait.until.duration_since(now))),
        };
        if deps.store.replace_challenge(&challenge, previous.as_ref()).await? {
            return Ok(challenge);
        }
    }
}

/// Whether a stored challenge is the one that this request made of `code`.
fn is_ours(stored: &Challenge, phone_hash: &PhoneHash, code: &VerificationCode, key: &HashKey) -> bool {
    Challenge::open(phone_hash.clone(), code, key, None, stored.created_at).is_ok_and(|ours| ours.code_hash == stored.code_hash)
}

/// The text did not go out: nobody may guess at its code. The send still counts against the limits.
async fn kill(deps: &Deps, challenge: &Challenge) {
    let dead = Challenge { tries_left: 0, ..challenge.clone() };
    if let Err(error) = deps.store.replace_challenge(&dead, Some(challenge)).await {
        tracing::warn!(error = chain(&error), "a code that was not sent stays guessable until it expires");
    }
}

fn text_of(code: &VerificationCode) -> String {
    format!("{} is your Postledger code. It ends in {} minutes.", code.expose(), LIFETIME.as_mins())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_phone_number_is_named_by_its_field_and_not_repeated() {
        let problem = phone_of("+61 marker").unwrap_err();
        let [error] = problem.errors() else { panic!("one field is at fault") };
        assert_eq!((error.pointer.as_ref(), error.code), ("/phone", FieldCode::PhoneInvalid));
        assert!(!error.detail.contains("marker"));
    }

    #[test]
    fn the_text_says_the_code_whose_it_is_and_how_long_it_lasts() {
        let code = VerificationCode::parse("123456").unwrap();
        assert_eq!(text_of(&code), "123456 is your Postledger code. It ends in 5 minutes.");
    }

    #[test]
    fn a_request_knows_its_own_challenge_by_its_code() {
        let key = HashKey::new(vec![7; 32]).unwrap();
        let phone_hash = PhoneNumber::parse("+61412345678").unwrap().keyed_hash(&key);
        let (mine, other) = (VerificationCode::parse("123456").unwrap(), VerificationCode::parse("123457").unwrap());
        let stored = Challenge::open(phone_hash.clone(), &mine, &key, None, jiff::Timestamp::UNIX_EPOCH).unwrap();
        assert!(is_ours(&stored, &phone_hash, &mine, &key));
        assert!(!is_ours(&stored, &phone_hash, &other, &key));
    }
}
