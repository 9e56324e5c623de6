//! The append-only history: who changed a cycle's numbers, why, and from what to what.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{HistoryId, IdEntropy, PostId};

/// Who caused a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// The account's owner.
    User,
    /// The publisher.
    Publisher,
    /// The sweeper.
    Sweeper,
    /// The cycle job.
    QuotaReset,
    /// The payment provider.
    Billing,
    /// An operator.
    Operator,
}

/// Why a number changed; the `change_reason` of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the contract's own words")]
pub enum ChangeReason {
    PlanStarted,
    GiftRedeemed,
    PlanChanged,
    PostReserved,
    PostPublished,
    PostReleased,
    PostUnbound,
    CycleOpened,
    CycleClosed,
    Adjustment,
}

/// One row of the append-only history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Unique; sorts by time.
    pub id: HistoryId,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: ChangeReason,
    /// The start of the cycle that it explains.
    pub cycle_start: Timestamp,
    /// For which post.
    pub post_id: Option<PostId>,
    /// By whom.
    pub actor: Actor,
    /// The quota before.
    pub previous_total: u32,
    /// The quota after.
    pub new_total: u32,
    /// Free before.
    pub previous_remaining: u32,
    /// Free after.
    pub new_remaining: u32,
    /// An operator's own words.
    pub note: Option<String>,
}

/// The circumstances that a history entry records.
#[derive(Debug, Clone)]
pub struct Cause {
    /// Fresh random bytes for the entry's id.
    pub entropy: IdEntropy,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub actor: Actor,
    /// For which post.
    pub post_id: Option<PostId>,
}
