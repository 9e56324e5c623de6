//! When a post is due, as its owner says it.
//!
//! Either an instant with an offset (RFC 3339), or a local time and the zone that it is meant in. A local time that the zone
//! skips (clocks go forward) moves forward by as much; one that it repeats (clocks go back) takes the earlier. The answer
//! says so. A time with neither offset nor zone has many meanings and is refused.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::field_code::FieldCode;

/// How far back a due time may lie and still mean "now": the time that a form stays open.
pub const PAST_GRACE: SignedDuration = SignedDuration::from_secs(60);
/// How far ahead a post can be planned.
pub const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(365 * 24);
/// How late a post may be allowed to go out.
pub const LATEST_MAX: SignedDuration = SignedDuration::from_hours(24);
/// The longest input that is looked at.
const INPUT_BYTES_MAX: usize = 64;

/// What the database has for a machine whose zone was never set (the file `factory` of tzdata); no place keeps its time.
const UNSET_ZONE: &str = "Factory";

const SCHEDULED_FOR: &str = "/scheduled_for";
const SCHEDULED_LOCAL: &str = "/scheduled_local";
const TIME_ZONE: &str = "/time_zone";
const LATEST_AT: &str = "/latest_at";

/// A due time that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueTime {
    /// The instant, in whole milliseconds and never before the time of asking.
    pub at: Timestamp,
    /// The local time that was asked for, where `at` is what it means in the zone.
    pub local_time: Option<DateTime>,
    /// The IANA name of the zone that came with it, for showing it again.
    pub time_zone: Option<String>,
    /// Whether the zone has no such local time, or has it twice.
    pub adjusted: Option<Adjusted>,
}

/// What became of a local time that its zone does not have exactly once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Adjusted {
    /// Skipped by the zone: moved forward.
    Gap,
    /// Repeated by the zone: the earlier one was taken.
    Fold,
}

/// A time that was refused, and the field at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct TimeError {
    /// What is wrong.
    pub fault: TimeFault,
    pointer: &'static str,
}

/// What is wrong with a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeFault {
    /// More than a minute ago.
    #[error("the time has passed")]
    DueInPast,
    /// More than a year ahead.
    #[error("the time is more than 365 days ahead")]
    DueTooFar,
    /// No such zone in the IANA database.
    #[error("the time zone is not known")]
    TimeZoneUnknown,
    /// Neither offset nor zone.
    #[error("the time has no zone")]
    TimeWithoutZone,
    /// No time was given.
    #[error("a time is needed")]
    TimeMissing,
    /// An instant and a local time were given.
    #[error("an instant and a local time were given")]
    TimeAmbiguous,
    /// Not a time.
    #[error("the time cannot be read")]
    TimeMalformed,
    /// A second that clocks count once in years, and that neither a schedule nor a platform knows.
    #[error("the time is a leap second")]
    LeapSecond,
    /// The last moment is not after the due time.
    #[error("the last moment is not after the due time")]
    LatestNotAfterDue,
    /// The last moment is over.
    #[error("the last moment has passed")]
    LatestInPast,
    /// The last moment is more than a day after the due time.
    #[error("the last moment is more than 24 hours after the due time")]
    LatestTooFar,
}

impl TimeError {
    /// The stable name in problems.
    pub fn code(self) -> FieldCode {
        match self.fault {
            TimeFault::DueInPast => FieldCode::DueInPast,
            TimeFault::DueTooFar => FieldCode::DueTooFar,
            TimeFault::TimeZoneUnknown => FieldCode::TimeZoneUnknown,
            TimeFault::TimeWithoutZone => FieldCode::TimeWithoutZone,
            TimeFault::TimeMissing => FieldCode::TimeMissing,
            TimeFault::TimeAmbiguous => FieldCode::TimeAmbiguous,
            TimeFault::TimeMalformed | TimeFault::LeapSecond => FieldCode::TimeMalformed,
            TimeFault::LatestNotAfterDue => FieldCode::LatestNotAfterDue,
            TimeFault::LatestInPast => FieldCode::LatestInPast,
            TimeFault::LatestTooFar => FieldCode::LatestTooFar,
        }
    }

    /// What is wrong and what to give in this very field, in plain sentences.
    pub fn detail(self) -> &'static str {
        match (self.fault, self.pointer) {
            (TimeFault::DueInPast, _) => "This time has passed. Give one to come.",
            (TimeFault::DueTooFar, _) => "This time is more than 365 days ahead. Give an earlier one.",
            (TimeFault::TimeZoneUnknown, _) => "This time zone is not known. Give an IANA name such as Australia/Brisbane.",
            (TimeFault::TimeWithoutZone, TIME_ZONE) => "A local time needs its zone. Give an IANA name such as Australia/Brisbane.",
            (TimeFault::TimeWithoutZone, _) => "This time has no offset. Give it with one, such as 2026-11-24T09:00:00+10:00.",
            (TimeFault::TimeMissing, _) => "A time is needed. Give this one, or a local time with its time zone.",
            (TimeFault::TimeAmbiguous, _) => "An instant was given too. Leave out one of the two.",
            (TimeFault::TimeMalformed, SCHEDULED_LOCAL) => {
                "This is no local time. Give one without an offset, such as 2026-11-24T09:00:00."
            }
            (TimeFault::TimeMalformed, _) => "This is no time. Give one with its offset, such as 2026-11-24T09:00:00+10:00.",
            (TimeFault::LeapSecond, _) => "Leap seconds are not taken. Give a second from 00 to 59.",
            (TimeFault::LatestNotAfterDue, _) => "The last moment is not after the time of the post. Give a later one.",
            (TimeFault::LatestInPast, _) => "The last moment has passed. Give one to come.",
            (TimeFault::LatestTooFar, _) => "The last moment is more than 24 hours after the time of the post. Give an earlier one.",
        }
    }

    /// The field at fault, as a JSON pointer into the request.
    pub fn pointer(self) -> &'static str {
        self.pointer
    }
}

impl DueTime {
    /// Reads the three fields of a request. `time_zone` may come with an instant too; then it only says how to show it.
    pub fn parse(
        scheduled_for: Option<&str>,
        scheduled_local: Option<&str>,
        time_zone: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, TimeError> {
        let zone = time_zone.map(zone_named).transpose()?;
        let (asked, local, pointer) = match (scheduled_for, scheduled_local, &zone) {
            (Some(_), Some(_), _) => return Err(at_fault(TimeFault::TimeAmbiguous, SCHEDULED_LOCAL)),
            (None, None, _) => return Err(at_fault(TimeFault::TimeMissing, SCHEDULED_FOR)),
            (None, Some(_), None) => return Err(at_fault(TimeFault::TimeWithoutZone, TIME_ZONE)),
            (Some(text), None, _) => (instant(text, SCHEDULED_FOR)?, None, SCHEDULED_FOR),
            (None, Some(text), Some((_, zone))) => {
                let local_time = local_time(text)?;
                let (at, adjusted) = meaning(local_time, zone).ok_or(at_fault(TimeFault::TimeMalformed, SCHEDULED_LOCAL))?;
                (at, Some((local_time, adjusted)), SCHEDULED_LOCAL)
            }
        };
        let at = within_reach(asked, now).map_err(|fault| at_fault(fault, pointer))?;
        let adjusted = local.and_then(|(_, adjusted)| adjusted);
        // A local time of a moment ago became now, which is not what it means.
        let local_time = local.filter(|_| at == asked).map(|(local_time, _)| local_time);
        Ok(Self { at, local_time, time_zone: zone.map(|(name, _)| name), adjusted })
    }

    /// A due time that stays, however long ago it was, and the zone in which it is shown from now on.
    pub fn standing(at: Timestamp, time_zone: Option<&str>) -> Result<Self, TimeError> {
        let zone = time_zone.map(zone_named).transpose()?;
        Ok(Self { at, local_time: None, time_zone: zone.map(|(name, _)| name), adjusted: None })
    }
}

/// The instant that a local time means by the rules that its zone has in this release, read as [`DueTime::parse`] reads it;
/// `None`: there is no such zone any more.
pub fn instant_by_rules(local_time: DateTime, time_zone: &str) -> Option<Timestamp> {
    let (_, zone) = zone_named(time_zone).ok()?;
    meaning(local_time, &zone).map(|(at, _)| at)
}

/// Until when a post that is due at `due` may go out: an instant to come, after it and at most a day later; `default` later if none is given.
pub fn parse_latest(latest_at: Option<&str>, due: Timestamp, default: SignedDuration, now: Timestamp) -> Result<Timestamp, TimeError> {
    let latest = match latest_at {
        None => return Ok(due + default),
        Some(text) => whole_milliseconds(instant(text, LATEST_AT)?),
    };
    match latest {
        latest if latest <= due => Err(at_fault(TimeFault::LatestNotAfterDue, LATEST_AT)),
        latest if latest <= now => Err(at_fault(TimeFault::LatestInPast, LATEST_AT)),
        latest if latest.duration_since(due) > LATEST_MAX => Err(at_fault(TimeFault::LatestTooFar, LATEST_AT)),
        latest => Ok(latest),
    }
}

fn at_fault(fault: TimeFault, pointer: &'static str) -> TimeError {
    TimeError { fault, pointer }
}

fn within_reach(at: Timestamp, now: Timestamp) -> Result<Timestamp, TimeFault> {
    let ahead = whole_milliseconds(at).duration_since(now);
    if ahead < -PAST_GRACE {
        Err(TimeFault::DueInPast)
    } else if ahead > AHEAD_MAX {
        Err(TimeFault::DueTooFar)
    } else {
        Ok(whole_milliseconds(at).max(now))
    }
}

/// What is stored and what is shown are then the same.
fn whole_milliseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// The zone and its name as the database spells it.
fn zone_named(name: &str) -> Result<(String, TimeZone), TimeError> {
    let unknown = at_fault(TimeFault::TimeZoneUnknown, TIME_ZONE);
    if name.len() > INPUT_BYTES_MAX {
        return Err(unknown);
    }
    let zone = TimeZone::get(name).ok().filter(|zone| !zone.is_unknown()).ok_or(unknown)?;
    let name = zone.iana_name().filter(|name| *name != UNSET_ZONE).ok_or(unknown)?.to_owned();
    Ok((name, zone))
}

/// Reads an instant with its offset, in the one spelling that the contract has (RFC 3339 §5.6); `pointer` is where it stands.
pub fn instant(text: &str, pointer: &'static str) -> Result<Timestamp, TimeError> {
    let malformed = at_fault(TimeFault::TimeMalformed, pointer);
    match offset_of(text).ok_or(malformed)? {
        "" => Err(at_fault(TimeFault::TimeWithoutZone, pointer)),
        offset if is_offset(offset) => {
            check_second(text, pointer)?;
            text.parse().map_err(|_| malformed)
        }
        _ => Err(malformed),
    }
}

fn local_time(text: &str) -> Result<DateTime, TimeError> {
    let malformed = at_fault(TimeFault::TimeMalformed, SCHEDULED_LOCAL);
    match offset_of(text) {
        Some("") => {
            check_second(text, SCHEDULED_LOCAL)?;
            text.parse().map_err(|_| malformed)
        }
        _ => Err(malformed),
    }
}

/// Refuses a leap second, which the parser behind this would take for the second before it. To be called after [`offset_of`].
fn check_second(text: &str, pointer: &'static str) -> Result<(), TimeError> {
    const BEFORE: usize = "0000-00-00T00:00".len();
    if text[BEFORE..].starts_with(":60") { Err(at_fault(TimeFault::LeapSecond, pointer)) } else { Ok(()) }
}

/// The instant of a local time, in whole milliseconds, and what became of one that the zone does not have exactly once; `None`: it
/// lies beyond all instants.
fn meaning(local_time: DateTime, zone: &TimeZone) -> Option<(Timestamp, Option<Adjusted>)> {
    let candidates = zone.to_ambiguous_timestamp(local_time);
    let adjusted = match candidates.offset() {
        AmbiguousOffset::Unambiguous { .. } => None,
        AmbiguousOffset::Gap { .. } => Some(Adjusted::Gap),
        AmbiguousOffset::Fold { .. } => Some(Adjusted::Fold),
    };
    Some((whole_milliseconds(candidates.compatible().ok()?), adjusted))
}

/// What follows `YYYY-MM-DDTHH:MM[:SS[.f]]`, or `None` if that is not how `text` begins.
///
/// The parser behind this takes many more spellings (ISO 8601 basic and week dates, zone annotations, and a local time with
/// an offset that it then ignores); this contract has one.
fn offset_of(text: &str) -> Option<&str> {
    const SHAPE: &[u8] = b"0000-00-00T00:00";
    let fits = |(byte, shape): (u8, &u8)| if *shape == b'0' { byte.is_ascii_digit() } else { byte == *shape };
    if text.len() > INPUT_BYTES_MAX || text.len() < SHAPE.len() || !text.bytes().zip(SHAPE).all(fits) {
        return None;
    }
    let rest = &text[SHAPE.len()..];
    let Some(seconds) = rest.strip_prefix(':') else { return Some(rest) };
    let rest = strip_digits(seconds, 2..=2)?;
    rest.strip_prefix('.').map_or(Some(rest), |fraction| strip_digits(fraction, 1..=9))
}

fn strip_digits(text: &str, count: std::ops::RangeInclusive<usize>) -> Option<&str> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    count.contains(&digits).then(|| &text[digits..])
}

/// `Z` or `±HH:MM` (RFC 3339 §5.6).
fn is_offset(text: &str) -> bool {
    match text.as_bytes() {
        [b'Z'] => true,
        // RFC 3339 §5.6: hours to 23, minutes to 59.
        [b'+' | b'-', hours @ .., b':', m1, m2] if hours.len() == 2 => {
            hours.iter().chain([m1, m2]).all(u8::is_ascii_digit) && hours <= b"23" && *m1 <= b'5'
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
