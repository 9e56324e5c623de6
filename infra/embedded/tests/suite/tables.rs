use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableInputBuilder;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, ConditionCheck, GlobalSecondaryIndex, KeySchemaElement, KeyType, KeysAndAttributes,
    Projection, ProjectionType, Put, PutRequest, ReturnValue, ReturnValuesOnConditionCheckFailure, ScalarAttributeType, TransactGetItem,
    TransactWriteItem, Update, WriteRequest,
};
use embedded::{ensure_table, ensure_time_to_live};

use super::stage::Stage;

type Item = HashMap<String, AttributeValue>;

fn attribute(name: &str, kind: ScalarAttributeType) -> AttributeDefinition {
    AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap()
}

fn key(name: &str, kind: KeyType) -> KeySchemaElement {
    KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap()
}

/// Posts with a sparse index of those that must be woken.
fn posts() -> CreateTableInputBuilder {
    let index = GlobalSecondaryIndex::builder()
        .index_name("wake")
        .key_schema(key("wake_bucket", KeyType::Hash))
        .key_schema(key("wake_at", KeyType::Range))
        .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
        .build()
        .unwrap();
    CreateTableInputBuilder::default()
        .table_name("posts")
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk", ScalarAttributeType::S))
        .attribute_definitions(attribute("sk", ScalarAttributeType::S))
        .attribute_definitions(attribute("wake_bucket", ScalarAttributeType::S))
        .attribute_definitions(attribute("wake_at", ScalarAttributeType::N))
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .global_secondary_indexes(index)
}

async fn opened(stage: &Stage) -> Client {
    let client = stage.dynamodb();
    for _ in 0..2 {
        ensure_table(&client, posts()).await.unwrap();
        ensure_time_to_live(&client, "posts", "ttl").await.unwrap();
    }
    client
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn id(sk: &str) -> Item {
    HashMap::from([("pk".to_owned(), text("user")), ("sk".to_owned(), text(sk))])
}

fn post(sk: &str, rev: i64) -> Item {
    let mut item = id(sk);
    item.extend([("rev".to_owned(), number(rev)), ("status".to_owned(), text("draft"))]);
    item
}

async fn put_new(client: &Client, item: Item) {
    client.put_item().table_name("posts").set_item(Some(item)).condition_expression("attribute_not_exists(pk)").send().await.unwrap();
}

async fn rev(client: &Client, sk: &str) -> Option<AttributeValue> {
    let read = client.get_item().table_name("posts").set_key(Some(id(sk))).consistent_read(true).send().await.unwrap();
    read.item.and_then(|mut item| item.remove("rev"))
}

#[tokio::test]
async fn a_failed_condition_returns_the_item_that_is_there() {
    let stage = Stage::open();
    let client = opened(&stage).await;
    put_new(&client, post("1", 7)).await;
    let again = client.put_item().table_name("posts").set_item(Some(post("1", 8))).condition_expression("attribute_not_exists(pk)");
    let again = again.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    match again.send().await.unwrap_err().into_service_error() {
        PutItemError::ConditionalCheckFailedException(failed) => assert_eq!(failed.item().unwrap()["rev"], number(7)),
        other => panic!("{other:?}"),
    }
    assert_eq!(rev(&client, "1").await, Some(number(7)));
}

#[tokio::test]
async fn a_cancelled_transaction_names_each_reason_with_the_item_and_writes_nothing() {
    let stage = Stage::open();
    let client = opened(&stage).await;
    put_new(&client, post("1", 7)).await;
    put_new(&client, post("2", 1)).await;
    let put = Put::builder().table_name("posts").set_item(Some(post("3", 1))).condition_expression("attribute_not_exists(pk)");
    let update = Update::builder().table_name("posts").set_key(Some(id("1"))).update_expression("SET rev = rev + :one");
    let update = update.condition_expression("rev = :mine").expression_attribute_values(":one", number(1));
    let update = update.expression_attribute_values(":mine", number(6));
    let update = update.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    let check = ConditionCheck::builder().table_name("posts").set_key(Some(id("2"))).condition_expression("attribute_exists(pk)");
    let request = client.transact_write_items();
    let request = request.transact_items(TransactWriteItem::builder().put(put.build().unwrap()).build());
    let request = request.transact_items(TransactWriteItem::builder().update(update.build().unwrap()).build());
    let request = request.transact_items(TransactWriteItem::builder().condition_check(check.build().unwrap()).build());
    match request.send().await.unwrap_err().into_service_error() {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            let codes: Vec<_> = cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap()).collect();
            assert_eq!(codes, ["None", "ConditionalCheckFailed", "None"]);
            assert_eq!(cancelled.cancellation_reasons()[1].item().unwrap()["rev"], number(7));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(rev(&client, "3").await, None);
}

#[tokio::test]
async fn a_transaction_repeated_with_its_token_is_applied_once() {
    let stage = Stage::open();
    let client = opened(&stage).await;
    put_new(&client, post("1", 1)).await;
    for _ in 0..2 {
        let update = Update::builder().table_name("posts").set_key(Some(id("1"))).update_expression("SET rev = rev + :one");
        let update = update.expression_attribute_values(":one", number(1)).build().unwrap();
        let request = client.transact_write_items().client_request_token("attempt-1");
        request.transact_items(TransactWriteItem::builder().update(update).build()).send().await.unwrap();
    }
    assert_eq!(rev(&client, "1").await, Some(number(2)));
}

#[tokio::test]
async fn the_sparse_index_holds_what_must_be_woken_in_order_and_survives_a_restart() {
    let stage = Stage::open();
    let client = opened(&stage).await;
    for (sk, wake_at) in [("1", Some(30)), ("2", Some(10)), ("3", None), ("4", Some(20))] {
        let mut item = post(sk, 1);
        if let Some(wake_at) = wake_at {
            item.extend([("wake_bucket".to_owned(), text("b0")), ("wake_at".to_owned(), number(wake_at))]);
        }
        put_new(&client, item).await;
    }
    drop(client);
    let stage = stage.restarted();
    let client = opened(&stage).await;
    let query = client.query().table_name("posts").index_name("wake").key_condition_expression("wake_bucket = :b AND wake_at <= :t");
    let due = query.expression_attribute_values(":b", text("b0")).expression_attribute_values(":t", number(20)).send().await.unwrap();
    let due: Vec<_> = due.items().iter().map(|item| item["sk"].clone()).collect();
    assert_eq!(due, [text("2"), text("4")]);
    let update = client.update_item().table_name("posts").set_key(Some(id("2"))).update_expression("REMOVE wake_bucket, wake_at");
    let updated = update.return_values(ReturnValue::AllNew).send().await.unwrap();
    assert!(!updated.attributes().unwrap().contains_key("wake_at"));
    let query = client.query().table_name("posts").index_name("wake").key_condition_expression("wake_bucket = :b");
    assert_eq!(query.expression_attribute_values(":b", text("b0")).send().await.unwrap().count(), 2);
}

#[tokio::test]
async fn pages_of_a_query_follow_each_other() {
    let stage = Stage::open();
    let client = opened(&stage).await;
    for sk in ["1", "2", "3"] {
        put_new(&client, post(sk, 1)).await;
    }
    let query = client.query().table_name("posts").key_condition_expression("pk = :pk").expression_attribute_values(":pk", text("user"));
    let first = query.clone().limit(2).scan_index_forward(false).send().await.unwrap();
    let second = query.limit(2).scan_index_forward(false).set_exclusive_start_key(first.last_evaluated_key).send().await.unwrap();
    assert_eq!(first.items.unwrap().iter().map(|item| item["sk"].clone()).collect::<Vec<_>>(), [text("3"), text("2")]);
    assert_eq!(second.items().iter().map(|item| item["sk"].clone()).collect::<Vec<_>>(), [text("1")]);
}

#[tokio::test]
async fn batches_write_and_read_and_deletes_delete() {
    let stage = Stage::open();
    let client = opened(&stage).await;
    let write = |sk: &str| {
        let put = PutRequest::builder().set_item(Some(post(sk, 1))).build().unwrap();
        WriteRequest::builder().put_request(put).build()
    };
    client.batch_write_item().request_items("posts", vec![write("1"), write("2")]).send().await.unwrap();
    let keys = KeysAndAttributes::builder().keys(id("1")).keys(id("2")).keys(id("9")).build().unwrap();
    let read = client.batch_get_item().request_items("posts", keys).send().await.unwrap();
    assert_eq!(read.responses().unwrap()["posts"].len(), 2);
    let get = aws_sdk_dynamodb::types::Get::builder().table_name("posts").set_key(Some(id("1"))).build().unwrap();
    let read = client.transact_get_items().transact_items(TransactGetItem::builder().get(get).build()).send().await.unwrap();
    assert_eq!(read.responses()[0].item().unwrap()["rev"], number(1));
    client.delete_item().table_name("posts").set_key(Some(id("1"))).condition_expression("attribute_exists(pk)").send().await.unwrap();
    assert_eq!(client.scan().table_name("posts").send().await.unwrap().count(), 1);
}
