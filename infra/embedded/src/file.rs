//! The one SQLite file of queue, schedules, secrets and texts.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::wire::Refusal;

const SCHEMA: &str = "
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    body TEXT NOT NULL,
    group_id TEXT,
    sent_ms INTEGER NOT NULL,
    visible_ms INTEGER NOT NULL,
    receives INTEGER NOT NULL DEFAULT 0,
    receipt TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS messages_by_visibility ON messages (queue, visible_ms);
CREATE INDEX IF NOT EXISTS messages_by_group ON messages (queue, group_id, visible_ms);
CREATE INDEX IF NOT EXISTS messages_received ON messages (queue, group_id, visible_ms) WHERE receives > 0;
CREATE TABLE IF NOT EXISTS schedules (
    grp TEXT NOT NULL,
    name TEXT NOT NULL,
    queue TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    input TEXT NOT NULL,
    request TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    fired_ms INTEGER,
    PRIMARY KEY (grp, name)
) STRICT;
CREATE INDEX IF NOT EXISTS schedules_by_time ON schedules (at_ms);
CREATE TABLE IF NOT EXISTS secret_versions (
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    value TEXT NOT NULL,
    stage TEXT,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (name, version)
) STRICT;
CREATE TABLE IF NOT EXISTS texts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    phone TEXT NOT NULL,
    body TEXT NOT NULL,
    sent_ms INTEGER NOT NULL
) STRICT;
COMMIT;
";

/// How long a statement waits for another process on the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct File(Mutex<Connection>);

impl File {
    pub(crate) fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A crash of the process loses nothing; a crash of the machine may lose the last moments, and the files stay whole.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self(Mutex::new(connection)))
    }

    /// A file that is gone with the process.
    pub(crate) fn in_memory() -> rusqlite::Result<Self> {
        let connection = Connection::open_in_memory()?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self(Mutex::new(connection)))
    }

    pub(crate) fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic in the middle of a transaction drops it, which rolls it back: the connection behind the lock is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` as one transaction: a refusal takes all of it back.
    pub(crate) fn transaction<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let mut connection = self.connection();
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&tx)?;
        tx.commit()?;
        Ok(done)
    }
}

/// The earliest moment at which a wake-up becomes visible or a schedule fires.
pub(crate) fn next_due(tx: &Transaction<'_>) -> Result<Option<Timestamp>, Refusal> {
    let sql = "SELECT min(at) FROM (SELECT min(visible_ms) AS at FROM messages WHERE queue = ?1
               UNION ALL SELECT min(at_ms) FROM schedules WHERE fired_ms IS NULL)";
    let millis: Option<i64> = tx.query_row(sql, [super::WAKE_UPS], |row| row.get(0))?;
    Ok(millis.and_then(|millis| Timestamp::from_millisecond(millis).ok()))
}

/// How many messages a queue holds, hidden ones too.
pub(crate) fn messages(tx: &Transaction<'_>, queue: &str) -> Result<u64, Refusal> {
    let count: i64 = tx.query_row("SELECT count(*) FROM messages WHERE queue = ?1", [queue], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Makes the folder, closed to other users, unless it is there.
pub fn make_private_dir(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
