//! What was prepared, and is a post or not yet.

use domain::platform::PlatformName;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, Row, params};

use super::Storage;
use super::posts::{StoredPost, inserted};
use crate::token::Account;

/// A container.
pub(crate) struct StoredContainer {
    /// Counts up over all platforms.
    pub(crate) seq: i64,
    pub(crate) account: Account,
    pub(crate) text: String,
    pub(crate) made_at: Timestamp,
    /// Whether it is a post by now.
    pub(crate) is_published: bool,
}

impl Storage {
    /// A new container, by its `seq`.
    pub(crate) fn create_container(&self, platform: PlatformName, account: &Account, text: &str, now: Timestamp) -> rusqlite::Result<i64> {
        let connection = self.lock();
        let sql = "INSERT INTO containers (platform, account_id, account, text, made_at) VALUES (?1, ?2, ?3, ?4, ?5)";
        connection.execute(sql, params![platform.as_str(), account.id, account.name, text, now.as_millisecond()])?;
        Ok(connection.last_insert_rowid())
    }

    /// The container of an account.
    pub(crate) fn container(&self, platform: PlatformName, account_id: &str, seq: i64) -> rusqlite::Result<Option<StoredContainer>> {
        let sql = "SELECT seq, account_id, account, text, made_at, post_seq IS NOT NULL FROM containers
                   WHERE platform = ?1 AND account_id = ?2 AND seq = ?3";
        self.lock().query_row(sql, params![platform.as_str(), account_id, seq], container_of).optional()
    }

    /// Makes a post of a container, whatever else the account has posted; `None`: it is one already.
    pub(crate) fn publish_container(
        &self,
        platform: PlatformName,
        container: &StoredContainer,
        now: Timestamp,
        id_of: impl FnOnce(i64) -> String,
    ) -> rusqlite::Result<Option<StoredPost>> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let is_free = "SELECT count(*) > 0 FROM containers WHERE seq = ?1 AND post_seq IS NULL";
        if !transaction.query_row(is_free, [container.seq], |row| row.get(0))? {
            return Ok(None);
        }
        let post = inserted(&transaction, platform, &container.account, &container.text, now, id_of)?;
        transaction.execute("UPDATE containers SET post_seq = ?2 WHERE seq = ?1", params![container.seq, post.seq])?;
        transaction.commit()?;
        Ok(Some(post))
    }
}

fn container_of(row: &Row<'_>) -> rusqlite::Result<StoredContainer> {
    Ok(StoredContainer {
        seq: row.get(0)?,
        account: Account { id: row.get(1)?, name: row.get(2)? },
        text: row.get(3)?,
        made_at: Timestamp::UNIX_EPOCH + SignedDuration::from_millis(row.get(4)?),
        is_published: row.get(5)?,
    })
}
