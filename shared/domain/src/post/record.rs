//! What is kept of a try that ended.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::attempt::Attempt;
use super::publication::Publication;
use super::state::{Post, Status};
use crate::failure::FailureCode;
use crate::id::AttemptId;

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// Still under way.
    Running,
    /// The platform has the post.
    Accepted,
    /// The platform refused it.
    Rejected,
    /// Surely not sent.
    NotSent,
    /// Its platform is further with it, and nothing of it shows.
    Prepared,
    /// A limit put it off.
    Deferred,
    /// Sent, and no answer came.
    NoAnswer,
    /// A search found the post.
    Found,
    /// A search did not find it.
    NotFound,
    /// Its worker vanished.
    Abandoned,
}

impl AttemptOutcome {
    /// The end of a try in a word, for its event.
    pub fn note(self) -> &'static str {
        match self {
            Self::Running => "is at it",
            Self::Accepted => "the platform accepted it",
            Self::Rejected => "it was refused",
            Self::NotSent => "nothing was sent",
            Self::Prepared => "prepared at the platform",
            Self::Deferred => "put off",
            Self::NoAnswer => "the platform did not answer",
            Self::Found => "found on the platform",
            Self::NotFound => "not found on the platform",
            Self::Abandoned => "the worker vanished",
        }
    }
}

/// What is kept of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRecord {
    /// Its id.
    pub id: AttemptId,
    /// 1 for the first.
    pub number: u32,
    /// Began.
    pub started_at: Timestamp,
    /// Ended; `None` while it runs.
    pub ended_at: Option<Timestamp>,
    /// How.
    pub outcome: AttemptOutcome,
    /// What the post became by it.
    pub became: Status,
    /// The platform's answer.
    pub http_status: Option<u16>,
    /// What went wrong.
    pub error: Option<FailureCode>,
    /// What the platform said, scrubbed and cut, for operators; never in an answer to a client.
    pub detail: Option<String>,
    /// What its worker learned when the post had been taken from it. The post did not move by it; whoever clears up the doubt reads it.
    pub late: Option<LateResult>,
}

/// What a worker learned too late to write it into the post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateResult {
    /// The post's version that was sent.
    pub version: u32,
    /// The intent that it was sent under: of any other send it says nothing.
    pub sent_at: Timestamp,
    /// What.
    pub learned: Learned,
}

/// An answer that decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Learned {
    /// The platform has it.
    Published(Publication),
    /// It is surely not there.
    NotThere {
        /// Why.
        code: FailureCode,
    },
}

/// The platform's answer, as far as the attempt's row keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub http_status: Option<u16>,
    /// Scrubbed and cut, for operators.
    pub detail: Option<String>,
}

impl Attempt {
    /// The row that tells how it ended.
    pub fn ended(&self, now: Timestamp, outcome: AttemptOutcome, became: Status) -> AttemptRecord {
        AttemptRecord {
            id: self.id.clone(),
            number: self.number,
            started_at: self.started_at,
            ended_at: Some(now),
            outcome,
            became,
            http_status: None,
            error: None,
            detail: None,
            late: None,
        }
    }
}

pub(super) fn record(attempt: &Attempt, after: &Post, outcome: AttemptOutcome, answer: Answer, now: Timestamp) -> AttemptRecord {
    let error = match outcome {
        AttemptOutcome::Accepted | AttemptOutcome::Found | AttemptOutcome::Prepared => None,
        _ => after.errors.last().map(|note| note.code),
    };
    AttemptRecord { http_status: answer.http_status, detail: answer.detail, error, ..attempt.ended(now, outcome, after.status()) }
}
