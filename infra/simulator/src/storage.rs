//! The simulator's state: one SQLite database, in a file or in memory.

mod billing;
mod containers;
mod faults;
mod grants;
mod notes;
mod posts;
mod servers;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

pub(crate) use billing::{Bought, Checkout};
pub(crate) use containers::StoredContainer;
pub(crate) use grants::NewToken;
pub(crate) use posts::StoredPost;
pub(crate) use servers::RegisteredApp;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS grants (
        id INTEGER PRIMARY KEY, platform TEXT NOT NULL, scopes TEXT NOT NULL, accounts TEXT NOT NULL, revoked INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE IF NOT EXISTS tokens (
        value TEXT PRIMARY KEY, platform TEXT NOT NULL, kind TEXT NOT NULL, grant_id INTEGER NOT NULL REFERENCES grants (id),
        account_id TEXT NOT NULL, account TEXT NOT NULL, expires_at INTEGER, spent INTEGER NOT NULL DEFAULT 0,
        redirect_uri TEXT NOT NULL DEFAULT '', code_challenge TEXT NOT NULL DEFAULT ''
    );
    CREATE TABLE IF NOT EXISTS posts (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, platform TEXT NOT NULL, account_id TEXT NOT NULL, account TEXT NOT NULL,
        text TEXT NOT NULL, created_at INTEGER NOT NULL, id TEXT NOT NULL
    );
    CREATE UNIQUE INDEX IF NOT EXISTS posts_by_id ON posts (platform, id);
    CREATE INDEX IF NOT EXISTS posts_by_text ON posts (platform, account_id, text);
    CREATE TABLE IF NOT EXISTS deleted (seq INTEGER PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS containers (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, platform TEXT NOT NULL, account_id TEXT NOT NULL, account TEXT NOT NULL, text TEXT NOT NULL,
        made_at INTEGER NOT NULL, post_seq INTEGER REFERENCES posts (seq)
    );
    CREATE TABLE IF NOT EXISTS checkouts (id TEXT PRIMARY KEY, price TEXT NOT NULL, user TEXT, customer TEXT, return_url TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS bought (
        customer TEXT PRIMARY KEY, subscription TEXT NOT NULL, user TEXT, price TEXT NOT NULL, status TEXT NOT NULL, started INTEGER NOT NULL,
        month_end INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS apps (
        client_id TEXT PRIMARY KEY, host TEXT NOT NULL, client_secret TEXT NOT NULL, redirect_uri TEXT NOT NULL, scopes TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS keys (
        platform TEXT NOT NULL, account_id TEXT NOT NULL, key TEXT NOT NULL, post_id TEXT NOT NULL, made_at INTEGER NOT NULL,
        PRIMARY KEY (platform, account_id, key)
    );
    CREATE TABLE IF NOT EXISTS faults (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, platform TEXT NOT NULL, kind TEXT NOT NULL, operation TEXT NOT NULL, times INTEGER NOT NULL,
        account TEXT, seconds INTEGER, stands INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS notes (kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, name));
    CREATE TABLE IF NOT EXISTS calls (
        platform TEXT NOT NULL, operation TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (platform, operation)
    );
";

/// All of it. Calls are short, so one lock does.
pub(crate) struct Storage(Mutex<Connection>);

impl Storage {
    pub(crate) fn open(data_dir: Option<&Path>) -> anyhow::Result<Self> {
        let connection = match data_dir {
            Some(data_dir) => {
                std::fs::create_dir_all(data_dir)?;
                Connection::open(data_dir.join("simulator.sqlite3"))?
            }
            None => Connection::open_in_memory()?,
        };
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A crash of the process loses nothing, and no call waits for the disk: a real platform answers many at once.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self(Mutex::new(connection)))
    }

    /// A panic in a handler leaves the database whole: SQLite rolls back what was open.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
