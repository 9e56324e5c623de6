//! What is kept of an idempotency key: one item, and further ones for an answer that one does not hold.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use domain::id::ClaimId;
use domain::idempotency::{Print, Progress, Record, RecordName, StoredAnswer};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::items::{from_item, number, text, to_item};
use crate::key::{Item, Key};
use crate::{Store, StoreError};

/// An item holds 400 KB at most, its names included.
const PART_BYTES_MAX: usize = 350 * 1_024;

#[derive(Serialize, Deserialize)]
struct RecordItem {
    print: Print,
    writer: ClaimId,
    rev: u64,
    run: u32,
    first_at: Timestamp,
    /// While a run holds the key.
    lease_until: Option<Timestamp>,
    /// Once it is answered.
    answer: Option<AnswerItem>,
    expires_epoch: i64,
}

#[derive(Serialize, Deserialize)]
struct AnswerItem {
    status: u16,
    headers: Vec<(String, String)>,
    /// The body's beginning, or all of it.
    body: String,
    /// How many items hold the rest.
    parts: usize,
}

#[derive(Serialize, Deserialize)]
struct PartItem {
    body: String,
    writer: ClaimId,
    expires_epoch: i64,
}

impl Store {
    /// Stores a record in the place of the one that it was made from. `None`: it stands, by this call or by an earlier one of the
    /// same run. Else the record that stands there.
    pub async fn put_idempotency(&self, record: &Record) -> Result<Option<Record>, StoreError> {
        let (first, rest) = match &record.progress {
            Progress::Answered(answer) => split_first(&answer.body),
            Progress::Running { .. } | Progress::Open => ("", Vec::new()),
        };
        // The parts first: a record that names them can be read.
        for (part, body) in rest.iter().enumerate() {
            self.put_part(record, part, body).await?;
        }
        let write = self
            .client
            .put_item()
            .table_name(&self.tables.sessions)
            .set_item(Some(to_item(Key::idempotency(record.name.as_str()), RecordItem::new(record, first, rest.len()))))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let write = match record.rev {
            1 => write.condition_expression("attribute_not_exists(pk)"),
            rev => write.condition_expression("rev = :before").expression_attribute_values(":before", number(rev - 1)),
        };
        match write.send().await {
            Ok(_) => Ok(None),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => self.standing(record, failed.item.clone()).await,
                _ => Err(StoreError::unavailable("storing an idempotency record")(error)),
            },
        }
    }

    async fn put_part(&self, record: &Record, part: usize, body: &str) -> Result<(), StoreError> {
        let item = PartItem { body: body.to_owned(), writer: record.claim.clone(), expires_epoch: record.keep_until().as_second() };
        self.client
            .put_item()
            .table_name(&self.tables.sessions)
            .set_item(Some(to_item(Key::answer_part(record.name.as_str(), record.rev, part), item)))
            .condition_expression("attribute_not_exists(pk) OR writer = :writer")
            .expression_attribute_values(":writer", text(record.claim.as_str()))
            .send()
            .await
            .map(|_| ())
            .map_err(StoreError::unavailable("storing a part of an answer"))
    }

    /// What stood in the way of `record`; `None`: `record` itself.
    async fn standing(&self, record: &Record, item: Option<Item>) -> Result<Option<Record>, StoreError> {
        // The record was removed between two writes: as TTL does, long after its day.
        let item = item.ok_or(StoreError::Contended { doing: "storing an idempotency record" })?;
        let mut item: RecordItem = from_item("idempotency record", item)?;
        if item.writer == record.claim && item.rev == record.rev {
            return Ok(None);
        }
        if let Some(answer) = &mut item.answer {
            for part in 0..answer.parts {
                let key = Key::answer_part(record.name.as_str(), item.rev, part);
                let part: Option<PartItem> = self.get(&self.tables.sessions, "part of an answer", key).await?;
                answer.body.push_str(&part.ok_or(StoreError::Contended { doing: "reading a part of an answer" })?.body);
            }
        }
        Ok(Some(item.into_record(record.name.clone())))
    }
}

impl RecordItem {
    fn new(record: &Record, body: &str, parts: usize) -> Self {
        let (lease_until, answer) = match &record.progress {
            Progress::Running { until } => (Some(*until), None),
            Progress::Open => (None, None),
            Progress::Answered(StoredAnswer { status, headers, .. }) => {
                (None, Some(AnswerItem { status: *status, headers: headers.clone(), body: body.to_owned(), parts }))
            }
        };
        Self {
            print: record.print.clone(),
            writer: record.claim.clone(),
            rev: record.rev,
            run: record.run,
            first_at: record.first_at,
            lease_until,
            answer,
            expires_epoch: record.keep_until().as_second(),
        }
    }

    fn into_record(self, name: RecordName) -> Record {
        let progress = match (self.answer, self.lease_until) {
            (Some(AnswerItem { status, headers, body, .. }), _) => Progress::Answered(StoredAnswer { status, headers, body }),
            (None, Some(until)) => Progress::Running { until },
            (None, None) => Progress::Open,
        };
        let Self { print, writer, rev, run, first_at, .. } = self;
        Record { name, print, claim: writer, rev, run, first_at, progress }
    }
}

/// A body in parts that an item holds, cut between letters.
fn split_first(body: &str) -> (&str, Vec<&str>) {
    let (first, mut rest) = body.split_at(body.floor_char_boundary(PART_BYTES_MAX));
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let (part, after) = rest.split_at(rest.floor_char_boundary(PART_BYTES_MAX));
        parts.push(part);
        rest = after;
    }
    (first, parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_cut_between_letters_and_nothing_is_lost() {
        for body in [String::new(), "a".repeat(PART_BYTES_MAX), "aü".repeat(PART_BYTES_MAX), format!("a{}", "\u{1f600}".repeat(300_000))] {
            let (first, rest) = split_first(&body);
            let parts = std::iter::once(first).chain(rest);
            assert!(parts.clone().all(|part| part.len() <= PART_BYTES_MAX));
            assert_eq!(parts.collect::<String>(), body);
        }
        assert!(split_first(&"a".repeat(PART_BYTES_MAX)).1.is_empty());
    }
}
