//! What a change of plan does to the cycles.
//!
//! Facts change ([`Entitlements`]), another timeline follows from them, and the stored cycles are fitted to it:
//!
//! | the timeline | the running cycle | those that posts have opened ahead |
//! |---|---|---|
//! | has the cycle, with a higher plan | grows by what the plan holds more | the same |
//! | has the cycle, with a lower plan | stays as it is: what is paid is had | shrinks by what the plan holds less |
//! | has the cycle, with another end | its end moves, its key stays | the same |
//! | has it again | grants again what was withheld | the same |
//! | has another cycle there | ends where the other one begins | grants nothing any more |
//! | has nothing there | grants nothing any more | the same |
//! | has a cycle that is not stored | is opened, full | nothing: whoever needs it opens it |
//!
//! Each change of a number or a date writes a `plan_changed` row; a cycle that is opened has the row that says why. What is used stays used, and no number is ever
//! negative: a cycle that has promised more than it now grants is *overdrawn* ([`Cycle::overdrawn`]). What an operator has taken stays taken
//! ([`Cycle::granted`]). Its approved posts beyond that are held, the last due first ([`Post::hold`]), and go on when a change gives slots
//! back ([`LedgerChange::frees`]).
//!
//! [`Post::hold`]: crate::post::Post::hold

use jiff::{SignedDuration, Timestamp};

use crate::billing::Standing;
use crate::entitlement::{Entitlements, Kept, Slot, Timeline};
use crate::id::IdEntropy;
use crate::ledger::{Actor, Cause, ChangeReason, Cycle, LedgerChange, QUOTA_MAX};
use crate::plan::{CYCLE, CYCLE_MAX, Plan, Source};
use crate::user::User;

/// Clocks are no further apart.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(15);

/// What an operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// It is this plan: a higher one now, a lower one from the next cycle on.
    Have(Plan),
    /// No new cycles open.
    Lapse,
    /// What an operator has let lapse goes on.
    Return,
}

/// What has to be stored, all of it or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanChange {
    /// The user with the plan; `rev` is one more than it was.
    pub user: User,
    /// The running cycle first.
    pub changes: Vec<LedgerChange>,
}

/// Why a wish is not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotChanged {
    /// It is so already.
    #[error("the plan is so already")]
    AsItWas,
    /// There is no plan that could lapse, or none that an operator has let lapse.
    #[error("there is no plan")]
    NoPlan,
    /// The cycle holds all that one may.
    #[error("the cycle cannot hold more posts")]
    CycleFull,
}

/// From when on [`change_plan`] must know the stored cycles: one that began earlier has ended.
pub fn cycles_needed_from(now: Timestamp) -> Timestamp {
    now - CYCLE_MAX
}

/// When a change counts that is made by a clock which says `now`: `now`, but where that clock is behind others, never before what `user` has
/// began, nor within a cycle that is closed already.
pub(crate) fn counts_from(now: Timestamp, user: &User, cycles: &[Cycle]) -> Timestamp {
    let Entitlements { certificates, bought, operator, .. } = &user.entitled;
    let began = [certificates.anchor, bought.as_ref().map(|bought| bought.since), operator.set.map(|(_, since)| since)];
    let began = began.into_iter().flatten().filter(|began| *began <= now + CLOCKS_APART);
    let closed = cycles.iter().filter(|cycle| cycle.closed_at.is_some()).map(|cycle| cycle.span.end);
    closed.chain(began).fold(now, Timestamp::max)
}

/// What an operator's `wish` does to `user` at `now`. `cycles`: the stored ones from [`cycles_needed_from`] on, in order.
pub fn change_plan(
    wish: Wish,
    user: &User,
    cycles: &[Cycle],
    (now, actor): (Timestamp, Actor),
    entropy: impl FnMut() -> IdEntropy,
) -> Result<PlanChange, NotChanged> {
    let now = counts_from(now, user, cycles);
    let running = user.timeline(now).at(now).filter(|slot| slot.span.start <= now);
    let mut facts = user.entitled.as_of(&user.paid, now);
    match wish {
        Wish::Have(plan) => {
            if !facts.operator.lapsed && facts.operator.set.is_some_and(|(set, _)| set == plan) {
                return Err(NotChanged::AsItWas);
            }
            let since = match running {
                Some(slot) if slot.plan > plan => {
                    facts.kept = Some(Kept::from(slot));
                    if slot.source == Source::Gift {
                        facts.certificates = facts.certificates.without_one();
                    }
                    slot.span.end
                }
                Some(slot) if slot.source == Source::Operator => facts.operator.set.map_or(now, |(_, since)| since),
                // The running cycle goes on under its key.
                Some(slot) if now < slot.span.start + CYCLE => slot.span.start,
                _ => now,
            };
            (facts.operator.set, facts.operator.lapsed) = (Some((plan, since)), false);
            facts.kept = facts.kept.filter(|kept| kept.span.end <= since);
        }
        Wish::Lapse if facts.operator.lapsed => return Err(NotChanged::AsItWas),
        Wish::Lapse => {
            let slot = running.ok_or(NotChanged::NoPlan)?;
            if slot.source == Source::Gift {
                facts.certificates = facts.certificates.without_one();
            }
            facts.certificates.anchor = None;
            (facts.kept, facts.operator.lapsed) = (Some(Kept::from(slot)), true);
        }
        Wish::Return if !facts.operator.lapsed => return Err(if running.is_some() { NotChanged::AsItWas } else { NotChanged::NoPlan }),
        Wish::Return => {
            facts.operator.lapsed = false;
            let mut since = now;
            let kept = facts.kept.take();
            // What ran from elsewhere before it goes on to its end.
            let runs = Timeline::of(&facts, &user.paid, now).at(now).is_some_and(|slot| slot.span.start <= now);
            facts.kept = kept.filter(|kept| kept.source == Source::Subscription && !runs);
            if let Some(kept) = kept {
                since = kept.span.start;
                if kept.source == Source::Gift {
                    facts.certificates = facts.certificates.with(kept.plan, 1).ok_or(NotChanged::CycleFull)?;
                    facts.certificates.anchor = Some(since);
                }
            }
            facts.operator.set = facts.operator.set.map(|(plan, _)| (plan, since));
        }
    }
    facts.seat(&user.paid, now);
    changed(User { entitled: facts, ..user.clone() }, user, cycles, (now, actor, ChangeReason::PlanStarted), entropy)
}

/// What time alone does to what `user` has at `now`: a month that was not paid for grants nothing any more. `cycles`: as [`change_plan`]
/// needs them.
pub fn catch_up(
    user: &User,
    cycles: &[Cycle],
    (now, actor): (Timestamp, Actor),
    entropy: impl FnMut() -> IdEntropy,
) -> Result<PlanChange, NotChanged> {
    changed(user.clone(), user, cycles, (now, actor, ChangeReason::CycleOpened), entropy)
}

/// The cycle that follows `ended` by itself, as of `now`; `None`: none does.
pub fn next_cycle(ended: &Cycle, user: &User, now: Timestamp) -> Option<Cycle> {
    let timeline = user.timeline(now);
    let slot = timeline.at(ended.span.end).filter(|slot| slot.span.start == ended.span.end && !ended.lapsed)?;
    // Whatever changes a plan opens the cycle that runs at that time: one that ended before anybody came had the plan of the one before.
    let plan = if slot.span.end <= now && slot.source != Source::Gift { ended.plan } else { slot.plan };
    let fresh = timeline.cycle_at(&user.id, slot.span.start, now)?;
    Some(Cycle { plan, granted: i32::try_from(plan.quota()).unwrap_or(i32::MAX), ..fresh })
}

/// The user with other facts than `before`, and the stored cycles fitted to them.
pub(crate) fn changed(
    user: User,
    before: &User,
    cycles: &[Cycle],
    (now, actor, opened_by): (Timestamp, Actor, ChangeReason),
    mut entropy: impl FnMut() -> IdEntropy,
) -> Result<PlanChange, NotChanged> {
    let mut cause = || Cause { entropy: entropy(), at: now, actor, post_id: None };
    let (was, is) = (before.timeline(now), user.timeline(now));
    let changes = fitted(&user, [&was, &is], cycles, (now, opened_by), &mut cause);
    if changes.iter().any(|change| change.cycle.quota() > QUOTA_MAX) {
        return Err(NotChanged::CycleFull);
    }
    Ok(PlanChange { user: User { rev: before.rev + 1, ..user }, changes })
}

fn fitted(
    user: &User,
    [was, is]: [&Timeline; 2],
    cycles: &[Cycle],
    (now, opened_by): (Timestamp, ChangeReason),
    cause: &mut dyn FnMut() -> Cause,
) -> Vec<LedgerChange> {
    let runs = is.at(now).filter(|slot| slot.span.start <= now);
    let is_stored = |slot: &Slot| cycles.iter().any(|cycle| cycle.span.start == slot.span.start);
    let mut changes = Vec::new();
    if let Some(slot) = runs.filter(|slot| !is_stored(slot)) {
        // A lower plan changes nothing of the cycle that runs, though nobody has touched it.
        let had = was.at(now).filter(|had| had.span.start == slot.span.start && had.pay_by.is_none()).map(|had| had.plan);
        let (plan, lapsed) = (had.map_or(slot.plan, |had| had.max(slot.plan)), !is.follows(&slot));
        let fresh = Cycle { lapsed, pay_by: slot.pay_by, ..Cycle::open(user.id.clone(), slot.span, plan, now) };
        let reason = if had.is_some() { ChangeReason::CycleOpened } else { opened_by };
        changes.push(fresh.opening(reason, cause()).freeing(!cycles.is_empty() || was.last(now).is_some()));
    }
    for cycle in cycles.iter().filter(|cycle| cycle.closed_at.is_none() && cycle.span.end > now) {
        let (start, has_begun) = (cycle.span.start, cycle.span.start <= now);
        let change = match is.at(start).filter(|slot| slot.span.start == start) {
            Some(slot) => cycle.fit(&slot, is.follows(&slot), has_begun, cause()),
            None => match runs.filter(|slot| has_begun && start < slot.span.start && !is_unpaid(user, start)) {
                Some(slot) => Some(cycle.cut(slot.span.start, cause())),
                None => cycle.withhold(cause()),
            },
        };
        changes.extend(change);
    }
    changes
}

/// Whether nobody has paid for what began at `start`: what is bought is not paid for any more by then.
fn is_unpaid(user: &User, start: Timestamp) -> bool {
    let bought = user.entitled.bought.as_ref().and_then(|bought| user.paid.of(&bought.subscription_id));
    bought.is_some_and(|paid| paid.standing != Standing::Live && start >= paid.paid_through())
}

#[cfg(test)]
mod tests;
