//! SNS, as far as text messages go: they land in an inbox that a developer can read.

use jiff::Timestamp;
use rusqlite::{Transaction, params};
use serde::Serialize;
use url::form_urlencoded;

use crate::wire::{Refusal, unknown_operation};

/// How many messages the inbox keeps.
const INBOX_MAX: u32 = 200;
/// The most characters of a text message that SNS takes.
const TEXT_CHARS_MAX: usize = 1600;

/// A text message that would have gone to a phone.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Text {
    /// To whom, E.164.
    pub phone: String,
    /// What it says.
    pub body: String,
    /// When it was sent.
    pub sent_at: Timestamp,
}

pub(crate) fn operation(body: &[u8]) -> String {
    member(body, "Action").unwrap_or_default()
}

pub(crate) fn serve(tx: &Transaction<'_>, operation: &str, body: &[u8], now: Timestamp) -> Result<String, Refusal> {
    if operation != "Publish" {
        return Err(unknown_operation(operation));
    }
    let phone = member(body, "PhoneNumber").filter(|phone| is_e164(phone));
    let phone = phone.ok_or_else(|| invalid("Invalid parameter: PhoneNumber"))?;
    let text = member(body, "Message").filter(|text| !text.is_empty() && text.chars().count() <= TEXT_CHARS_MAX);
    let text = text.ok_or_else(|| invalid("Invalid parameter: Message"))?;
    tx.execute("INSERT INTO texts (phone, body, sent_ms) VALUES (?1, ?2, ?3)", params![phone, text, now.as_millisecond()])?;
    let id = tx.last_insert_rowid();
    tx.execute("DELETE FROM texts WHERE id <= ?1 - ?2", params![id, INBOX_MAX])?;
    let result = format!("<PublishResult><MessageId>text-{id}</MessageId></PublishResult>");
    Ok(format!("<PublishResponse>{result}<ResponseMetadata><RequestId>local</RequestId></ResponseMetadata></PublishResponse>"))
}

/// The messages, newest first.
pub(crate) fn inbox(tx: &Transaction<'_>) -> Result<Vec<Text>, Refusal> {
    let mut statement = tx.prepare_cached("SELECT phone, body, sent_ms FROM texts ORDER BY id DESC LIMIT ?1")?;
    let texts = statement.query_map([INBOX_MAX], |row| {
        let sent_at = Timestamp::from_millisecond(row.get(2)?).unwrap_or(Timestamp::UNIX_EPOCH);
        Ok(Text { phone: row.get(0)?, body: row.get(1)?, sent_at })
    })?;
    Ok(texts.collect::<Result<_, _>>()?)
}

fn member(body: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn is_e164(phone: &str) -> bool {
    let digits = phone.strip_prefix('+').unwrap_or_default();
    (7..=15).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit())
}

fn invalid(message: &str) -> Refusal {
    Refusal::new("InvalidParameter", message)
}
