//! Rows that are there already: an attack on a limit of a thousand need not make the first 990 over the wire.
//!
//! They are copies of what the product has made itself, row for row, so that no shape of a row is written down here.

use anyhow::ensure;
use journeys::Stage;
use local::variables::tables;
use serde_json::{Value, json};

/// How many rows DynamoDB takes in one batch.
const BATCH_MAX: usize = 25;
/// How many letters of an id say when it was made; the rest is random.
const TIME_LETTERS: usize = 10;

/// So many more connections of a user like this one, as far as the tables know. Returns their ids.
pub fn connections(stage: &Stage, user: &str, id: &str, count: usize) -> anyhow::Result<Vec<String>> {
    copies(stage, &tables().users, user, ("CONNECTION#", id), count)
}

/// So many more drafts of a user like this one, counted as drafts are. Returns their ids.
pub fn drafts(stage: &Stage, user: &str, id: &str, count: usize) -> anyhow::Result<Vec<String>> {
    let ids = copies(stage, &tables().posts, user, ("POST#", id), count)?;
    let counted = json!({
        "TableName": tables().posts,
        "Key": { "pk": { "S": format!("USER#{user}") }, "sk": { "S": "DRAFTS" } },
        "UpdateExpression": "ADD drafts :made",
        "ExpressionAttributeValues": { ":made": { "N": count.to_string() } },
    });
    stage.service().aws().tables("UpdateItem", &counted)?;
    Ok(ids)
}

/// Puts copies beside a thing, of all of its rows, each copy under an id of its own.
fn copies(stage: &Stage, table: &str, user: &str, (kind, id): (&str, &str), count: usize) -> anyhow::Result<Vec<String>> {
    let aws = stage.service().aws();
    let asked = json!({
        "TableName": table,
        "ConsistentRead": true,
        "KeyConditionExpression": "pk = :pk AND begins_with(sk, :sk)",
        "ExpressionAttributeValues": { ":pk": { "S": format!("USER#{user}") }, ":sk": { "S": format!("{kind}{id}") } },
    });
    let found = aws.tables("Query", &asked)?;
    let rows: Vec<String> = found["Items"].as_array().into_iter().flatten().map(Value::to_string).collect();
    ensure!(!rows.is_empty(), "no {kind}{id}");
    let ids: Vec<String> = (0..count).map(|number| format!("{}{number:016}", &id[..TIME_LETTERS])).collect();
    let mut puts = Vec::with_capacity(ids.len() * rows.len());
    for copy in &ids {
        for row in &rows {
            let item: Value = serde_json::from_str(&row.replace(id, copy))?;
            puts.push(json!({ "PutRequest": { "Item": item } }));
        }
    }
    for some in puts.chunks(BATCH_MAX) {
        let answer = aws.tables("BatchWriteItem", &json!({ "RequestItems": { table: some } }))?;
        ensure!(answer["UnprocessedItems"] == json!({}), "not all rows were taken: {answer}");
    }
    Ok(ids)
}
