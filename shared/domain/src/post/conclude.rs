//! What a worker does to a post: claim it, intend to send it, and write down what came of it.

use jiff::{SignedDuration, Timestamp};

use super::attempt::Attempt;
use super::edit::Refused;
use super::reconcile::first_search;
use super::record::{Answer, AttemptOutcome, record};
use super::state::{Intent, Phase, Post, SentTo, State, Status};
use super::{EARLY_TOLERANCE, LAST_TRY, LedgerEffect, SEND_DEADLINE, Transition};
use crate::failure::FailureCode;
use crate::id::AttemptId;
use crate::planted::Bug;
use crate::wait::Wait;

/// How many things that went wrong a post remembers.
pub const ERRORS_KEPT: usize = 5;
/// How often in a row a post may be surely not sent before it fails: with the waits between them, more than an hour in the mean, so that a
/// platform may be out of reach for most of the time that a post has by default.
pub const NOT_SENT_TRIES_MAX: u32 = 40;

/// What one send came to. Everything but [`Conclusion::AnswerLost`] rests on proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conclusion {
    /// It is there.
    Published {
        /// The platform's id.
        platform_post_id: String,
        /// Where people see it.
        url: Option<String>,
    },
    /// The platform has this text already, and names the post: nothing was made by this send. One that its owner did not find is taken for it.
    NamedAsThere {
        /// The platform's id.
        platform_post_id: String,
        /// Where people see it.
        url: Option<String>,
    },
    /// It is not there, and a repeat would not help.
    Failed(FailureCode),
    /// It is not there, and nothing can be sent until its owner connects the account again.
    AccountLost(FailureCode),
    /// Not a byte was sent; try again at the given time.
    NotSent {
        /// When.
        retry_at: Timestamp,
    },
    /// Surely not accepted at present; try again after a wait.
    Deferred {
        /// Why.
        code: FailureCode,
        /// Until when.
        wait: Wait,
    },
    /// Nothing of it shows, and its platform is further with it, or done: what it has made is in the post.
    Prepared {
        /// When to go on; `None`: all is done that can be before its time.
        again_at: Option<Timestamp>,
    },
    /// The platform has it under a handle and will show it later.
    Processing {
        /// The handle.
        handle: String,
        /// When to ask.
        poll_at: Timestamp,
    },
    /// It may be there.
    AnswerLost,
}

/// How long to wait before trying again what was surely not sent: exponential with full jitter, 2 s to 5 min.
pub fn backoff(not_sent: u32, entropy: [u8; 8]) -> SignedDuration {
    let ceiling_millis = 4_000_u64 << not_sent.min(6);
    let jitter_millis = u64::from_be_bytes(entropy) % ceiling_millis;
    SignedDuration::from_millis(i64::try_from(2_000 + jitter_millis).unwrap_or(i64::MAX)).min(SignedDuration::from_mins(5))
}

impl Post {
    /// A worker takes a post that is due, or that can be prepared. With the account that it is `ready` for, nothing has to be fetched or uploaded
    /// first: the intent to send is part of the same write.
    pub fn claim(mut self, id: AttemptId, ready: Option<&str>, now: Timestamp) -> Result<Self, Refused> {
        let State::Scheduled { not_sent, .. } = self.state else { return Err(self.refusal()) };
        if now > self.latest_at {
            return Err(Refused::TooLate);
        }
        let attempt = Attempt::next(self.attempt_count, id, now);
        self.attempt_count = attempt.number;
        if ready.is_some() && self.is_early(now) {
            return Err(self.refusal());
        }
        let Some(account) = ready else { return Ok(self.moved(State::Publishing { attempt, phase: Phase::Claimed, not_sent }, now)) };
        let phase = Phase::Sending { intent: Intent { first_at: now, last_at: now } };
        Ok(self.moved(State::Publishing { attempt, phase, not_sent }, now).sent_to(account))
    }

    /// A worker takes over from one that vanished before its intent. Never from one that may have sent.
    pub fn take_over(mut self, id: AttemptId, now: Timestamp) -> Result<Transition, Refused> {
        let State::Publishing { attempt: old, phase, not_sent } = self.state.clone() else { return Err(self.refusal()) };
        if old.is_live(now) || matches!(phase, Phase::Sending { .. }) {
            return Err(Refused::InFlight);
        }
        let record = old.ended(now, AttemptOutcome::Abandoned, Status::Publishing);
        let attempt = Attempt::next(self.attempt_count, id, now);
        self.attempt_count = attempt.number;
        let post = self.moved(State::Publishing { attempt, phase, not_sent }, now);
        Ok(Transition { from: Status::Publishing, post, attempt: Some(record), ledger: LedgerEffect::Keep })
    }

    /// The intent to send to `account`: stored before the first byte goes out, only while the lease outlasts the send, and never too early or too
    /// late.
    pub fn intend(self, account: &str, now: Timestamp) -> Result<Self, Refused> {
        let State::Publishing { attempt, phase: Phase::Claimed, not_sent } = self.state.clone() else { return Err(self.refusal()) };
        if self.is_early(now) {
            return Err(self.refusal());
        }
        if attempt.lease_until <= now + SEND_DEADLINE {
            return Err(Refused::InFlight);
        }
        if now > self.latest_at {
            return Err(Refused::TooLate);
        }
        let phase = Phase::Sending { intent: Intent { first_at: now, last_at: now } };
        Ok(self.moved(State::Publishing { attempt, phase, not_sent }, now).sent_to(account))
    }

    fn sent_to(self, account: &str) -> Self {
        let shared = self.sent_to.as_ref().filter(|sent| sent.account == account);
        let version = shared.map_or(self.version, |sent| sent.version);
        Self { sent_to: Some(SentTo { account: account.to_owned(), version }), ..self }
    }

    /// The platform refused our token before it looked at the post: the same worker may fetch a new one and intend again.
    pub fn token_refused(self, now: Timestamp) -> Result<Self, Refused> {
        let State::Publishing { attempt, phase: Phase::Sending { .. }, not_sent } = self.state.clone() else {
            return Err(self.refusal());
        };
        Ok(self.moved(State::Publishing { attempt, phase: Phase::Claimed, not_sent }, now))
    }

    /// Writes down what the worker's try came to. From `claimed` on too: a worker may give up before it sends.
    pub fn conclude(self, conclusion: Conclusion, answer: Answer, now: Timestamp) -> Result<Transition, Refused> {
        let State::Publishing { attempt, phase, not_sent } = self.state.clone() else { return Err(self.refusal()) };
        let intent = match phase {
            Phase::Sending { intent } => Some(intent),
            Phase::Claimed => None,
        };
        let (post, outcome, ledger) = match (conclusion, intent) {
            (Conclusion::Published { platform_post_id, url }, Some(_)) => {
                let state = State::Published { at: now, platform_post_id: Some(platform_post_id), url, guessed: None };
                (self.moved(state, now), AttemptOutcome::Accepted, LedgerEffect::Settle)
            }
            (Conclusion::NamedAsThere { platform_post_id, url }, Some(intent)) => {
                // The name is the platform's word; that this post made it is a guess.
                let guessed = Some(self.unseen.last().copied().unwrap_or(intent));
                let state = State::Published { at: now, platform_post_id: Some(platform_post_id), url, guessed };
                (self.moved(state, now), AttemptOutcome::Found, LedgerEffect::Settle)
            }
            (Conclusion::Processing { handle, poll_at }, Some(_)) => {
                (self.moved(State::Processing { handle, since: now, poll_at, polls: 0 }, now), AttemptOutcome::Accepted, LedgerEffect::Keep)
            }
            (Conclusion::AnswerLost, Some(intent)) => {
                let state = State::Unknown { intent, searches: 0, search_at: first_search(intent), attempt: None };
                (self.noted(FailureCode::AnswerLost, now).moved(state, now), AttemptOutcome::NoAnswer, LedgerEffect::Keep)
            }
            (
                Conclusion::Published { .. } | Conclusion::NamedAsThere { .. } | Conclusion::Processing { .. } | Conclusion::AnswerLost,
                None,
            )
            | (Conclusion::Prepared { .. }, Some(_)) => return Err(self.refusal()),
            (Conclusion::Prepared { again_at }, None) => {
                let (post, ledger) = self.again(again_at.map(Wait::Guessed), not_sent, now);
                (post, AttemptOutcome::Prepared, ledger)
            }
            (Conclusion::Failed(code), _) => {
                (self.noted(code, now).moved(State::Failed { code }, now), AttemptOutcome::Rejected, LedgerEffect::Release)
            }
            (Conclusion::AccountLost(code), _) => {
                let outcome = if intent.is_some() { AttemptOutcome::Rejected } else { AttemptOutcome::NotSent };
                let state = if now > self.latest_at { State::Missed { code } } else { State::Held { code } };
                (self.noted(code, now).moved(state, now), outcome, LedgerEffect::Release)
            }
            (Conclusion::NotSent { .. }, _) if not_sent + 1 >= NOT_SENT_TRIES_MAX => {
                let code = FailureCode::PlatformDown;
                (self.noted(code, now).moved(State::Failed { code }, now), AttemptOutcome::NotSent, LedgerEffect::Release)
            }
            (Conclusion::NotSent { retry_at }, _) => {
                let (post, ledger) = self.put_off(FailureCode::PlatformUnreachable, Wait::Guessed(retry_at), not_sent + 1, now);
                (post, AttemptOutcome::NotSent, ledger)
            }
            (Conclusion::Deferred { code, wait }, _) => {
                let (post, ledger) = self.put_off(code, wait, 0, now);
                (post, AttemptOutcome::Deferred, ledger)
            }
        };
        let record = record(&attempt, &post, outcome, answer, now);
        Ok(Transition { from: Status::Publishing, post, attempt: Some(record), ledger })
    }

    /// It is not even taken: a limit is known that lasts until then.
    pub fn defer(self, code: FailureCode, wait: Wait, now: Timestamp) -> Result<Transition, Refused> {
        let State::Scheduled { not_sent, .. } = self.state else { return Err(self.refusal()) };
        let (post, ledger) = self.put_off(code, wait, not_sent, now);
        Ok(Transition { from: Status::Scheduled, post, attempt: None, ledger })
    }

    fn put_off(self, code: FailureCode, wait: Wait, not_sent: u32, now: Timestamp) -> (Self, LedgerEffect) {
        self.noted(code, now).again(Some(wait), not_sent, now)
    }

    /// Back to `scheduled`: for a later try after `wait`, else for its own time; or `missed` when the try would be too late.
    fn again(mut self, wait: Option<Wait>, not_sent: u32, now: Timestamp) -> (Self, LedgerEffect) {
        let next = wait.map(|wait| self.next_try(wait, now));
        if next == Some(None) {
            let code = FailureCode::TooLate;
            return (self.noted(code, now).moved(State::Missed { code }, now), LedgerEffect::Release);
        }
        if Bug::HandleForgotten.is_planted() {
            self.prepared = None;
        }
        let state = State::Scheduled { armed: true, next_attempt_at: next.flatten(), not_sent };
        (self.moved(state, now), LedgerEffect::Keep)
    }

    /// When it is tried after `wait`; `None`: not before its last moment has passed. A guess is not waited for beyond the last try.
    fn next_try(&self, wait: Wait, now: Timestamp) -> Option<Timestamp> {
        let next = match wait {
            Wait::Guessed(until) if !self.is_at_last_try(now) => until.min(self.last_try_at()),
            Wait::Guessed(until) | Wait::Told(until) => until,
        };
        (next <= self.latest_at).then_some(next)
    }

    /// Whether it has come to its last try, which no wait that is only guessed puts off.
    pub fn is_at_last_try(&self, now: Timestamp) -> bool {
        self.last_try_at() <= now + EARLY_TOLERANCE
    }

    /// Shortly before its last moment. Where its owner allows it less than a minute, after half of that.
    fn last_try_at(&self) -> Timestamp {
        self.latest_at - LAST_TRY.min(self.latest_at.duration_since(self.due_at) / 2)
    }
}
