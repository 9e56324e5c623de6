//! What people pay for: the provider's words on their subscriptions, and a certificate that more than one of them holds.

use std::rc::Rc;
use std::time::Duration;

use domain::billing::Told;
use domain::plan::{Plan, Source};
use http::Method;
use jiff::{SignedDuration, Timestamp};
use local::variables::tables;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::actor::End;
use crate::numbers;
use crate::scenario::{Deed, Scenario};
use crate::world::{API_TIMEOUT, World};

/// How often the provider sends an event that is not taken; the real one goes on for three days.
const DELIVERIES_MAX: usize = 120;
const DELIVERED_AGAIN_AFTER: Duration = Duration::from_mins(1);
/// A word that is taken is told so often in all.
const TAKEN_TIMES: usize = 2;

/// Those that a person may hold.
const SUBSCRIPTIONS: [usize; 2] = [0, 1];

/// What the provider tells of a person's subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// They buy the smaller plan.
    Begins,
    /// They take the larger one.
    Grows,
    /// They take the smaller one again.
    Shrinks,
    /// A payment for the larger one failed.
    Overdue,
    /// It is over.
    Ends,
    /// They are back from the checkout.
    CheckedOut,
    /// A payment came.
    Paid,
    /// A payment failed; that the subscription is overdue by it is told apart.
    Unpaid,
    /// Money was given back.
    Refunded,
}

impl Word {
    /// Every one.
    pub const ALL: [Self; 9] =
        [Self::Begins, Self::Grows, Self::Shrinks, Self::Overdue, Self::Ends, Self::CheckedOut, Self::Paid, Self::Unpaid, Self::Refunded];

    /// What it tells of the subscription, and what is had by it then. `None`: it holds no subscription.
    fn of_subscription(self) -> Option<(Told, Option<Plan>)> {
        Some(match self {
            Self::Begins => (Told::Created, Some(Plan::Starter)),
            Self::Grows | Self::Overdue => (Told::Updated, Some(Plan::Professional)),
            Self::Shrinks => (Told::Updated, Some(Plan::Starter)),
            Self::Ends => (Told::Deleted, None),
            Self::CheckedOut | Self::Paid | Self::Unpaid | Self::Refunded => return None,
        })
    }

    fn event(self, (person, subscription): (usize, usize), user: &str, began: Timestamp, made_secs: u64) -> simulator::stripe::Event {
        let (kind, status, price) = match self {
            Self::Begins => ("customer.subscription.created", "active", simulator::STARTER_PRICE),
            Self::Grows => ("customer.subscription.updated", "active", simulator::PROFESSIONAL_PRICE),
            Self::Shrinks => ("customer.subscription.updated", "active", simulator::STARTER_PRICE),
            Self::Overdue => ("customer.subscription.updated", "past_due", simulator::PROFESSIONAL_PRICE),
            Self::Ends => ("customer.subscription.deleted", "canceled", simulator::STARTER_PRICE),
            Self::CheckedOut => ("checkout.session.completed", "active", simulator::STARTER_PRICE),
            Self::Paid => ("invoice.paid", "active", simulator::STARTER_PRICE),
            Self::Unpaid => ("invoice.payment_failed", "past_due", simulator::STARTER_PRICE),
            Self::Refunded => ("charge.refunded", "active", simulator::STARTER_PRICE),
        };
        simulator::stripe::Event {
            id: event_id((person, subscription), made_secs, self),
            kind,
            created: began + SignedDuration::from_secs(i64::try_from(made_secs).unwrap_or_default()),
            customer: format!("cus_{person}"),
            subscription: format!("sub_{person}_{subscription}"),
            started: began + SignedDuration::from_secs(i64::try_from(subscription).unwrap_or_default()),
            status: status.to_owned(),
            price: price.to_owned(),
            user: Some(user.to_owned()),
            // Words are drawn by lot and told in any order: nobody here knows which came before one.
            before: None,
        }
    }
}

fn event_id((person, subscription): (usize, usize), made_secs: u64, said: Word) -> String {
    format!("evt_{person}_{subscription}_{made_secs}_{said:?}")
}

/// A word that the provider sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spoken {
    person: usize,
    subscription: usize,
    /// Seconds after the run began.
    at: u64,
    said: Word,
}

/// The provider sends a word until it is taken, and then once more.
pub(crate) async fn tell(world: &Rc<World>, person: usize, (subscription, said): (usize, Word), made_secs: u64) {
    world.told.borrow_mut().push(Spoken { person, subscription, at: made_secs, said });
    let event = said.event((person, subscription), world.people[person].user.as_str(), world.began, made_secs);
    let body = event.body();
    let mut taken = 0;
    for _ in 0..DELIVERIES_MAX {
        let (to, sent) = (world.clone(), body.clone());
        let work = async move { to.provider_sends(sent).await };
        let status = world.invoke("billing-webhook", API_TIMEOUT, work).await;
        world.injector.note(&format!("the provider sends {}: {status:?}", event.id));
        taken += usize::from(matches!(status, End::Done(200)));
        if taken == TAKEN_TIMES {
            return;
        }
        sleep(DELIVERED_AGAIN_AFTER).await;
    }
    world.injector.violation(format!("L1: {} was never taken", event.id));
}

/// The spare certificate, by whoever is first.
pub(crate) async fn redeem(world: &Rc<World>, person: usize) {
    let body = json!({ "code": world.spare });
    let status = crate::run::person_asks(world, person, Method::POST, "/api/redeem-gift".to_owned(), Some(body), None).await;
    world.redeemed.borrow_mut().push((person, status));
}

/// What must hold of plans and certificates when everything rests.
pub(crate) async fn check(world: &World, scenario: &Scenario) -> anyhow::Result<()> {
    numbers::check(world).await?;
    let store = &world.publisher.store;
    for (person, owner) in world.people.iter().enumerate() {
        for difference in store.audit(&owner.user).await?.differences {
            world.injector.violation(format!("S3: the audit of person {person} finds {difference}"));
        }
        let Some(last) = last_word(&world.told.borrow(), person) else { continue };
        let user = store.user(&owner.user).await?.ok_or_else(|| anyhow::anyhow!("person {person} is gone"))?;
        let known = user.paid.foremost().map(|paid| (paid.as_of.event_id.clone(), paid.standing.gives_plan()));
        let (subscription, at, said, bought) = last;
        let meant = event_id((person, subscription), at, said);
        if known.as_ref().map(|(id, _)| id) != Some(&meant) {
            world.injector.violation(format!("S7: the provider's last word on person {person} is {meant}, and {known:?} is known"));
        }
        let now = world.clock.now();
        let plan = user.timeline(now).at(now);
        // A certificate may hold a higher one, and so may what was paid for before and is had to its end.
        let redeems = scenario.all_deeds().any(|deed| deed == Deed::Redeem(person));
        let may_be_higher = redeems || user.entitled.kept.is_some();
        let told = world.told.borrow();
        let is_right = match (bought, plan) {
            (Some(bought), Some(plan)) if is_paid(&told, person, subscription) => {
                plan.plan == bought || (may_be_higher && plan.plan > bought)
            }
            (Some(_), None) => !is_paid(&told, person, subscription),
            // An unpaid plan gives nothing, whatever the provider said of it. A paid month is had, on whichever subscription.
            (_, plan) => plan.is_none_or(|plan| plan.source == Source::Gift || Some(plan.plan) <= paid_for(&told, person)),
        };
        if !is_right {
            world.injector.violation(format!("S7: after {meant}, the plan of person {person} is {plan:?}"));
        }
    }
    certificate(world)
}

/// The newest word on the subscription that counts: of a person's two the one with the higher plan, or the later. `None`: there is none, or
/// two words that nothing tells apart.
fn last_word(told: &[Spoken], person: usize) -> Option<(usize, u64, Word, Option<Plan>)> {
    let mut newest = Vec::new();
    for on in SUBSCRIPTIONS {
        let of_it = told.iter().filter(|spoken| (spoken.person, spoken.subscription) == (person, on));
        let words: Vec<_> =
            of_it.filter_map(|spoken| spoken.said.of_subscription().map(|(told, plan)| ((spoken.at, told), spoken.said, plan))).collect();
        let Some((age, said, plan)) = words.iter().copied().max_by_key(|(age, ..)| *age) else { continue };
        if words.iter().any(|word| word.0 == age && word.1 != said) {
            return None;
        }
        newest.push((on, age.0, said, plan));
    }
    newest.into_iter().max_by_key(|(on, .., plan)| (*plan, *on))
}

/// Whether a word told that a month of a subscription is paid: it ran, or a payment came.
fn is_paid(told: &[Spoken], person: usize, subscription: usize) -> bool {
    let paid = [Word::Begins, Word::Grows, Word::Shrinks, Word::Paid];
    told.iter().any(|spoken| (spoken.person, spoken.subscription) == (person, subscription) && paid.contains(&spoken.said))
}

/// The highest plan of which a month was paid, on any of a person's subscriptions.
fn paid_for(told: &[Spoken], person: usize) -> Option<Plan> {
    let of_paid = |spoken: &&Spoken| spoken.person == person && is_paid(told, person, spoken.subscription);
    told.iter().filter(of_paid).filter_map(|spoken| spoken.said.of_subscription()?.1).max()
}

/// The spare certificate was granted to those alone who were told so, and at most once.
fn certificate(world: &World) -> anyhow::Result<()> {
    let scanned = world.aws.tables("Scan", &json!({ "TableName": tables().ledger, "ConsistentRead": true }))?;
    let granted: Vec<&Value> = scanned["Items"].as_array().into_iter().flatten().filter(|item| is_grant(item, world.began)).collect();
    let answered = world.redeemed.borrow();
    let yes: Vec<usize> = answered.iter().filter(|(_, status)| *status == 200).map(|(person, _)| *person).collect();
    if granted.len() > 1 {
        world.injector.violation(format!("S18: one certificate was granted {} times", granted.len()));
    }
    for person in yes {
        let pk = format!("USER#{}", world.people[person].user);
        if !granted.iter().any(|item| item["pk"]["S"] == pk.as_str()) {
            world.injector.violation(format!("S18: person {person} was told that a certificate is theirs, and has nothing of it"));
        }
    }
    for (person, status) in answered.iter().filter(|(_, status)| (400..500).contains(status)) {
        let pk = format!("USER#{}", world.people[*person].user);
        if granted.iter().any(|item| item["pk"]["S"] == pk.as_str()) {
            world.injector.violation(format!("S18: person {person} has the certificate and was told {status}"));
        }
    }
    Ok(())
}

fn is_grant(item: &Value, began: Timestamp) -> bool {
    let at = item["at"]["S"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
    item["reason"]["S"] == "gift_redeemed" && at.is_some_and(|at| at >= began - SignedDuration::from_mins(6))
}
