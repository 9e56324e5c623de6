//! Checkouts and subscriptions.

use rusqlite::{OptionalExtension, params};

use super::Storage;

/// A visit to the page on which one pays.
#[derive(Debug, Clone)]
pub(crate) struct Checkout {
    pub(crate) price: String,
    pub(crate) user: Option<String>,
    pub(crate) customer: Option<String>,
    pub(crate) return_url: String,
}

/// What a customer pays for.
#[derive(Debug, Clone)]
pub(crate) struct Bought {
    pub(crate) customer: String,
    pub(crate) subscription: String,
    pub(crate) user: Option<String>,
    pub(crate) price: String,
    pub(crate) status: String,
    pub(crate) started: i64,
    /// When the month ends that was told last.
    pub(crate) month_end: i64,
}

impl Storage {
    pub(crate) fn add_checkout(&self, id: &str, checkout: &Checkout) -> rusqlite::Result<()> {
        let Checkout { price, user, customer, return_url } = checkout;
        let row = params![id, price, user, customer, return_url];
        self.lock().execute("INSERT INTO checkouts (id, price, user, customer, return_url) VALUES (?1, ?2, ?3, ?4, ?5)", row).map(drop)
    }

    /// A visit that has not ended; `end`: it ends with this.
    pub(crate) fn checkout(&self, id: &str, end: bool) -> rusqlite::Result<Option<Checkout>> {
        let connection = self.lock();
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Checkout { price: row.get(0)?, user: row.get(1)?, customer: row.get(2)?, return_url: row.get(3)? })
        };
        let found = connection.query_row("SELECT price, user, customer, return_url FROM checkouts WHERE id = ?1", [id], read).optional()?;
        if end {
            connection.execute("DELETE FROM checkouts WHERE id = ?1", [id])?;
        }
        Ok(found)
    }

    /// A customer has one subscription here: the newest.
    pub(crate) fn put_bought(&self, bought: &Bought) -> rusqlite::Result<()> {
        let Bought { customer, subscription, user, price, status, started, month_end } = bought;
        let row = params![customer, subscription, user, price, status, started, month_end];
        let put = "INSERT OR REPLACE INTO bought (customer, subscription, user, price, status, started, month_end) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        self.lock().execute(put, row).map(drop)
    }

    pub(crate) fn bought(&self, customer: &str) -> rusqlite::Result<Option<Bought>> {
        let query = "SELECT customer, subscription, user, price, status, started, month_end FROM bought WHERE customer = ?1";
        self.lock().query_row(query, [customer], read_bought).optional()
    }

    /// Somebody whose paid month has ended by `now`.
    pub(crate) fn to_renew(&self, now: i64) -> rusqlite::Result<Option<Bought>> {
        let query = "SELECT customer, subscription, user, price, status, started, month_end FROM bought \
            WHERE status = 'active' AND month_end <= ?1 LIMIT 1";
        self.lock().query_row(query, [now], read_bought).optional()
    }

    /// Ends a visit; `false`: it has ended.
    pub(crate) fn end_checkout(&self, id: &str) -> rusqlite::Result<bool> {
        self.lock().execute("DELETE FROM checkouts WHERE id = ?1", [id]).map(|ended| ended == 1)
    }
}

fn read_bought(row: &rusqlite::Row<'_>) -> rusqlite::Result<Bought> {
    let (customer, subscription, user) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let (price, status, started, month_end) = (row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?);
    Ok(Bought { customer, subscription, user, price, status, started, month_end })
}
