//! What a double remembers beside grants and posts: a value under a name, by kind.

use rusqlite::{OptionalExtension, params};

use super::Storage;

impl Storage {
    /// Notes `value`, in the place of an earlier one.
    pub(crate) fn note(&self, kind: &str, name: &str, value: &str) -> rusqlite::Result<()> {
        self.lock().execute("INSERT OR REPLACE INTO notes (kind, name, value) VALUES (?1, ?2, ?3)", params![kind, name, value]).map(drop)
    }

    /// Notes a name that is used once; `false`: it was noted before.
    pub(crate) fn note_first(&self, kind: &str, name: &str) -> rusqlite::Result<bool> {
        Ok(self.lock().execute("INSERT OR IGNORE INTO notes (kind, name, value) VALUES (?1, ?2, '')", params![kind, name])? == 1)
    }

    /// What was noted.
    pub(crate) fn noted(&self, kind: &str, name: &str) -> rusqlite::Result<Option<String>> {
        self.lock().query_row("SELECT value FROM notes WHERE kind = ?1 AND name = ?2", params![kind, name], |row| row.get(0)).optional()
    }
}
