//! A post's life: its states, and the only ways from one to the next.
//!
//! ```text
//! draft ──approve──> scheduled ──claim──> publishing ──accepted──> published
//!   │                  │  ▲                 │  ├─rejected──> failed
//!   └─cancel─> cancelled┘ └──not sent/limit─┘  ├─accepted, not live yet──> processing ──> published | failed
//!              missed <── too late             └─no answer──> unknown ──evidence──> published | failed
//!                                                              └─tries used up──> needs_review ──a person──> …
//! failed | missed ──edit──> draft, ──retry──> scheduled
//!
//! scheduled ──ahead of its time──> publishing ──prepared──> scheduled
//!
//! scheduled | publishing, nothing sent ──slot or account lost──> held ──both are back──> scheduled
//!                                                                 └──too late──> missed
//! ```
//!
//! A transition consumes the post and gives the next one, or refuses. Every stored change raises `rev`, and every write
//! is conditional on the `rev` that it was derived from: two workers can think, one can write. That is the fence.

mod attempt;
mod conclude;
mod edit;
mod event;
mod prepared;
mod publication;
mod reconcile;
mod record;
mod set_aside;
mod state;
mod step;
mod zone_change;

pub use attempt::Attempt;
pub use conclude::{Conclusion, ERRORS_KEPT, NOT_SENT_TRIES_MAX, backoff};
pub use edit::{Draft, Edit, NewTime, Refused};
pub use event::Event;
pub use prepared::{HANDLE_MARGIN, HANDLES_MAX, Prepared};
pub use publication::{Known, Publication};
pub use reconcile::{Evidence, POLLS_MAX, Progress, SEARCH_BUDGET, SEARCHES_MAX};
pub use record::{Answer, AttemptOutcome, AttemptRecord, LateResult, Learned};
pub use set_aside::{SET_ASIDE_KEPT, SetAside};
pub use state::{ErrorNote, Intent, Phase, Post, SentTo, State, Status};
pub use step::Step;
pub use zone_change::ZoneChange;

use jiff::SignedDuration;

/// How long the publisher's Lambda may run; the template sets the same.
pub const FUNCTION_TIMEOUT: SignedDuration = SignedDuration::from_secs(60);
/// The most that two clocks of ours differ.
pub const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(5);
/// How long a worker owns a post. No worker outlives its function, so nobody sends when it has run out.
pub const LEASE: SignedDuration = SignedDuration::from_secs(65);
/// The longest that one send may take, from the intent on.
pub const SEND_DEADLINE: SignedDuration = SignedDuration::from_secs(25);
/// What stays of the function's time after a send, for writing down what came of it.
pub const SETTLE_RESERVE: SignedDuration = SignedDuration::from_secs(5);
/// The longest that a platform takes to show what it accepted.
pub const PLATFORM_LAG: SignedDuration = SignedDuration::from_secs(30);
/// How long after the last intent nothing of that try can still be under way, so that a search can be believed.
pub const SETTLE_WAIT: SignedDuration = SignedDuration::from_secs(100);
/// How late a post may go out, unless its owner says otherwise.
pub const LATEST_DEFAULT: SignedDuration = SignedDuration::from_mins(60);
/// How long after its time a post may stand unclaimed before the sweeper wakes it.
pub const WAKE_GRACE: SignedDuration = SignedDuration::from_secs(20);
/// How long after approval a post may stand unarmed before the sweeper arms it.
pub const ARM_GRACE: SignedDuration = SignedDuration::from_secs(30);
/// How many drafts one user may have.
pub const DRAFTS_MAX: usize = 1_000;
/// How often a post may be changed until its owner can edit it or try it again no more: each change leaves a row of its story.
pub const CHANGES_MAX: u64 = 500;
/// How many sends that its owner did not find a post remembers.
pub const UNSEEN_KEPT: usize = 4;
/// How long before it is missed a post whose wait is only guessed has its last try. Its wake-up may come late, and older posts of its account go
/// first.
pub const LAST_TRY: SignedDuration = SignedDuration::from_secs(30);
/// A wake-up this much early still counts: two clocks may differ, a customer's launch may not come early.
pub const EARLY_TOLERANCE: SignedDuration = SignedDuration::from_secs(2);

// The relations that the machine's safety rests on; a change that breaks one does not compile.
const _: () = {
    assert!(LEASE.as_secs() >= FUNCTION_TIMEOUT.as_secs() + CLOCK_SKEW.as_secs(), "no worker may outlive its lease");
    assert!(
        SETTLE_WAIT.as_secs() > FUNCTION_TIMEOUT.as_secs() + PLATFORM_LAG.as_secs() + CLOCK_SKEW.as_secs(),
        "a search must come after every answer"
    );
    assert!(SEND_DEADLINE.as_secs() + SETTLE_RESERVE.as_secs() < FUNCTION_TIMEOUT.as_secs(), "a send must leave time to settle");
    assert!(LATEST_DEFAULT.as_secs() > WAKE_GRACE.as_secs() + 60 + LEASE.as_secs(), "one lost wake-up must not miss a post");
};

/// What a transition does to the cycle that pays for the post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerEffect {
    /// Nothing.
    Keep,
    /// The reservation becomes use.
    Settle,
    /// The reservation is given back.
    Release,
    /// The use becomes a reservation again.
    Unsettle,
}

/// The next state of a post, with what is stored beside it in the same transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// Where the post stood before.
    pub from: Status,
    /// The post afterwards.
    pub post: Post,
    /// The row of the try that ended by it.
    pub attempt: Option<AttemptRecord>,
    /// What happens to the reservation.
    pub ledger: LedgerEffect,
}

impl Transition {
    /// What remains to be told of it when another worker had taken the post: the row of the try or of the search, with what it learned.
    /// `None`: nothing that decides, or nothing was sent at all.
    pub fn late(&self, before: &Post) -> Option<AttemptRecord> {
        let record = self.attempt.clone()?;
        let (State::Publishing { phase: Phase::Sending { intent, .. }, .. } | State::Unknown { intent, attempt: Some(_), .. }) =
            &before.state
        else {
            return None;
        };
        let learned = match (&self.post.state, record.outcome) {
            (State::Published { platform_post_id: Some(id), url, at, guessed }, AttemptOutcome::Accepted | AttemptOutcome::Found) => {
                let known = if guessed.is_some() { Known::BySearch } else { Known::ByAnswer };
                Learned::Published(Publication { platform_post_id: id.clone(), url: url.clone(), made_at: Some(*at), known })
            }
            (_, AttemptOutcome::Rejected | AttemptOutcome::NotSent | AttemptOutcome::Deferred) => Learned::NotThere { code: record.error? },
            _ => return None,
        };
        Some(AttemptRecord { late: Some(LateResult { version: before.version, sent_at: intent.last_at, learned }), ..record })
    }
}

#[cfg(test)]
mod tests;
