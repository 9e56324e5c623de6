//! One-time schedules: at a post's time, `EventBridge` Scheduler puts its wake-up on the queue.
//!
//! A schedule is a wake-up and never the truth: one that is late, doubled or left over does no harm, because whoever takes
//! the wake-up re-reads the post. Source of the limits: `EventBridge` Scheduler API reference, `CreateSchedule`.

use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::error::{BuildError, SdkError};
use aws_sdk_scheduler::operation::create_schedule::{CreateScheduleError, CreateScheduleOutput};
use aws_sdk_scheduler::operation::delete_schedule::DeleteScheduleError;
use aws_sdk_scheduler::types::{ActionAfterCompletion, DeadLetterConfig, FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy, Target};
use domain::id::{PostId, UserId};
use domain::wake_up::WakeUp;
use jiff::{SignedDuration, Timestamp};

use crate::call::CallFailure;

/// How long Scheduler tries to deliver a wake-up; its own default is a day, far past the point where a post is missed.
const EVENT_AGE_MAX_SECS: i32 = 3600;
/// How often it tries within that time.
const DELIVERY_RETRIES_MAX: i32 = 10;

/// What arming found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Armed {
    /// The schedule is new.
    Created,
    /// The schedule of this post, version and time was there already.
    AlreadyThere,
}

/// Why a schedule could not be made or removed.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// The time lies outside of what a schedule can say.
    #[error("writing the time of schedule {name}")]
    Time {
        /// The schedule.
        name: String,
    },
    /// The request lacks a part that Scheduler needs.
    #[error("building schedule {name}")]
    Build {
        /// The schedule.
        name: String,
        /// The part.
        #[source]
        source: Box<BuildError>,
    },
    /// Creating failed. A time that is past by Scheduler's clock is refused.
    #[error("arming schedule {name}")]
    Arm {
        /// The schedule.
        name: String,
        /// Why.
        #[source]
        source: CallFailure,
    },
    /// Deleting failed.
    #[error("disarming schedule {name}")]
    Disarm {
        /// The schedule.
        name: String,
        /// Why.
        #[source]
        source: CallFailure,
    },
}

impl ScheduleError {
    /// Whether the same call may succeed later: throttled, full, or no answer.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Time { .. } | Self::Build { .. } => false,
            Self::Arm { source, .. } | Self::Disarm { source, .. } => source.is_retryable(),
        }
    }
}

/// The schedules of the posts, in one group.
#[derive(Debug, Clone)]
pub struct Schedules {
    /// The service.
    pub client: Client,
    /// The group that holds them.
    pub group: String,
    /// The role that lets Scheduler send to the two queues.
    pub role_arn: String,
    /// Where wake-ups go.
    pub queue_arn: String,
    /// Where a wake-up goes that could not be delivered.
    pub dead_letter_arn: String,
}

/// The name of a post's schedule: a function of post, version and time, so that arming twice makes one. Scheduler takes a while to delete what
/// has fired, and a name that said no time would be taken for so long.
pub fn schedule_name(post: &PostId, version: u32, at: Timestamp) -> String {
    format!("p-{post}-v{version}-{}", at.as_second())
}

impl Schedules {
    /// The schedules of `group`, delivered by `role_arn` to the queue, or else to the dead-letter queue.
    pub fn new(sdk: &aws_config::SdkConfig, group: String, role_arn: String, queue_arn: String, dead_letter_arn: String) -> Self {
        Self { client: Client::new(sdk), group, role_arn, queue_arn, dead_letter_arn }
    }

    /// Sees to it that the post is woken at `at`, rounded up to the second: never before its time.
    pub async fn arm(&self, post: &PostId, version: u32, user: &UserId, at: Timestamp) -> Result<Armed, ScheduleError> {
        let (name, at) = named(post, version, at)?;
        let wake_up = WakeUp { post_id: post.clone(), user_id: user.clone(), version };
        let built = self.target(&wake_up).and_then(|target| Ok((target, exactly_on_time()?)));
        let (target, window) = built.map_err(|source| ScheduleError::Build { name: name.clone(), source: Box::new(source) })?;
        let answer = self
            .client
            .create_schedule()
            .name(&name)
            .group_name(&self.group)
            .schedule_expression(format!("at({})", at.strftime("%Y-%m-%dT%H:%M:%S")))
            .schedule_expression_timezone("UTC")
            .flexible_time_window(window)
            .action_after_completion(ActionAfterCompletion::Delete)
            .target(target)
            .client_token(&name)
            .send()
            .await;
        armed(name, answer)
    }

    /// Removes the schedule of this post and version that was armed for `at`; one that is gone already is as good.
    pub async fn disarm(&self, post: &PostId, version: u32, at: Timestamp) -> Result<(), ScheduleError> {
        let (name, _) = named(post, version, at)?;
        let answer = self.client.delete_schedule().name(&name).group_name(&self.group).send().await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(DeleteScheduleError::is_resource_not_found_exception) => Ok(()),
            Err(error) => Err(ScheduleError::Disarm { name, source: CallFailure::of("DeleteSchedule", &error) }),
        }
    }

    fn target(&self, wake_up: &WakeUp) -> Result<Target, BuildError> {
        let retry =
            RetryPolicy::builder().maximum_event_age_in_seconds(EVENT_AGE_MAX_SECS).maximum_retry_attempts(DELIVERY_RETRIES_MAX).build();
        Target::builder()
            .arn(&self.queue_arn)
            .role_arn(&self.role_arn)
            .input(crate::queue::message_body(wake_up))
            .retry_policy(retry)
            .dead_letter_config(DeadLetterConfig::builder().arn(&self.dead_letter_arn).build())
            .build()
    }
}

fn armed(name: String, answer: Result<CreateScheduleOutput, SdkError<CreateScheduleError>>) -> Result<Armed, ScheduleError> {
    match answer {
        Ok(_) => Ok(Armed::Created),
        // The name is taken by the same post and version at the same time.
        Err(error) if error.as_service_error().is_some_and(CreateScheduleError::is_conflict_exception) => Ok(Armed::AlreadyThere),
        Err(error) => Err(ScheduleError::Arm { name, source: CallFailure::of("CreateSchedule", &error) }),
    }
}

fn exactly_on_time() -> Result<FlexibleTimeWindow, BuildError> {
    FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build()
}

/// The name of a schedule, and the time that it is made for.
fn named(post: &PostId, version: u32, at: Timestamp) -> Result<(String, Timestamp), ScheduleError> {
    let whole = whole_second_from(at).ok_or_else(|| ScheduleError::Time { name: schedule_name(post, version, at) })?;
    Ok((schedule_name(post, version, whole), whole))
}

/// `at(…)` knows no fractions of a second.
fn whole_second_from(at: Timestamp) -> Option<Timestamp> {
    let whole = Timestamp::from_second(at.as_second()).ok()?;
    if whole < at { whole.checked_add(SignedDuration::from_secs(1)).ok() } else { Some(whole) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_post_version_and_time_and_fits_schedulers_rule() {
        let post = PostId::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV").unwrap();
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        assert_eq!(schedule_name(&post, 3, at), "p-01ARZ3NDEKTSV4RRFFQ69G5FAV-v3-1800000000");
        let longest = schedule_name(&post, u32::MAX, Timestamp::MAX);
        assert!(longest.len() <= 64, "{longest}");
    }

    #[test]
    fn times_are_rounded_up_to_the_second() {
        let rounded = |text: &str| whole_second_from(text.parse().unwrap()).unwrap().to_string();
        assert_eq!(rounded("2026-11-23T10:00:00Z"), "2026-11-23T10:00:00Z");
        assert_eq!(rounded("2026-11-23T10:00:00.001Z"), "2026-11-23T10:00:01Z");
        assert_eq!(rounded("2026-12-31T23:59:59.999999999Z"), "2027-01-01T00:00:00Z");
        assert_eq!(rounded("1969-12-31T23:59:58.5Z"), "1969-12-31T23:59:59Z");
    }
}
