//! One worker's try.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::LEASE;
use super::state::{Post, Status};
use crate::failure::FailureCode;
use crate::id::AttemptId;

/// A try under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Names every write of the try.
    pub id: AttemptId,
    /// 1 for the first.
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// Until when nobody else may take the post.
    pub lease_until: Timestamp,
}

impl Attempt {
    /// The next try at `post`.
    pub(super) fn next(post: &Post, id: AttemptId, now: Timestamp) -> Self {
        Self { id, number: post.attempt_count + 1, started_at: now, lease_until: now + LEASE }
    }

    /// Whether its worker may still be at it.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.lease_until
    }

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
        }
    }
}

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
}
