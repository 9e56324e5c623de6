//! Which cycle holds a time, by the facts.

use jiff::{SignedDuration, Timestamp};

use super::Entitlements;
use crate::billing::{PaidSubscriptions, Period, Standing};
use crate::id::UserId;
use crate::ledger::Cycle;
use crate::plan::{CYCLE, CycleSpan, Plan, Source};

/// How long a month that is about to be paid goes on without a word of its payment. The provider sends an event for three days:
/// <https://docs.stripe.com/webhooks#automatic-retries>.
pub(crate) const PAYMENT_GRACE: SignedDuration = SignedDuration::from_hours(3 * 24);

/// Stretches of time in which a plan is had, in order. None overlaps another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline(Vec<Stretch>);

/// A stretch in which cycles follow one another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stretch {
    from: Timestamp,
    /// `None`: as far as anybody knows.
    until: Option<Timestamp>,
    plan: Plan,
    source: Source,
    rhythm: Rhythm,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rhythm {
    /// One cycle.
    Whole,
    /// 30 days each.
    Days,
    /// The provider's months; and until when they are paid for.
    Months(Period, Timestamp),
}

/// What is had in one cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// When.
    pub span: CycleSpan,
    /// What.
    pub plan: Plan,
    /// Where it comes from.
    pub source: Source,
    /// When it is over unless it is paid by then; `None`: it is paid for.
    pub pay_by: Option<Timestamp>,
}

impl Timeline {
    /// The timeline by the facts, as it looks at `now`: what is bought runs on only as long as word of its payment may still come.
    pub fn of(facts: &Entitlements, paid: &PaidSubscriptions, now: Timestamp) -> Self {
        let mut stretches = Vec::new();
        let mut free_from = None;
        if let Some(kept) = facts.kept {
            let until = Some(kept.span.end);
            stretches.push(Stretch { from: kept.span.start, until, plan: kept.plan, source: kept.source, rhythm: Rhythm::Whole });
            free_from = until;
        }
        if facts.operator.lapsed {
            return Self(stretches);
        }
        if let Some((plan, since)) = facts.operator.set {
            let from = free_from.map_or(since, |free| free.max(since));
            stretches.push(Stretch { from, until: None, plan, source: Source::Operator, rhythm: Rhythm::Days });
            return Self(stretches);
        }
        let bought = facts.bought.as_ref().and_then(|bought| Some((bought.since, paid.of(&bought.subscription_id)?)));
        let mut terms = facts.certificates.terms.iter().peekable();
        let mut certificates = |stretches: &mut Vec<Stretch>, mut from: Timestamp, above: Option<Plan>| {
            while let Some(term) = terms.next_if(|term| above.is_none_or(|above| term.plan > above)) {
                let until = from + CYCLE * i32::try_from(term.cycles).unwrap_or(i32::MAX);
                stretches.push(Stretch { from, until: Some(until), plan: term.plan, source: Source::Gift, rhythm: Rhythm::Days });
                from = until;
            }
            from
        };
        if let Some(anchor) = facts.certificates.anchor {
            let from = free_from.map_or(anchor, |free| free.max(anchor));
            free_from = Some(certificates(&mut stretches, from, bought.map(|(_, paid)| paid.plan)));
        }
        if let Some((since, paid)) = bought {
            let from = free_from.map_or(since, |free| free.max(since));
            let until = paid.until(now);
            let is_had = until.is_none_or(|until| from < until);
            if is_had {
                let rhythm = Rhythm::Months(paid.period, paid.paid_through());
                stretches.push(Stretch { from, until, plan: paid.plan, source: Source::Subscription, rhythm });
            }
            // While it may go on, nobody knows when the others begin.
            let is_over = |until: &Timestamp| paid.standing == Standing::Ended || *until <= now;
            let Some(until) = until.filter(is_over) else { return Self(stretches) };
            let begin = facts.certificates.anchor.map_or(until, |anchor| anchor.max(until));
            free_from = Some(free_from.filter(|_| !is_had).map_or(begin, |free| free.max(begin)));
        }
        if let Some(from) = free_from {
            certificates(&mut stretches, from, None);
        }
        Self(stretches)
    }

    /// What is had in the cycle that holds `at`; `None`: nothing. What lies before all of it counts as its beginning.
    pub fn at(&self, at: Timestamp) -> Option<Slot> {
        let at = at.max(self.0.first()?.from);
        self.0.iter().find(|stretch| stretch.from <= at && stretch.until.is_none_or(|until| at < until)).map(|stretch| stretch.slot(at))
    }

    /// The cycle that holds `at`, as nobody has touched it.
    pub fn cycle_at(&self, user: &UserId, at: Timestamp, now: Timestamp) -> Option<Cycle> {
        let slot = self.at(at)?;
        let lapsed = !self.follows(&slot);
        Some(Cycle { pay_by: slot.pay_by, lapsed, ..Cycle::open(user.clone(), slot.span, slot.plan, now) })
    }

    /// Whether another cycle follows at once.
    pub fn follows(&self, slot: &Slot) -> bool {
        self.at(slot.span.end).is_some_and(|next| next.span.start == slot.span.end)
    }

    /// The plan that is had at `now`, or was had last, and its source.
    pub fn last(&self, now: Timestamp) -> Option<(Plan, Source)> {
        let begun = self.0.iter().rfind(|stretch| stretch.from <= now).or(self.0.first())?;
        Some((begun.plan, begun.source))
    }

    /// When everything that runs at `now` is over; `None`: nobody knows, or nothing runs.
    pub fn ends_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.at(now)?;
        self.0.last()?.until
    }

    /// From when until when certificates give their plans.
    pub(super) fn of_certificates(&self) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let terms = self.0.iter().filter(|stretch| stretch.source == Source::Gift && stretch.rhythm == Rhythm::Days);
        terms.filter_map(|stretch| Some((stretch.from, stretch.until?)))
    }
}

impl Stretch {
    fn slot(&self, at: Timestamp) -> Slot {
        let (span, paid_through) = match &self.rhythm {
            Rhythm::Whole => (CycleSpan { start: self.from, end: self.until.unwrap_or(self.from) }, None),
            Rhythm::Days => {
                let over = at.duration_since(self.from).as_millis() / CYCLE.as_millis();
                let start = self.from + CYCLE * i32::try_from(over).unwrap_or(i32::MAX);
                (CycleSpan { start, end: start + CYCLE }, None)
            }
            Rhythm::Months(period, paid_through) => (period.cycle_at(at), Some(*paid_through)),
        };
        let span = CycleSpan { start: span.start.max(self.from), end: self.until.map_or(span.end, |until| span.end.min(until)) };
        let pay_by = paid_through.filter(|paid| span.start >= *paid).map(|paid| paid + PAYMENT_GRACE);
        Slot { span, plan: self.plan, source: self.source, pay_by }
    }
}

#[cfg(test)]
mod tests;
