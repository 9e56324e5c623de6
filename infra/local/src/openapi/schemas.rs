//! What the types cannot say of the answers: lists name their items, and what has no value is `null`, never absent. And what they say in a
//! place where few readers look.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::common;

const PREFIX: &str = "#/components/schemas/";
/// What the name of a list begins with.
const LIST: &str = "List_";

/// Lets a list name what it lists: the generic type copies it in, item by item.
pub(super) fn name_items(document: &mut Value) -> anyhow::Result<()> {
    let schemas = document["components"]["schemas"].as_object_mut().context("a document without schemas")?;
    let names: Vec<String> = schemas.keys().filter_map(|name| name.strip_prefix(LIST)).map(str::to_owned).collect();
    for name in names {
        ensure!(schemas.contains_key(&name), "a list of {name}, which is not described");
        let items = schemas[&format!("{LIST}{name}")].pointer_mut("/properties/items/items").context("a list without items")?;
        *items = json!({ "$ref": format!("{PREFIX}{name}") });
    }
    Ok(())
}

/// Puts the description of a property that may be `null` beside its alternatives: it is written to the first of them.
pub(super) fn describe_nullable(document: &mut Value) -> anyhow::Result<()> {
    let schemas = document["components"]["schemas"].as_object_mut().context("a document without schemas")?;
    for (_, schema) in schemas {
        lift_descriptions(schema);
        schema.get_mut("allOf").and_then(Value::as_array_mut).into_iter().flatten().for_each(lift_descriptions);
    }
    Ok(())
}

fn lift_descriptions(schema: &mut Value) {
    for (_, property) in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        let alternatives = property.get_mut("oneOf").and_then(Value::as_array_mut);
        let lifted = alternatives.into_iter().flatten().find_map(|alternative| alternative.as_object_mut()?.remove("description"));
        if let Some(lifted) = lifted {
            property["description"] = lifted;
        }
    }
}

/// Makes every property of an answer that may be `null` a required one. The annotations cannot: they take an `Option` for something
/// that may be absent, which is true of requests alone.
pub(super) fn require_nulls(document: &mut Value) -> anyhow::Result<()> {
    let answered = answered(document);
    let schemas = document["components"]["schemas"].as_object_mut().context("a document without schemas")?;
    for (_, schema) in schemas.iter_mut().filter(|(name, _)| answered.contains(*name)) {
        require(schema);
    }
    Ok(())
}

/// The schemas that answers are made of.
fn answered(document: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut waiting: Vec<&Value> = common::operations(document).map(|(_, _, operation)| &operation["responses"]).collect();
    while let Some(value) = waiting.pop() {
        match value {
            Value::Object(fields) => {
                let name = fields.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix(PREFIX));
                if let Some(name) = name.filter(|name| found.insert((*name).to_owned())) {
                    waiting.push(&document["components"]["schemas"][name]);
                }
                waiting.extend(fields.values());
            }
            Value::Array(items) => waiting.extend(items),
            _ => {}
        }
    }
    found
}

fn require(schema: &mut Value) {
    for part in schema.get_mut("allOf").and_then(Value::as_array_mut).into_iter().flatten() {
        require(part);
    }
    let nullable = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let nullable = nullable.filter(|(_, property)| may_be_null(property)).map(|(name, _)| name.as_str());
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let required: BTreeSet<&str> = required.chain(nullable).collect();
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
}

fn may_be_null(property: &Value) -> bool {
    let has_null = |value: &Value| value.as_array().is_some_and(|types| types.iter().any(|kind| kind == "null"));
    let is_null = |value: &Value| value["type"] == "null";
    has_null(&property["type"]) || property["oneOf"].as_array().is_some_and(|all| all.iter().any(is_null))
}
