use aws_config::retry::RetryConfig;
use embedded::{Fault, WAKE_UPS, queue_url};
use jiff::SignedDuration;

use super::stage::{Stage, attempt, connection, post, secs, user, wake_up};

/// One attempt for each call, so that no test waits for the SDK's pauses.
fn impatient(stage: &Stage) -> aws_config::SdkConfig {
    stage.aws.sdk_config().into_builder().retry_config(RetryConfig::disabled()).build()
}

#[tokio::test]
async fn a_call_that_breaks_before_the_service_leaves_no_trace_and_a_lost_answer_does() {
    let stage = Stage::open();
    let queue = cloud::queue::WakeUps { client: aws_sdk_sqs::Client::new(&impatient(&stage)), url: queue_url(WAKE_UPS) };
    for (fault, arrived) in [(Fault::FailBefore, 0), (Fault::Throttle, 0), (Fault::LoseAnswerAfterApply, 1)] {
        stage.break_calls("SendMessage", fault);
        let error = queue.send(&wake_up(1), SignedDuration::ZERO).await.unwrap_err();
        assert!(error.source.is_retryable(), "{fault:?}");
        assert_eq!(stage.receive(WAKE_UPS).await.len(), arrived, "{fault:?}");
    }
    assert_eq!(stage.aws.calls()["sqs.SendMessage"], 3);
}

#[tokio::test]
async fn a_schedule_whose_answer_was_lost_is_armed_again_without_a_second_one() {
    let stage = Stage::open();
    let schedules = cloud::schedules::Schedules { client: aws_sdk_scheduler::Client::new(&impatient(&stage)), ..stage.schedules() };
    let due = stage.now() + secs(120);
    stage.break_calls("CreateSchedule", Fault::LoseAnswerAfterApply);
    assert!(schedules.arm(&post(1), 1, &user(), due).await.unwrap_err().is_retryable());
    stage.heal();
    schedules.arm(&post(1), 1, &user(), due).await.unwrap();
    stage.pass(secs(180));
    assert_eq!(stage.aws.fire_due_schedules().unwrap(), 1);
}

#[tokio::test]
async fn a_token_whose_write_lost_its_answer_is_found_by_its_attempt() {
    let stage = Stage::open();
    let vault = cloud::vault::Vault::new(aws_sdk_secretsmanager::Client::new(&impatient(&stage)), "postledger");
    let name = vault.connection_secret(&connection());
    let tokens = domain::token::TokenSet::bare("a".into());
    stage.break_calls("CreateSecret", Fault::LoseAnswerAfterApply);
    assert!(vault.create(&name, &tokens, &attempt(1)).await.unwrap_err().is_retryable());
    assert!(vault.find_version(&name, &attempt(1)).await.unwrap().is_some());
    stage.heal();
    vault.create(&name, &tokens, &attempt(1)).await.unwrap();
}

#[tokio::test]
async fn every_service_says_slower_in_its_own_words() {
    let stage = Stage::open();
    stage.aws.on_call(Box::new(|_| Some(Fault::Throttle)));
    let config = impatient(&stage);
    let schedules = cloud::schedules::Schedules { client: aws_sdk_scheduler::Client::new(&config), ..stage.schedules() };
    assert!(schedules.disarm(&post(1), 1, stage.now()).await.unwrap_err().is_retryable());
    let vault = cloud::vault::Vault::new(aws_sdk_secretsmanager::Client::new(&config), "postledger");
    assert!(vault.delete("postledger/x").await.unwrap_err().is_retryable());
    let texts = cloud::texts::TextMessages { client: aws_sdk_sns::Client::new(&config) };
    assert!(texts.send("+15555550100", "hello").await.unwrap_err().is_retryable());
    let tables = aws_sdk_dynamodb::Client::new(&config).list_tables().send().await.unwrap_err();
    assert_eq!(aws_sdk_dynamodb::error::ProvideErrorMetadata::code(&tables), Some("ThrottlingException"));
}
