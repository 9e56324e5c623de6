//! Small steps that every table's file takes: values to items, items to values, reads of one or many keys.

use std::collections::HashMap;
use std::error::Error;
use std::fmt::{self, Debug};
use std::sync::Arc;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use serde::{Serialize, de::DeserializeOwned};

use crate::key::{Item, Key};
use crate::{Rounds, Store, StoreError};

/// DynamoDB answers at most 100 keys in one batch.
pub(crate) const BATCH_MAX: usize = 100;
/// Of the rows that one reading leaves out, the log names so many: every row of a user may be odd at once.
const NAMED_MAX: usize = 10;

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl Into<u64>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

/// A value that stands inside an item.
pub(crate) fn value<T: Serialize>(value: &T) -> AttributeValue {
    serde_dynamo::to_attribute_value(value).expect("our own structs hold nothing that DynamoDB cannot")
}

/// The item of a stored struct under its key.
pub(crate) fn to_item<T: Serialize>(key: Key, value: T) -> Item {
    let mut item: Item = serde_dynamo::to_item(value).expect("our own structs hold nothing that DynamoDB cannot");
    item.retain(|_, value| !matches!(value, AttributeValue::Null(true)));
    item.extend(key.into_item());
    item
}

pub(crate) fn from_item<T: DeserializeOwned>(what: &'static str, item: Item) -> Result<T, StoreError> {
    serde_dynamo::from_item(item).map_err(StoreError::corrupt(what))
}

/// An item that cannot be read, and which one it is: who it is about is not known otherwise.
#[derive(Debug, thiserror::Error)]
#[error("the item {name}")]
struct OddItem {
    name: String,
    source: Box<dyn Error + Send + Sync>,
}

/// What `read` makes of an item of which the key may be told; an error that is about the item itself names it.
pub(crate) fn keyed<T>(item: Item, read: impl FnOnce(Item) -> Result<T, StoreError>) -> Result<T, StoreError> {
    let part = |name| item.get(name).and_then(|value: &AttributeValue| value.as_s().ok()).cloned().unwrap_or_default();
    let (pk, sk) = (part("pk"), part("sk"));
    named(read(item), || format!("{pk} {sk}"))
}

/// What was made of an item; an error that is about the item itself says which it is.
pub(crate) fn named<T>(read: Result<T, StoreError>, name: impl FnOnce() -> String) -> Result<T, StoreError> {
    read.map_err(|error| match error {
        StoreError::Corrupt { what, source } => StoreError::Corrupt { what, source: Box::new(OddItem { name: name(), source }) },
        error => error,
    })
}

/// An error and its causes on one line: the key of the item stands in one of them.
fn with_causes(error: &StoreError) -> String {
    let (mut told, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        told = format!("{told}: {error}");
        cause = error.source();
    }
    told
}

/// Who counts the rows that lists leave out. `None`: nobody, so a list leaves out none.
#[derive(Clone, Default)]
pub(crate) struct LeftOut(Option<Arc<dyn Fn(usize) + Send + Sync>>);

impl Debug for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LeftOut")
    }
}

/// One reading of a list, however many pages and tables it takes. It leaves out the rows that cannot be read; at its end, also at an early
/// one, it tells how many there were.
pub(crate) struct Reading<'a> {
    left_out: &'a LeftOut,
    rows: usize,
}

impl Reading<'_> {
    /// One row of the list; `None`: it is left out.
    pub(crate) fn row<T>(&mut self, row: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
        let error = match row {
            Ok(row) => return Ok(Some(row)),
            Err(error) if self.left_out.0.is_none() => return Err(error),
            Err(error) => error,
        };
        if self.rows < NAMED_MAX {
            tracing::error!(error = with_causes(&error), "a stored row cannot be read and is left out");
        }
        self.rows += 1;
        Ok(None)
    }

    /// Whether a row was left out so far.
    pub(crate) fn has_left_out(&self) -> bool {
        self.rows > 0
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if self.rows > NAMED_MAX {
            tracing::error!(rows = self.rows - NAMED_MAX, "more stored rows cannot be read and are left out");
        }
        if self.rows > 0
            && let Some(count) = &self.left_out.0
        {
            count(self.rows);
        }
    }
}

/// The writer that the item in the way was written by, if it is at `rev`.
pub(crate) fn written_by(item: Option<&Item>, rev: u64) -> Option<&str> {
    let item = item?;
    let stands = item.get("rev")?.as_n().ok()?;
    (*stands == rev.to_string()).then_some(())?;
    item.get("writer")?.as_s().ok().map(String::as_str)
}

/// What came of a write with a condition; `false`: the condition failed.
pub(crate) fn written<O, E, R>(sent: Result<O, SdkError<E, R>>, doing: &'static str) -> Result<bool, StoreError>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    R: Debug + Send + Sync + 'static,
{
    match sent {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
        Err(error) => Err(StoreError::unavailable(doing)(error)),
    }
}

impl Store {
    /// The same tables with lists that leave out a row that cannot be read, so that it harms no other. ERROR lines name the first rows of
    /// one reading, and `count` is called once with how many there were. Without this such a row is the list's error: an operator must not
    /// miss one.
    #[must_use]
    pub fn leaving_out(self, count: impl Fn(usize) + Send + Sync + 'static) -> Self {
        Self { left_out: LeftOut(Some(Arc::new(count))), ..self }
    }

    /// Those of a list's rows that can be read; see [`Self::leaving_out`].
    pub fn readable<T>(&self, rows: impl IntoIterator<Item = Result<T, StoreError>>) -> Result<Vec<T>, StoreError> {
        let mut reading = self.reading();
        rows.into_iter().filter_map(|row| reading.row(row).transpose()).collect()
    }

    /// Begins to read a list.
    pub(crate) fn reading(&self) -> Reading<'_> {
        Reading { left_out: &self.left_out, rows: 0 }
    }

    /// Stores an item whose key holds fresh random bytes of ours: if it is there already, our own write came through and is being sent again.
    pub(crate) async fn put_fresh(&self, table: &str, doing: &'static str, item: Item) -> Result<(), StoreError> {
        let sent =
            self.client.put_item().table_name(table).set_item(Some(item)).condition_expression("attribute_not_exists(pk)").send().await;
        written(sent, doing).map(|_| ())
    }

    /// Strongly consistent read of one item.
    pub(crate) async fn get<T: DeserializeOwned>(&self, table: &str, what: &'static str, key: Key) -> Result<Option<T>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(table)
            .set_key(Some(key.into_item()))
            .consistent_read(true)
            .send()
            .await
            .map_err(StoreError::unavailable("reading an item"))?;
        answer.item.map(|item| from_item(what, item)).transpose()
    }

    /// Strongly consistent read of at most [`BATCH_MAX`] keys over several tables, in no order.
    pub(crate) async fn batch_get(&self, keys: Vec<(&str, Key)>) -> Result<Vec<Item>, StoreError> {
        let first = keys.first().map_or_else(String::new, |(_, key)| key.pk.clone());
        let mut wanted: HashMap<String, KeysAndAttributes> = HashMap::new();
        for (table, key) in keys {
            let entry = wanted.entry(table.to_owned()).or_insert_with(|| {
                KeysAndAttributes::builder().consistent_read(true).set_keys(Some(Vec::new())).build().expect("keys are set")
            });
            entry.keys.push(key.into_item());
        }
        let mut items = Vec::new();
        // What comes back unread was throttled.
        let mut rounds = Rounds::new("reading several items", &first);
        loop {
            rounds.next().await?;
            let answer = self
                .client
                .batch_get_item()
                .set_request_items(Some(wanted))
                .send()
                .await
                .map_err(StoreError::unavailable("reading several items"))?;
            items.extend(answer.responses.unwrap_or_default().into_values().flatten());
            wanted = answer.unprocessed_keys.unwrap_or_default();
            if wanted.is_empty() {
                return Ok(items);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn odd() -> Result<(), StoreError> {
        Err(StoreError::Corrupt { what: "row", source: "odd".into() })
    }

    #[test]
    fn what_one_reading_leaves_out_is_counted_once_and_only_if_there_is_any() {
        let counted: Arc<Mutex<Vec<usize>>> = Arc::default();
        let told = counted.clone();
        let left_out = LeftOut(Some(Arc::new(move |rows| told.lock().unwrap().push(rows))));
        for rows in [0, 1, NAMED_MAX + 5] {
            let mut reading = Reading { left_out: &left_out, rows: 0 };
            assert_eq!(reading.row(Ok(7)).unwrap(), Some(7));
            for _ in 0..rows {
                assert_eq!(reading.row(odd()).unwrap(), None);
            }
            assert_eq!(reading.has_left_out(), rows > 0);
        }
        assert_eq!(*counted.lock().unwrap(), [1, NAMED_MAX + 5]);
    }

    #[test]
    fn nothing_is_left_out_where_nobody_counts() {
        let nobody = LeftOut::default();
        let mut reading = Reading { left_out: &nobody, rows: 0 };
        assert!(reading.row(odd()).is_err() && !reading.has_left_out());
    }

    #[test]
    fn the_error_of_an_item_says_which_it_is_and_why() {
        let told = with_causes(&named(odd(), || "01A of 01B".to_owned()).unwrap_err());
        assert_eq!(told, "a stored row cannot be read: the item 01A of 01B: odd");
    }
}
