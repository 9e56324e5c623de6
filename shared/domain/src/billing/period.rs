//! What a subscription is paid by: the provider's periods, and the months in them.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::plan::{CYCLE_MAX, CycleSpan};

/// A period of a subscription as the provider counts it, and the months before and after it.
///
/// Months are counted from the billing anchor by the calendar, in UTC. Where a month is too short for the anchor's day, its last day takes
/// the place of that: <https://docs.stripe.com/billing/subscriptions/billing-cycle>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// When it begins.
    #[serde(rename = "s", with = "jiff::fmt::serde::timestamp::second::required")]
    pub start: Timestamp,
    /// When it ends.
    #[serde(rename = "e", with = "jiff::fmt::serde::timestamp::second::required")]
    pub end: Timestamp,
    /// The provider's billing anchor.
    #[serde(rename = "a", with = "jiff::fmt::serde::timestamp::second::required")]
    pub anchor: Timestamp,
    /// How many days such a period lasts where it is counted in days or weeks; `None`: in months or years.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u16>,
}

impl Period {
    /// The cycle that holds `at`: the whole period, or one of its months where it lasts longer; before and after it, a month by the anchor.
    pub fn cycle_at(&self, at: Timestamp) -> CycleSpan {
        let whole = CycleSpan { start: self.start, end: self.end };
        if self.start <= at && at < self.end && self.end.duration_since(self.start) <= CYCLE_MAX {
            return whole;
        }
        let span = match self.days {
            Some(days) => self.by_days(at, days),
            None => self.month_at(at),
        };
        // The period's own ends are the provider's word, whatever the months say.
        if at < self.start {
            CycleSpan { end: span.end.min(self.start), ..span }
        } else if at < self.end {
            CycleSpan { start: span.start.max(self.start), end: span.end.min(self.end) }
        } else {
            CycleSpan { start: span.start.max(self.end), ..span }
        }
    }

    fn by_days(&self, at: Timestamp, days: u16) -> CycleSpan {
        let length = SignedDuration::from_hours(24 * i64::from(days.max(1))).min(CYCLE_MAX);
        let over = at.duration_since(self.start).as_secs().div_euclid(length.as_secs());
        let start = self.start + length * i32::try_from(over).unwrap_or(i32::MAX);
        CycleSpan { start, end: start + length }
    }

    fn month_at(&self, at: Timestamp) -> CycleSpan {
        let [anchor, wanted] = [self.anchor, at].map(|at| at.to_zoned(TimeZone::UTC));
        let mut months = (i32::from(wanted.year()) - i32::from(anchor.year())) * 12 + i32::from(wanted.month()) - i32::from(anchor.month());
        if self.boundary(months) > at {
            months -= 1;
        }
        CycleSpan { start: self.boundary(months), end: self.boundary(months + 1) }
    }

    fn boundary(&self, months: i32) -> Timestamp {
        let moved = self.anchor.to_zoned(TimeZone::UTC).checked_add(Span::new().months(months));
        moved.map_or(self.anchor, |moved| moved.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn monthly(start: &str, end: &str) -> Period {
        Period { start: at(start), end: at(end), anchor: at(start), days: None }
    }

    #[test]
    fn a_months_last_day_takes_the_place_of_a_day_that_it_does_not_have() {
        let period = monthly("2027-01-31T10:00:00Z", "2027-02-28T10:00:00Z");
        for (when, start, end) in [
            ("2027-02-27T00:00:00Z", "2027-01-31T10:00:00Z", "2027-02-28T10:00:00Z"),
            ("2027-02-28T10:00:00Z", "2027-02-28T10:00:00Z", "2027-03-31T10:00:00Z"),
            ("2027-04-30T09:59:59Z", "2027-03-31T10:00:00Z", "2027-04-30T10:00:00Z"),
            ("2028-02-29T10:00:00Z", "2028-02-29T10:00:00Z", "2028-03-31T10:00:00Z"),
        ] {
            assert_eq!(period.cycle_at(at(when)), CycleSpan { start: at(start), end: at(end) }, "{when}");
        }
    }

    #[test]
    fn a_year_has_twelve_months_and_the_providers_word_wins_at_both_ends() {
        let year = Period { end: at("2028-01-15T00:00:00Z"), ..monthly("2027-01-15T00:00:00Z", "2027-02-15T00:00:00Z") };
        let mut cycles = vec![year.cycle_at(year.start)];
        while let Some(last) = cycles.last().filter(|last| last.end < year.end) {
            cycles.push(year.cycle_at(last.end));
        }
        assert_eq!((cycles.len(), cycles[11].end), (12, year.end));
        // Prolonged by some days: the first month after it begins where it ends.
        let longer = Period { end: at("2027-02-14T12:00:00Z"), ..monthly("2027-01-15T00:00:00Z", "2027-02-15T00:00:00Z") };
        assert_eq!(longer.cycle_at(longer.start).end, longer.end);
        assert_eq!(longer.cycle_at(longer.end), CycleSpan { start: longer.end, end: at("2027-02-15T00:00:00Z") });
    }

    #[test]
    fn weeks_are_counted_in_days() {
        let week = Period { end: at("2027-01-22T00:00:00Z"), days: Some(7), ..monthly("2027-01-15T00:00:00Z", "2027-01-22T00:00:00Z") };
        assert_eq!(week.cycle_at(at("2027-02-04T00:00:00Z")).start, at("2027-01-29T00:00:00Z"));
    }

    proptest! {
        #[test]
        fn cycles_tile_time_without_gap_or_overlap(anchor in 0_i64..4_000_000_000, after in -200_000_000_i64..200_000_000, months in 1_i32..13) {
            let anchor = Timestamp::from_second(anchor).unwrap();
            let of = Period { start: anchor, end: anchor, anchor, days: None };
            let period = Period { end: of.boundary(months), ..of };
            let when = anchor + SignedDuration::from_secs(after);
            let span = period.cycle_at(when);
            prop_assert!(span.start <= when && when < span.end && span.end.duration_since(span.start) <= CYCLE_MAX);
            prop_assert_eq!(period.cycle_at(span.end).start, span.end);
            prop_assert_eq!(period.cycle_at(span.start), span);
        }
    }
}
