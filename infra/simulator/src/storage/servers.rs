//! What servers keep that many people run: apps that registered themselves, and keys of posts.

use domain::platform::PlatformName;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, params};

use super::Storage;
use super::posts::{StoredPost, insert_post, post_by_id};
use crate::token::Account;

/// An app at one server.
pub(crate) struct RegisteredApp {
    pub(crate) host: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) redirect_uri: String,
    /// Separated by spaces.
    pub(crate) scopes: String,
}

impl Storage {
    pub(crate) fn register_app(&self, app: &RegisteredApp) -> rusqlite::Result<()> {
        let sql = "INSERT INTO apps (client_id, host, client_secret, redirect_uri, scopes) VALUES (?1, ?2, ?3, ?4, ?5)";
        self.lock().execute(sql, params![app.client_id, app.host, app.client_secret, app.redirect_uri, app.scopes]).map(drop)
    }

    pub(crate) fn registered_app(&self, host: &str, client_id: &str) -> rusqlite::Result<Option<RegisteredApp>> {
        let sql = "SELECT client_secret, redirect_uri, scopes FROM apps WHERE host = ?1 AND client_id = ?2";
        let app = |row: &rusqlite::Row<'_>| {
            let (host, client_id) = (host.to_owned(), client_id.to_owned());
            Ok(RegisteredApp { host, client_id, client_secret: row.get(0)?, redirect_uri: row.get(1)?, scopes: row.get(2)? })
        };
        self.lock().query_row(sql, params![host, client_id], app).optional()
    }

    /// The token of a kind that an account gave with these scopes and has not taken back.
    pub(crate) fn standing_token(
        &self,
        platform: PlatformName,
        account: &Account,
        kind: &str,
        scopes: &[String],
    ) -> rusqlite::Result<Option<String>> {
        let sql = "SELECT t.value FROM tokens t JOIN grants g ON g.id = t.grant_id
                   WHERE t.platform = ?1 AND t.account_id = ?2 AND t.kind = ?3 AND g.scopes = ?4 AND NOT g.revoked AND t.expires_at IS NULL";
        let values = params![platform.as_str(), account.id, kind, scopes.join(" ")];
        self.lock().query_row(sql, values, |row| row.get(0)).optional()
    }

    /// Stores a post, or gives the one that the account made under the same key no longer than `key_life` ago; `None`: that one has been
    /// deleted since. Without a key it is always another one.
    pub(crate) fn create_post_once(
        &self,
        platform: PlatformName,
        account: &Account,
        (text, key, key_life): (&str, Option<&str>, SignedDuration),
        now: Timestamp,
        id_of: impl FnOnce(i64) -> String,
    ) -> rusqlite::Result<Option<StoredPost>> {
        let mut connection = self.lock();
        let since = (now - key_life).as_millisecond();
        let sql = "SELECT post_id FROM keys WHERE platform = ?1 AND account_id = ?2 AND key = ?3 AND made_at > ?4";
        let known: Option<String> =
            connection.query_row(sql, params![platform.as_str(), account.id, key, since], |row| row.get(0)).optional()?;
        if let Some(id) = known {
            return post_by_id(&connection, platform, &account.id, &id);
        }
        let post = insert_post(&mut connection, platform, account, text, now, id_of)?;
        if let Some(key) = key {
            let sql = "INSERT OR REPLACE INTO keys (platform, account_id, key, post_id, made_at) VALUES (?1, ?2, ?3, ?4, ?5)";
            connection.execute(sql, params![platform.as_str(), account.id, key, post.id, now.as_millisecond()])?;
        }
        Ok(Some(post))
    }
}
