//! Brings one event into the ledger: once, whole, and in whatever order it comes. Posts that lose their quota slot by it are held at once.

use std::time::Duration;

use domain::billing;
use domain::id::{HistoryId, UserId};
use domain::ledger::{Actor, Cause, LedgerChange};
use domain::plan_change::{NotChanged, PlanChange, cycles_needed_from};
use domain::user::User;
use edge::problem::chain;
use jiff::Timestamp;
use store::{Follow, Followed, Rounds, StoreError};

use crate::Deps;
use crate::event::{Event, Told};

/// How long posts are held before the provider has its answer: some hundred of them, well within the function's ten seconds.
const HOLD_MAX: Duration = Duration::from_secs(3);

/// The metric of what a person has to look into: somebody pays, and for nothing that we give.
pub(crate) const TROUBLE: &str = "billing_trouble";

/// What came of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is in the ledger, by this call or by an earlier one.
    Followed,
    /// It says nothing that is not known.
    OldWord,
    /// It does not concern a plan of ours.
    Nothing,
    /// Whoever pays is nobody that we know.
    Stranger,
}

/// Why an event could not be followed. The provider sends it again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FollowError {
    /// The ledger cannot hold what was bought.
    #[error("following a billing event")]
    NotChanged(#[from] NotChanged),
    /// A table did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Follows an event whose signature was believed.
pub(crate) async fn follow(deps: &Deps, event: &Event) -> Result<Outcome, FollowError> {
    let (said, customer_id) = match &event.told {
        Told::Nothing => return Ok(Outcome::Nothing),
        Told::Customer { user, customer_id } => (Some(user.clone()), customer_id),
        Told::Subscription { user, paid } => (user.clone(), &paid.customer_id),
        Told::Payment { customer_id, .. } => (None, customer_id),
    };
    let known = deps.store.user_of_customer(customer_id).await?;
    let Some(user_id) = known.or(said) else {
        // A payment may be told before the subscription that it is for, which will tell how it stands.
        let early = matches!(event.told, Told::Payment { .. });
        return Ok(if early { Outcome::Nothing } else { Outcome::Stranger });
    };
    let mut rounds = Rounds::new("following a billing event", &event.id);
    loop {
        rounds.next().await?;
        let now = deps.clock.now();
        let Some(user) = deps.store.user(&user_id).await? else { return Ok(Outcome::Stranger) };
        let Some(PlanChange { user, changes }) = change(deps, event, user, now).await? else { return Ok(Outcome::OldWord) };
        let writer = HistoryId::new(now, deps.random.bytes()).to_string();
        let followed = Followed { event_id: &event.id, customer_id, user: &user, ledger: &changes, writer: &writer, now };
        match deps.store.follow_event(&followed).await? {
            Follow::Done => {
                tracing::info!(user_id = %user.id, event_id = event.id, changes = changes.len(), "a billing event was followed");
                hold(deps, &user.id, &changes).await;
                return Ok(Outcome::Followed);
            }
            Follow::Foreign => return Ok(Outcome::Stranger),
            Follow::Moved => {}
        }
    }
}

/// What the event changes; `None`: nothing, it is an old word.
async fn change(deps: &Deps, event: &Event, user: User, now: Timestamp) -> Result<Option<PlanChange>, FollowError> {
    let paid = match &event.told {
        Told::Subscription { paid, .. } => user.paid.after(paid),
        Told::Payment { subscription_id, came, .. } => user.paid.after_payment(subscription_id, *came, event.created),
        // The customer is known from now on; what they pay for is told by the subscription's own events.
        Told::Customer { .. } | Told::Nothing => {
            return Ok(Some(PlanChange { user: User { rev: user.rev + 1, ..user }, changes: Vec::new() }));
        }
    };
    let Some(paid) = paid else { return Ok(None) };
    if let (Some(one), Some(other)) = (paid.giving(), paid.beside()) {
        let (subscription_id, other) = (&one.subscription_id, &other.subscription_id);
        tracing::error!(user_id = %user.id, event_id = event.id, subscription_id, other, "somebody pays for two subscriptions; end one at the provider");
        deps.metrics.count(now, TROUBLE, &[]);
    }
    let cycles = deps.store.cycles_from(&user.id, cycles_needed_from(now)).await?;
    Ok(Some(billing::follow(paid, &user, &cycles, now, || deps.random.bytes())?))
}

/// Holds the posts that cycles have promised beyond what they still grant: those that are due before the cycle job comes would go out
/// otherwise. The event is followed whatever becomes of this; what it leaves, the job holds. A plan that comes back gives the slots back,
/// and the sweeper lets the posts go on.
async fn hold(deps: &Deps, user: &UserId, changes: &[LedgerChange]) {
    let cause = || Cause { entropy: deps.random.bytes(), at: deps.clock.now(), actor: Actor::Billing, post_id: None };
    let holding = async {
        let mut held = 0;
        for cycle in changes.iter().map(|change| &change.cycle).filter(|cycle| cycle.to_hold() > 0) {
            held += deps.store.hold_beyond_quota(user, cycle.span.start, cause).await?;
        }
        Ok::<_, StoreError>(held)
    };
    match tokio::time::timeout(HOLD_MAX, holding).await {
        Ok(Ok(0)) => {}
        Ok(Ok(held)) => tracing::info!(user_id = %user, held, "posts have lost their place"),
        Ok(Err(error)) => tracing::warn!(user_id = %user, error = chain(&error), "posts that have lost their place wait for the cycle job"),
        Err(_) => tracing::warn!(user_id = %user, "more posts have lost their place than are held at once; the cycle job goes on"),
    }
}

/// For the log: who an event is about, when nobody of ours is.
pub(crate) fn whom(event: &Event) -> (Option<&UserId>, Option<&str>) {
    match &event.told {
        Told::Customer { user, customer_id } => (Some(user), Some(customer_id)),
        Told::Subscription { user, paid } => (user.as_ref(), Some(&paid.customer_id)),
        Told::Payment { customer_id, .. } => (None, Some(customer_id)),
        Told::Nothing => (None, None),
    }
}
