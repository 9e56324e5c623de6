//! Alarms: what a function counts because nothing else would tell of it.

use crate::transformed::listed;
use crate::{Product, Template};

/// Where the functions' metrics are.
const NAMESPACE: &str = "Postledger";

/// What goes wrong in a run that ends well, so that no alarm on the function's errors sees it: the function, and its metric.
const COUNTED: [(&str, &str); 4] = [
    ("analytics-sync", "numbers_failed"),
    ("quota-reset", "audit_failures"),
    ("quota-reset", "cycle_failures"),
    ("quota-reset", "ledger_differences"),
];

pub(super) fn read_what_is_counted(template: &Template, _: &Product) -> Vec<String> {
    let is_read = |service: &str, metric: &str| {
        template.of_type("AWS::CloudWatch::Alarm").any(|(_, alarm)| {
            let properties = &alarm["Properties"];
            let dimensions = listed(&properties["Dimensions"]);
            let of_service = dimensions.len() == 1 && dimensions[0]["Name"] == "service" && dimensions[0]["Value"] == service;
            properties["Namespace"] == NAMESPACE && properties["MetricName"] == metric && of_service
        })
    };
    let unread = COUNTED.iter().filter(|(service, metric)| !is_read(service, metric));
    unread.map(|(service, metric)| format!("no alarm reads {metric} of {service}")).collect()
}
