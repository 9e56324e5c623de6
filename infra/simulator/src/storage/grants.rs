//! Grants and the credentials that belong to them.

use domain::platform::PlatformName;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, Row, params};

use super::Storage;
use crate::token::{Account, Token};

/// A credential to be stored.
pub(crate) struct NewToken<'a> {
    pub(crate) value: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) account: &'a Account,
    pub(crate) expires_at: Option<Timestamp>,
}

const SELECT: &str = "
    SELECT t.value, t.kind, t.grant_id, t.account_id, t.account, t.expires_at, g.scopes, g.revoked, t.redirect_uri, t.code_challenge
    FROM tokens t JOIN grants g ON g.id = t.grant_id";

impl Storage {
    /// A person allowed `scopes` for `accounts`.
    pub(crate) fn create_grant(&self, platform: PlatformName, scopes: &[String], account_ids: &[String]) -> rusqlite::Result<i64> {
        let connection = self.lock();
        let values = params![platform.as_str(), scopes.join(" "), account_ids.join(" ")];
        connection.execute("INSERT INTO grants (platform, scopes, accounts) VALUES (?1, ?2, ?3)", values)?;
        Ok(connection.last_insert_rowid())
    }

    /// The accounts that a person allowed.
    pub(crate) fn granted_account_ids(&self, grant_id: i64) -> rusqlite::Result<Vec<String>> {
        let accounts: String = self.lock().query_row("SELECT accounts FROM grants WHERE id = ?1", [grant_id], |row| row.get(0))?;
        Ok(accounts.split_whitespace().map(str::to_owned).collect())
    }

    pub(crate) fn insert_token(&self, platform: PlatformName, grant_id: i64, token: &NewToken<'_>) -> rusqlite::Result<()> {
        let values = params![
            token.value,
            platform.as_str(),
            token.kind,
            grant_id,
            token.account.id,
            token.account.name,
            token.expires_at.map(Timestamp::as_millisecond)
        ];
        let sql =
            "INSERT INTO tokens (value, platform, kind, grant_id, account_id, account, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        self.lock().execute(sql, values).map(drop)
    }

    /// Notes what a code was asked with.
    pub(crate) fn bind_code(&self, code: &str, redirect_uri: &str, code_challenge: &str) -> rusqlite::Result<()> {
        let sql = "UPDATE tokens SET redirect_uri = ?2, code_challenge = ?3 WHERE value = ?1";
        self.lock().execute(sql, params![code, redirect_uri, code_challenge]).map(drop)
    }

    pub(crate) fn token(&self, platform: PlatformName, value: &str) -> rusqlite::Result<Option<Token>> {
        let sql = format!("{SELECT} WHERE t.value = ?1 AND t.platform = ?2");
        self.lock().query_row(&sql, params![value, platform.as_str()], token_of).optional()
    }

    /// The token of a kind that a grant already has for an account.
    pub(crate) fn account_token(&self, grant_id: i64, kind: &str, account_id: &str) -> rusqlite::Result<Option<Token>> {
        let sql = format!("{SELECT} WHERE t.grant_id = ?1 AND t.account_id = ?2 AND t.kind = ?3");
        self.lock().query_row(&sql, params![grant_id, account_id, kind], token_of).optional()
    }

    /// Uses a one-time credential up; `false` when it was used before.
    pub(crate) fn spend(&self, value: &str) -> rusqlite::Result<bool> {
        Ok(self.lock().execute("UPDATE tokens SET spent = 1 WHERE value = ?1 AND spent = 0", [value])? == 1)
    }

    /// Ends a grant with all of its credentials.
    pub(crate) fn revoke(&self, grant_id: i64) -> rusqlite::Result<()> {
        self.lock().execute("UPDATE grants SET revoked = 1 WHERE id = ?1", [grant_id]).map(drop)
    }

    /// Ends the grants of an account, or of all.
    pub(crate) fn revoke_account(&self, platform: PlatformName, account: Option<&str>) -> rusqlite::Result<()> {
        let sql = "UPDATE grants SET revoked = 1 WHERE platform = ?1 AND (?2 IS NULL OR instr(' ' || accounts || ' ', ' ' || ?2 || ' ') > 0
                   OR id IN (SELECT grant_id FROM tokens WHERE account = ?2 OR account_id = ?2))";
        self.lock().execute(sql, params![platform.as_str(), account]).map(drop)
    }

    /// Ends the tokens of a kind of an account, or of all.
    pub(crate) fn expire_account(&self, platform: PlatformName, kind: &str, account: Option<&str>, now: Timestamp) -> rusqlite::Result<()> {
        let sql = "UPDATE tokens SET expires_at = ?3 WHERE platform = ?1 AND kind = ?4
                   AND (?2 IS NULL OR account = ?2 OR account_id = ?2) AND (expires_at IS NULL OR expires_at > ?3)";
        self.lock().execute(sql, params![platform.as_str(), account, now.as_millisecond(), kind]).map(drop)
    }
}

fn token_of(row: &Row<'_>) -> rusqlite::Result<Token> {
    let (expires_at, scopes): (Option<i64>, String) = (row.get(5)?, row.get(6)?);
    Ok(Token {
        value: row.get(0)?,
        kind: row.get(1)?,
        grant_id: row.get(2)?,
        account: Account { id: row.get(3)?, name: row.get(4)? },
        expires_at: expires_at.map(|millis| Timestamp::UNIX_EPOCH + SignedDuration::from_millis(millis)),
        scopes: scopes.split_whitespace().map(str::to_owned).collect(),
        revoked: row.get(7)?,
        redirect_uri: row.get(8)?,
        code_challenge: row.get(9)?,
    })
}
