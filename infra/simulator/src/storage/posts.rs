//! What the accounts have posted.

use domain::platform::PlatformName;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::Storage;
use crate::token::Account;

/// A post.
pub(crate) struct StoredPost {
    /// Counts up over all platforms.
    pub(crate) seq: i64,
    /// As its platform names it.
    pub(crate) id: String,
    pub(crate) account: Account,
    pub(crate) text: String,
    pub(crate) created_at: Timestamp,
}

/// The most that a list holds.
const LIST_MAX: usize = 1000;

/// The same text is refused for this long.
const DUPLICATE_WINDOW: SignedDuration = SignedDuration::from_hours(24);

impl Storage {
    /// Stores a post under the id that `id_of` makes of its `seq`, or `None` when the account has this text already.
    pub(crate) fn create_post(
        &self,
        platform: PlatformName,
        account: &Account,
        text: &str,
        now: Timestamp,
        id_of: impl FnOnce(i64) -> String,
    ) -> rusqlite::Result<Option<StoredPost>> {
        let mut connection = self.lock();
        if same(&connection, platform, account, text, now)?.is_some() {
            return Ok(None);
        }
        insert_post(&mut connection, platform, account, text, now, id_of).map(Some)
    }

    /// Stores a post under an id that whoever posts has chosen; one that was deleted is there again.
    pub(crate) fn put_post(&self, platform: PlatformName, account: &Account, text: &str, now: Timestamp, id: &str) -> rusqlite::Result<()> {
        let mut connection = self.lock();
        let undelete = "DELETE FROM deleted WHERE seq IN (SELECT seq FROM posts WHERE platform = ?1 AND id = ?2)";
        if connection.execute(undelete, params![platform.as_str(), id])? == 0 {
            insert_post(&mut connection, platform, account, text, now, |_| id.to_owned())?;
        }
        Ok(())
    }

    /// The id of the post for which the account is refused this text now. It may have been deleted since.
    pub(crate) fn duplicate_of(
        &self,
        platform: PlatformName,
        account: &Account,
        text: &str,
        now: Timestamp,
    ) -> rusqlite::Result<Option<String>> {
        same(&self.lock(), platform, account, text, now)
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
            "SELECT seq, id, account_id, account, text, created_at FROM posts
             WHERE platform = ?1 AND (?2 IS NULL OR account_id = ?2) AND created_at BETWEEN ?3 AND ?4
               AND seq NOT IN (SELECT seq FROM deleted) ORDER BY created_at DESC, seq DESC LIMIT ?5",
        )?;
        let values = params![platform.as_str(), account_id, from.as_millisecond(), to.as_millisecond(), LIST_MAX];
        select.query_map(values, post_of)?.collect()
    }

    /// The post of an account, if it is still there.
    pub(crate) fn post(&self, platform: PlatformName, account_id: &str, id: &str) -> rusqlite::Result<Option<StoredPost>> {
        post_by_id(&self.lock(), platform, account_id, id)
    }

    /// The post is gone, as if its owner had deleted it; `false`: there is none.
    pub(crate) fn delete_post(&self, platform: PlatformName, id: &str) -> rusqlite::Result<bool> {
        let sql = "INSERT OR IGNORE INTO deleted SELECT seq FROM posts WHERE platform = ?1 AND id = ?2";
        Ok(self.lock().execute(sql, params![platform.as_str(), id])? == 1)
    }
}

/// A new post. Its id follows from the `seq`, which the row gets when it is made.
pub(super) fn inserted(
    transaction: &Transaction<'_>,
    platform: PlatformName,
    account: &Account,
    text: &str,
    now: Timestamp,
    id_of: impl FnOnce(i64) -> String,
) -> rusqlite::Result<StoredPost> {
    let values = params![platform.as_str(), account.id, account.name, text, now.as_millisecond()];
    let insert = "INSERT INTO posts (platform, account_id, account, text, created_at, id) VALUES (?1, ?2, ?3, ?4, ?5, '')";
    transaction.execute(insert, values)?;
    let seq = transaction.last_insert_rowid();
    let id = id_of(seq);
    transaction.execute("UPDATE posts SET id = ?2 WHERE seq = ?1", params![seq, id])?;
    Ok(StoredPost { seq, id, account: account.clone(), text: text.to_owned(), created_at: now })
}

/// What the account posted with this text not long ago, by its id.
fn same(
    connection: &Connection,
    platform: PlatformName,
    account: &Account,
    text: &str,
    now: Timestamp,
) -> rusqlite::Result<Option<String>> {
    let since = (now - DUPLICATE_WINDOW).as_millisecond();
    let sql = "SELECT id FROM posts WHERE platform = ?1 AND account_id = ?2 AND text = ?3 AND created_at > ?4 ORDER BY seq DESC LIMIT 1";
    connection.query_row(sql, params![platform.as_str(), account.id, text, since], |row| row.get(0)).optional()
}

/// The same in a transaction of its own.
pub(super) fn insert_post(
    connection: &mut Connection,
    platform: PlatformName,
    account: &Account,
    text: &str,
    now: Timestamp,
    id_of: impl FnOnce(i64) -> String,
) -> rusqlite::Result<StoredPost> {
    let transaction = connection.transaction()?;
    let post = inserted(&transaction, platform, account, text, now, id_of)?;
    transaction.commit()?;
    Ok(post)
}

pub(super) fn post_by_id(
    connection: &Connection,
    platform: PlatformName,
    account_id: &str,
    id: &str,
) -> rusqlite::Result<Option<StoredPost>> {
    let sql = "SELECT seq, id, account_id, account, text, created_at FROM posts
               WHERE platform = ?1 AND account_id = ?2 AND id = ?3 AND seq NOT IN (SELECT seq FROM deleted)";
    connection.query_row(sql, params![platform.as_str(), account_id, id], post_of).optional()
}

fn post_of(row: &Row<'_>) -> rusqlite::Result<StoredPost> {
    Ok(StoredPost {
        seq: row.get(0)?,
        id: row.get(1)?,
        account: Account { id: row.get(2)?, name: row.get(3)? },
        text: row.get(4)?,
        created_at: Timestamp::UNIX_EPOCH + SignedDuration::from_millis(row.get(5)?),
    })
}
