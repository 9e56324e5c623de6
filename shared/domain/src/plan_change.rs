//! What a change of plan does to the cycles.
//!
//! | what happens | the running cycle | those that posts have opened ahead | history rows |
//! |---|---|---|---|
//! | a plan begins | a new one, full; one of an earlier plan that still ran ends now | of the earlier plan: none grant anything since it lapsed | `plan_started` from 0, `plan_changed` on the one that ends |
//! | a higher plan | grows by what it holds more | the same | `plan_changed`, one a cycle |
//! | a lower plan | shrinks by what it holds less | the same | `plan_changed`, one a cycle |
//! | the plan lapses | stays as it was paid for, to its end | grant nothing any more | `plan_changed`, one a cycle |
//! | the plan returns | grants again what the lapse took | the same | `plan_changed`, one a cycle |
//!
//! What is used stays used, and no number is ever negative: a cycle that has promised more than it now grants is *overdrawn*
//! ([`Cycle::overdrawn`]). What an operator has taken stays taken ([`Cycle::granted`]). Its approved posts beyond that are held, the last due first ([`Post::hold`]), and go on when a
//! change gives slots back ([`LedgerChange::frees`]).
//! Cycles keep their dates, but for one that ends because another begins. A running cycle that nobody has touched is opened first,
//! with a `cycle_opened` row of its own: so there always is one for the cycle job to follow.
//!
//! [`Post::hold`]: crate::post::Post::hold

use jiff::{SignedDuration, Timestamp};

use crate::id::IdEntropy;
use crate::ledger::{Actor, Cause, ChangeReason, Cycle, LedgerChange};
use crate::plan::{CYCLE, Plan, Source, Subscription};
use crate::user::User;

/// What becomes of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// It is this one from now on; if none runs, it begins now.
    Have(Plan, Source),
    /// No new cycles open.
    Lapse,
    /// A plan that has lapsed goes on, in its old cycles.
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
    /// There never was a plan that could lapse or return.
    #[error("there is no plan")]
    NoPlan,
    /// The cycle holds all that one may.
    #[error("the cycle cannot hold more posts")]
    CycleFull,
}

/// From when on [`change_plan`] must know the stored cycles: one that began earlier has ended.
pub fn cycles_needed_from(now: Timestamp) -> Timestamp {
    now - CYCLE
}

/// When a change counts that is made by a clock which says `now`: `now`, but where that clock is behind others, never before the plan of
/// `user` began, nor within a cycle that is closed already. Nor is it the very moment at which a stored cycle begins, or whole cycles before
/// it: a plan may begin then, and the beginning of one of its own cycles would be that cycle's key.
pub(crate) fn counts_from(now: Timestamp, user: &User, cycles: &[Cycle]) -> Timestamp {
    let closed = cycles.iter().filter(|cycle| cycle.closed_at.is_some()).map(|cycle| cycle.span.end);
    let mut at = closed.chain(user.subscription.map(|plan| plan.anchor)).fold(now, Timestamp::max);
    let is_key = |start: Timestamp, at: Timestamp| start >= at && start.duration_since(at).as_nanos() % CYCLE.as_nanos() == 0;
    while cycles.iter().any(|cycle| is_key(cycle.span.start, at)) {
        at += SignedDuration::from_millis(1);
    }
    at
}

/// What `wish` does to `user` at `now`. `cycles`: the stored ones from [`cycles_needed_from`] on, in order.
pub fn change_plan(
    wish: Wish,
    user: User,
    cycles: &[Cycle],
    (now, actor): (Timestamp, Actor),
    mut entropy: impl FnMut() -> IdEntropy,
) -> Result<PlanChange, NotChanged> {
    let now = counts_from(now, &user, cycles);
    let mut cause = || Cause { entropy: entropy(), at: now, actor, post_id: None };
    let (subscription, changes) = match (wish, user.subscription) {
        (Wish::Have(plan, source), Some(running)) if running.active => {
            if (running.plan, running.source) == (plan, source) {
                return Err(NotChanged::AsItWas);
            }
            // By what each cycle has: a clock that was ahead may have changed the later ones alone.
            let moved = |cycle: &Cycle, cause: Cause| cycle.re_plan(plan, cause);
            (Subscription { plan, source, ..running }, each(&user, &running, cycles, now, &mut cause, moved)?)
        }
        (Wish::Have(plan, source), before) => {
            let subscription = Subscription { plan, anchor: now, active: true, source };
            let fresh = Cycle::open(user.id.clone(), subscription.cycle_at(now), plan, now);
            let mut changes = vec![fresh.opening(ChangeReason::PlanStarted, cause()).freeing(before.is_some())];
            changes.extend(cut_short(cycles, now, cause));
            (subscription, changes)
        }
        (_, None) => return Err(NotChanged::NoPlan),
        (Wish::Lapse, Some(running)) if running.active => {
            let ended = |cycle: &Cycle, cause: Cause| Some(cycle.lapse(cycle.span.start <= now, cause));
            (Subscription { active: false, ..running }, each(&user, &running, cycles, now, &mut cause, ended)?)
        }
        (Wish::Return, Some(lapsed)) if !lapsed.active => {
            let back = |cycle: &Cycle, cause: Cause| cycle.give_back(cause).map(|change| change.freeing(true));
            (Subscription { active: true, ..lapsed }, each(&user, &lapsed, cycles, now, &mut cause, back)?)
        }
        (Wish::Lapse | Wish::Return, Some(_)) => return Err(NotChanged::AsItWas),
    };
    let rev = user.rev + 1;
    Ok(PlanChange { user: User { subscription: Some(subscription), rev, ..user }, changes })
}

/// The cycle that follows `ended` by itself, as of `now`; `None`: the plan does not run, or did not run any more when that one ended, or
/// has begun anew and has cycles of its own.
pub fn next_cycle(ended: &Cycle, plan: &Subscription, now: Timestamp) -> Option<Cycle> {
    let span = plan.cycle_at(ended.span.end);
    let follows = plan.active && !ended.lapsed && !ended.is_cut_short() && span.start == ended.span.end;
    // Whatever changes a plan opens the cycle that runs at that time: one that ended before anybody came had the plan of the one before.
    let had = if span.end <= now { ended.plan } else { plan.plan };
    follows.then(|| Cycle::open(ended.user_id.clone(), span, had, now))
}

/// The running cycle and those ahead of the plan, each changed.
fn each(
    user: &User,
    plan: &Subscription,
    cycles: &[Cycle],
    now: Timestamp,
    cause: &mut dyn FnMut() -> Cause,
    change: impl Fn(&Cycle, Cause) -> Option<LedgerChange>,
) -> Result<Vec<LedgerChange>, NotChanged> {
    let running = std::iter::once(running_cycle(user, plan, cycles, now));
    let changes = running.chain(ahead(plan, cycles, now)).map(|standing| standing.changed(&mut *cause, &change));
    changes.collect::<Result<_, _>>().map_err(|CycleFull| NotChanged::CycleFull)
}

/// What ends the cycles of a plan that has lapsed, because another begins: the one that still runs ends now, and one ahead that an
/// operator has given something grants nothing any more. Two never run at once.
pub(crate) fn cut_short(cycles: &[Cycle], now: Timestamp, mut cause: impl FnMut() -> Cause) -> Vec<LedgerChange> {
    let ended = |cycle: &Cycle| {
        if cycle.closed_at.is_some() || cycle.span.end <= now {
            None
        } else if cycle.span.start < now {
            Some(cycle.cut(ChangeReason::PlanChanged, cause()))
        } else {
            (cycle.granted > 0).then(|| cycle.lapse(false, cause()))
        }
    };
    cycles.iter().filter_map(ended).collect()
}

/// A cycle, and whether it has to be opened first.
pub(crate) enum Standing {
    Stored(Cycle),
    Untouched(Cycle),
}

/// The cycle cannot hold more posts.
#[derive(Debug)]
pub(crate) struct CycleFull;

pub(crate) fn running_cycle(user: &User, plan: &Subscription, cycles: &[Cycle], now: Timestamp) -> Standing {
    let span = plan.cycle_at(now);
    match cycles.iter().find(|cycle| cycle.span == span) {
        Some(cycle) => Standing::Stored(cycle.clone()),
        None => Standing::Untouched(Cycle::open(user.id.clone(), span, plan.plan, now)),
    }
}

/// The stored cycles of `plan` that have not begun.
pub(crate) fn ahead(plan: &Subscription, cycles: &[Cycle], now: Timestamp) -> impl Iterator<Item = Standing> {
    let ahead = cycles.iter().filter(move |cycle| cycle.span.start > now && plan.cycle_at(cycle.span.start) == cycle.span);
    ahead.map(|cycle| Standing::Stored(cycle.clone()))
}

impl Standing {
    /// The cycle, opened first where it has to be, and changed.
    pub(crate) fn changed(
        self,
        mut cause: impl FnMut() -> Cause,
        change: impl FnOnce(&Cycle, Cause) -> Option<LedgerChange>,
    ) -> Result<LedgerChange, CycleFull> {
        let (cycle, opening) = self.opened(&mut cause);
        let mut change = change(&cycle, cause()).ok_or(CycleFull)?;
        change.entries.splice(0..0, opening);
        Ok(change)
    }

    fn opened(self, cause: &mut impl FnMut() -> Cause) -> (Cycle, Vec<crate::ledger::HistoryEntry>) {
        match self {
            Self::Stored(cycle) => (cycle, Vec::new()),
            Self::Untouched(cycle) => {
                let opening = cycle.opening(ChangeReason::CycleOpened, cause()).entries;
                (cycle, opening)
            }
        }
    }
}

#[cfg(test)]
mod tests;
