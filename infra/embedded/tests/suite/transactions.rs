use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableInputBuilder;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_get_items::TransactGetItemsError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, CancellationReason, ConditionCheck, Delete, Get, KeySchemaElement, KeyType, Put,
    ScalarAttributeType, TransactGetItem, TransactWriteItem, Update,
};
use embedded::{Fault, ensure_table};

use super::stage::Stage;

type Item = HashMap<String, AttributeValue>;

/// How long a transaction takes here. Time stands still while anybody has something to do.
const TAKES: Duration = Duration::from_millis(50);
/// What comes so much later than a transaction overlaps it.
const AMID: Duration = Duration::from_millis(10);

/// A table with a key of two parts.
fn table(name: &str) -> CreateTableInputBuilder {
    let attribute =
        |name: &str| AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build().unwrap();
    let key = |name: &str, kind: KeyType| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    CreateTableInputBuilder::default()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("zone"))
        .attribute_definitions(attribute("area"))
        .key_schema(key("zone", KeyType::Hash))
        .key_schema(key("area", KeyType::Range))
}

async fn opened(stage: &Stage) -> Client {
    let client = stage.dynamodb();
    for name in ["posts", "users"] {
        ensure_table(&client, table(name)).await.unwrap();
    }
    stage.aws.transactions_take(TAKES);
    client
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn id(area: &str) -> Item {
    HashMap::from([("zone".to_owned(), text("z")), ("area".to_owned(), text(area))])
}

fn item(area: &str) -> Item {
    id(area).into_iter().chain([("status".to_owned(), text("draft"))]).collect()
}

fn put(table: &str, area: &str) -> TransactWriteItem {
    TransactWriteItem::builder().put(Put::builder().table_name(table).set_item(Some(item(area))).build().unwrap()).build()
}

fn update(table: &str, area: &str) -> TransactWriteItem {
    let update = Update::builder().table_name(table).set_key(Some(id(area))).update_expression("SET touched = :yes");
    let update = update.expression_attribute_values(":yes", AttributeValue::Bool(true));
    TransactWriteItem::builder().update(update.build().unwrap()).build()
}

fn delete(table: &str, area: &str) -> TransactWriteItem {
    TransactWriteItem::builder().delete(Delete::builder().table_name(table).set_key(Some(id(area))).build().unwrap()).build()
}

/// That the item is not there.
fn check(table: &str, area: &str) -> TransactWriteItem {
    let check = ConditionCheck::builder().table_name(table).set_key(Some(id(area))).condition_expression("attribute_not_exists(area)");
    TransactWriteItem::builder().condition_check(check.build().unwrap()).build()
}

/// Sends a transaction; else what each leg met.
async fn transact(client: &Client, legs: impl IntoIterator<Item = TransactWriteItem>) -> Result<(), Vec<String>> {
    let legs: Vec<_> = legs.into_iter().collect();
    let sent = client.transact_write_items().set_transact_items(Some(legs)).send().await;
    sent.map(drop).map_err(|error| match error.into_service_error() {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => codes(cancelled.cancellation_reasons()),
        other => panic!("{other:?}"),
    })
}

fn codes(reasons: &[CancellationReason]) -> Vec<String> {
    reasons.iter().map(|reason| reason.code().unwrap().to_owned()).collect()
}

/// `later` while `first` is under way.
fn amid<'a, A, B>(first: impl Future<Output = A> + 'a, later: impl Future<Output = B> + 'a) -> Pin<Box<dyn Future<Output = (A, B)> + 'a>> {
    Box::pin(async move {
        let later = async {
            tokio::time::sleep(AMID).await;
            later.await
        };
        tokio::join!(first, later)
    })
}

#[tokio::test(start_paused = true)]
async fn of_two_transactions_on_one_item_the_second_is_cancelled_and_told_where_they_met() {
    let stage = Stage::open();
    let client = opened(&stage).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let calls = told.clone();
    stage.aws.on_conflict(Box::new(move |call| calls.lock().unwrap_or_else(PoisonError::into_inner).push(call.operation.clone())));
    let later = transact(&client, [put("posts", "3"), update("posts", "2"), put("users", "1")]);
    let (first, later) = amid(transact(&client, [put("posts", "1"), put("posts", "2")]), later).await;
    assert_eq!(first, Ok(()));
    assert_eq!(later.unwrap_err(), ["None", "TransactionConflict", "None"]);
    assert_eq!(client.scan().table_name("posts").send().await.unwrap().count(), 2, "nothing of the second was written");
    assert_eq!(*told.lock().unwrap(), ["TransactWriteItems"]);
    // When the first has ended, the second goes through.
    assert_eq!(transact(&client, [put("posts", "3"), update("posts", "2")]).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn two_that_come_at_the_same_moment_meet_however_short_a_transaction_is() {
    let stage = Stage::open();
    let client = opened(&stage).await;
    stage.aws.transactions_take(Duration::ZERO);
    // Whoever connects for the first time has more to do.
    transact(&client, [put("users", "1")]).await.unwrap();
    let (one, other) = tokio::join!(transact(&client, [put("posts", "1")]), transact(&client, [put("posts", "1")]));
    assert_eq!((one, other), (Ok(()), Err(vec!["TransactionConflict".to_owned()])));
}

#[tokio::test(start_paused = true)]
async fn a_check_counts_as_a_write_does() {
    let stage = Stage::open();
    let client = opened(&stage).await;
    for (first, later) in [
        (check("users", "1"), check("users", "1")),
        (check("users", "1"), delete("users", "1")),
        (delete("users", "1"), check("users", "1")),
    ] {
        let (first, later) = amid(transact(&client, [first]), transact(&client, [put("posts", "1"), later])).await;
        assert_eq!(first, Ok(()));
        assert_eq!(later.unwrap_err(), ["None", "TransactionConflict"]);
    }
}

#[tokio::test(start_paused = true)]
async fn other_items_and_other_tables_do_not_meet() {
    let stage = Stage::open();
    let client = opened(&stage).await;
    let (first, later) =
        amid(transact(&client, [put("posts", "1"), check("users", "2")]), transact(&client, [put("users", "1"), put("posts", "2")])).await;
    assert_eq!((first, later), (Ok(()), Ok(())));
}

#[tokio::test(start_paused = true)]
async fn a_plain_write_that_meets_a_transaction_is_refused_in_its_own_words_and_a_read_is_not() {
    let stage = Stage::open();
    let client = opened(&stage).await;
    let under_way = || transact(&client, [put("posts", "1")]);
    let (_, refused) = amid(under_way(), client.put_item().table_name("posts").set_item(Some(item("1"))).send()).await;
    assert!(matches!(refused.unwrap_err().into_service_error(), PutItemError::TransactionConflictException(_)));
    let update = client.update_item().table_name("posts").set_key(Some(id("1"))).update_expression("REMOVE touched");
    let (_, refused) = amid(under_way(), update.send()).await;
    assert!(matches!(refused.unwrap_err().into_service_error(), UpdateItemError::TransactionConflictException(_)));
    let (_, refused) = amid(under_way(), client.delete_item().table_name("posts").set_key(Some(id("1"))).send()).await;
    assert!(matches!(refused.unwrap_err().into_service_error(), DeleteItemError::TransactionConflictException(_)));
    let (_, read) = amid(under_way(), client.get_item().table_name("posts").set_key(Some(id("1"))).send()).await;
    assert!(read.unwrap().item.is_some());
    let (_, other) = amid(under_way(), client.put_item().table_name("posts").set_item(Some(item("2"))).send()).await;
    other.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_transaction_of_reads_meets_one_of_writes_and_holds_nothing() {
    let stage = Stage::open();
    let client = opened(&stage).await;
    let get =
        |area: &str| TransactGetItem::builder().get(Get::builder().table_name("posts").set_key(Some(id(area))).build().unwrap()).build();
    let reads = || client.transact_get_items().transact_items(get("2")).transact_items(get("1")).send();
    let (_, refused) = amid(transact(&client, [put("posts", "1")]), reads()).await;
    match refused.map_err(SdkError::into_service_error) {
        Err(TransactGetItemsError::TransactionCanceledException(cancelled)) => {
            assert_eq!(codes(cancelled.cancellation_reasons()), ["None", "TransactionConflict"]);
        }
        other => panic!("{other:?}"),
    }
    let (read, written) = tokio::join!(reads(), transact(&client, [put("posts", "1")]));
    assert_eq!((read.unwrap().responses().len(), written), (2, Ok(())));
}

#[tokio::test(start_paused = true)]
async fn what_a_cancelled_transaction_held_is_free_again() {
    let stage = Stage::open();
    let client = opened(&stage).await;
    transact(&client, [put("posts", "1")]).await.unwrap();
    // A condition that fails holds as long as one that does not, and a transaction that meets another holds nothing.
    let (first, later) =
        amid(transact(&client, [check("posts", "1"), put("posts", "2")]), transact(&client, [put("posts", "2"), put("posts", "3")])).await;
    assert_eq!(
        (first.unwrap_err(), later.unwrap_err()),
        (vec!["ConditionalCheckFailed".to_owned(), "None".to_owned()], vec!["TransactionConflict".to_owned(), "None".to_owned()])
    );
    assert_eq!(transact(&client, [put("posts", "2"), put("posts", "3")]).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_caller_that_went_away_or_stands_still() {
    let stage = Stage::open();
    let client = opened(&stage).await;
    // Gone.
    tokio::time::timeout(AMID, transact(&client, [put("posts", "1")])).await.unwrap_err();
    assert_eq!(transact(&client, [put("posts", "1")]).await, Ok(()));
    // There, and never asked again.
    let mut standing = Box::pin(transact(&client, [put("posts", "1")]));
    tokio::time::timeout(AMID, &mut standing).await.unwrap_err();
    assert_eq!(transact(&client, [put("posts", "1")]).await.unwrap_err(), ["TransactionConflict"]);
    tokio::time::advance(2 * TAKES).await;
    assert_eq!(transact(&client, [put("posts", "1")]).await, Ok(()));
    // What it held by then is another's: it lets go of nothing that is not its own.
    let (first, later) = amid(transact(&client, [put("posts", "1")]), async {
        drop(standing);
        transact(&client, [put("posts", "1")]).await
    })
    .await;
    assert_eq!((first, later.unwrap_err()), (Ok(()), vec!["TransactionConflict".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_arrived_or_whose_answer_is_lost_holds_nothing() {
    let stage = Stage::open();
    let client = opened(&stage).await;
    for fault in [Fault::Stall, Fault::StallAfterApply] {
        stage.break_calls("TransactWriteItems", fault);
        let mut silent = Box::pin(transact(&client, [put("posts", "1")]));
        tokio::time::timeout(TAKES + AMID, &mut silent).await.unwrap_err();
        stage.heal();
        let written = client.put_item().table_name("posts").set_item(Some(item("1"))).send().await;
        assert!(written.as_ref().err().and_then(ProvideErrorMetadata::code).is_none(), "{fault:?}: {written:?}");
    }
}
