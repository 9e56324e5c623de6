//! Alarms: what a function counts because nothing else would tell of it.

use std::collections::BTreeSet;

use domain::platform::PlatformName;
use serde_json::Value;

use crate::transformed::listed;
use crate::{Product, Template};

/// Where the functions' metrics are.
const NAMESPACE: &str = "Postledger";

/// What goes wrong in a run that ends well, so that no alarm on the function's errors sees it: the metric, and its dimensions by name.
const COUNTED: [(&str, &str); 18] = [
    ("audit_failures", "service=quota-reset"),
    ("billing_trouble", "service=billing-webhook"),
    ("consent_unavailable", "service=oauth-callback"),
    ("consent_unavailable", "service=oauth-start"),
    ("cycle_failures", "service=quota-reset"),
    ("grants_late", "service=renewals"),
    ("ledger_differences", "service=quota-reset"),
    ("limit_reached", "limit=codes-sent service=onboarding"),
    ("numbers_failed", "service=analytics-sync"),
    ("record_panicked", "service=publisher"),
    ("renewals_failed", "service=renewals"),
    ("row_unreadable", "service=account"),
    ("row_unreadable", "service=posts"),
    ("row_unreadable", "service=renewals"),
    ("row_unreadable", "service=sweeper"),
    ("sweep_failures", "service=sweeper"),
    ("texts_unsent", "service=renewals"),
    ("tokens_unavailable", "service=publisher"),
];

/// What goes wrong with one platform and not with another, likewise: `$` stands for the platform's name.
const COUNTED_OF_EACH_PLATFORM: [(&str, &str); 3] = [
    ("own_lateness_seconds", "became=published platform=$ service=publisher"),
    ("platform_paused", "platform=$ service=analytics-sync"),
    ("platform_paused", "platform=$ service=publisher"),
];

/// What SNS tells of all texts of the account: nothing of ours knows what they cost and whether they arrive.
pub(super) fn watch_texts(template: &Template, _: &Product) -> Vec<String> {
    let alarms: Vec<_> = template.of_type("AWS::CloudWatch::Alarm").map(|(_, alarm)| &alarm["Properties"]).collect();
    let of_costs = alarms.iter().any(|alarm| {
        let metric = alarm["Namespace"] == "AWS/SNS" && alarm["MetricName"] == "SMSMonthToDateSpentUSD" && alarm["Dimensions"].is_null();
        // The metric is a sum already.
        metric && alarm["Statistic"] == "Maximum" && alarm["Threshold"]["Ref"] == "TextSpendAlarmUsd"
    });
    let of_arrival = alarms.iter().any(|alarm| {
        let mut queries = listed(&alarm["Metrics"]).into_iter().filter_map(|metric| metric["Expression"].as_str());
        alarm["ComparisonOperator"] == "LessThanThreshold" && queries.any(|query| query.contains("AVG(SMSSuccessRate)"))
    });
    let said = [(of_costs, "no alarm reads what texts cost"), (of_arrival, "no alarm reads how many texts arrive")];
    said.into_iter().filter(|(watched, _)| !watched).map(|(_, fault)| fault.to_owned()).collect()
}

pub(super) fn read_what_is_counted(template: &Template, _: &Product) -> Vec<String> {
    let is_read = |metric: &str, wanted: &str| {
        template.of_type("AWS::CloudWatch::Alarm").any(|(_, alarm)| {
            let properties = &alarm["Properties"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let told = listed(&properties["Dimensions"]).into_iter().map(|one| format!("{}={}", text(&one["Name"]), text(&one["Value"])));
            let told = told.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ");
            properties["Namespace"] == NAMESPACE && properties["MetricName"] == metric && told == wanted
        })
    };
    let of = |platform: PlatformName| COUNTED_OF_EACH_PLATFORM.map(|(metric, of)| (metric, of.replace('$', platform.as_str())));
    let once = COUNTED.into_iter().map(|(metric, dimensions)| (metric, dimensions.to_owned()));
    let counted = once.chain(PlatformName::ALL.into_iter().flat_map(of));
    let unread = counted.filter(|(metric, dimensions)| !is_read(metric, dimensions));
    unread.map(|(metric, dimensions)| format!("no alarm reads {metric} of {dimensions}")).collect()
}
