//! What the accounts have posted.

use domain::platform::PlatformName;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, Row, params};

use super::Storage;
use crate::token::Account;

/// A post.
pub(crate) struct StoredPost {
    /// Counts up over all platforms.
    pub(crate) seq: i64,
    pub(crate) account: Account,
    pub(crate) text: String,
    pub(crate) created_at: Timestamp,
}

/// The most that a list holds.
const LIST_MAX: usize = 1000;

/// The same text is refused for this long.
const DUPLICATE_WINDOW: SignedDuration = SignedDuration::from_hours(24);

impl Storage {
    /// Stores a post, or `None` when the account has this text already.
    pub(crate) fn create_post(
        &self,
        platform: PlatformName,
        account: &Account,
        text: &str,
        now: Timestamp,
    ) -> rusqlite::Result<Option<StoredPost>> {
        let connection = self.lock();
        let since = (now - DUPLICATE_WINDOW).as_millisecond();
        let same = "SELECT count(*) FROM posts WHERE platform = ?1 AND account_id = ?2 AND text = ?3 AND created_at > ?4";
        let count: i64 = connection.query_row(same, params![platform.as_str(), account.id, text, since], |row| row.get(0))?;
        if count > 0 {
            return Ok(None);
        }
        let values = params![platform.as_str(), account.id, account.name, text, now.as_millisecond()];
        connection.execute("INSERT INTO posts (platform, account_id, account, text, created_at) VALUES (?1, ?2, ?3, ?4, ?5)", values)?;
        Ok(Some(StoredPost { seq: connection.last_insert_rowid(), account: account.clone(), text: text.to_owned(), created_at: now }))
    }

    /// The posts made in `from..=to`, of one account or of all, newest first.
    pub(crate) fn posts(
        &self,
        platform: PlatformName,
        account_id: Option<&str>,
        from: Timestamp,
        to: Timestamp,
    ) -> rusqlite::Result<Vec<StoredPost>> {
        let connection = self.lock();
        let mut select = connection.prepare(
            "SELECT seq, account_id, account, text, created_at FROM posts
             WHERE platform = ?1 AND (?2 IS NULL OR account_id = ?2) AND created_at BETWEEN ?3 AND ?4
               AND seq NOT IN (SELECT seq FROM deleted) ORDER BY created_at DESC, seq DESC LIMIT ?5",
        )?;
        let values = params![platform.as_str(), account_id, from.as_millisecond(), to.as_millisecond(), LIST_MAX];
        select.query_map(values, post_of)?.collect()
    }

    /// The post of an account, if it is still there.
    pub(crate) fn post(&self, platform: PlatformName, account_id: &str, seq: i64) -> rusqlite::Result<Option<StoredPost>> {
        let sql = "SELECT seq, account_id, account, text, created_at FROM posts
                   WHERE platform = ?1 AND account_id = ?2 AND seq = ?3 AND seq NOT IN (SELECT seq FROM deleted)";
        self.lock().query_row(sql, params![platform.as_str(), account_id, seq], post_of).optional()
    }

    /// The post is gone, as if its owner had deleted it; `false`: there is none.
    pub(crate) fn delete_post(&self, platform: PlatformName, seq: i64) -> rusqlite::Result<bool> {
        let sql = "INSERT OR IGNORE INTO deleted SELECT seq FROM posts WHERE platform = ?1 AND seq = ?2";
        Ok(self.lock().execute(sql, params![platform.as_str(), seq])? == 1)
    }
}

fn post_of(row: &Row<'_>) -> rusqlite::Result<StoredPost> {
    Ok(StoredPost {
        seq: row.get(0)?,
        account: Account { id: row.get(1)?, name: row.get(2)? },
        text: row.get(3)?,
        created_at: Timestamp::UNIX_EPOCH + SignedDuration::from_millis(row.get(4)?),
    })
}
