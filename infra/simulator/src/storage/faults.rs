//! Faults that wait, and the count of calls.

use std::collections::BTreeMap;

use domain::platform::PlatformName;
use rusqlite::{OptionalExtension, Row, params};

use super::Storage;
use crate::faults::{Fault, Operation};
use crate::token::Account;

const SELECT: &str = "SELECT kind, operation, times, account, seconds, seq FROM faults WHERE platform = ?1";

impl Storage {
    /// Stores a fault that waits for its calls, or `stands` until it is cleared.
    pub(crate) fn add_fault(&self, platform: PlatformName, fault: &Fault, stands: bool) -> rusqlite::Result<()> {
        let values = params![platform.as_str(), fault.kind, fault.on.as_str(), fault.times, fault.account, fault.seconds, stands];
        let sql = "INSERT INTO faults (platform, kind, operation, times, account, seconds, stands) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        self.lock().execute(sql, values).map(drop)
    }

    /// Those that are still pending, oldest first.
    pub(crate) fn faults(&self, platform: PlatformName) -> rusqlite::Result<Vec<Fault>> {
        let connection = self.lock();
        let mut select = connection.prepare(&format!("{SELECT} ORDER BY seq"))?;
        select.query_map([platform.as_str()], fault_of)?.collect()
    }

    pub(crate) fn clear_faults(&self, platform: PlatformName) -> rusqlite::Result<()> {
        self.lock().execute("DELETE FROM faults WHERE platform = ?1", [platform.as_str()]).map(drop)
    }

    /// The oldest fault for this call, with one of its times used up.
    pub(crate) fn take_fault(&self, platform: PlatformName, on: Operation, account: Option<&Account>) -> rusqlite::Result<Option<Fault>> {
        let (id, name) = (account.map(|account| &account.id), account.map(|account| &account.name));
        let connection = self.lock();
        let sql = format!(
            "{SELECT} AND operation = ?2 AND NOT stands AND (account IS NULL OR account = ?3 OR account = ?4) ORDER BY seq LIMIT 1"
        );
        let row = |row: &Row<'_>| Ok((fault_of(row)?, row.get::<_, i64>(5)?));
        let Some((fault, seq)) = connection.query_row(&sql, params![platform.as_str(), on.as_str(), id, name], row).optional()? else {
            return Ok(None);
        };
        connection.execute("UPDATE faults SET times = times - 1 WHERE seq = ?1", [seq])?;
        connection.execute("DELETE FROM faults WHERE times <= 0", [])?;
        Ok(Some(fault))
    }

    /// How many seconds a post needs to be listed.
    pub(crate) fn list_lag_secs(&self, platform: PlatformName, account: &Account) -> rusqlite::Result<i64> {
        let sql = "SELECT coalesce(max(seconds), 0) FROM faults
                   WHERE platform = ?1 AND kind = 'list_lag' AND (account IS NULL OR account = ?2 OR account = ?3)";
        self.lock().query_row(sql, params![platform.as_str(), account.id, account.name], |row| row.get(0))
    }

    /// Whether a fault that lasts until it is cleared concerns the account.
    pub(crate) fn stands(&self, platform: PlatformName, kind: &str, account: &Account) -> rusqlite::Result<bool> {
        let sql = "SELECT count(*) > 0 FROM faults WHERE platform = ?1 AND kind = ?2 AND (account IS NULL OR account = ?3 OR account = ?4)";
        self.lock().query_row(sql, params![platform.as_str(), kind, account.id, account.name], |row| row.get(0))
    }

    pub(crate) fn count_call(&self, platform: PlatformName, operation: Operation) -> rusqlite::Result<()> {
        let sql = "INSERT INTO calls VALUES (?1, ?2, 1) ON CONFLICT DO UPDATE SET count = count + 1";
        self.lock().execute(sql, params![platform.as_str(), operation.as_str()]).map(drop)
    }

    /// The calls so far by operation; those that never came are 0.
    pub(crate) fn calls(&self, platform: PlatformName) -> rusqlite::Result<BTreeMap<String, i64>> {
        let mut calls: BTreeMap<_, _> = Operation::ALL.iter().map(|operation| (operation.as_str().to_owned(), 0)).collect();
        let connection = self.lock();
        let mut select = connection.prepare("SELECT operation, count FROM calls WHERE platform = ?1")?;
        for row in select.query_map([platform.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))? {
            calls.extend([row?]);
        }
        Ok(calls)
    }
}

fn fault_of(row: &Row<'_>) -> rusqlite::Result<Fault> {
    let on: String = row.get(1)?;
    Ok(Fault {
        kind: row.get(0)?,
        on: Operation::parse(&on).ok_or(rusqlite::Error::InvalidQuery)?,
        times: row.get(2)?,
        account: row.get(3)?,
        seconds: row.get(4)?,
    })
}
