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
//! A lower plan that a certificate gave is replaced by what is bought, and does not come back when that ends.
//!
//! While what is given stays as it was, nothing happens: an operator's change of the plan stands until there is news. Which subscription
//! counts, and that an old word does nothing at all: [`PaidSubscriptions`].

use jiff::Timestamp;

use super::{Paid, PaidSubscriptions};
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
    let wish = wish(&paid, &user);
    let user = User { paid, ..user };
    let unchanged = |user: User| PlanChange { user: User { rev: user.rev + 1, ..user }, changes: Vec::new() };
    let Some(wish) = wish else { return Ok(unchanged(user)) };
    match change_plan(wish, user.clone(), cycles, (now, Actor::Billing), entropy) {
        Err(NotChanged::AsItWas) => Ok(unchanged(user)),
        other => other,
    }
}

fn wish(paid: &PaidSubscriptions, user: &User) -> Option<Wish> {
    let given = |paid: &Paid| (paid.subscription_id.clone(), paid.plan);
    if paid.giving().map(given) == user.paid.giving().map(given) {
        return None;
    }
    let running = user.subscription.filter(|plan| plan.active);
    match (paid.giving(), running) {
        (None, running) => running.filter(|plan| plan.source == Source::Subscription).map(|_| Wish::Lapse),
        (Some(paid), Some(plan)) if plan.source == Source::Gift && plan.plan > paid.plan => None,
        (Some(paid), None) if gave(paid, user) => Some(Wish::Return),
        (Some(paid), _) => Some(Wish::Have(paid.plan, Source::Subscription)),
    }
}

/// Whether the plan that has lapsed was this subscription's.
fn gave(paid: &Paid, user: &User) -> bool {
    let was = user.paid.ended_last().filter(|was| (&was.subscription_id, was.plan) == (&paid.subscription_id, paid.plan));
    let lapsed = user.subscription.filter(|plan| plan.source == Source::Subscription && plan.plan == paid.plan);
    was.is_some() && lapsed.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::billing::{AsOf, Standing, Told};
    use crate::id::UserId;
    use crate::people::phone::PhoneNumber;
    use crate::plan::Plan;

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn word(subscription: &str, at: i64, standing: Standing, plan: Plan) -> Paid {
        let as_of = AsOf { at: time(at), told: Told::Updated, changed: false, event_id: format!("evt_{subscription}_{at}") };
        let (customer_id, subscription_id) = ("cus_1".to_owned(), subscription.to_owned());
        let started_at = time(at.min(100 * i64::from(subscription.bytes().last().unwrap())));
        Paid { customer_id, subscription_id, plan, standing, started_at, as_of }
    }

    /// The user after `words`, each heard when it was made, and with it how many cycles changed.
    fn after(words: &[Paid], mut user: User) -> (User, Vec<usize>) {
        let (mut cycles, mut changed) = (std::collections::BTreeMap::new(), Vec::new());
        for word in words {
            let Some(paid) = user.paid.after(word) else { continue };
            let stored: Vec<_> = cycles.values().cloned().collect();
            let change = follow(paid, user, &stored, word.as_of.at, || [7; 10]).unwrap();
            changed.push(change.changes.len());
            cycles.extend(change.changes.into_iter().map(|change| (change.cycle.span.start, change.cycle)));
            user = change.user;
        }
        (user, changed)
    }

    fn somebody() -> User {
        User::new(UserId::new(time(0), [1; 10]), PhoneNumber::parse("+61412345678").unwrap(), time(0))
    }

    #[test]
    fn what_changes_nothing_about_what_is_given_leaves_an_operators_plan_alone() {
        let (live, ended) = (word("sub_1", 10, Standing::Live, Plan::Starter), word("sub_1", 20, Standing::Ended, Plan::Starter));
        let (lapsed, _) = after(&[live, ended], somebody());
        assert!(!lapsed.subscription.unwrap().active);
        let given = Some(crate::plan::Subscription { active: true, plan: Plan::Professional, ..lapsed.subscription.unwrap() });
        let user = User { subscription: given, ..lapsed };
        let thought_of = word("sub_2", 40, Standing::Pending, Plan::Starter);
        let given_up = word("sub_2", 50, Standing::Ended, Plan::Starter);
        let old = word("sub_0", 60, Standing::Ended, Plan::Starter);
        let (after, changed) = after(&[thought_of, given_up, old], user);
        assert_eq!((after.subscription, changed), (given, vec![0, 0, 0]));
    }

    #[test]
    fn who_pays_again_for_what_lapsed_goes_on_and_who_pays_for_another_begins() {
        let first = |at, standing| word("sub_1", at, standing, Plan::Starter);
        let second = |at, standing| word("sub_2", at, standing, Plan::Starter);
        let anchor = |words: &[Paid]| after(words, somebody()).0.subscription.filter(|plan| plan.active).map(|plan| plan.anchor);
        let back = [first(10, Standing::Live), first(20, Standing::Ended), first(30, Standing::Live)];
        assert_eq!(anchor(&back), Some(time(10)), "it goes on in its old cycles");
        let thought_of_another = [&back[..2], &[second(25, Standing::Pending), first(30, Standing::Live)]].concat();
        assert_eq!(anchor(&thought_of_another), Some(time(10)), "what was never paid for replaced nothing");
        let other = [first(10, Standing::Live), first(20, Standing::Ended), second(30, Standing::Live)];
        assert_eq!(anchor(&other), Some(time(30)), "another is paid for from now on");
        let waited = [&other[..2], &[second(30, Standing::Pending), second(40, Standing::Live)]].concat();
        assert_eq!(anchor(&waited), Some(time(40)), "it gave nothing while it waited");
        let after_another = [&other[..], &[second(40, Standing::Ended), first(50, Standing::Live)]].concat();
        assert_eq!(anchor(&after_another), Some(time(50)), "what lapsed was the other's, and may be used up");
    }
}
