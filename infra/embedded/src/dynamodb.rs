//! `DynamoDB`: dynoxide's engine behind the protocol of the tables.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::wire::Answer;

const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

pub(crate) struct Dynamodb {
    database: Database,
    /// The key attributes of each table that was asked for: to describe a table is to count its items.
    key_names: Mutex<HashMap<String, Arc<[String]>>>,
}

impl Dynamodb {
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let path = path.to_str().ok_or_else(|| anyhow::anyhow!("the folder's name is not UTF-8"))?;
        let database = Database::new(path)?;
        // The engine's name for "synchronous = NORMAL": a crash of the process loses nothing, and a write does not wait for the disk
        // (0.3 ms instead of 3).
        database.disable_bulk_loading()?;
        Ok(Self::on(database))
    }

    /// Tables that are gone with the process.
    pub(crate) fn in_memory() -> anyhow::Result<Self> {
        Ok(Self::on(Database::memory()?))
    }

    /// Tables that stand behind an address of SQLite's, as long as any connection to it does.
    pub(crate) fn shared(address: &str) -> anyhow::Result<Self> {
        Ok(Self::on(Database::new(address)?))
    }

    fn on(database: Database) -> Self {
        Self { database, key_names: Mutex::default() }
    }

    /// The names of a table's key attributes; none, if there is no such table.
    pub(crate) fn key_names(&self, table: &str) -> Arc<[String]> {
        let mut known = self.key_names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(names) = known.get(table) {
            return names.clone();
        }
        let described = self.serve("DescribeTable", json!({ "TableName": table }).to_string().as_bytes());
        let described: Value = serde_json::from_str(&described.body).unwrap_or_default();
        let keys = described["Table"]["KeySchema"].as_array().into_iter().flatten();
        let names: Arc<[String]> = keys.filter_map(|key| key["AttributeName"].as_str().map(str::to_owned)).collect();
        if !names.is_empty() {
            known.insert(table.to_owned(), names.clone());
        }
        names
    }

    pub(crate) fn serve(&self, operation: &str, body: &[u8]) -> Answer {
        match self.run(operation, body) {
            Ok(body) => Answer { status: 200, content_type: CONTENT_TYPE, error_type: None, body },
            Err(error) => Answer { status: error.status_code(), content_type: CONTENT_TYPE, error_type: None, body: error.to_json() },
        }
    }

    fn run(&self, operation: &str, body: &[u8]) -> Result<String, DynoxideError> {
        let db = &self.database;
        match operation {
            "CreateTable" => write(&db.create_table(read(body)?)?),
            "DescribeTable" => write(&db.describe_table(read(body)?)?),
            "ListTables" => write(&db.list_tables(read(body)?)?),
            "DeleteTable" => {
                // Another of its name may have another key.
                self.key_names.lock().unwrap_or_else(PoisonError::into_inner).clear();
                write(&db.delete_table(read(body)?)?)
            }
            "UpdateTimeToLive" => write(&db.update_time_to_live(read(body)?)?),
            "DescribeTimeToLive" => write(&db.describe_time_to_live(read(body)?)?),
            "PutItem" => write(&db.put_item(read(body)?)?),
            "GetItem" => write(&db.get_item(read(body)?)?),
            "UpdateItem" => write(&db.update_item(read(body)?)?),
            "DeleteItem" => write(&db.delete_item(read(body)?)?),
            "Query" => write(&db.query(read(body)?)?),
            "Scan" => write(&db.scan(read(body)?)?),
            "BatchGetItem" => write(&db.batch_get_item(read(body)?)?),
            "BatchWriteItem" => write(&db.batch_write_item(read(body)?)?),
            "TransactWriteItems" => write(&db.transact_write_items(read(body)?)?),
            "TransactGetItems" => write(&db.transact_get_items(read(body)?)?),
            _ => Err(DynoxideError::UnsupportedCapability(operation.to_owned())),
        }
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, DynoxideError> {
    serde_json::from_slice(body).map_err(|error| {
        // The engine's own request types prefix the class of the error to its text.
        let text = error.to_string();
        match ["VALIDATION:", "VALIDATION_REQUEST:"].iter().find_map(|class| text.strip_prefix(class)) {
            Some(message) => DynoxideError::ValidationException(message.to_owned()),
            None => DynoxideError::SerializationException(text),
        }
    })
}

fn write(answer: &impl Serialize) -> Result<String, DynoxideError> {
    serde_json::to_string(answer).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}
