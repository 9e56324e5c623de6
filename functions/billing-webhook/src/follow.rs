//! Brings one event into the ledger: once, whole, and in whatever order it comes. Posts that lose their quota slot by it are held at once.

use std::time::Duration;

use domain::billing::{self, OpenCheckout};
use domain::id::{HistoryId, UserId};
use domain::ledger::{Actor, Cause, LedgerChange};
use domain::plan_change::{NotChanged, PlanChange, cycles_needed_from};
use domain::user::User;
use edge::problem::chain;
use jiff::{SignedDuration, Timestamp};
use store::{Customer, Follow, Followed, Rounds, StoreError};

use crate::Deps;
use crate::event::{Event, Told};

/// How long posts are held before the provider has its answer: some hundred of them, well within the function's ten seconds.
const HOLD_MAX: Duration = Duration::from_secs(3);

/// How long the provider may take to close a page.
const EXPIRE_MAX: Duration = Duration::from_secs(3);

/// A checkout says who pays within seconds. Whoever is unknown for so long is for a person to look into.
const CUSTOMER_WAITS_MAX: SignedDuration = SignedDuration::from_mins(10);

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
    /// Nobody has said yet who pays; it is kept until somebody does.
    Waits,
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
        Told::Customer { user, customer_id, .. } => (Some(user), customer_id),
        Told::Subscription { user, paid } => (user.as_ref(), &paid.customer_id),
        Told::Payment { customer_id, .. } => (None, customer_id),
    };
    let mut rounds = Rounds::new("following a billing event", &event.id);
    loop {
        rounds.next().await?;
        let now = deps.clock.now();
        let customer = deps.store.customer(customer_id).await?;
        let Some(user_id) = customer.user_id.as_ref().or(said) else {
            match wait(deps, event, customer_id, customer, now).await? {
                Some(outcome) => return Ok(outcome),
                None => continue,
            }
        };
        // Whoever goes to a checkout is no other customer's user.
        if said.is_some_and(|said| said != user_id) {
            return Ok(Outcome::Stranger);
        }
        let Some(user) = deps.store.user(user_id).await? else { return Ok(Outcome::Stranger) };
        let left_open = user.checkout.clone();
        let Some(PlanChange { user, changes }) = change(deps, event, user, &customer, now).await? else { return Ok(Outcome::OldWord) };
        let writer = HistoryId::new(now, deps.random.bytes()).to_string();
        let followed =
            Followed { event_id: &event.id, customer_id, customer: &customer, user: &user, ledger: &changes, writer: &writer, now };
        match deps.store.follow_event(&followed).await? {
            Follow::Done => {
                tracing::info!(user_id = %user.id, event_id = event.id, changes = changes.len(), "a billing event was followed");
                close_page(deps, event, left_open.filter(|_| user.checkout.is_none()), now).await;
                hold(deps, &user.id, &changes).await;
                return Ok(Outcome::Followed);
            }
            Follow::Moved => {}
        }
    }
}

/// Keeps a word on somebody of whom nobody has said who they are: the checkout says so, before or after it. `None`: read again.
async fn wait(deps: &Deps, event: &Event, customer_id: &str, known: Customer, now: Timestamp) -> Result<Option<Outcome>, FollowError> {
    let waiting = match &event.told {
        Told::Subscription { paid, .. } => known.waiting.after(paid),
        Told::Payment { subscription_id, came, .. } => known.waiting.after_payment(subscription_id, *came, event.created),
        Told::Customer { .. } | Told::Nothing => None,
    };
    // Nobody has said for long who pays: a person has to look.
    let long = known.since.is_some_and(|since| now.duration_since(since) > CUSTOMER_WAITS_MAX);
    let Some(waiting) = waiting else { return Ok(Some(if long { Outcome::Stranger } else { Outcome::Nothing })) };
    let customer = Customer { user_id: None, waiting, since: known.since.or(Some(now)), rev: known.rev + 1 };
    if !deps.store.wait_for_customer(customer_id, &customer).await? {
        return Ok(None);
    }
    Ok(Some(if long { Outcome::Stranger } else { Outcome::Waits }))
}

/// What the event changes; `None`: nothing, it is an old word.
async fn change(deps: &Deps, event: &Event, user: User, customer: &Customer, now: Timestamp) -> Result<Option<PlanChange>, FollowError> {
    let waited = user.paid.clone().and(&customer.waiting);
    let paid = match &event.told {
        Told::Subscription { paid, .. } => waited.after(paid),
        Told::Payment { subscription_id, came, .. } => waited.after_payment(subscription_id, *came, event.created),
        // The customer is known from now on; what they pay for is told by the subscription's own events, before or after.
        Told::Customer { .. } | Told::Nothing => Some(waited.clone()),
    };
    let Some(paid) = paid.or_else(|| (waited != user.paid).then_some(waited)) else { return Ok(None) };
    if let (Some(one), Some(other)) = (paid.giving(), paid.beside()) {
        let (subscription_id, other) = (&one.subscription_id, &other.subscription_id);
        tracing::error!(user_id = %user.id, event_id = event.id, subscription_id, other, "somebody pays for two subscriptions; end one at the provider");
        deps.metrics.count(now, TROUBLE, &[]);
    }
    // Who pays has no page left to pay on.
    let is_paying = matches!(event.told, Told::Customer { .. }) || (paid.giving().is_some() && user.paid.giving().is_none());
    let checkout = user.checkout.clone().filter(|_| !is_paying);
    let cycles = deps.store.cycles_from(&user.id, cycles_needed_from(now)).await?;
    let PlanChange { user, changes } = billing::follow(paid, &user, &cycles, now, || deps.random.bytes())?;
    Ok(Some(PlanChange { user: User { checkout, ..user }, changes }))
}

/// Closes the page that its owner left open while they paid on another. The event is followed whatever becomes of this: should both be paid,
/// that is told.
async fn close_page(deps: &Deps, event: &Event, open: Option<OpenCheckout>, now: Timestamp) {
    let paid_on = match &event.told {
        Told::Customer { session_id, .. } => Some(session_id),
        _ => None,
    };
    let Some(open) = open.filter(|open| open.expires_at > now && Some(&open.session_id) != paid_on) else { return };
    let expiring = async {
        let keys = deps.vault.billing_keys(now).await.map_err(|error| chain(&error))?;
        deps.payments.expire(&keys.api_key, &open.session_id).await.map_err(|error| chain(&error))
    };
    match tokio::time::timeout(EXPIRE_MAX, expiring).await {
        Ok(Ok(expired)) => tracing::info!(event_id = event.id, expired, "the page that was left open"),
        Ok(Err(error)) => tracing::warn!(event_id = event.id, error, "a page to pay on stays open"),
        Err(_) => tracing::warn!(event_id = event.id, "a page to pay on stays open: the provider did not answer in time"),
    }
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
        Told::Customer { user, customer_id, .. } => (Some(user), Some(customer_id)),
        Told::Subscription { user, paid } => (user.as_ref(), Some(&paid.customer_id)),
        Told::Payment { customer_id, .. } => (None, Some(customer_id)),
        Told::Nothing => (None, None),
    }
}
