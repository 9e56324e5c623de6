//! What a user may use, and when.
//!
//! What is stored are facts: cycles of redeemed certificates that are still to be had, the subscription that counts, and what an operator
//! has set. [`Timeline`] follows from them, so that no job has to be on time for a plan to begin or to end.
//!
//! | comes first | for how long | its cycles |
//! |---|---|---|
//! | a cycle that nothing takes back ([`Kept`]) | to its end | itself |
//! | an operator's word | until there is another word | 30 days |
//! | certificates of a higher plan than the one that is bought | as many cycles as they bring | 30 days |
//! | what is bought | as long as it is paid, or about to be paid again | the provider's months |
//! | the other certificates | as many cycles as they bring, once what is bought has ended | 30 days |

mod timeline;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::billing::PaidSubscriptions;
use crate::plan::{CYCLE, CycleSpan, Plan, Source};

pub(crate) use timeline::PAYMENT_GRACE;
pub use timeline::{Slot, Timeline};

/// The most cycles that certificates may bring somebody ahead: ten years.
pub const CYCLES_MAX: u32 = 120;

/// The facts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entitlements {
    /// What certificates bring.
    pub certificates: Certificates,
    /// The subscription whose plan is had, or was had last.
    pub bought: Option<Bought>,
    /// What an operator has said.
    pub operator: ByOperator,
    /// A running cycle that is had to its end, whatever comes after it.
    pub kept: Option<Kept>,
}

/// Cycles of certificates that are still to be had.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificates {
    /// When the first of them begins or has begun; `None`: they wait for what is bought to end.
    pub anchor: Option<Timestamp>,
    /// The highest plan first, each plan once.
    pub terms: Vec<Term>,
}

/// So many cycles of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// Which.
    pub plan: Plan,
    /// How many; never none.
    pub cycles: u32,
}

/// A subscription whose plan is had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bought {
    /// At the provider.
    pub subscription_id: String,
    /// When its cycles began here: none of them begins earlier.
    pub since: Timestamp,
}

/// What an operator has said; a certificate, or news of what is bought, ends it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByOperator {
    /// A plan, and since when.
    pub set: Option<(Plan, Timestamp)>,
    /// That no further cycle opens.
    pub lapsed: bool,
}

/// A cycle that is had to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// When.
    pub span: CycleSpan,
    /// What it was opened with.
    pub plan: Plan,
    /// Where that came from.
    pub source: Source,
}

impl From<Slot> for Kept {
    fn from(Slot { span, plan, source, .. }: Slot) -> Self {
        Self { span, plan, source }
    }
}

impl Certificates {
    /// With `cycles` more of `plan`; `None`: more than [`CYCLES_MAX`] ahead.
    #[must_use]
    pub fn with(mut self, plan: Plan, cycles: u32) -> Option<Self> {
        let ahead = self.terms.iter().map(|term| term.cycles).sum::<u32>();
        if cycles > CYCLES_MAX.saturating_sub(ahead) {
            return None;
        }
        if let Some(term) = self.terms.iter_mut().find(|term| term.plan == plan) {
            term.cycles += cycles;
        } else {
            let place = self.terms.partition_point(|term| term.plan > plan);
            self.terms.insert(place, Term { plan, cycles });
        }
        Some(self)
    }

    /// Without the first of their cycles.
    #[must_use]
    pub(crate) fn without_one(mut self) -> Self {
        if let Some(first) = self.terms.first_mut() {
            first.cycles -= 1;
            if first.cycles == 0 {
                self.terms.remove(0);
            }
        }
        self
    }

    /// Without the cycles that are over at `now`; the running one is the first, and what waits has no anchor. `timeline` is the one that
    /// follows from them.
    fn folded(mut self, timeline: &Timeline, now: Timestamp) -> Self {
        self.anchor = None;
        for (from, until) in timeline.of_certificates() {
            if until <= now {
                self.terms.remove(0);
            } else if from <= now {
                let over = now.duration_since(from).as_secs() / CYCLE.as_secs();
                self.terms[0].cycles -= u32::try_from(over).unwrap_or_default();
                self.anchor = Some(from + CYCLE * i32::try_from(over).unwrap_or_default());
            }
        }
        self
    }
}

impl Entitlements {
    /// The facts as they stand at `now`, without what is over.
    #[must_use]
    pub fn as_of(&self, paid: &PaidSubscriptions, now: Timestamp) -> Self {
        let timeline = Timeline::of(self, paid, now);
        let certificates = self.certificates.clone().folded(&timeline, now);
        Self { certificates, kept: self.kept.filter(|kept| kept.span.end > now), ..self.clone() }
    }

    /// Lets certificates begin at `now` where nothing else of as high a plan runs, and wait where it does.
    pub(crate) fn seat(&mut self, paid: &PaidSubscriptions, now: Timestamp) {
        let Some(first) = self.certificates.terms.first() else { return };
        let bought = self.bought.as_ref().and_then(|bought| paid.of(&bought.subscription_id));
        let bought = bought.filter(|paid| paid.until(now).is_none_or(|until| until > now)).map(|paid| paid.plan);
        let other = self.operator.set.map(|(plan, _)| plan).or(bought);
        let waits = other.is_some_and(|other| other >= first.plan) || self.operator.lapsed;
        self.certificates.anchor = if waits { None } else { Some(self.certificates.anchor.unwrap_or(now)) };
    }
}
