//! What people do to a post: write, edit, approve, cancel, retry, resolve; and what it means to be held.

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

use super::publication::Publication;
use super::record::{AttemptOutcome, AttemptRecord};
use super::state::{Phase, Post, State, Status};
use super::{CHANGES_MAX, LedgerEffect, SETTLE_WAIT, Transition};
use crate::content::ContentHash;
use crate::failure::FailureCode;
use crate::id::{ConnectionId, GroupId, PostId, UserId};
use crate::planted::Bug;
use crate::platform::PlatformName;

/// What a new post starts with.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Its id.
    pub id: PostId,
    /// Its owner.
    pub user_id: UserId,
    /// The request that it came from.
    pub group_id: GroupId,
    /// Where it goes.
    pub connection_id: ConnectionId,
    /// The connection's platform.
    pub platform: PlatformName,
    /// What it says, by hash.
    pub content_hash: ContentHash,
    /// When it should go out.
    pub due_at: Timestamp,
    /// After this it is missed.
    pub latest_at: Timestamp,
    /// The zone in which its owner thinks.
    pub time_zone: Option<String>,
    /// The local time that `due_at` is the instant of, if its owner gave one.
    pub local_time: Option<DateTime>,
    /// How long before its time its platform may prepare it.
    pub lead: SignedDuration,
}

/// What an edit may change; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct Edit {
    /// What it says.
    pub content_hash: Option<ContentHash>,
    /// Where it goes: another connection of the same platform.
    pub connection_id: Option<ConnectionId>,
    /// When.
    pub time: Option<NewTime>,
    /// The cycle that pays from now on, for a scheduled post.
    pub cycle_start: Option<Timestamp>,
    /// Whether the caller sends the wake-up itself right after, for a scheduled post.
    pub armed: bool,
}

/// When a post should go out from now on.
#[derive(Debug, Clone)]
pub struct NewTime {
    /// The instant.
    pub due_at: Timestamp,
    /// After this it is missed.
    pub latest_at: Timestamp,
    /// The zone in which its owner thinks.
    pub time_zone: Option<String>,
    /// The local time that `due_at` is the instant of, if its owner gave one.
    pub local_time: Option<DateTime>,
}

/// Why a person's wish is not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A worker may be sending it.
    #[error("the post is being sent")]
    InFlight,
    /// Its last moment has passed.
    #[error("the post's last moment has passed")]
    TooLate,
    /// Its story is as long as one may be.
    #[error("the post has been changed {CHANGES_MAX} times")]
    ChangedTooOften,
    /// The state has no such way out.
    #[error("a post that is {} does not allow this", .0.as_str())]
    WrongState(Status),
}

impl Post {
    /// A new draft.
    pub fn draft(draft: Draft, now: Timestamp) -> Self {
        Self {
            id: draft.id,
            user_id: draft.user_id,
            group_id: draft.group_id,
            connection_id: draft.connection_id,
            platform: draft.platform,
            content_hash: draft.content_hash,
            version: 1,
            due_at: draft.due_at,
            latest_at: draft.latest_at,
            time_zone: draft.time_zone,
            local_time: draft.local_time,
            created_at: now,
            updated_at: now,
            approved_at: None,
            cycle_start: None,
            attempt_count: 0,
            errors: Vec::new(),
            unseen: Vec::new(),
            set_aside: Vec::new(),
            sent_to: None,
            lead: draft.lead,
            prepared: None,
            state: State::Draft,
            rev: 1,
        }
    }

    /// The owner approves: from here on it will go out. The caller reserves in the cycle that starts at `cycle_start`.
    /// With `armed`, it sends the wake-up itself right after; if that fails, the sweeper wakes the post soon after its time.
    /// One that is held goes on under a new version: the wake-up of the old one may still come.
    pub fn approve(mut self, cycle_start: Timestamp, armed: bool, now: Timestamp) -> Result<Self, Refused> {
        match self.state {
            State::Draft => {}
            State::Held { .. } => self.begin_version(),
            _ => return Err(self.refusal()),
        }
        self.approved_at = Some(now);
        self.cycle_start = Some(cycle_start);
        Ok(self.moved(fresh_schedule(armed), now))
    }

    /// It is without its quota slot or its account, as `code` says: a scheduled one gives its slot back, a held one says what it waits
    /// for now.
    pub fn hold(self, code: FailureCode, now: Timestamp) -> Result<Transition, Refused> {
        let ledger = match self.state {
            State::Scheduled { .. } => LedgerEffect::Release,
            State::Held { code: told } if told != code => LedgerEffect::Keep,
            _ => return Err(self.refusal()),
        };
        let from = self.status();
        let post = self.noted(code, now).moved(State::Held { code }, now);
        Ok(Transition { from, post, attempt: None, ledger })
    }

    /// What it was held for is there again: it goes on under a new version, because the wake-up of the old one may still come. Its owner's
    /// approval stands. `cycle_start` and `armed` as for [`approve`](Self::approve).
    pub fn resume(mut self, cycle_start: Timestamp, armed: bool, now: Timestamp) -> Result<Self, Refused> {
        if !self.is_held() {
            return Err(self.refusal());
        }
        self.begin_version();
        self.cycle_start = Some(cycle_start);
        Ok(self.moved(fresh_schedule(armed), now))
    }

    /// The owner changes a post that no worker has, under a new version. A scheduled one stays scheduled, and a held one held. One that
    /// failed or was missed becomes a draft: what it says now, nobody has approved.
    pub fn edit(mut self, edit: Edit, now: Timestamp) -> Result<Self, Refused> {
        let state = match self.state {
            State::Draft | State::Failed { .. } | State::Missed { .. } => State::Draft,
            State::Held { code } => State::Held { code },
            State::Scheduled { .. } => fresh_schedule(edit.armed),
            _ => return Err(self.refusal()),
        };
        self.still_changes()?;
        self.begin_version();
        let (said, went_to) = (self.content_hash.clone(), self.connection_id.clone());
        self.content_hash = edit.content_hash.unwrap_or(self.content_hash);
        self.connection_id = edit.connection_id.unwrap_or(self.connection_id);
        (self.approved_at, self.cycle_start) = match state {
            State::Draft => (None, None),
            _ => (self.approved_at, edit.cycle_start.or(self.cycle_start)),
        };
        if let Some(NewTime { due_at, latest_at, time_zone, local_time }) = edit.time {
            (self.due_at, self.latest_at) = (due_at, latest_at);
            (self.time_zone, self.local_time) = (time_zone, local_time);
        }
        let edited = self.moved(state, now);
        let is_another = said != edited.content_hash || went_to != edited.connection_id;
        Ok(if is_another { edited.turned(said, went_to) } else { edited })
    }

    /// The owner calls it off. Possible until the intent to send is stored; a worker before that point loses the post.
    pub fn cancel(self, now: Timestamp) -> Result<Transition, Refused> {
        let (ledger, attempt) = match &self.state {
            State::Draft | State::Held { .. } => (LedgerEffect::Keep, None),
            State::Scheduled { .. } if Bug::ReservationNotReturned.is_planted() => (LedgerEffect::Keep, None),
            State::Scheduled { .. } => (LedgerEffect::Release, None),
            State::Publishing { attempt, phase: Phase::Claimed, .. } => {
                (LedgerEffect::Release, Some(attempt.ended(now, AttemptOutcome::Abandoned, Status::Cancelled)))
            }
            _ => return Err(self.refusal()),
        };
        Ok(Transition { from: self.status(), post: self.moved(State::Cancelled, now), attempt, ledger })
    }

    /// Its deadline passed: it will not be sent. One that was held says what for.
    pub fn miss(self, now: Timestamp) -> Result<Transition, Refused> {
        let (code, ledger) = match self.state {
            State::Held { code } => (code, LedgerEffect::Keep),
            _ => (FailureCode::TooLate, LedgerEffect::Release),
        };
        let attempt = match &self.state {
            State::Scheduled { .. } | State::Held { .. } => None,
            State::Publishing { attempt, phase: Phase::Claimed, .. } if !attempt.is_live(now) => {
                Some(attempt.ended(now, AttemptOutcome::Abandoned, Status::Missed))
            }
            _ => return Err(self.refusal()),
        };
        let from = self.status();
        let post = self.noted(FailureCode::TooLate, now).moved(State::Missed { code }, now);
        Ok(Transition { from, post, attempt, ledger })
    }

    /// What the service does to a post is bounded by its tries; what its owner does is bounded here, because each change leaves a row.
    fn still_changes(&self) -> Result<(), Refused> {
        if self.rev < CHANGES_MAX { Ok(()) } else { Err(Refused::ChangedTooOften) }
    }

    /// The owner tries a failed or missed post again as it is, at another instant, under a new version and a new reservation.
    pub fn retry(
        mut self,
        (due_at, latest_at): (Timestamp, Timestamp),
        cycle_start: Timestamp,
        armed: bool,
        now: Timestamp,
    ) -> Result<Self, Refused> {
        if !self.is_over() {
            return Err(self.refusal());
        }
        self.still_changes()?;
        self.begin_version();
        (self.due_at, self.latest_at, self.local_time) = (due_at, latest_at, None);
        self.cycle_start = Some(cycle_start);
        self.approved_at = Some(now);
        Ok(self.moved(fresh_schedule(armed), now))
    }

    /// It is on the platform: its owner looked, and may have said where; or a worker that had lost the post has told which it is.
    pub fn resolve_published(self, told: Option<Publication>, url: Option<String>, now: Timestamp) -> Result<Transition, Refused> {
        let attempt = self.resolvable(Status::Published, now)?;
        let intent = self.in_doubt().ok_or(self.refusal())?;
        let state = match told {
            Some(told) => Publication { url: told.url.clone().or(url), ..told }.state(intent, now),
            None => State::Published { at: intent.last_at, platform_post_id: None, url, guessed: None },
        };
        Ok(Transition { from: self.status(), post: self.moved(state, now), attempt, ledger: LedgerEffect::Settle })
    }

    /// The owner looked: it is not on the platform. While the send may still be on its way, that says nothing.
    pub fn resolve_not_published(self, now: Timestamp) -> Result<Transition, Refused> {
        if self.in_doubt().is_some_and(|intent| now < intent.last_at + SETTLE_WAIT) {
            return Err(Refused::InFlight);
        }
        let attempt = self.resolvable(Status::Failed, now)?;
        let (from, code) = (self.status(), FailureCode::ReportedMissing);
        let mut post = self;
        if post.unseen.len() >= super::UNSEEN_KEPT {
            post.unseen.remove(0);
        }
        post.unseen.extend(post.in_doubt());
        let post = post.noted(code, now).moved(State::Failed { code }, now);
        Ok(Transition { from, post, attempt, ledger: LedgerEffect::Release })
    }

    /// A schedule or a delayed message will wake it: the sweeper need not arm it.
    #[must_use]
    pub fn armed(self) -> Option<Self> {
        match self.state {
            State::Scheduled { armed: false, next_attempt_at, not_sent } => {
                let updated_at = self.updated_at;
                Some(self.moved(State::Scheduled { armed: true, next_attempt_at, not_sent }, updated_at))
            }
            _ => None,
        }
    }

    /// Whether it ended without being on the platform: its owner may try it again, or change it.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Failed { .. } | State::Missed { .. })
    }

    /// Whether the owner may remove it.
    pub fn deletable(&self) -> Result<(), Refused> {
        match self.status() {
            Status::Draft | Status::Cancelled | Status::Failed | Status::Missed => Ok(()),
            _ => Err(self.refusal()),
        }
    }

    /// Whether its owner may say what became of it, and the row of a search whose worker vanished.
    fn resolvable(&self, becomes: Status, now: Timestamp) -> Result<Option<AttemptRecord>, Refused> {
        match &self.state {
            State::Unknown { attempt: Some(attempt), .. } if attempt.is_live(now) => Err(Refused::InFlight),
            State::Unknown { attempt, .. } => Ok(attempt.as_ref().map(|attempt| attempt.ended(now, AttemptOutcome::Abandoned, becomes))),
            State::NeedsReview { .. } => Ok(None),
            _ => Err(self.refusal()),
        }
    }

    pub(super) fn refusal(&self) -> Refused {
        match self.status() {
            Status::Publishing | Status::Processing | Status::Unknown => Refused::InFlight,
            other => Refused::WrongState(other),
        }
    }
}

pub(super) fn fresh_schedule(armed: bool) -> State {
    State::Scheduled { armed, next_attempt_at: None, not_sent: 0 }
}
