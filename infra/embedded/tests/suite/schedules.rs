use aws_sdk_scheduler::types::{ActionAfterCompletion, FlexibleTimeWindowMode};
use cloud::schedules::{Armed, ScheduleError, schedule_name};
use domain::wake_up::WakeUp;
use embedded::{DEAD_LETTERS, WAKE_UPS, queue_arn};
use jiff::SignedDuration;

use super::stage::{Stage, post, secs, user};

#[tokio::test]
async fn a_schedule_fires_its_wake_up_into_the_queue_once_somewhere_in_the_minute_after_its_time() {
    let stage = Stage::open();
    let due = stage.now() + SignedDuration::from_millis(120_500);
    assert_eq!(stage.schedules().arm(&post(1), 4, &user(), due).await.unwrap(), Armed::Created);
    stage.pass(secs(120));
    assert_eq!(stage.aws.fire_due_schedules().unwrap(), 0);
    stage.pass(secs(61));
    assert_eq!(stage.aws.fire_due_schedules().unwrap(), 1);
    assert_eq!(stage.aws.fire_due_schedules().unwrap(), 0);
    let received = stage.receive(WAKE_UPS).await;
    let wake_up: WakeUp = serde_json::from_str(&received[0].0).unwrap();
    assert_eq!(wake_up, WakeUp { post_id: post(1), user_id: user(), version: 4 });
    assert_eq!(received.len(), 1);
    let left = stage.scheduler().list_schedules().group_name("postledger").send().await.unwrap();
    assert!(left.schedules().is_empty());
}

#[tokio::test]
async fn a_schedule_says_everything_that_scheduler_would_otherwise_default() {
    let stage = Stage::open();
    let due = stage.now() + secs(120);
    stage.schedules().arm(&post(1), 4, &user(), due).await.unwrap();
    let schedule = stage.scheduler().get_schedule().group_name("postledger").name(schedule_name(&post(1), 4, due)).send().await.unwrap();
    assert_eq!(schedule.schedule_expression(), Some("at(2026-11-23T10:02:00)"));
    assert_eq!(schedule.schedule_expression_timezone(), Some("UTC"));
    assert_eq!(schedule.action_after_completion(), Some(&ActionAfterCompletion::Delete));
    assert_eq!(schedule.flexible_time_window().unwrap().mode(), &FlexibleTimeWindowMode::Off);
    let target = schedule.target().unwrap();
    assert_eq!(target.arn(), queue_arn(WAKE_UPS));
    assert_eq!(target.retry_policy().unwrap().maximum_event_age_in_seconds(), Some(3600));
    assert_eq!(target.retry_policy().unwrap().maximum_retry_attempts(), Some(10));
    assert_eq!(target.dead_letter_config().unwrap().arn(), Some(queue_arn(DEAD_LETTERS).as_str()));
}

#[tokio::test]
async fn arming_twice_leaves_one_schedule() {
    let stage = Stage::open();
    let due = stage.now() + SignedDuration::from_millis(120_500);
    let arm = async |version, at| stage.schedules().arm(&post(1), version, &user(), at).await.unwrap();
    assert_eq!(arm(1, due).await, Armed::Created);
    assert_eq!(arm(1, due).await, Armed::Created, "the same request is answered the same");
    assert_eq!(arm(2, due).await, Armed::Created);
    stage.pass(secs(600));
    assert_eq!(stage.aws.fire_due_schedules().unwrap(), 2);
}

#[tokio::test]
async fn a_schedule_that_stands_yet_keeps_nobody_from_arming_for_a_later_time() {
    let stage = Stage::open();
    let due = stage.now() + secs(120);
    stage.schedules().arm(&post(1), 1, &user(), due).await.unwrap();
    assert_eq!(stage.schedules().arm(&post(1), 1, &user(), due + secs(300)).await.unwrap(), Armed::Created);
    stage.pass(secs(180));
    assert_eq!(stage.aws.fire_due_schedules().unwrap(), 1);
    stage.pass(secs(300));
    assert_eq!(stage.aws.fire_due_schedules().unwrap(), 1);
}

#[tokio::test]
async fn a_disarmed_schedule_does_not_fire_and_disarming_again_is_no_error() {
    let stage = Stage::open();
    let due = stage.now() + SignedDuration::from_millis(120_500);
    stage.schedules().arm(&post(1), 1, &user(), due).await.unwrap();
    stage.schedules().disarm(&post(1), 1, due).await.unwrap();
    stage.schedules().disarm(&post(1), 1, due).await.unwrap();
    stage.pass(secs(600));
    assert_eq!(stage.aws.fire_due_schedules().unwrap(), 0);
}

#[tokio::test]
async fn schedules_fire_all_over_the_minute() {
    let stage = Stage::open();
    for number in 0..60 {
        stage.schedules().arm(&post(number), 1, &user(), stage.now() + secs(120)).await.unwrap();
    }
    stage.pass(secs(119));
    let mut fired = Vec::new();
    for _ in 0..3 {
        stage.pass(secs(20));
        fired.push(stage.aws.fire_due_schedules().unwrap());
    }
    stage.pass(secs(1));
    fired[2] += stage.aws.fire_due_schedules().unwrap();
    assert!(fired.iter().all(|count| *count > 5) && fired.iter().sum::<usize>() == 60, "{fired:?}");
}

#[tokio::test]
async fn a_time_that_is_past_or_less_than_a_minute_ahead_is_refused_for_good() {
    let stage = Stage::open();
    for due in [stage.now() + secs(59), stage.now(), stage.now() - secs(60)] {
        let error = stage.schedules().arm(&post(1), 1, &user(), due).await.unwrap_err();
        assert!(!error.is_retryable());
        let ScheduleError::Arm { source, .. } = error else { panic!("{error:?}") };
        assert_eq!(source.code.as_deref(), Some("ValidationException"));
    }
}

#[tokio::test]
async fn schedules_are_listed_in_pages_by_prefix() {
    let stage = Stage::open();
    let due = stage.now() + secs(120);
    for number in 0..5 {
        stage.schedules().arm(&post(number), 1, &user(), due).await.unwrap();
    }
    let (mut names, mut token) = (Vec::new(), None);
    for _ in 0..3 {
        let request = stage.scheduler().list_schedules().group_name("postledger").name_prefix("p-").max_results(2);
        let page = request.set_next_token(token).send().await.unwrap();
        names.extend(page.schedules().iter().map(|schedule| schedule.name().unwrap().to_owned()));
        token = page.next_token;
    }
    assert_eq!(names, (0..5).map(|number| schedule_name(&post(number), 1, due)).collect::<Vec<_>>());
    assert_eq!(token, None);
}

#[tokio::test]
async fn schedules_and_messages_survive_a_restart() {
    let stage = Stage::open();
    stage.schedules().arm(&post(1), 1, &user(), stage.now() + secs(120)).await.unwrap();
    stage.wake_ups().send(&super::stage::wake_up(2), SignedDuration::ZERO).await.unwrap();
    let stage = stage.restarted();
    stage.pass(secs(600));
    assert_eq!(stage.aws.fire_due_schedules().unwrap(), 1);
    assert_eq!(stage.receive(WAKE_UPS).await.len(), 2);
}
