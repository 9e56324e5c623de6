//! What a wake-up calls for.

use jiff::Timestamp;

use super::EARLY_TOLERANCE;
use super::state::{Phase, Post, State};

/// The one next thing to do for a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing: it is at rest, another version, or another worker's.
    Nothing,
    /// It is not time yet; come back then.
    WaitUntil(Timestamp),
    /// It may not go out any more.
    Miss,
    /// Take it, and have its platform prepare it: it is sent later.
    Prepare,
    /// Take it, and send it.
    Claim,
    /// Its worker vanished before anything was sent: take it over.
    TakeOver,
    /// Its worker vanished and something may have been sent: from here on, only evidence counts.
    Suspect,
    /// Look for it on the platform.
    Search,
    /// Ask the platform whether it is live.
    Poll,
}

impl Post {
    /// What a wake-up for `version` calls for at `now`. It only reads: the step itself is a conditional write.
    pub fn next_step(&self, version: u32, now: Timestamp) -> Step {
        if version != self.version {
            return Step::Nothing;
        }
        match &self.state {
            State::Scheduled { .. } | State::Held { .. } if now > self.latest_at => Step::Miss,
            State::Scheduled { next_attempt_at, .. } => {
                let due = next_attempt_at.unwrap_or(self.due_at).max(self.due_at);
                match self.prepare_at() {
                    _ if now + EARLY_TOLERANCE >= due => Step::Claim,
                    Some(prepare_at) if prepare_at <= now => Step::Prepare,
                    _ => Step::WaitUntil(due),
                }
            }
            State::Publishing { attempt, .. } if attempt.is_live(now) => Step::Nothing,
            State::Publishing { phase: Phase::Sending { .. }, .. } => Step::Suspect,
            State::Publishing { .. } if now > self.latest_at => Step::Miss,
            State::Publishing { .. } => Step::TakeOver,
            State::Processing { poll_at, .. } if now < *poll_at => Step::WaitUntil(*poll_at),
            State::Processing { .. } => Step::Poll,
            State::Unknown { attempt: Some(attempt), .. } if attempt.is_live(now) => Step::Nothing,
            State::Unknown { search_at, .. } if now < *search_at => Step::WaitUntil(*search_at),
            State::Unknown { .. } => Step::Search,
            State::Draft
            | State::Held { .. }
            | State::Published { .. }
            | State::Failed { .. }
            | State::NeedsReview { .. }
            | State::Missed { .. }
            | State::Cancelled => Step::Nothing,
        }
    }
}
