//! Metrics, as log lines in CloudWatch's embedded metric format.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::lines::Lines;

/// The namespace of every metric of ours.
pub const NAMESPACE: &str = "Postledger";
/// The most dimensions beside `service`: each combination of values is a metric that is paid for.
pub const DIMENSIONS_MAX: usize = 4;

/// What a value counts, as CloudWatch names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "CloudWatch's own words")]
pub enum Unit {
    Count,
    Milliseconds,
    Seconds,
    Bytes,
    None,
}

impl Unit {
    fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
            Self::Seconds => "Seconds",
            Self::Bytes => "Bytes",
            Self::None => "None",
        }
    }
}

/// Writes the metrics of one function.
#[derive(Debug, Clone)]
pub struct Metrics {
    service: &'static str,
    lines: Lines,
}

impl Metrics {
    /// The metrics of `service`, written to standard output.
    pub fn stdout(service: &'static str) -> Self {
        Self::to(service, Lines::stdout())
    }

    /// The metrics of `service`, written to `lines`.
    pub fn to(service: &'static str, lines: Lines) -> Self {
        Self { service, lines }
    }

    /// Metrics that nobody reads.
    pub fn silent() -> Self {
        Self::to("silent", Lines::silent())
    }

    /// Writes one line with several values of one moment.
    ///
    /// A count of zero is left out, and a line of zeros not written. A sum is the same without it, and CloudWatch charges a metric for each
    /// hour in which it has a value.
    ///
    /// `dimensions` are pairs of few possible values, such as a platform's name. `properties` are searchable and cost
    /// nothing a value: ids belong there, never content, tokens or phone numbers.
    pub fn emit(
        &self,
        now: Timestamp,
        dimensions: &[(&'static str, &str)],
        values: &[(&'static str, f64, Unit)],
        properties: &[(&'static str, &str)],
    ) {
        debug_assert!(dimensions.len() <= DIMENSIONS_MAX, "too many dimensions");
        let dimensions = &dimensions[..dimensions.len().min(DIMENSIONS_MAX)];
        let values: Vec<_> = values.iter().copied().filter(|(_, value, unit)| *unit != Unit::Count || *value != 0.0).collect();
        if values.is_empty() {
            return;
        }
        let mut line = Map::new();
        line.insert("_aws".to_owned(), directive(now, dimensions, &values));
        line.insert("timestamp".to_owned(), json!(now.to_string()));
        line.insert("level".to_owned(), json!("INFO"));
        for (name, value) in properties.iter().chain(dimensions) {
            line.insert((*name).to_owned(), json!(value));
        }
        line.insert("service".to_owned(), json!(self.service));
        for (name, value, _) in values {
            line.insert((*name).to_owned(), json!(value));
        }
        self.lines.write(Value::Object(line).to_string());
    }

    /// Counts one occurrence of `name`.
    pub fn count(&self, now: Timestamp, name: &'static str, dimensions: &[(&'static str, &str)]) {
        self.emit(now, dimensions, &[(name, 1.0, Unit::Count)], &[]);
    }
}

fn directive(now: Timestamp, dimensions: &[(&'static str, &str)], values: &[(&'static str, f64, Unit)]) -> Value {
    let names: Vec<_> = std::iter::once("service").chain(dimensions.iter().map(|(name, _)| *name)).collect();
    let metrics: Vec<_> = values.iter().map(|(name, _, unit)| json!({"Name": name, "Unit": unit.as_str()})).collect();
    json!({
        "Timestamp": now.as_millisecond(),
        "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [names], "Metrics": metrics}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::Captured;

    #[test]
    fn a_metric_is_one_line_that_cloudwatch_understands() {
        let captured = Captured::default();
        let metrics = Metrics::to("publisher", captured.lines());
        let now = Timestamp::from_millisecond(1_764_000_000_123).unwrap();
        metrics.emit(now, &[("platform", "x")], &[("lateness", 12.5, Unit::Seconds)], &[("post_id", "01J")]);

        let lines = captured.read();
        assert_eq!(lines.len(), 1);
        let line: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(line["lateness"], 12.5);
        assert_eq!(line["platform"], "x");
        assert_eq!(line["service"], "publisher");
        assert_eq!(line["post_id"], "01J");
        assert_eq!(line["_aws"]["Timestamp"], 1_764_000_000_123_i64);
        assert_eq!(
            line["_aws"]["CloudWatchMetrics"],
            json!([{"Namespace": "Postledger", "Dimensions": [["service", "platform"]], "Metrics": [{"Name": "lateness", "Unit": "Seconds"}]}])
        );
    }

    #[test]
    fn a_count_of_zero_is_not_written_and_a_measurement_of_zero_is() {
        let captured = Captured::default();
        let metrics = Metrics::to("sweeper", captured.lines());
        metrics.emit(Timestamp::UNIX_EPOCH, &[], &[("woken", 0.0, Unit::Count), ("missed", 0.0, Unit::Count)], &[]);
        assert_eq!(captured.read(), Vec::<String>::new());
        metrics.emit(Timestamp::UNIX_EPOCH, &[], &[("woken", 0.0, Unit::Count), ("lateness", 0.0, Unit::Seconds)], &[]);
        let line: Value = serde_json::from_str(&captured.read()[0]).unwrap();
        assert_eq!((&line["lateness"], line.get("woken")), (&json!(0.0), None));
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Metrics"], json!([{ "Name": "lateness", "Unit": "Seconds" }]));
    }

    #[test]
    fn silent_metrics_write_nothing_and_do_not_fail() {
        Metrics::silent().count(Timestamp::UNIX_EPOCH, "anything", &[]);
    }
}
