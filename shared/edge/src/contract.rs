//! The shapes of the HTTP contract that more than one function answers with, built from domain values.

mod connection;
mod list;
mod quota;
mod time;
mod user;

pub use connection::ConnectionJson;
pub use list::{LIMIT_DEFAULT, LIMIT_MAX, LIST_BYTES_MAX, ListJson, ListQuery, check_period, checked_limit, json_bytes};
pub use quota::QuotaJson;
pub use time::Time;
pub use user::UserJson;
