//! A lost answer: from here on only evidence moves the post.

use jiff::{SignedDuration, Timestamp};

use super::attempt::Attempt;
use super::edit::{Refused, fresh_schedule};
use super::publication::Publication;
use super::record::{Answer, AttemptOutcome, record};
use super::state::{Intent, Phase, Post, State, Status};
use super::{LedgerEffect, SEND_DEADLINE, SETTLE_WAIT, Transition};
use crate::failure::FailureCode;
use crate::id::AttemptId;
use crate::planted::Bug;

/// How often the platform is searched before a person must look.
pub const SEARCHES_MAX: u32 = 4;
/// However many reads fail or sends are repeated meanwhile, this long after the first intent a person must look.
pub const SEARCH_BUDGET: SignedDuration = SignedDuration::from_hours(3);

/// The longest wait for which a platform's limit puts a search off.
const LIMIT_WAIT_MAX: SignedDuration = SignedDuration::from_mins(30);

/// What a search on the platform showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// It is there.
    Found(Publication),
    /// It is surely not there, and why.
    NotThere(FailureCode),
    /// None is.
    NotFound,
    /// Several could be: binding one would be a guess.
    Ambiguous,
    /// The platform could not be read; nothing is known.
    Unreadable,
    /// The platform may be read again at the given time, or its word is believed from then on; nothing is known.
    Limited {
        /// When.
        until: Timestamp,
    },
    /// The account can no longer be read at all.
    Unreachable,
    /// It was sent once more under its key or handle, and that answer was lost too.
    SentAgain,
    /// The platform has it under a handle and will show it later.
    Processing {
        /// The handle.
        handle: String,
        /// When to ask.
        poll_at: Timestamp,
    },
}

/// How often a platform that has accepted a post is asked whether it is live, before a person must look.
pub const POLLS_MAX: u32 = 60;

/// What a platform says of a post that it has accepted under a handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It is there.
    Live {
        /// The platform's id.
        platform_post_id: String,
        /// Where people see it.
        url: Option<String>,
    },
    /// It will not be: the platform refused it after all.
    Refused(FailureCode),
    /// It cannot be asked after any more: a person must look.
    Unreachable,
    /// Not yet; ask again at the given time.
    NotYet {
        /// When.
        poll_at: Timestamp,
    },
}

/// When the first search can be believed.
pub(super) fn first_search(intent: Intent) -> Timestamp {
    intent.last_at + SETTLE_WAIT
}

/// The wait after the `searches`-th search that found nothing.
fn next_wait(searches: u32) -> SignedDuration {
    SignedDuration::from_mins(match searches {
        0 | 1 => 5,
        2 => 15,
        _ => 60,
    })
}

impl Post {
    /// Writes down what the platform says of an accepted post. Asking reads only, so it needs no attempt of its own.
    pub fn conclude_poll(self, progress: Progress, now: Timestamp) -> Result<Transition, Refused> {
        let State::Processing { handle, since, polls, .. } = self.state.clone() else { return Err(self.refusal()) };
        let (post, ledger) = match progress {
            Progress::Live { platform_post_id, url } => {
                let state = State::Published { at: now, platform_post_id: Some(platform_post_id), url, guessed: None };
                (self.moved(state, now), LedgerEffect::Settle)
            }
            Progress::Refused(code) => (self.noted(code, now).moved(State::Failed { code }, now), LedgerEffect::Release),
            Progress::NotYet { poll_at } if polls + 1 < POLLS_MAX => {
                (self.moved(State::Processing { handle, since, poll_at, polls: polls + 1 }, now), LedgerEffect::Keep)
            }
            Progress::NotYet { .. } | Progress::Unreachable => {
                let intent = Intent { first_at: since, last_at: since };
                (self.noted(FailureCode::NotConfirmed, now).moved(State::NeedsReview { intent }, now), LedgerEffect::Keep)
            }
        };
        Ok(Transition { from: Status::Processing, post, attempt: None, ledger })
    }

    /// The worker vanished after its intent: the post may be there. It never sends again from here.
    pub fn suspect(self, now: Timestamp) -> Result<Transition, Refused> {
        let State::Publishing { attempt, phase: Phase::Sending { intent }, .. } = self.state.clone() else {
            return Err(self.refusal());
        };
        if attempt.is_live(now) {
            return Err(Refused::InFlight);
        }
        let state = State::Unknown { intent, searches: 0, search_at: first_search(intent), attempt: None };
        let state = if Bug::TakeoverSends.is_planted() { fresh_schedule(true) } else { state };
        let post = self.noted(FailureCode::AnswerLost, now).moved(state, now);
        let record = attempt.ended(now, AttemptOutcome::Abandoned, Status::Unknown);
        Ok(Transition { from: Status::Publishing, post, attempt: Some(record), ledger: LedgerEffect::Keep })
    }

    /// What a search took for this post is another's, by the platform's own answer to that one: it is in doubt as before, and its quota slot
    /// reserved again.
    pub fn lose_binding(self, now: Timestamp) -> Result<Transition, Refused> {
        let State::Published { guessed: Some(intent), .. } = self.state else { return Err(self.refusal()) };
        let (from, sent_to) = (self.status(), self.sent_to.clone());
        let state = State::Unknown { intent, searches: 0, search_at: now.max(first_search(intent)), attempt: None };
        // Published, it had no row among the account's intents any more; in doubt, it has one again.
        let post = Self { sent_to, ..self.noted(FailureCode::AnswerLost, now).moved(state, now) };
        Ok(Transition { from, post, attempt: None, ledger: LedgerEffect::Unsettle })
    }

    /// A worker takes the search, and tells of one that vanished over it.
    pub fn begin_search(mut self, id: AttemptId, now: Timestamp) -> Result<Transition, Refused> {
        let State::Unknown { intent, searches, search_at, attempt: old } = self.state.clone() else { return Err(self.refusal()) };
        if now < search_at || old.as_ref().is_some_and(|other| other.is_live(now)) {
            return Err(Refused::InFlight);
        }
        let record = old.map(|old| old.ended(now, AttemptOutcome::Abandoned, Status::Unknown));
        let attempt = Attempt::next(self.attempt_count, id, now);
        self.attempt_count = attempt.number;
        let post = self.moved(State::Unknown { intent, searches, search_at, attempt: Some(attempt) }, now);
        Ok(Transition { from: Status::Unknown, post, attempt: record, ledger: LedgerEffect::Keep })
    }

    /// A new intent of the worker that searches, stored before it repeats the send under the same key or handle; only while its lease outlasts
    /// the send.
    pub fn send_again(self, now: Timestamp) -> Result<Self, Refused> {
        let State::Unknown { intent, searches, attempt: Some(attempt), .. } = self.state.clone() else {
            return Err(self.refusal());
        };
        if attempt.lease_until <= now + SEND_DEADLINE {
            return Err(Refused::InFlight);
        }
        let intent = Intent { last_at: now, ..intent };
        // Should this worker vanish too, its try must have ended before the next one looks.
        let search_at = first_search(intent);
        Ok(self.moved(State::Unknown { intent, searches, search_at, attempt: Some(attempt) }, now))
    }

    /// A repeat that was refused is no longer on its way: what is in doubt is what was before it.
    #[must_use]
    pub fn repeat_refused(mut self, before: Intent) -> Self {
        if let State::Unknown { intent, .. } = &mut self.state {
            *intent = before;
        }
        self
    }

    /// Writes down what the search showed.
    pub fn conclude_search(self, evidence: Evidence, answer: Answer, now: Timestamp) -> Result<Transition, Refused> {
        let State::Unknown { intent, searches, attempt: Some(attempt), .. } = self.state.clone() else {
            return Err(self.refusal());
        };
        let searches = searches + u32::from(matches!(evidence, Evidence::NotFound | Evidence::SentAgain));
        let give_up = searches >= SEARCHES_MAX || now > intent.first_at + SEARCH_BUDGET;
        let (state, outcome, ledger) = match evidence {
            Evidence::Found(publication) => (publication.state(intent, now), AttemptOutcome::Found, LedgerEffect::Settle),
            Evidence::Processing { handle, poll_at } => {
                (State::Processing { handle, since: now, poll_at, polls: 0 }, AttemptOutcome::Found, LedgerEffect::Keep)
            }
            Evidence::NotThere(code) => (State::Failed { code }, AttemptOutcome::Rejected, LedgerEffect::Release),
            Evidence::Ambiguous | Evidence::Unreachable => (State::NeedsReview { intent }, AttemptOutcome::NotFound, LedgerEffect::Keep),
            Evidence::NotFound if Bug::ResendUnfound.is_planted() => (fresh_schedule(true), AttemptOutcome::NotFound, LedgerEffect::Keep),
            Evidence::NotFound | Evidence::SentAgain | Evidence::Unreadable | Evidence::Limited { .. } if give_up => {
                (State::NeedsReview { intent }, AttemptOutcome::NotFound, LedgerEffect::Keep)
            }
            Evidence::NotFound => {
                let search_at = now + next_wait(searches);
                (State::Unknown { intent, searches, search_at, attempt: None }, AttemptOutcome::NotFound, LedgerEffect::Keep)
            }
            Evidence::SentAgain => {
                let search_at = first_search(intent);
                (State::Unknown { intent, searches, search_at, attempt: None }, AttemptOutcome::NoAnswer, LedgerEffect::Keep)
            }
            Evidence::Unreadable | Evidence::Limited { .. } => {
                let earliest = now + SignedDuration::from_mins(1);
                let search_at = match evidence {
                    Evidence::Limited { until } => until.clamp(earliest, now + LIMIT_WAIT_MAX),
                    _ => earliest,
                };
                (State::Unknown { intent, searches, search_at, attempt: None }, AttemptOutcome::NoAnswer, LedgerEffect::Keep)
            }
        };
        let post = match state {
            State::NeedsReview { .. } => self.noted(FailureCode::NotConfirmed, now).moved(state, now),
            State::Failed { code } => self.noted(code, now).moved(state, now),
            _ => self.moved(state, now),
        };
        let record = record(&attempt, &post, outcome, answer, now);
        Ok(Transition { from: Status::Unknown, post, attempt: Some(record), ledger })
    }
}
