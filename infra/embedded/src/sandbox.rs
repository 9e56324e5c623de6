//! Engines in memory that go back to a kept moment: for many short runs, one after another.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use edge::clock::Clock;
use rusqlite::Connection;

use super::{Aws, Engines};
use crate::dynamodb::Dynamodb;
use crate::fault::Watch;
use crate::file::File;

/// Making tables costs more than a short run does: here they are made once, filled, kept, and put back for each run.
///
/// Each [`open`](Self::open) gives services of their own (clock, hooks, counts, the memory of a transaction's token) on the same
/// contents; whoever opens anew has let go of what was opened before.
pub struct Sandbox {
    address: String,
    tables: Reader,
    file: Arc<File>,
}

/// Reads items past the engine, as they stand in its tables. Clones read the same.
#[derive(Clone)]
pub struct Reader(Arc<Mutex<Connection>>);

impl Reader {
    /// The sort keys and the items, in DynamoDB's JSON, of `table` whose sort key matches one GLOB and not another.
    pub fn items(&self, table: &str, matching: &str, not_matching: &str) -> anyhow::Result<Vec<(String, String)>> {
        let connection = self.connection();
        // The engine marks the type of a key: `S:` is a text.
        let sql = format!("SELECT substr(sk, 3), item_json FROM main.\"{table}\" WHERE sk GLOB ?1 AND sk NOT GLOB ?2 ORDER BY sk");
        let mut statement = connection.prepare_cached(&sql)?;
        let patterns = [format!("S:{matching}"), format!("S:{not_matching}")];
        let rows = statement.query_map(patterns, |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The least sort key after `after` of an index of `table`, whatever it is an index by.
    pub fn first_of(&self, table: &str, index: &str, after: &str) -> anyhow::Result<Option<String>> {
        let connection = self.connection();
        let sql = format!("SELECT substr(min(gsi_sk), 3) FROM main.\"{table}::gsi::{index}\" WHERE gsi_sk > ?1");
        Ok(connection.prepare_cached(&sql)?.query_row([format!("S:{after}")], |row| row.get(0))?)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sandbox {
    /// An empty one.
    pub fn new() -> anyhow::Result<Self> {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let address = format!("file:sandbox-{}?mode=memory&cache=shared", MADE.fetch_add(1, Ordering::Relaxed));
        // The tables are there as long as this connection is.
        let tables = Connection::open(&address).context("opening the tables")?;
        let file = Arc::new(File::in_memory().context("opening queue, schedules and secrets")?);
        Ok(Self { address, tables: Reader(Arc::new(Mutex::new(tables))), file })
    }

    /// A look into the tables.
    pub fn reader(&self) -> Reader {
        self.tables.clone()
    }

    /// The services on what is there. For `region` see [`Aws::in_memory`].
    pub fn open(&self, region: &str, clock: Clock) -> anyhow::Result<Aws> {
        let dynamodb = Dynamodb::shared(&self.address).context("opening the tables")?;
        Ok(Aws(Arc::new(Engines::new(clock, dynamodb, self.file.clone(), region, Watch::default()))))
    }

    /// What is there now is what [`rewind`](Self::rewind) to `moment` goes back to.
    pub fn keep(&self, moment: &str) -> anyhow::Result<()> {
        keep(&self.tables.connection(), moment).context("keeping the tables")?;
        keep(&self.file.connection(), moment).context("keeping queue, schedules and secrets")
    }

    /// All is again as it was when `moment` was kept.
    pub fn rewind(&self, moment: &str) -> anyhow::Result<()> {
        rewind(&self.tables.connection(), moment).context("putting the tables back")?;
        rewind(&self.file.connection(), moment).context("putting queue, schedules and secrets back")
    }
}

/// The tables with what a run may change; an engine's notes on itself (`_…`) stay as they are.
const CHANGING: &str = r"SELECT name FROM main.sqlite_master WHERE type = 'table' AND (name = 'sqlite_sequence' OR name NOT GLOB 'sqlite_*')
    AND name NOT GLOB '_*' ORDER BY name";

fn names(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection.prepare_cached(CHANGING)?.query_map([], |row| row.get(0))?.collect()
}

fn keep(connection: &Connection, moment: &str) -> rusqlite::Result<()> {
    for name in names(connection)? {
        let kept = format!("temp.\"{moment} {name}\"");
        connection.execute_batch(&format!("DROP TABLE IF EXISTS {kept}; CREATE TABLE {kept} AS SELECT * FROM main.\"{name}\""))?;
    }
    Ok(())
}

fn rewind(connection: &Connection, moment: &str) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    for name in names(connection)? {
        transaction.prepare_cached(&format!("DELETE FROM main.\"{name}\""))?.execute([])?;
        transaction.prepare_cached(&format!("INSERT INTO main.\"{name}\" SELECT * FROM temp.\"{moment} {name}\""))?.execute([])?;
    }
    transaction.commit()
}
