//! Times.

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// An instant as every answer tells it: RFC 3339 in UTC, always with three digits of a second. Texts of one length sort as their times
/// do, and no client meets a second spelling on the day that a time falls on a whole second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = DateTime, pattern = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$", example = "2026-11-23T09:00:00.000Z")]
pub struct Time(Timestamp);

impl From<Timestamp> for Time {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_three_digits_of_a_second_whatever_they_are() {
        let cases = [
            ("2026-11-23T09:00:00Z", "2026-11-23T09:00:00.000Z"),
            ("2026-11-23T09:00:00.5Z", "2026-11-23T09:00:00.500Z"),
            ("2026-11-23T09:00:00.123999999Z", "2026-11-23T09:00:00.123Z"),
            ("2026-11-23T19:00:00.010+10:00", "2026-11-23T09:00:00.010Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ];
        for (at, told) in cases {
            assert_eq!(serde_json::to_value(Time::from(at.parse::<Timestamp>().unwrap())).unwrap(), told);
        }
    }
}
