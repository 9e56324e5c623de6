//! `POST /api/redeem-gift`: a plan for a gift certificate.
//!
//! Certificate, plan, cycle and history are one transaction. Repeated by its owner it gives the same answer; everything else
//! that is wrong with a code gives one refusal. While a plan runs the certificate stays unused.

use axum::extract::State;
use domain::id::{HistoryId, IdEntropy, UserId};
use domain::ledger::{Actor, Cause, ChangeReason, Cycle, LedgerChange};
use domain::people::gift::Redeemed;
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
    for _ in 0..ROUNDS_MAX {
        let now = deps.clock.now();
        let user = deps.store.user(user).await?.ok_or(RedeemError::NoUser)?;
        let gift = deps.store.gift(&hash).await?;
        let running = user.subscription.is_some_and(|plan| plan.active);
        // While a plan runs, every code but one's own gives the same answer: nobody can try out which codes live.
        if running && gift.as_ref().is_none_or(|gift| gift.redeemed_by.as_ref() != Some(&user.id)) {
            return Err(RedeemError::PlanRunning);
        }
        let gift = gift.ok_or(RedeemError::InvalidCode)?;
        let gift = match gift.redeem(user.id.clone(), now).map_err(|_| RedeemError::InvalidCode)? {
            Redeemed::Now(gift) => gift,
            Redeemed::AlreadyYours(gift) => return repeated(deps, &user, &gift, now).await,
        };
        let writer = HistoryId::new(now, deps.random.bytes()).to_string();
        let (user, change) = with_plan(user, gift.plan, deps.random.bytes(), now)?;
        let redemption = Redemption { hash: &hash, gift: &gift, user: &user, ledger: &change, writer: &writer };
        if deps.store.redeem(&redemption).await? == Stored::Done {
            tracing::info!(user_id = %user.id, plan = gift.plan.as_str(), "a gift certificate was redeemed");
            return Ok((gift.plan, change.cycle));
        }
    }
    Err(RedeemError::Contended)
}

/// The user with the plan, and the first cycle of it.
fn with_plan(user: User, plan: Plan, entropy: IdEntropy, now: Timestamp) -> Result<(User, LedgerChange), RedeemError> {
    if user.subscription.is_some_and(|subscription| subscription.active) {
        return Err(RedeemError::PlanRunning);
    }
    let subscription = Subscription { plan, anchor: now, active: true, source: Source::Gift };
    let cycle = Cycle::open(user.id.clone(), subscription.cycle_at(now), plan, now);
    let change = cycle.opening(ChangeReason::GiftRedeemed, Cause { entropy, at: now, actor: Actor::User, post_id: None });
    Ok((User { subscription: Some(subscription), rev: user.rev + 1, ..user }, change))
}

/// The answer to its owner once more: the running cycle, or the one that the certificate began if its plan has ended.
async fn repeated(deps: &Deps, user: &User, gift: &GiftCertificate, now: Timestamp) -> Result<(Plan, Cycle), RedeemError> {
    let running = deps.store.running_cycle(user, now).await?;
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
    use domain::people::PhoneNumber;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn user(subscription: Option<Subscription>) -> User {
        let phone = PhoneNumber::parse("+61412345678").unwrap();
        User { id: UserId::new(at(0), [1; 10]), phone, created_at: at(0), subscription, rev: 3 }
    }

    #[test]
    fn a_plan_begins_with_a_full_cycle_and_one_line_of_history() {
        let (user, change) = with_plan(user(None), Plan::Starter, [2; 10], at(50)).unwrap();
        let subscription = user.subscription.unwrap();
        assert_eq!((subscription.anchor, subscription.active, subscription.source), (at(50), true, Source::Gift));
        assert_eq!((user.rev, change.expected_rev, change.cycle.span.start), (4, None, at(50)));
        assert_eq!((change.cycle.quota, change.cycle.remaining), (12, 12));
        let [entry] = change.entries.as_slice() else { panic!("one entry") };
        assert_eq!((entry.reason, entry.previous_total, entry.new_total), (ChangeReason::GiftRedeemed, 0, 12));
    }

    #[test]
    fn a_running_plan_is_kept_and_an_ended_one_replaced() {
        let running = Subscription { plan: Plan::Starter, anchor: at(0), active: true, source: Source::Subscription };
        let ended = Subscription { active: false, ..running };
        assert!(matches!(with_plan(user(Some(running)), Plan::Professional, [2; 10], at(50)), Err(RedeemError::PlanRunning)));
        let (user, _) = with_plan(user(Some(ended)), Plan::Professional, [2; 10], at(50)).unwrap();
        assert_eq!(user.subscription.map(|subscription| subscription.plan), Some(Plan::Professional));
    }
}
