//! Making tables where no template makes them.

use anyhow::Context;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableInputBuilder;
use aws_sdk_dynamodb::types::TimeToLiveSpecification;

/// Makes the table unless one of its name is there. The definition of a table that is there is not compared.
pub async fn ensure_table(client: &Client, definition: CreateTableInputBuilder) -> anyhow::Result<()> {
    let name = definition.get_table_name().clone().unwrap_or_default();
    match definition.send_with(client).await {
        Ok(_) => Ok(()),
        Err(error) if error.as_service_error().is_some_and(CreateTableError::is_resource_in_use_exception) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("making table {name}")),
    }
}

/// Lets the table's items end at the time in `attribute`, unless it is set so already.
pub async fn ensure_time_to_live(client: &Client, table: &str, attribute: &str) -> anyhow::Result<()> {
    let described = client.describe_time_to_live().table_name(table).send().await;
    let described = described.with_context(|| format!("reading the time to live of {table}"))?;
    if described.time_to_live_description().and_then(|ttl| ttl.attribute_name()) == Some(attribute) {
        return Ok(());
    }
    let ttl = TimeToLiveSpecification::builder().enabled(true).attribute_name(attribute).build()?;
    let updated = client.update_time_to_live().table_name(table).time_to_live_specification(ttl).send().await;
    updated.map(drop).with_context(|| format!("setting the time to live of {table}"))
}
