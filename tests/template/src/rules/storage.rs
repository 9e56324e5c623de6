//! Tables and secrets.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::operation::create_table::builders::CreateTableInputBuilder;
use aws_sdk_dynamodb::types::{GlobalSecondaryIndex, KeySchemaElement};
use serde_json::{Value, json};
use store::{Tables, schema};

use crate::transformed::listed;
use crate::{Product, Template};

/// The tables that creating, approving and publishing a post read or write, but for sessions: one read of these a request.
const ON_THE_WAY: [&str; 3] = ["UsersTable", "PostsTable", "LedgerTable"];
/// The indexes of theirs that no post touches, or one of many.
const RARE: [&str; 2] = ["closing", "renew"];
/// What may go with the stack: everything in it may be lost at the price of one more login.
const MAY_GO: &str = "SessionsTable";
/// What two of one name cannot be of, and what the name is called.
const NAMED: [(&str, &str); 9] = [
    ("AWS::CloudWatch::Alarm", "AlarmName"),
    ("AWS::DynamoDB::Table", "TableName"),
    ("AWS::IAM::Role", "RoleName"),
    ("AWS::Lambda::Function", "FunctionName"),
    ("AWS::Logs::LogGroup", "LogGroupName"),
    ("AWS::SQS::Queue", "QueueName"),
    ("AWS::Scheduler::Schedule", "Name"),
    ("AWS::Scheduler::ScheduleGroup", "Name"),
    ("AWS::SecretsManager::Secret", "Name"),
];
/// What is known by an id that AWS gives, or goes with something that is.
const NAMELESS: [&str; 7] = [
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::Integration",
    "AWS::ApiGatewayV2::Route",
    "AWS::ApiGatewayV2::Stage",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Permission",
];

pub(super) fn outlive_the_stack(template: &Template, _: &Product) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, table) in template.of_type("AWS::DynamoDB::Table") {
        let properties = &table["Properties"];
        let can_be_put_back = properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] == true;
        let protection = &properties["DeletionProtectionEnabled"];
        if name == MAY_GO {
            if can_be_put_back || *protection != false {
                faults.push(format!("{name} may go with the stack, and is kept from it or charged for a restore"));
            }
        } else if !can_be_put_back {
            faults.push(format!("{name} cannot be put back to an earlier point in time"));
        } else if !is_off_at_first(template, protection) {
            faults.push(format!("{name} is protected from its first deploy on, which could not take it back"));
        }
    }
    let kept = template.of_type("AWS::DynamoDB::Table").chain(template.of_type("AWS::SecretsManager::Secret"));
    for (name, resource) in kept.filter(|(name, _)| *name != MAY_GO) {
        if resource["DeletionPolicy"] != "RetainExceptOnCreate" || resource["UpdateReplacePolicy"] != "Retain" {
            faults.push(format!("{name} goes when the stack goes, or stays when its first deploy fails"));
        }
    }
    faults
}

/// Whether a switch of the operator's decides, and is off where nothing is said.
fn is_off_at_first(template: &Template, protection: &Value) -> bool {
    let [condition, on, off] = listed(&protection["Fn::If"])[..] else { return false };
    let asked = &template.0["Conditions"][condition.as_str().unwrap_or_default()]["Fn::Equals"];
    let parameter = asked[0]["Ref"].as_str().and_then(|parameter| template.default_of(parameter));
    *on == true && *off == false && asked[1] == "on" && parameter.as_deref() == Some("off")
}

pub(super) fn have_no_names(template: &Template, _: &Product) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, resource) in template.0["Resources"].as_object().into_iter().flatten() {
        let kind = resource["Type"].as_str().unwrap_or_default();
        match NAMED.iter().find(|(named, _)| *named == kind) {
            Some((_, property)) if !resource["Properties"][property].is_null() => {
                faults.push(format!("{name} has a name of ours: another stack's, or one that was kept, may have it already"));
            }
            None if !NAMELESS.contains(&kind) => faults.push(format!("it is not known here whether two {kind} can have one name ({name})")),
            _ => {}
        }
    }
    faults
}

pub(super) fn match_the_code(template: &Template, _: &Product) -> Vec<String> {
    let names = Tables {
        users: "UsersTable".to_owned(),
        posts: "PostsTable".to_owned(),
        ledger: "LedgerTable".to_owned(),
        sessions: "SessionsTable".to_owned(),
    };
    let mut faults = Vec::new();
    for definition in schema::definitions(&names) {
        let name = definition.get_table_name().clone().unwrap_or_default();
        let Some(table) = template.resource("AWS::DynamoDB::Table", &name) else {
            faults.push(format!("there is no {name}"));
            continue;
        };
        let (wanted, there) = (shape_in_code(&definition), shape_in_template(&table["Properties"]));
        faults.extend(wanted.difference(&there).map(|part| format!("{name} lacks {part}")));
        faults.extend(there.difference(&wanted).map(|part| format!("{name} has {part}, which the code does not know")));
    }
    for name in [&names.sessions, &names.ledger] {
        let forgets = template.resource("AWS::DynamoDB::Table", name).map(|table| &table["Properties"]["TimeToLiveSpecification"]);
        if forgets.is_none_or(|forgets| forgets["AttributeName"] != schema::TTL_ATTRIBUTE || forgets["Enabled"] != true) {
            faults.push(format!("{name} does not forget by {}", schema::TTL_ATTRIBUTE));
        }
    }
    faults
}

/// What is read or written on the way of every post takes as much at once as the parameters say. What stands at its default is not sent.
pub(super) fn can_be_warmed(template: &Template, _: &Product) -> Vec<String> {
    let (reads, writes) = (json!({ "Ref": "WarmReadUnits" }), json!({ "Ref": "WarmWriteUnits" }));
    let if_writes = |then: Value| json!({ "Fn::If": ["WritesAreWarmed", then, { "Ref": "AWS::NoValue" }] });
    let wanted = json!({ "Fn::If": [
        "ReadsAreWarmed",
        { "ReadUnitsPerSecond": reads, "WriteUnitsPerSecond": if_writes(writes.clone()) },
        if_writes(json!({ "WriteUnitsPerSecond": writes })),
    ] });
    let mut faults = conditions_of_warming(template);
    for name in ON_THE_WAY {
        let properties = template.resource("AWS::DynamoDB::Table", name).map_or(&Value::Null, |table| &table["Properties"]);
        let indexes = listed(&properties["GlobalSecondaryIndexes"]).into_iter();
        let indexes =
            indexes.map(|index| (index["IndexName"].as_str().unwrap_or_default(), index)).filter(|(index, _)| !RARE.contains(index));
        let all = indexes.map(|(index, found)| (format!("index {index} of {name}"), found)).chain([(name.to_owned(), properties)]);
        faults.extend(all.filter(|(_, found)| found["WarmThroughput"] != wanted).map(|(what, _)| format!("{what} cannot be warmed")));
    }
    faults
}

/// A unit is warmed if its parameter is not at its default.
fn conditions_of_warming(template: &Template) -> Vec<String> {
    let raised = |parameter: &str| json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": parameter }, template.default_of(parameter)] }] });
    let wanted = [("ReadsAreWarmed", raised("WarmReadUnits")), ("WritesAreWarmed", raised("WarmWriteUnits"))];
    let wrong = wanted.into_iter().filter(|(name, wanted)| template.0["Conditions"][*name] != *wanted);
    wrong.map(|(name, wanted)| format!("the condition {name} is not {wanted}")).collect()
}

/// Keys, attributes and indexes, one phrase each.
fn shape_in_code(definition: &CreateTableInputBuilder) -> BTreeSet<String> {
    let keys = |keys: &[KeySchemaElement]| keys.iter().map(|key| format!("{} {}", key.attribute_name, key.key_type)).collect::<Vec<_>>();
    let index = |index: &GlobalSecondaryIndex| {
        let projection = index.projection();
        let kind = projection.and_then(|projection| projection.projection_type()).map_or("", |kind| kind.as_str());
        let mut extra: Vec<_> = projection.map(|projection| projection.non_key_attributes().to_vec()).unwrap_or_default();
        extra.sort_unstable();
        format!("index {} on {:?} with {kind} {extra:?}", index.index_name, keys(&index.key_schema))
    };
    let attributes = definition.get_attribute_definitions().iter().flatten();
    let attributes = attributes.map(|found| format!("attribute {} of type {}", found.attribute_name, found.attribute_type));
    let indexes = definition.get_global_secondary_indexes().iter().flatten().map(index);
    let key = format!("key {:?}", keys(definition.get_key_schema().as_deref().unwrap_or_default()));
    attributes.chain(indexes).chain([key]).collect()
}

fn shape_in_template(properties: &Value) -> BTreeSet<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let keys = |schema: &Value| {
        listed(schema).iter().map(|key| format!("{} {}", text(&key["AttributeName"]), text(&key["KeyType"]))).collect::<Vec<_>>()
    };
    let attributes = listed(&properties["AttributeDefinitions"]).into_iter();
    let attributes =
        attributes.map(|found| format!("attribute {} of type {}", text(&found["AttributeName"]), text(&found["AttributeType"])));
    let indexes = listed(&properties["GlobalSecondaryIndexes"]).into_iter().map(|index| {
        let projection = &index["Projection"];
        let mut extra: Vec<_> = listed(&projection["NonKeyAttributes"]).into_iter().map(text).collect();
        extra.sort_unstable();
        format!(
            "index {} on {:?} with {} {extra:?}",
            text(&index["IndexName"]),
            keys(&index["KeySchema"]),
            text(&projection["ProjectionType"])
        )
    });
    attributes.chain(indexes).chain([format!("key {:?}", keys(&properties["KeySchema"]))]).collect()
}
