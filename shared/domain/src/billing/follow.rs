//! What the subscription that counts does to the plan of whoever pays for it.
//!
//! | the subscription | the plan that runs | what happens |
//! |---|---|---|
//! | it is live, or overdue | none | the plan begins; one that this subscription gave before it lapsed goes on in its old cycles |
//! | the same | the same, or a lower one | it is this one from now on |
//! | the same | a higher one of the same source | it is this one from now on: what is used stays used |
//! | the same | a higher one from a certificate | that one stays: nobody pays to have less |
//! | it has ended | one that a subscription gave | the plan lapses |
//! | it has ended, or waits for its first payment | any other, or none | nothing |
//!
//! Which one counts, and that an old word does nothing at all: [`PaidSubscriptions`].

use jiff::Timestamp;

use super::{Paid, PaidSubscriptions, Standing};
use crate::id::IdEntropy;
use crate::ledger::{Actor, Cycle};
use crate::plan::Source;
use crate::plan_change::{NotChanged, PlanChange, Wish, change_plan};
use crate::user::User;

/// What has to be stored when `paid` is what is known from now on: the user with it, and with the plan and the cycles that it leads to.
/// `cycles`: as [`change_plan`] needs them.
pub fn follow(
    paid: PaidSubscriptions,
    user: User,
    cycles: &[Cycle],
    now: Timestamp,
    entropy: impl FnMut() -> IdEntropy,
) -> Result<PlanChange, NotChanged> {
    let wish = paid.foremost().and_then(|counts| wish(counts, &user));
    let user = User { paid, ..user };
    let unchanged = |user: User| PlanChange { user: User { rev: user.rev + 1, ..user }, changes: Vec::new() };
    let Some(wish) = wish else { return Ok(unchanged(user)) };
    match change_plan(wish, user.clone(), cycles, (now, Actor::Billing), entropy) {
        Err(NotChanged::AsItWas) => Ok(unchanged(user)),
        other => other,
    }
}

fn wish(paid: &Paid, user: &User) -> Option<Wish> {
    let running = user.subscription.filter(|plan| plan.active);
    match (paid.standing, running) {
        (Standing::Pending, _) => None,
        (Standing::Ended, running) => running.filter(|plan| plan.source == Source::Subscription).map(|_| Wish::Lapse),
        (Standing::Live | Standing::Overdue, Some(plan)) if plan.source == Source::Gift && plan.plan > paid.plan => None,
        (Standing::Live | Standing::Overdue, None) if gave(paid, user) => Some(Wish::Return),
        (Standing::Live | Standing::Overdue, _) => Some(Wish::Have(paid.plan, Source::Subscription)),
    }
}

/// Whether the plan that has lapsed was this subscription's.
fn gave(paid: &Paid, user: &User) -> bool {
    let before = user.paid.of(&paid.subscription_id);
    let lapsed = user.subscription.filter(|plan| plan.source == Source::Subscription && plan.plan == paid.plan);
    lapsed.is_some() && before.is_some_and(|before| before.plan == paid.plan && before.standing != Standing::Pending)
}
