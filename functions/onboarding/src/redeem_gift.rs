//! `POST /api/redeem-gift`: a plan for a gift certificate.
//!
//! Certificate, plan, cycle and history are one transaction. Repeated by its owner it gives the same answer; everything else
//! that is wrong with a code gives one refusal. While a plan runs the certificate stays unused.

use axum::extract::State;
use domain::id::{HistoryId, UserId};
use domain::ledger::{Actor, Cause, ChangeReason, Cycle};
use domain::people::gift::{GiftHash, Redeemed};
use domain::people::{GiftCertificate, GiftCode};
use domain::plan::{Plan, Source, Subscription};
use domain::user::User;
use edge::contract::QuotaJson;
use edge::json::Json;
use edge::problem::Problem;
use edge::session::SignedIn;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Redeemed as Stored, Redemption, StoreError};

use crate::{Deps, HashKeyError};

/// How often everything is read again when another write came first.
const ROUNDS_MAX: usize = 4;

/// The body.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    code: String,
}

/// What the certificate brought.
#[derive(Debug, Serialize)]
pub(crate) struct RedeemedJson {
    plan: Plan,
    quota: QuotaJson,
}

/// Why there is no plan for this code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RedeemError {
    /// Malformed, unknown, expired, revoked or somebody else's.
    #[error("the gift code cannot be used")]
    InvalidCode,
    /// One plan at a time.
    #[error("a plan is running already")]
    PlanRunning,
    /// The session outlived its user.
    #[error("there is no such user")]
    NoUser,
    /// Others kept changing the certificate, the user or the cycle.
    #[error("too many changes at once while redeeming a gift certificate")]
    Contended,
    /// A table did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing can be hashed.
    #[error(transparent)]
    HashKey(#[from] HashKeyError),
}

pub(crate) async fn answer(
    State(deps): State<Deps>,
    signed_in: SignedIn,
    Json(request): Json<Request>,
) -> Result<Json<RedeemedJson>, Problem> {
    let (plan, cycle) = redeem_gift(&deps, &signed_in.session.user_id, &request.code).await?;
    Ok(Json(RedeemedJson { plan, quota: QuotaJson::from(&cycle) }))
}

async fn redeem_gift(deps: &Deps, user: &UserId, code: &str) -> Result<(Plan, Cycle), RedeemError> {
    let code = GiftCode::parse(code).map_err(|_| RedeemError::InvalidCode)?;
    let hash = code.keyed_hash(deps.hash_key().await?);
    let writer = HistoryId::new(deps.clock.now(), deps.random.bytes());
    for _ in 0..ROUNDS_MAX {
        let now = deps.clock.now();
        let user = deps.store.user(user).await?.ok_or(RedeemError::NoUser)?;
        let gift = deps.store.gift(&hash).await?.ok_or(RedeemError::InvalidCode)?;
        let gift = match gift.redeem(user.id.clone(), now).map_err(|_| RedeemError::InvalidCode)? {
            Redeemed::Now(gift) => gift,
            Redeemed::AlreadyYours(gift) => return repeated(deps, &user, gift.plan, now).await,
        };
        if user.subscription.is_some_and(|plan| plan.active) {
            return Err(RedeemError::PlanRunning);
        }
        if let Some(cycle) = store_redemption(deps, (&hash, &gift), user, &writer).await? {
            return Ok((gift.plan, cycle));
        }
    }
    Err(RedeemError::Contended)
}

/// The running numbers, for who redeemed the certificate before.
async fn repeated(deps: &Deps, user: &User, plan: Plan, now: Timestamp) -> Result<(Plan, Cycle), RedeemError> {
    let cycle = deps.store.running_cycle(user, now).await?.ok_or(RedeemError::InvalidCode)?;
    Ok((plan, cycle))
}

/// The plan begins now, with its first cycle. `None`: something of it changed meanwhile.
async fn store_redemption(
    deps: &Deps,
    (hash, gift): (&GiftHash, &GiftCertificate),
    user: User,
    writer: &HistoryId,
) -> Result<Option<Cycle>, RedeemError> {
    let now = deps.clock.now();
    let subscription = Subscription { plan: gift.plan, anchor: now, active: true, source: Source::Gift };
    let cause = Cause { id: writer.clone(), at: now, actor: Actor::User, post_id: None };
    let fresh = Cycle::open(user.id.clone(), subscription.cycle_at(now), gift.plan, now);
    let ledger = fresh.opening(ChangeReason::GiftRedeemed, cause);
    let user = User { subscription: Some(subscription), rev: user.rev + 1, ..user };
    let redemption = Redemption { hash, gift, user: &user, ledger: &ledger, writer: writer.as_str() };
    match deps.store.redeem(&redemption).await? {
        Stored::Done => {
            tracing::info!(user_id = %user.id, plan = gift.plan.as_str(), "a gift certificate was redeemed");
            Ok(Some(ledger.cycle))
        }
        Stored::Moved => Ok(None),
    }
}
