use std::error::Error;

use super::stage::{Stage, secs};

#[tokio::test]
async fn a_text_lands_in_the_inbox_newest_first_and_stays_there_over_a_restart() {
    let stage = Stage::open();
    let first = stage.texts().send("+15555550100", "Code 1 & <more>").await.unwrap();
    stage.pass(secs(1));
    let second = stage.texts().send("+15555550101", "Code 2").await.unwrap();
    assert!(!first.message_id.is_empty() && first != second, "each is found again by an id of its own: {first:?}, {second:?}");
    let stage = stage.restarted();
    let inbox = stage.aws.inbox().unwrap();
    assert_eq!(inbox.iter().map(|text| text.body.as_str()).collect::<Vec<_>>(), ["Code 2", "Code 1 & <more>"]);
    assert_eq!((inbox[0].phone.as_str(), inbox[0].sent_at), ("+15555550101", stage.now()));
}

#[tokio::test]
async fn the_inbox_keeps_the_last_two_hundred() {
    let stage = Stage::open();
    for number in 0..205 {
        stage.texts().send("+15555550100", &format!("Code {number}")).await.unwrap();
    }
    let inbox = stage.aws.inbox().unwrap();
    assert_eq!((inbox.len(), inbox[0].body.as_str(), inbox[199].body.as_str()), (200, "Code 204", "Code 5"));
}

#[tokio::test]
async fn an_error_shows_neither_the_number_nor_the_text() {
    let stage = Stage::open();
    let error = stage.texts().send("15555550100", "Code 123456").await.unwrap_err();
    assert!(!error.is_retryable());
    let shown = format!("{error} {error:?} {}", error.source().unwrap());
    assert!(!shown.contains("5555550100") && !shown.contains("123456"), "{shown}");
    assert!(shown.contains("InvalidParameter"), "{shown}");
}
