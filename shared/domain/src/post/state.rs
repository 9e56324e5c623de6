//! What a post is at one moment.

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::attempt::Attempt;
use super::prepared::Prepared;
use super::set_aside::SetAside;
use crate::content::ContentHash;
use crate::failure::FailureCode;
use crate::id::{ConnectionId, GroupId, PostId, UserId};
use crate::platform::PlatformName;
use crate::wake_up::WakeUp;

/// One piece of content for one connection at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Its id.
    pub id: PostId,
    /// Its owner.
    pub user_id: UserId,
    /// The request that it came from.
    pub group_id: GroupId,
    /// Where it goes; an edit may name another connection of the same platform.
    pub connection_id: ConnectionId,
    /// The connection's platform.
    pub platform: PlatformName,
    /// What it says, by hash; the publisher sends those bytes or nothing.
    pub content_hash: ContentHash,
    /// Raised by each edit and by each retry; wake-ups of an older version do nothing.
    pub version: u32,
    /// When it should go out.
    pub due_at: Timestamp,
    /// After this it is missed.
    pub latest_at: Timestamp,
    /// The zone in which its owner thinks.
    pub time_zone: Option<String>,
    /// The local time in that zone which its owner asked for and `due_at` is the instant of; `None`: they gave an instant.
    pub local_time: Option<DateTime>,
    /// Made.
    pub created_at: Timestamp,
    /// Last changed.
    pub updated_at: Timestamp,
    /// Approved.
    pub approved_at: Option<Timestamp>,
    /// The start of the cycle that pays for it, from approval on.
    pub cycle_start: Option<Timestamp>,
    /// How many times it was tried.
    pub attempt_count: u32,
    /// The last few things that went wrong, oldest first.
    pub errors: Vec<ErrorNote>,
    /// Sends of earlier versions that its owner did not find on the platform, oldest first: nobody else knows that they are not there, and one
    /// may show yet.
    pub unseen: Vec<Intent>,
    /// The same of other texts and accounts that it had before, oldest first: they count again if it has those again.
    pub set_aside: Vec<SetAside>,
    /// Where what may show of it was sent to: its row among the intents of that account.
    pub sent_to: Option<SentTo>,
    /// How long before its time its platform may prepare it; zero: it has nothing to prepare, or too little to begin early.
    pub lead: SignedDuration,
    /// What its platform has prepared of this version.
    pub prepared: Option<Prepared>,
    /// Where it stands.
    pub state: State,
    /// Raised with each stored change; the condition of every write.
    pub rev: u64,
}

/// Where a post was sent to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentTo {
    /// The platform's id of the account.
    pub account: String,
    /// The version that was sent first. A later one that looks the same there shares its row.
    pub version: u32,
}

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorNote {
    /// When.
    pub at: Timestamp,
    /// What.
    pub code: FailureCode,
}

/// Where a post stands, with what only that state has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Being written.
    Draft,
    /// Approved; a quota slot of the cycle is reserved.
    Scheduled {
        /// Whether a schedule or a delayed message will wake it.
        armed: bool,
        /// Set when a limit or a failure put it off.
        next_attempt_at: Option<Timestamp>,
        /// How often in a row it was surely not sent.
        not_sent: u32,
    },
    /// Approved, and without its quota slot or its account since: it goes on once both are there again, unless its deadline comes first.
    Held {
        /// Why.
        code: FailureCode,
    },
    /// A worker has it.
    Publishing {
        /// Which one, until when.
        attempt: Attempt,
        /// How far it is.
        phase: Phase,
        /// How often in a row it was surely not sent.
        not_sent: u32,
    },
    /// The platform has it and has not shown it yet.
    Processing {
        /// What the platform calls it meanwhile.
        handle: String,
        /// Since when.
        since: Timestamp,
        /// When to look next.
        poll_at: Timestamp,
        /// How often we looked.
        polls: u32,
    },
    /// It is on the platform.
    Published {
        /// When the platform shows that it was made; where the platform does not say, when we learned it.
        at: Timestamp,
        /// The platform's id; unknown when its owner found it.
        platform_post_id: Option<String>,
        /// Where people see it.
        url: Option<String>,
        /// The send in doubt that a search took this for. The platform's own answer to another send outweighs it.
        guessed: Option<Intent>,
    },
    /// It is not on the platform.
    Failed {
        /// Why.
        code: FailureCode,
    },
    /// It may be on the platform; only evidence decides.
    Unknown {
        /// When it may have been sent.
        intent: Intent,
        /// How often we searched.
        searches: u32,
        /// When to search next.
        search_at: Timestamp,
        /// The worker that searches.
        attempt: Option<Attempt>,
    },
    /// The evidence did not decide; a person must.
    NeedsReview {
        /// When it may have been sent.
        intent: Intent,
    },
    /// Its deadline passed before it could be sent.
    Missed {
        /// Why: it was too late, or what it was held for.
        code: FailureCode,
    },
    /// Its owner called it off.
    Cancelled,
}

/// How far a worker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Nothing was sent.
    Claimed,
    /// The platform may have it.
    Sending {
        /// When.
        intent: Intent,
    },
}

/// When a post may have been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The first time.
    pub first_at: Timestamp,
    /// The last time; waits are counted from here.
    pub last_at: Timestamp,
}

/// The states by name, as the contract has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[schema(as = PostStatus)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "State documents them")]
pub enum Status {
    Draft,
    Scheduled,
    Held,
    Publishing,
    Processing,
    Published,
    Failed,
    Unknown,
    NeedsReview,
    Missed,
    Cancelled,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 11] = [
        Self::Draft,
        Self::Scheduled,
        Self::Held,
        Self::Publishing,
        Self::Processing,
        Self::Published,
        Self::Failed,
        Self::Unknown,
        Self::NeedsReview,
        Self::Missed,
        Self::Cancelled,
    ];

    /// The name in JSON, tables and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Scheduled => "scheduled",
            Self::Held => "held",
            Self::Publishing => "publishing",
            Self::Processing => "processing",
            Self::Published => "published",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::NeedsReview => "needs_review",
            Self::Missed => "missed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

impl Post {
    /// The state's name.
    pub fn status(&self) -> Status {
        match self.state {
            State::Draft => Status::Draft,
            State::Scheduled { .. } => Status::Scheduled,
            State::Held { .. } => Status::Held,
            State::Publishing { .. } => Status::Publishing,
            State::Processing { .. } => Status::Processing,
            State::Published { .. } => Status::Published,
            State::Failed { .. } => Status::Failed,
            State::Unknown { .. } => Status::Unknown,
            State::NeedsReview { .. } => Status::NeedsReview,
            State::Missed { .. } => Status::Missed,
            State::Cancelled => Status::Cancelled,
        }
    }

    /// The message that wakes this version.
    pub fn wake_up(&self) -> WakeUp {
        WakeUp { post_id: self.id.clone(), user_id: self.user_id.clone(), version: self.version }
    }

    /// The worker that has it, if one does.
    pub fn attempt(&self) -> Option<&Attempt> {
        match &self.state {
            State::Publishing { attempt, .. } => Some(attempt),
            State::Unknown { attempt, .. } => attempt.as_ref(),
            _ => None,
        }
    }

    /// When it may have reached the platform, while nobody knows whether it did.
    pub fn in_doubt(&self) -> Option<Intent> {
        match &self.state {
            State::Publishing { phase: Phase::Sending { intent }, .. } | State::Unknown { intent, .. } | State::NeedsReview { intent } => {
                Some(*intent)
            }
            _ => None,
        }
    }

    /// Every send that what the platform shows may come from, while one is in doubt: that one last.
    pub fn doubts(&self) -> Vec<Intent> {
        self.in_doubt().map_or_else(Vec::new, |intent| self.unseen.iter().copied().chain([intent]).collect())
    }

    /// Whether it is published by its owner's word alone: which of the account's posts it is, nobody knows.
    pub fn is_unbound(&self) -> bool {
        matches!(self.state, State::Published { platform_post_id: None, .. })
    }

    /// Whether something of it may show on the platform that is not known to be its own. Until then it is a rival of every post that looks the
    /// same on that account.
    pub fn may_show(&self) -> bool {
        self.in_doubt().is_some() || self.is_unbound() || !self.unseen.is_empty()
    }

    /// The platform's handle, from the time that it is stored until the doubt about it ends.
    pub fn handle(&self) -> Option<&str> {
        match &self.state {
            State::Processing { handle, .. } => Some(handle),
            _ => self.prepared.as_ref().map(|prepared| prepared.handle.as_str()),
        }
    }

    /// The platform's id, once it is there and known.
    pub fn platform_post_id(&self) -> Option<&str> {
        match &self.state {
            State::Published { platform_post_id, .. } => platform_post_id.as_deref(),
            _ => None,
        }
    }

    /// What is wrong with it now, for its owner.
    pub fn error(&self) -> Option<FailureCode> {
        match &self.state {
            State::Failed { code } | State::Held { code } | State::Missed { code } => Some(*code),
            State::Unknown { .. } => Some(FailureCode::AnswerLost),
            State::NeedsReview { .. } => Some(FailureCode::NotConfirmed),
            State::Scheduled { next_attempt_at: Some(_), .. } => self.errors.last().map(|note| note.code),
            _ => None,
        }
    }

    /// When the sweeper should look at it if nothing else happens; `None`: it is at rest.
    pub fn wake_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Scheduled { armed: false, .. } => Some(self.updated_at + super::ARM_GRACE),
            State::Scheduled { armed: true, next_attempt_at, .. } => match self.prepare_at() {
                // Nobody else wakes it for that.
                Some(prepare_at) if next_attempt_at.is_none() => Some(prepare_at),
                _ => Some(next_attempt_at.unwrap_or(self.due_at) + super::WAKE_GRACE),
            },
            State::Held { .. } => Some(self.latest_at + super::WAKE_GRACE),
            State::Publishing { attempt, .. } => Some(attempt.lease_until),
            State::Processing { poll_at, .. } => Some(*poll_at + super::WAKE_GRACE),
            State::Unknown { search_at, attempt: None, .. } => Some(*search_at + super::WAKE_GRACE),
            State::Unknown { search_at, attempt: Some(attempt), .. } => Some(attempt.lease_until.max(*search_at)),
            State::Draft
            | State::Published { .. }
            | State::Failed { .. }
            | State::NeedsReview { .. }
            | State::Missed { .. }
            | State::Cancelled => None,
        }
    }

    /// When the next try comes, where one does.
    pub fn next_attempt_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Scheduled { next_attempt_at, .. } => Some(next_attempt_at.unwrap_or(self.due_at)),
            State::Processing { poll_at, .. } => Some(*poll_at),
            State::Unknown { search_at, .. } => Some(*search_at),
            _ => None,
        }
    }

    /// Whether a quota slot of a cycle is set aside for it.
    pub fn holds_reservation(&self) -> bool {
        matches!(self.status(), Status::Scheduled | Status::Publishing | Status::Processing | Status::Unknown | Status::NeedsReview)
    }

    /// Whether it is without its quota slot or its account.
    pub fn is_held(&self) -> bool {
        matches!(self.state, State::Held { .. })
    }

    /// What was sent somewhere stays noted for as long as it may show, and for the change that ends this: it removes the row. What is prepared
    /// stays as long as it may still be published by it.
    pub(super) fn moved(self, state: State, now: Timestamp) -> Self {
        let sent_to = if self.may_show() { self.sent_to } else { None };
        let may_be_published = matches!(state, State::Scheduled { .. } | State::Publishing { .. } | State::Unknown { .. });
        let prepared = self.prepared.filter(|_| may_be_published);
        Self { state, updated_at: now, rev: self.rev + 1, sent_to, prepared, ..self }
    }

    pub(super) fn noted(mut self, code: FailureCode, now: Timestamp) -> Self {
        if self.errors.len() >= super::ERRORS_KEPT {
            self.errors.remove(0);
        }
        self.errors.push(ErrorNote { at: now, code });
        self
    }
}
