//! Alarms: what a function counts because nothing else would tell of it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::transformed::listed;
use crate::{Product, Template};

/// Where the functions' metrics are.
const NAMESPACE: &str = "Postledger";

/// What goes wrong in a run that ends well, so that no alarm on the function's errors sees it: the metric, and its dimensions by name.
const COUNTED: [(&str, &str); 20] = [
    ("audit_failures", "service=quota-reset"),
    ("billing_trouble", "service=billing-webhook"),
    ("consent_unavailable", "service=oauth-callback"),
    ("consent_unavailable", "service=oauth-start"),
    ("cycle_failures", "service=quota-reset"),
    ("ledger_differences", "service=quota-reset"),
    ("limit_reached", "limit=codes-sent service=onboarding"),
    ("numbers_failed", "service=analytics-sync"),
    ("own_lateness_seconds", "became=published platform=facebook service=publisher"),
    ("own_lateness_seconds", "became=published platform=x service=publisher"),
    ("platform_paused", "platform=facebook service=analytics-sync"),
    ("platform_paused", "platform=facebook service=publisher"),
    ("platform_paused", "platform=x service=analytics-sync"),
    ("platform_paused", "platform=x service=publisher"),
    ("record_panicked", "service=publisher"),
    ("row_unreadable", "service=account"),
    ("row_unreadable", "service=posts"),
    ("row_unreadable", "service=sweeper"),
    ("sweep_failures", "service=sweeper"),
    ("tokens_unavailable", "service=publisher"),
];

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
    let unread = COUNTED.iter().filter(|(metric, dimensions)| !is_read(metric, dimensions));
    unread.map(|(metric, dimensions)| format!("no alarm reads {metric} of {dimensions}")).collect()
}
