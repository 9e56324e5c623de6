//! What a platform has made of a post before anything of it shows.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::EARLY_TOLERANCE;
use super::edit::Refused;
use super::state::{Phase, Post, State};
use crate::planted::Bug;

/// How many handles one version of a post may have: each is begun anew only because the platform forgot the one before.
pub const HANDLES_MAX: u32 = 3;
/// A handle that the platform forgets so soon is not counted on: a send that was slow would find it gone.
pub const HANDLE_MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// A post's handle at its platform. It belongs to one version, and outlives every try that sends nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    /// What the platform calls it.
    pub handle: String,
    /// Whether nothing is left to do before it is published.
    pub ready: bool,
    /// When the platform forgets it; `None`: it tells no end.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub made_at: Timestamp,
    /// Which it is of this version's handles, from 1.
    pub number: u32,
}

impl Prepared {
    /// Whether the platform still knows it when a send that begins now is over.
    fn lives(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now + HANDLE_MARGIN < end)
    }
}

impl Post {
    /// The handle that a preparation goes on with.
    pub fn prepared_so_far(&self, now: Timestamp) -> Option<&Prepared> {
        self.prepared.as_ref().filter(|prepared| prepared.lives(now))
    }

    /// Whether it can be published by its handle as it is.
    pub fn is_prepared(&self, now: Timestamp) -> bool {
        self.prepared_so_far(now).is_some_and(|prepared| prepared.ready)
    }

    /// Takes down what the platform has made, for the next change to store. `None`: it has forgotten too many handles already.
    pub fn with_prepared(mut self, handle: String, ready: bool, expires_at: Option<Timestamp>, now: Timestamp) -> Option<Self> {
        let (made_at, number) = match &self.prepared {
            Some(before) if before.handle == handle => (before.made_at, before.number),
            Some(before) if before.number >= HANDLES_MAX => return None,
            before => (now, before.as_ref().map_or(1, |before| before.number + 1)),
        };
        self.prepared = Some(Prepared { handle, ready, expires_at, made_at, number });
        Some(self)
    }

    /// A handle is stored before anything else is done with it, so that whoever takes over goes on with it and never makes a second one.
    pub fn keep_prepared(self, now: Timestamp) -> Result<Self, Refused> {
        match &self.state {
            State::Publishing { attempt, phase: Phase::Claimed, .. } if attempt.is_live(now) => {
                let state = self.state.clone();
                Ok(self.moved(state, now))
            }
            _ => Err(self.refusal()),
        }
    }

    /// When the next thing is done for it that shows nothing, ahead of its time; `None`: nothing is left, or its time has come.
    pub fn prepare_at(&self) -> Option<Timestamp> {
        // The sweeper arms it first: whoever prepares it does not see to its wake-up.
        let State::Scheduled { armed: true, next_attempt_at, .. } = self.state else { return None };
        if self.lead.is_zero() || self.prepared.as_ref().is_some_and(|prepared| prepared.ready) {
            return None;
        }
        let at = next_attempt_at.unwrap_or(self.due_at.saturating_sub(self.lead).unwrap_or(self.due_at));
        (at < self.due_at).then_some(at)
    }

    /// Whether it would show before its time, if it were sent now.
    pub fn is_early(&self, now: Timestamp) -> bool {
        now + EARLY_TOLERANCE < self.due_at && !Bug::SentAsSoonAsPrepared.is_planted()
    }

    /// What an earlier version had prepared says something else.
    pub(super) fn begin_version(&mut self) {
        self.version += 1;
        if !Bug::PreparedOutlivesItsVersion.is_planted() {
            self.prepared = None;
        }
    }
}
