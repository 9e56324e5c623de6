//! How often something may be done, and by whom it is counted.
//!
//! Time is cut into spans of one length, the same for all; a count belongs to one span and ends with it. So a count is one number that
//! is raised on the condition that it is below the limit, whoever raises it at the same time. The price: around the border of two
//! spans, twice the limit can pass.

use jiff::{SignedDuration, Timestamp};

use super::hash::{HashKey, Purpose, stored_hash};
use crate::id::UserId;

stored_hash!(
    /// Keyed hash of a network address: it is a person's data, and there are few enough to try.
    AddressHash
);

impl AddressHash {
    /// The name of an address in counts.
    pub fn new(address: &str, key: &HashKey) -> Self {
        Self(key.hash(Purpose::Address, &[address]))
    }
}

/// So many times in a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// What is counted; unique among limits.
    pub name: &'static str,
    /// How often.
    pub max: u32,
    /// How long a span is.
    pub span: SignedDuration,
}

/// Who is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// All of them together.
    Everybody,
    /// One account.
    User(&'a UserId),
    /// One network address.
    Address(&'a AddressHash),
}

/// One count: of one limit, one subject and one span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    name: String,
    /// The count that it does not pass.
    pub max: u32,
    /// When it is forgotten.
    pub ends_at: Timestamp,
}

impl Limit {
    /// The count that holds `now`.
    pub fn bucket(&self, subject: Subject<'_>, now: Timestamp) -> Bucket {
        let span_secs = self.span.as_secs().max(1);
        let start_secs = now.as_second().div_euclid(span_secs) * span_secs;
        let subject = match subject {
            Subject::Everybody => "all",
            Subject::User(user) => user.as_str(),
            Subject::Address(address) => address.as_str(),
        };
        let ends_at = Timestamp::from_second(start_secs.saturating_add(span_secs)).unwrap_or(Timestamp::MAX);
        Bucket { name: format!("{}#{subject}#{start_secs}", self.name), max: self.max, ends_at }
    }
}

impl Bucket {
    /// The name of the count in keys.
    pub fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::hash::test_key;
    use super::*;

    const HOURLY: Limit = Limit { name: "tests", max: 3, span: SignedDuration::from_hours(1) };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn everyone_is_counted_apart_and_all_of_them_together() {
        let user = UserId::new(at(0), [1; 10]);
        let (one, other) = (AddressHash::new("192.0.2.1", &test_key()), AddressHash::new("192.0.2.2", &test_key()));
        let subjects = [Subject::Everybody, Subject::User(&user), Subject::Address(&one), Subject::Address(&other)];
        let mut names: Vec<_> = subjects.map(|subject| HOURLY.bucket(subject, at(5000)).name().to_owned()).into();
        names.push(Limit { name: "others", ..HOURLY }.bucket(Subject::Everybody, at(5000)).name().to_owned());
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 5);
        assert!(names.iter().all(|name| !name.contains("192.0.2")), "{names:?}");
    }

    proptest! {
        #[test]
        fn a_moment_is_in_one_span_that_ends_within_its_length(second in -62_135_596_800_i64..253_402_000_000, later in 0_i64..3600) {
            let bucket = HOURLY.bucket(Subject::Everybody, at(second));
            let wait = bucket.ends_at.duration_since(at(second));
            prop_assert!(wait > SignedDuration::ZERO && wait <= HOURLY.span);
            let same = HOURLY.bucket(Subject::Everybody, at(second + later)) == bucket;
            prop_assert_eq!(same, at(second + later) < bucket.ends_at);
        }
    }
}
