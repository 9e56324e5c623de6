//! What a word on a subscription does to the plan of whoever pays.
//!
//! | the word | the plan that runs | what happens |
//! |---|---|---|
//! | it is live, or overdue | none | the plan begins; one that this subscription gave before it lapsed goes on in its old cycles |
//! | the same | the same, or a lower one | it is this one from now on |
//! | the same | a higher one of the same source | it is this one from now on: what is used stays used |
//! | the same | a higher one from a certificate | that one stays: nobody pays to have less |
//! | it has ended | one that it gave | the plan lapses |
//! | it has ended, or waits for its first payment | any other, or none | nothing |
//!
//! An older word than the one that is known does nothing at all: ask [`Paid::supersedes`] first.

use jiff::Timestamp;

use super::{Paid, Standing};
use crate::id::IdEntropy;
use crate::ledger::{Actor, Cycle};
use crate::plan::Source;
use crate::plan_change::{NotChanged, PlanChange, Wish, change_plan};
use crate::user::User;

/// What has to be stored for `word`: the user with it, and with the plan and the cycles that it leads to. `cycles`: as [`change_plan`]
/// needs them.
pub fn follow(
    word: Paid,
    user: User,
    cycles: &[Cycle],
    now: Timestamp,
    entropy: impl FnMut() -> IdEntropy,
) -> Result<PlanChange, NotChanged> {
    let wish = wish(&word, &user);
    let user = User { paid: Some(word), ..user };
    let unchanged = |user: User| PlanChange { user: User { rev: user.rev + 1, ..user }, changes: Vec::new() };
    let Some(wish) = wish else { return Ok(unchanged(user)) };
    match change_plan(wish, user.clone(), cycles, (now, Actor::Billing), entropy) {
        Err(NotChanged::AsItWas) => Ok(unchanged(user)),
        other => other,
    }
}

fn wish(word: &Paid, user: &User) -> Option<Wish> {
    let running = user.subscription.filter(|plan| plan.active);
    match (word.standing, running) {
        (Standing::Pending, _) => None,
        (Standing::Ended, running) => running.filter(|plan| plan.source == Source::Subscription).map(|_| Wish::Lapse),
        (Standing::Live | Standing::Overdue, Some(plan)) if plan.source == Source::Gift && plan.plan > word.plan => None,
        (Standing::Live | Standing::Overdue, None) if gave(word, user) => Some(Wish::Return),
        (Standing::Live | Standing::Overdue, _) => Some(Wish::Have(word.plan, Source::Subscription)),
    }
}

/// Whether the plan that has lapsed was this subscription's.
fn gave(word: &Paid, user: &User) -> bool {
    let same = |known: &Paid| known.subscription_id == word.subscription_id && known.plan == word.plan;
    let lapsed = |plan: &crate::plan::Subscription| plan.source == Source::Subscription && plan.plan == word.plan;
    user.paid.as_ref().is_some_and(same) && user.subscription.as_ref().is_some_and(lapsed)
}
