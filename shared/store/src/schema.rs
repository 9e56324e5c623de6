//! The shape of the tables, for whoever creates them outside the template.

use aws_sdk_dynamodb::operation::create_table::builders::CreateTableInputBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType, ScalarAttributeType,
};

use crate::Tables;

/// The sparse index of posts that need attention.
pub const WAKE_INDEX: &str = "wake";
/// The sparse index of published posts by when their numbers are read next.
pub const SYNC_INDEX: &str = "sync";
/// The sparse index of connections by when their grants are looked after next.
pub const RENEW_INDEX: &str = "renew";
/// A user's posts by time.
pub const BY_DUE_INDEX: &str = "by_due";
/// Cycles by their end.
pub const CLOSING_INDEX: &str = "closing";
/// A user's sessions.
pub const BY_USER_INDEX: &str = "by_user";
/// The attribute by which the sessions and the ledger table forget.
pub const TTL_ATTRIBUTE: &str = "expires_epoch";

/// The four tables, as `template.yaml` declares them.
pub fn definitions(tables: &Tables) -> Vec<CreateTableInputBuilder> {
    let wake = Index { name: WAKE_INDEX, hash: "wake_pk", range: "wake_at", projection: Some(&["user_id", "id", "version", "status"]) };
    let by_due = Index { name: BY_DUE_INDEX, hash: "list_pk", range: "list_sk", projection: None };
    let sync = Index { name: SYNC_INDEX, hash: "sync_pk", range: "sync_at", projection: Some(&["platform", "connection_id"]) };
    let closing = Index { name: CLOSING_INDEX, hash: "close_pk", range: "cycle_end", projection: Some(&[]) };
    let renew = Index { name: RENEW_INDEX, hash: "renew_pk", range: "renew_at", projection: Some(&[]) };
    let by_user = Index { name: BY_USER_INDEX, hash: "user_pk", range: "created_at", projection: None };
    vec![
        definition(&tables.users, &[renew]),
        definition(&tables.posts, &[by_due, wake, sync]),
        definition(&tables.ledger, &[closing]),
        definition(&tables.sessions, &[by_user]),
    ]
}

struct Index {
    name: &'static str,
    hash: &'static str,
    range: &'static str,
    /// `None` = everything.
    projection: Option<&'static [&'static str]>,
}

fn definition(table: &str, indexes: &[Index]) -> CreateTableInputBuilder {
    let mut names = vec!["pk", "sk"];
    names.extend(indexes.iter().flat_map(|index| [index.hash, index.range]));
    let attributes = names.into_iter().map(attribute).collect();
    let indexes: Vec<GlobalSecondaryIndex> = indexes.iter().map(global_index).collect();
    CreateTableInputBuilder::default()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest)
        .set_attribute_definitions(Some(attributes))
        .set_key_schema(Some(key_schema("pk", "sk")))
        .set_global_secondary_indexes((!indexes.is_empty()).then_some(indexes))
}

fn global_index(index: &Index) -> GlobalSecondaryIndex {
    let projection = match index.projection {
        None => Projection::builder().projection_type(ProjectionType::All),
        Some([]) => Projection::builder().projection_type(ProjectionType::KeysOnly),
        Some(names) => Projection::builder()
            .projection_type(ProjectionType::Include)
            .set_non_key_attributes(Some(names.iter().map(ToString::to_string).collect())),
    };
    GlobalSecondaryIndex::builder()
        .index_name(index.name)
        .set_key_schema(Some(key_schema(index.hash, index.range)))
        .projection(projection.build())
        .build()
        .expect("name and keys are set")
}

fn attribute(name: &str) -> AttributeDefinition {
    AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build().expect("name and type are set")
}

fn key_schema(hash: &str, range: &str) -> Vec<KeySchemaElement> {
    [(hash, KeyType::Hash), (range, KeyType::Range)]
        .into_iter()
        .map(|(name, kind)| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().expect("name and kind are set"))
        .collect()
}
