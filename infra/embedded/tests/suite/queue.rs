use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, QueueAttributeName};
use cloud::call::FailureKind;
use domain::wake_up::WakeUp;
use embedded::{DEAD_LETTERS, Fault, RECEIVES_MAX, VISIBILITY_SECS, WAKE_UPS, queue_url};
use jiff::SignedDuration;

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
