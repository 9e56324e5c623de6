//! Times in answers: each has the one form that the contract gives it, whoever answers.

use anyhow::ensure;
use jiff::Timestamp;
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;

use super::Reply;

/// An error that shows the first time of a reply that is told otherwise than with three digits of a second.
pub(super) fn are_told_alike(reply: &Reply) -> anyhow::Result<()> {
    let is_file = reply.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/csv"));
    let odd = if is_file { reply.text.split(['"', ',', '\r', '\n']).find(|cell| is_odd(cell)) } else { odd_time(&reply.json) };
    ensure!(odd.is_none(), "a time in another form than the contract's: {odd:?} in {}", reply.text);
    Ok(())
}

fn odd_time(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => is_odd(text).then_some(text),
        Value::Array(items) => items.iter().find_map(odd_time),
        Value::Object(fields) => fields.values().find_map(odd_time),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn is_odd(text: &str) -> bool {
    text.parse::<Timestamp>().is_ok_and(|at| text != format!("{at:.3}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_time_in_another_form_is_found_wherever_it_stands() {
        for odd in ["2026-11-23T09:00:00Z", "2026-11-23T09:00:00.5Z", "2026-11-23T09:00:00.0000Z", "2026-11-23T19:00:00.000+10:00"] {
            assert_eq!(odd_time(&json!({ "items": [{ "error": null, "at": odd }] })), Some(odd));
        }
        for plain in ["2026-11-23T09:00:00.000Z", "2026-11-23", "09:00", "01JCZ0V6M8D3W5T2Q9R7N4K1HB", "0", ""] {
            assert_eq!(odd_time(&json!([plain])), None);
        }
    }
}
