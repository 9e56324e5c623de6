//! What AWS would count and charge of the calls that are made here, while somebody wants to know.
//!
//! The units of the tables are the engine's own `ConsumedCapacity`. It reckons as DynamoDB does. A write is charged by the kilobyte, twice in
//! a transaction, and once more for each index whose view of the item changes. A read is charged by four kilobytes, and half if it may be behind.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::wire::Answer;

/// The operations that are charged in read units.
const READS: [&str; 5] = ["BatchGetItem", "GetItem", "Query", "Scan", "TransactGetItems"];
/// Those that are charged in write units.
const WRITES: [&str; 5] = ["BatchWriteItem", "DeleteItem", "PutItem", "TransactWriteItems", "UpdateItem"];

/// The calls of one operation.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Metered {
    /// How many were carried out.
    pub calls: u64,
    /// How many of these were refused. The engine reckons no units for them; the cloud charges a write whose condition fails.
    pub refused: u64,
    /// Read units of the tables.
    pub read_units: f64,
    /// Write units of the tables.
    pub write_units: f64,
}

/// Counts while somebody wants to know.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<Option<BTreeMap<String, Metered>>>);

impl Meter {
    /// Counts from now on, from nothing.
    pub(crate) fn begin(&self) {
        *self.inner() = Some(BTreeMap::new());
    }

    /// What was counted, by `service.operation`.
    pub(crate) fn end(&self) -> BTreeMap<String, Metered> {
        self.inner().take().unwrap_or_default()
    }

    /// The request with which the tables also say what it costs. `None`: nobody wants to know, or it costs no units.
    pub(crate) fn asking(&self, operation: &str, body: &[u8]) -> Option<Vec<u8>> {
        if self.inner().is_none() || !(READS.contains(&operation) || WRITES.contains(&operation)) {
            return None;
        }
        let mut request: Value = serde_json::from_slice(body).ok()?;
        request.as_object_mut()?.insert("ReturnConsumedCapacity".to_owned(), "TOTAL".into());
        serde_json::to_vec(&request).ok()
    }

    /// A call was carried out.
    pub(crate) fn note(&self, service: &str, operation: &str, answer: &Answer) {
        let mut inner = self.inner();
        let Some(all) = inner.as_mut() else { return };
        let one = all.entry(format!("{service}.{operation}")).or_default();
        one.calls += 1;
        one.refused += u64::from(answer.status >= 300);
        if service == "dynamodb" && READS.contains(&operation) {
            one.read_units += units(&answer.body);
        } else if service == "dynamodb" {
            one.write_units += units(&answer.body);
        }
    }

    /// Every change of it is whole at once.
    fn inner(&self) -> MutexGuard<'_, Option<BTreeMap<String, Metered>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The units that an answer tells, of one table or of each.
fn units(body: &str) -> f64 {
    let answer: Value = serde_json::from_str(body).unwrap_or_default();
    let told = &answer["ConsumedCapacity"];
    let tables = told.as_array().map_or_else(|| std::slice::from_ref(told), Vec::as_slice);
    tables.iter().filter_map(|table| table["CapacityUnits"].as_f64()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, content_type: "application/x-amz-json-1.0", error_type: None, body: body.to_owned() }
    }

    #[test]
    fn units_of_one_table_and_of_several_are_added_up() {
        let meter = Meter::default();
        meter.note("dynamodb", "GetItem", &answer(200, r#"{"ConsumedCapacity":{"CapacityUnits":9.0}}"#));
        assert!(meter.end().is_empty(), "nobody wanted to know");
        meter.begin();
        meter.note("dynamodb", "GetItem", &answer(200, r#"{"ConsumedCapacity":{"TableName":"a","CapacityUnits":0.5}}"#));
        let several = r#"{"ConsumedCapacity":[{"CapacityUnits":2.0},{"CapacityUnits":4.0}]}"#;
        meter.note("dynamodb", "TransactWriteItems", &answer(200, several));
        meter.note("dynamodb", "TransactWriteItems", &answer(400, r#"{"__type":"x"}"#));
        meter.note("sqs", "SendMessage", &answer(200, "{}"));
        let counted = meter.end();
        assert_eq!(counted["dynamodb.GetItem"], Metered { calls: 1, read_units: 0.5, ..Metered::default() });
        assert_eq!(counted["dynamodb.TransactWriteItems"], Metered { calls: 2, refused: 1, write_units: 6.0, ..Metered::default() });
        assert_eq!(counted["sqs.SendMessage"], Metered { calls: 1, ..Metered::default() });
    }

    #[test]
    fn the_tables_are_asked_only_of_what_has_units() {
        let meter = Meter::default();
        assert_eq!(meter.asking("GetItem", b"{}"), None);
        meter.begin();
        assert_eq!(meter.asking("GetItem", b"{}").as_deref(), Some(br#"{"ReturnConsumedCapacity":"TOTAL"}"#.as_slice()));
        assert_eq!(meter.asking("DescribeTable", b"{}"), None);
    }
}
