use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, QueueAttributeName};
use cloud::call::FailureKind;
use domain::id::UserId;
use domain::wake_up::WakeUp;
use embedded::{DEAD_LETTERS, Fault, RECEIVES_MAX, VISIBILITY_SECS, WAKE_UPS, queue_url};
use jiff::{SignedDuration, Timestamp};

use super::stage::{Stage, secs, user, wake_up};

#[tokio::test]
async fn a_wake_up_arrives_whole_and_only_after_its_delay() {
    let stage = Stage::open();
    stage.wake_ups().send(&wake_up(1), SignedDuration::from_millis(29_500)).await.unwrap();
    stage.pass(secs(29));
    assert!(stage.receive(WAKE_UPS).await.is_empty());
    stage.pass(secs(1));
    let received = stage.receive(WAKE_UPS).await;
    assert_eq!(serde_json::from_str::<WakeUp>(&received[0].0).unwrap(), wake_up(1));
}

#[tokio::test]
async fn a_wake_up_belongs_to_the_message_group_of_its_user() {
    let stage = Stage::open();
    stage.wake_ups().send(&wake_up(1), SignedDuration::ZERO).await.unwrap();
    stage.wake_ups().send_all(&[wake_up(2)]).await;
    let request = stage.sqs().receive_message().queue_url(queue_url(WAKE_UPS)).max_number_of_messages(10);
    for message in request.send().await.unwrap().messages() {
        let group = message.attributes().unwrap().get(&aws_sdk_sqs::types::MessageSystemAttributeName::MessageGroupId);
        assert_eq!(group.map(String::as_str), Some(user().as_str()));
    }
}

#[tokio::test]
async fn a_received_message_is_hidden_until_its_visibility_ends_or_is_changed() {
    let stage = Stage::open();
    stage.wake_ups().send(&wake_up(1), SignedDuration::ZERO).await.unwrap();
    let first = stage.receive(WAKE_UPS).await;
    assert!(stage.receive(WAKE_UPS).await.is_empty());
    let change = stage.sqs().change_message_visibility().queue_url(queue_url(WAKE_UPS)).receipt_handle(&first[0].1);
    change.visibility_timeout(10).send().await.unwrap();
    stage.pass(secs(10));
    assert_eq!(stage.receive(WAKE_UPS).await.len(), 1);
    stage.pass(secs(VISIBILITY_SECS));
    assert_eq!(stage.receive(WAKE_UPS).await.len(), 1);
}

#[tokio::test]
async fn a_receipt_of_an_earlier_receive_deletes_nothing_and_the_last_one_does() {
    let stage = Stage::open();
    stage.wake_ups().send(&wake_up(1), SignedDuration::ZERO).await.unwrap();
    let outdated = stage.receive(WAKE_UPS).await.remove(0).1;
    stage.pass(secs(VISIBILITY_SECS));
    let last = stage.receive(WAKE_UPS).await.remove(0).1;
    for (receipt, left) in [(outdated, "1"), (last, "0")] {
        stage.sqs().delete_message().queue_url(queue_url(WAKE_UPS)).receipt_handle(receipt).send().await.unwrap();
        let counts = stage.sqs().get_queue_attributes().queue_url(queue_url(WAKE_UPS)).attribute_names(QueueAttributeName::All);
        let counts = counts.send().await.unwrap().attributes.unwrap();
        assert_eq!(counts[&QueueAttributeName::ApproximateNumberOfMessagesNotVisible], left);
    }
}

#[tokio::test]
async fn a_message_received_too_often_goes_to_the_dead_letters_whole() {
    let stage = Stage::open();
    stage.wake_ups().send(&wake_up(1), SignedDuration::ZERO).await.unwrap();
    for _ in 0..RECEIVES_MAX {
        assert_eq!(stage.receive(WAKE_UPS).await.len(), 1);
        assert!(stage.receive(DEAD_LETTERS).await.is_empty());
        stage.pass(secs(VISIBILITY_SECS));
    }
    assert!(stage.receive(WAKE_UPS).await.is_empty());
    let dead = stage.receive(DEAD_LETTERS).await;
    assert_eq!(serde_json::from_str::<WakeUp>(&dead[0].0).unwrap(), wake_up(1));
}

#[tokio::test]
async fn many_wake_ups_are_sent_in_batches_of_ten_and_taken_off_in_batches() {
    let stage = Stage::open();
    let wake_ups: Vec<WakeUp> = (0..23).map(wake_up).collect();
    assert!(stage.wake_ups().send_all(&wake_ups).await.is_empty());
    assert_eq!(stage.aws.calls()["sqs.SendMessageBatch"], 3);
    let mut taken = 0;
    for _ in 0..3 {
        let batch = stage.receive(WAKE_UPS).await;
        taken += batch.len();
        let entries = batch.iter().enumerate().map(|(index, (_, receipt))| {
            DeleteMessageBatchRequestEntry::builder().id(index.to_string()).receipt_handle(receipt).build().unwrap()
        });
        let deletion = stage.sqs().delete_message_batch().queue_url(queue_url(WAKE_UPS)).set_entries(Some(entries.collect()));
        assert_eq!(deletion.send().await.unwrap().successful().len(), batch.len());
    }
    assert_eq!(taken, 23);
    stage.pass(secs(VISIBILITY_SECS));
    assert!(stage.receive(WAKE_UPS).await.is_empty());
}

/// A wake-up of somebody else.
fn of_another(number: u8) -> WakeUp {
    WakeUp { user_id: UserId::new(Timestamp::UNIX_EPOCH, [8; 10]), ..wake_up(number) }
}

/// Whose the next ten messages are, in their order: `true` is somebody else's.
async fn received(stage: &Stage) -> Vec<bool> {
    let read = |(body, _): (String, String)| serde_json::from_str::<WakeUp>(&body).unwrap().user_id != user();
    stage.receive(WAKE_UPS).await.into_iter().map(read).collect()
}

#[tokio::test]
async fn a_user_with_many_messages_keeps_nobody_elses_waiting() {
    let stage = Stage::open();
    let of_one: Vec<WakeUp> = (0..30).map(wake_up).collect();
    assert!(stage.wake_ups().send_all(&of_one).await.is_empty());
    stage.pass(secs(1));
    let of_the_other: Vec<WakeUp> = (30..38).map(of_another).collect();
    assert!(stage.wake_ups().send_all(&of_the_other).await.is_empty());
    let is_others = |received: &[bool]| received.iter().filter(|is_others| **is_others).count();
    let first = received(&stage).await;
    assert_eq!((first.len(), is_others(&first)), (10, 5), "nobody has anything in flight: they take turns");
    let second = received(&stage).await;
    assert_eq!((second.len(), is_others(&second)), (10, 3), "they take turns as long as both have something");
    assert_eq!(received(&stage).await, [false; 10]);
}

#[tokio::test]
async fn what_is_in_flight_counts_until_it_is_deleted_or_visible_again() {
    let stage = Stage::open();
    let of_one: Vec<WakeUp> = (0..10).map(wake_up).collect();
    stage.wake_ups().send_all(&of_one).await;
    assert_eq!(received(&stage).await, [false; 10]);
    // Ten more of each: the other has nothing in flight yet, and goes first.
    stage.wake_ups().send_all(&(10..20).map(wake_up).collect::<Vec<_>>()).await;
    stage.wake_ups().send_all(&(20..30).map(of_another).collect::<Vec<_>>()).await;
    assert_eq!(received(&stage).await, [true; 10]);
    stage.wake_ups().send_all(&(30..40).map(of_another).collect::<Vec<_>>()).await;
    // Ten of each are in flight: they take turns.
    assert_eq!(received(&stage).await.into_iter().filter(|is_others| *is_others).count(), 5);
    stage.pass(secs(VISIBILITY_SECS));
    let again = received(&stage).await;
    assert_eq!((again.len(), again.into_iter().filter(|is_others| *is_others).count()), (10, 5), "nothing is in flight any more");
}

#[tokio::test]
async fn what_one_receive_holds_comes_in_the_order_of_its_time() {
    let stage = Stage::open();
    let turns = [true, false, false, true, false, true, true, false, false, true];
    for (number, is_others) in (0..).zip(turns) {
        let wake_up = if is_others { of_another(number) } else { wake_up(number) };
        stage.wake_ups().send(&wake_up, SignedDuration::ZERO).await.unwrap();
        stage.pass(SignedDuration::from_millis(1));
    }
    assert_eq!(received(&stage).await, turns);
}

#[tokio::test]
async fn messages_without_a_group_wait_their_turn_as_one_group() {
    let stage = Stage::open();
    for number in 0..20 {
        let body = serde_json::to_string(&wake_up(number)).unwrap();
        stage.sqs().send_message().queue_url(queue_url(WAKE_UPS)).message_body(body).send().await.unwrap();
    }
    stage.wake_ups().send_all(&(20..25).map(of_another).collect::<Vec<_>>()).await;
    assert_eq!(received(&stage).await.into_iter().filter(|is_others| *is_others).count(), 5);
}

#[tokio::test]
async fn a_receipt_that_is_none_is_refused() {
    let stage = Stage::open();
    for receipt in ["", "receipt", "receipt-", "receipt-one-1", "1-1"] {
        let delete = stage.sqs().delete_message().queue_url(queue_url(WAKE_UPS)).receipt_handle(receipt);
        assert!(delete.send().await.unwrap_err().into_service_error().is_receipt_handle_is_invalid(), "{receipt}");
    }
}

#[tokio::test]
async fn wake_ups_that_could_not_be_sent_come_back_with_the_reason() {
    let stage = Stage::open();
    stage.break_calls("SendMessageBatch", Fault::Throttle);
    let config = stage.aws.sdk_config().into_builder().retry_config(aws_config::retry::RetryConfig::disabled()).build();
    let queue = cloud::queue::WakeUps { client: aws_sdk_sqs::Client::new(&config), url: queue_url(WAKE_UPS) };
    let unsent = queue.send_all(&[wake_up(1), wake_up(2)]).await;
    assert_eq!(unsent.iter().map(|unsent| unsent.wake_up.clone()).collect::<Vec<_>>(), [wake_up(1), wake_up(2)]);
    assert!(unsent.iter().all(|unsent| unsent.failure.kind == FailureKind::Throttled));
}

#[tokio::test]
async fn an_unknown_queue_is_refused_for_good() {
    let stage = Stage::open();
    let queue = cloud::queue::WakeUps { client: stage.sqs(), url: queue_url("other") };
    let error = queue.send(&wake_up(1), SignedDuration::ZERO).await.unwrap_err();
    assert_eq!(error.source.kind, FailureKind::Refused);
    assert_eq!(error.source.code.as_deref(), Some("QueueDoesNotExist"));
}
