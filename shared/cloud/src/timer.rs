//! Seeing to it that a post is woken at its time.

use aws_config::SdkConfig;
use domain::wake_up::WakeUp;
use jiff::{SignedDuration, Timestamp};

use crate::queue::{DELAY_SECS_MAX, SendError, WakeUps};
use crate::schedules::{ScheduleError, Schedules};

/// A post's schedule stands so long before the post is due, because Scheduler fires somewhere in the minute that follows. The publisher that is
/// woken sends the wake-up for the exact second as a delayed message.
/// Source: <https://docs.aws.amazon.com/scheduler/latest/UserGuide/what-is-scheduler.html> (precision of 60 seconds).
const EARLY: SignedDuration = SignedDuration::from_secs(75);
/// Scheduler refuses times that have passed and may miss the very next minute: no schedule is made for a time that is nearer.
const SCHEDULE_AHEAD_MIN: SignedDuration = SignedDuration::from_secs(90);
/// What is due sooner goes to the queue, with a delay.
pub const AHEAD_MIN: SignedDuration = SignedDuration::from_secs(EARLY.as_secs() + SCHEDULE_AHEAD_MIN.as_secs());

/// What is due sooner is stored as armed before its wake-up is arranged. The sweeper would not come in time for it, and the queue may hand its
/// message out before a mark is written. What is due later is marked once its wake-up is arranged, so that the sweeper arranges a forgotten one.
pub const IMMINENT: SignedDuration = SCHEDULE_AHEAD_MIN;

const _: () = {
    assert!(EARLY.as_secs() > 60, "a schedule that fires at the end of its minute comes in time");
    assert!(AHEAD_MIN.as_secs() < DELAY_SECS_MAX as i64, "what has no schedule is near enough for a delay");
};

/// A queue for what is due soon, and schedules for what is due later.
#[derive(Debug, Clone)]
pub struct Timer {
    wake_ups: WakeUps,
    schedules: Schedules,
}

/// Why a wake-up was not arranged.
#[derive(Debug, thiserror::Error)]
pub enum TimerError {
    /// The queue.
    #[error(transparent)]
    Queue(#[from] SendError),
    /// The scheduler.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
}

/// Whether what is due at `at` goes straight to the queue.
pub fn is_near(at: Timestamp, now: Timestamp) -> bool {
    at.duration_since(now) < AHEAD_MIN
}

/// Whether what is due at `at` is stored as armed at once; see [`IMMINENT`].
pub fn is_imminent(at: Timestamp, now: Timestamp) -> bool {
    at.duration_since(now) < IMMINENT
}

impl Timer {
    /// A timer on the client configuration `sdk`.
    pub fn new(sdk: &SdkConfig, queue_url: String, queue_arn: String, group: String, role_arn: String, dead_letter_arn: String) -> Self {
        let schedules = Schedules::new(sdk, group, role_arn, queue_arn, dead_letter_arn);
        Self { wake_ups: WakeUps::new(sdk, queue_url), schedules }
    }

    /// Arranges a wake-up at `at`, or early: up to 75 s before it where it takes a schedule. Arranging it twice wakes twice at most, and a wake-up is only a hint.
    pub async fn set(&self, wake_up: &WakeUp, at: Timestamp, now: Timestamp) -> Result<(), TimerError> {
        if is_near(at, now) {
            return Ok(self.wake_ups.send(wake_up, at.duration_since(now)).await?);
        }
        self.schedules.arm(&wake_up.post_id, wake_up.version, &wake_up.user_id, at - EARLY).await?;
        Ok(())
    }

    /// Takes back a wake-up that was arranged for `at`, and that nobody needs. One that stays behind wakes a version that is gone, and does
    /// nothing.
    pub async fn unset(&self, wake_up: &WakeUp, at: Timestamp) -> Result<(), TimerError> {
        Ok(self.schedules.disarm(&wake_up.post_id, wake_up.version, at - EARLY).await?)
    }

    /// The queue itself, for wake-ups that are due now.
    pub fn queue(&self) -> &WakeUps {
        &self.wake_ups
    }
}
