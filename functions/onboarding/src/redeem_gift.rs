//! `POST /api/redeem-gift`: a plan for a gift certificate.
//!
//! Certificate, plan, cycles and history are one transaction; what a certificate brings to whom is `domain::people::gift::grant`.
//! Repeated by its owner it gives the same answer. A valid certificate that brings its holder nothing is refused as such and stays
//! valid; everything else that is wrong with a code gives one refusal.
//!
//! Wrong codes are counted, right ones are not, and who has never been wrong is not made to wait for those who were.

use axum::extract::State;
use domain::id::{HistoryId, UserId};
use domain::ledger::{Cycle, LedgerChange};
use domain::people::gift::{self, GUESSES_BY_ADDRESS, GUESSES_BY_USER, GiftHash, Grant, NotGranted, Redeemed};
use domain::people::limit::{AddressHash, Subject};
use domain::people::{GiftCertificate, GiftCode};
use domain::plan::Plan;
use domain::plan_change::cycles_needed_from;
use domain::user::User;
use edge::contract::QuotaJson;
use edge::http_event::ClientAddress;
use edge::json::Json;
use edge::problem::Problem;
use edge::session::SignedIn;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Redeemed as Stored, Redemption, Rounds, StoreError};
use utoipa::ToSchema;

use crate::{Deps, HashKeyError, limits};

/// The certificate.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = RedeemGift)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// As it stands on the certificate; small letters, spaces, dashes, quotes around it and a full stop behind it do no harm.
    #[schema(max_length = 64, example = "7K2M-9QXD-41TR-ZH5C")]
    code: String,
}

/// What the certificate brought.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Redeemed)]
pub(crate) struct RedeemedJson {
    /// The certificate's plan.
    plan: Plan,
    /// The running cycle, with what the certificate brought.
    quota: QuotaJson,
}

/// Why there is no plan for this code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RedeemError {
    /// Malformed, unknown, expired, revoked or somebody else's.
    #[error("the gift code cannot be used")]
    InvalidCode,
    /// The certificate is valid, stays so, and brings this person nothing.
    #[error("the certificate is not used up")]
    NotGranted(#[from] NotGranted),
    /// Too many wrong codes, until so much later.
    #[error("the next code has to wait")]
    TooMany(SignedDuration),
    /// The session outlived its user.
    #[error("there is no such user")]
    NoUser,
    /// A table did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing can be hashed.
    #[error(transparent)]
    HashKey(#[from] HashKeyError),
}

/// Redeems a gift certificate.
///
/// It brings a plan. Repeated by the same user it gives the same answer. What cannot be a certificate at all is not counted as a guess.
#[utoipa::path(post, path = "/api/redeem-gift", operation_id = "redeem_gift", tag = "onboarding", request_body = Request,
    security(("session" = [], "csrf" = [])),
    responses(
        (status = 200, description = "The plan runs.", body = RedeemedJson),
        (status = 400, description = "invalid_code"),
        (status = 409, description = "state_conflict"),
        (status = 429, description = "too_many_requests"),
    ))]
pub(crate) async fn answer(
    State(deps): State<Deps>,
    signed_in: SignedIn,
    address: ClientAddress,
    Json(request): Json<Request>,
) -> Result<Json<RedeemedJson>, Problem> {
    let (plan, cycle) = redeem_gift(&deps, &signed_in.session.user_id, address, &request.code).await?;
    Ok(Json(RedeemedJson { plan, quota: QuotaJson::from(&cycle) }))
}

async fn redeem_gift(deps: &Deps, user: &UserId, address: ClientAddress, code: &str) -> Result<(Plan, Cycle), RedeemError> {
    // What cannot be a code is a slip of the hand and no guess.
    let code = GiftCode::parse(code).map_err(|_| RedeemError::InvalidCode)?;
    let caller = limits::caller(deps, address).await?;
    check_guesses(deps, user, &caller).await?;
    let outcome = redeem(deps, user, &code.keyed_hash(deps.hash_key().await?)).await;
    if matches!(outcome, Err(RedeemError::InvalidCode)) {
        count_guess(deps, user, &caller).await?;
    }
    outcome
}

async fn check_guesses(deps: &Deps, user: &UserId, caller: &AddressHash) -> Result<(), RedeemError> {
    let now = deps.clock.now();
    let own = GUESSES_BY_USER.bucket(Subject::User(user), now);
    let own_count = deps.store.counted(&own).await?;
    if own_count >= own.max {
        return Err(RedeemError::TooMany(own.ends_at.duration_since(now)));
    }
    if own_count > 0 {
        let shared = GUESSES_BY_ADDRESS.bucket(Subject::Address(caller), now);
        if deps.store.counted(&shared).await? >= shared.max {
            return Err(RedeemError::TooMany(shared.ends_at.duration_since(now)));
        }
    }
    Ok(())
}

/// Of many wrong codes at once, no more than the limit learn that they are wrong.
async fn count_guess(deps: &Deps, user: &UserId, caller: &AddressHash) -> Result<(), RedeemError> {
    limits::count(deps, &GUESSES_BY_ADDRESS, Subject::Address(caller)).await?;
    match limits::count(deps, &GUESSES_BY_USER, Subject::User(user)).await? {
        Some(wait) => Err(RedeemError::TooMany(wait)),
        None => Ok(()),
    }
}

async fn redeem(deps: &Deps, user: &UserId, hash: &GiftHash) -> Result<(Plan, Cycle), RedeemError> {
    let mut rounds = Rounds::new("redeeming a gift certificate", user.as_str());
    loop {
        rounds.next().await?;
        let now = deps.clock.now();
        let gift = deps.store.gift(hash).await?.ok_or(RedeemError::InvalidCode)?;
        let user = deps.store.user(user).await?.ok_or(RedeemError::NoUser)?;
        let gift = match gift.redeem(user.id.clone(), now).map_err(|_| RedeemError::InvalidCode)? {
            Redeemed::Now(gift) => gift,
            Redeemed::AlreadyYours(gift) => return repeated(deps, &user, &gift, now).await,
        };
        let cycles = deps.store.cycles_from(&user.id, cycles_needed_from(now)).await?;
        let Grant { gift, user, changes } = gift::grant(gift, &user, &cycles, now, || deps.random.bytes())?;
        let running = running(&changes)?.clone();
        let writer = HistoryId::new(now, deps.random.bytes()).to_string();
        let redemption = Redemption { hash, gift: &gift, user: &user, ledger: &changes, writer: &writer };
        if deps.store.redeem(&redemption).await? == Stored::Done {
            tracing::info!(user_id = %user.id, plan = gift.plan.as_str(), "a gift certificate was redeemed");
            return Ok((gift.plan, running));
        }
    }
}

/// The running cycle, which a grant changes first. It is looked for before anything is stored: a certificate that brings nothing to show
/// stays valid.
fn running(changes: &[LedgerChange]) -> Result<&Cycle, NotGranted> {
    changes.first().map(|change| &change.cycle).ok_or(NotGranted::NoCycle)
}

/// The answer to its owner once more: the running cycle, or the one that the certificate began if its plan has ended.
async fn repeated(deps: &Deps, user: &User, gift: &GiftCertificate, now: Timestamp) -> Result<(Plan, Cycle), RedeemError> {
    // By a clock that is behind, not the cycle before the one that it added to.
    let running = deps.store.running_cycle(user, gift.redeemed_at.map_or(now, |at| at.max(now))).await?;
    let cycle = match (running, gift.redeemed_at) {
        (Some(cycle), _) => Some(cycle),
        (None, Some(began)) => deps.store.cycle(&user.id, began).await?,
        (None, None) => None,
    };
    // Without either, the certificate gives nothing that could be shown.
    cycle.map(|cycle| (gift.plan, cycle)).ok_or(RedeemError::InvalidCode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_without_a_cycle_is_refused() {
        assert_eq!(running(&[]), Err(NotGranted::NoCycle));
    }
}
