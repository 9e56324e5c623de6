//! Roles: what each function may do.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::transformed::{listed, target_of};
use crate::{Product, Template};

/// What is allowed on everything, and why: role, action, reason.
const ON_EVERYTHING: &[(&str, &str, &str)] = &[
    ("OnboardingFunctionRole", "sns:Publish", "a text message to a phone number has no ARN; every topic is denied beside it"),
    ("OnboardingFunctionRole", VIA_SNS, "SNS chooses among the account's numbers and sender ids; nobody else may call it in this name"),
    ("RenewalsFunctionRole", "sns:Publish", "a text message to a phone number has no ARN; every topic is denied beside it"),
    ("RenewalsFunctionRole", VIA_SNS, "SNS chooses among the account's numbers and sender ids; nobody else may call it in this name"),
];
/// What only SNS may call in a function's name.
const VIA_SNS: &str = "sms-voice:SendTextMessage";
/// AWS's own policies that SAM attaches: writing one's own logs, and traces.
const MANAGED: &[&str] = &["AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess", "AWSXRayDaemonWriteAccess"];
/// Every call that the product makes, or a service for it, as IAM names it. A transaction is allowed by the names of what it does to each item.
const CALLS: &[&str] = &[
    "dynamodb:BatchGetItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    // The nightly audit alone, over the users.
    "dynamodb:Scan",
    "dynamodb:UpdateItem",
    "iam:PassRole",
    "lambda:InvokeFunction",
    // SNS's delivery log of texts.
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "logs:PutMetricFilter",
    "logs:PutRetentionPolicy",
    "scheduler:CreateSchedule",
    "scheduler:DeleteSchedule",
    "secretsmanager:CreateSecret",
    "secretsmanager:DeleteSecret",
    "secretsmanager:GetSecretValue",
    "secretsmanager:PutSecretValue",
    VIA_SNS,
    "sns:Publish",
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
    "sqs:SendMessage",
];

/// What every role may do, a line each, as [`grants`] writes it: a permission that a change takes away or adds shows in its own diff.
const GRANTS: &str = include_str!("../../grants.txt");

/// Every statement of every role.
fn statements(template: &Template) -> Vec<(&str, &Value)> {
    let mut all = Vec::new();
    for (name, role) in template.of_type("AWS::IAM::Role") {
        for policy in listed(&role["Properties"]["Policies"]) {
            all.extend(listed(&policy["PolicyDocument"]["Statement"]).into_iter().map(|statement| (name, statement)));
        }
    }
    all
}

fn actions(statement: &Value) -> Vec<&str> {
    listed(&statement["Action"]).into_iter().map(|action| action.as_str().unwrap_or("?")).collect()
}

/// What every role of the template may do, one line a grant: role, action, and on what. Sorted.
pub fn grants(template: &Template) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (role, statement) in statements(template).into_iter().filter(|(_, statement)| statement["Effect"] == "Allow") {
        for resource in listed(&statement["Resource"]) {
            let on = resource["Fn::Sub"].as_str().or(resource.as_str()).or_else(|| target_of(resource)).unwrap_or("?");
            // A name that says where a function is as well is told by what follows the account.
            let on = on.rsplit("${AWS::AccountId}:").next().unwrap_or(on);
            all.extend(actions(statement).into_iter().map(|action| format!("{role} {action} {on}")));
        }
    }
    all
}

pub(super) fn are_as_written(template: &Template, _: &Product) -> Vec<String> {
    let (has, written) = (grants(template), GRANTS.lines().map(str::to_owned).collect::<BTreeSet<_>>());
    let taken = written.difference(&has).map(|grant| format!("grants.txt has, and the template has not: {grant}"));
    taken.chain(has.difference(&written).map(|grant| format!("the template has, and grants.txt has not: {grant}"))).collect()
}

pub(super) fn pass_one_role(template: &Template, _: &Product) -> Vec<String> {
    let passing = statements(template).into_iter().filter(|(_, statement)| actions(statement).contains(&"iam:PassRole"));
    let unsafe_ones = passing.filter(|(_, statement)| {
        let roles = listed(&statement["Resource"]);
        let one_role = roles.len() == 1 && target_of(roles[0]) == Some("ScheduleRole");
        let condition = &statement["Condition"]["StringEquals"]["iam:PassedToService"];
        !one_role || condition != "scheduler.amazonaws.com" || actions(statement).len() != 1
    });
    let mut faults: Vec<_> =
        unsafe_ones.map(|(role, _)| format!("{role} may pass a role other than the schedules', or to others than the scheduler")).collect();
    // Whoever makes schedules hands them the role; without the right to, every one of them is refused.
    for (_, name, function) in template.functions() {
        let makes_schedules = !function["Properties"]["Environment"]["Variables"]["SCHEDULE_ROLE_ARN"].is_null();
        let own = target_of(&function["Properties"]["Role"]);
        let may =
            statements(template).into_iter().any(|(role, statement)| Some(role) == own && actions(statement).contains(&"iam:PassRole"));
        if makes_schedules && !may {
            faults.push(format!("{name} makes schedules and may not pass them their role"));
        }
    }
    faults
}

pub(super) fn have_no_wildcards(template: &Template, _: &Product) -> Vec<String> {
    let mut faults = Vec::new();
    for (role, statement) in statements(template).into_iter().filter(|(_, statement)| statement["Effect"] == "Allow") {
        if !statement["NotAction"].is_null() || !statement["NotResource"].is_null() {
            faults.push(format!("{role} allows by what it leaves out"));
        }
        let everything = listed(&statement["Resource"]).iter().any(|resource| *resource == "*");
        for action in actions(statement) {
            if action.contains('*') {
                faults.push(format!("{role} allows {action}"));
            }
            if everything && !ON_EVERYTHING.iter().any(|(of, on, _)| *of == role && *on == action) {
                faults.push(format!("{role} allows {action} on everything"));
            }
            if action == VIA_SNS && statement["Condition"]["StringEquals"]["aws:CalledViaLast"] != "sns.amazonaws.com" {
                faults.push(format!("{role} allows {action} to others than SNS"));
            }
        }
    }
    for (name, role) in template.of_type("AWS::IAM::Role") {
        let attached = listed(&role["Properties"]["ManagedPolicyArns"]).into_iter().map(ToString::to_string);
        let strange = attached.filter(|arn| !MANAGED.iter().any(|known| arn.contains(known)));
        faults.extend(strange.map(|arn| format!("{name} has the policy {arn}")));
    }
    faults
}

pub(super) fn name_known_calls(template: &Template, _: &Product) -> Vec<String> {
    let all = statements(template);
    let named = all.iter().flat_map(|(role, statement)| actions(statement).into_iter().map(move |action| (role, action)));
    named.filter(|(_, action)| !CALLS.contains(action)).map(|(role, action)| format!("{role} names {action}")).collect()
}

pub(super) fn schedule_role_is_narrow(template: &Template, _: &Product) -> Vec<String> {
    let Some(role) = template.resource("AWS::IAM::Role", "ScheduleRole") else { return vec!["there is no ScheduleRole".to_owned()] };
    let mut faults = Vec::new();
    let trust = listed(&role["Properties"]["AssumeRolePolicyDocument"]["Statement"]);
    let trusted = trust.iter().all(|statement| {
        let conditions = &statement["Condition"]["StringEquals"];
        statement["Principal"]["Service"] == "scheduler.amazonaws.com"
            && conditions["aws:SourceAccount"]["Ref"] == "AWS::AccountId"
            && target_of(&conditions["aws:SourceArn"]) == Some("ScheduleGroup")
    });
    if trust.is_empty() || !trusted {
        faults.push("others than the schedules of our group could take it".to_owned());
    }
    let own = statements(template).into_iter().filter(|(name, _)| *name == "ScheduleRole");
    let mut queues: Vec<_> = own.clone().flat_map(|(_, statement)| listed(&statement["Resource"])).filter_map(target_of).collect();
    queues.sort_unstable();
    if own.flat_map(|(_, statement)| actions(statement)).any(|action| action != "sqs:SendMessage") {
        faults.push("it can do more than send".to_owned());
    }
    if queues != ["PublishQueue", "ScheduleDeadLetters"] {
        faults.push(format!("it sends to {queues:?}"));
    }
    faults
}
