use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-23T09:00:00Z")
}

fn named(error: TimeError) -> &'static str {
    error.code().as_str()
}

fn instant_of(text: &str) -> Result<Timestamp, &'static str> {
    DueTime::parse(Some(text), None, None, now()).map(|due| due.at).map_err(named)
}

fn local(text: &str, zone: &str) -> Result<(Timestamp, Option<Adjusted>), &'static str> {
    DueTime::parse(None, Some(text), Some(zone), now()).map(|due| (due.at, due.adjusted)).map_err(named)
}

#[test]
fn an_instant_with_an_offset_is_taken() {
    for (text, expected) in [
        ("2026-11-24T09:00:00+10:00", "2026-11-23T23:00:00Z"),
        ("2026-11-24T09:00:00Z", "2026-11-24T09:00:00Z"),
        ("2026-11-24T09:00:00.1239Z", "2026-11-24T09:00:00.123Z"),
        ("2026-11-24T09:00:00-03:30", "2026-11-24T12:30:00Z"),
        ("2026-11-24T09:00Z", "2026-11-24T09:00:00Z"),
    ] {
        assert_eq!(instant_of(text), Ok(at(expected)), "{text}");
    }
}

#[test]
fn what_is_no_instant_is_refused() {
    for (text, code) in [
        ("2026-11-24T09:00:00", "time_without_zone"),
        ("2026-11-24T09:00", "time_without_zone"),
        ("2026-11-24T09:00:00[Australia/Brisbane]", "time_malformed"),
        ("2026-11-24T09:00:00+10:00[Australia/Brisbane]", "time_malformed"),
        ("2026-11-24T09:00:00+10", "time_malformed"),
        ("2026-11-24T09:00:00+1000", "time_malformed"),
        ("2026-11-24T09:00:00 Z", "time_malformed"),
        ("2026-11-24 09:00:00Z", "time_malformed"),
        ("20261124T090000Z", "time_malformed"),
        ("2026-02-30T09:00:00Z", "time_malformed"),
        ("2026-11-24T25:00:00Z", "time_malformed"),
        ("2026-11-24T09:00:00+99:00", "time_malformed"),
        ("2026-11-24T09:00:00.Z", "time_malformed"),
        ("2026-12-31T23:59:60Z", "time_malformed"),
        ("2026-12-31T23:59:60.5+00:00", "time_malformed"),
        ("2026-12-31T23:59:61Z", "time_malformed"),
        ("2026-11-24", "time_malformed"),
        ("1795510800", "time_malformed"),
        ("tomorrow", "time_malformed"),
        ("", "time_malformed"),
        ("２026-11-24T09:00:00Z", "time_malformed"),
        ("+002026-11-24T09:00:00Z", "time_malformed"),
    ] {
        assert_eq!(instant_of(text), Err(code), "{text}");
    }
}

#[test]
fn a_local_time_is_read_in_its_zone() {
    for (text, zone, expected, adjusted) in [
        ("2026-11-24T09:00:00", "Australia/Brisbane", "2026-11-23T23:00:00Z", None),
        ("2026-11-24T09:00", "UTC", "2026-11-24T09:00:00Z", None),
        // New York skips 02:00–03:00: half past two becomes half past three, EDT.
        ("2027-03-14T02:30:00", "America/New_York", "2027-03-14T07:30:00Z", Some(Adjusted::Gap)),
        ("2027-03-14T03:30:00", "America/New_York", "2027-03-14T07:30:00Z", None),
        // New York repeats 01:00–02:00: the earlier one is EDT.
        ("2027-11-07T01:30:00", "America/New_York", "2027-11-07T05:30:00Z", Some(Adjusted::Fold)),
        ("2027-11-07T02:00:00", "America/New_York", "2027-11-07T07:00:00Z", None),
        // Lord Howe moves by half an hour.
        ("2027-10-03T02:15:00", "Australia/Lord_Howe", "2027-10-02T15:45:00Z", Some(Adjusted::Gap)),
    ] {
        let due = DueTime::parse(None, Some(text), Some(zone), at("2026-11-23T09:00:00Z").max(at(expected) - AHEAD_MAX)).unwrap();
        assert_eq!((due.at, due.adjusted), (at(expected), adjusted), "{text} {zone}");
        assert_eq!(due.time_zone.as_deref(), Some(zone));
        assert_eq!(due.local_time, Some(text.parse().unwrap()), "what was asked stays, whatever became of it");
    }
}

#[test]
fn what_is_no_local_time_is_refused() {
    for (text, zone, code) in [
        ("2026-11-24T09:00:00Z", "Australia/Brisbane", "time_malformed"),
        ("2026-11-24T09:00:00+10:00", "Australia/Brisbane", "time_malformed"),
        ("2026-11-31T09:00:00", "Australia/Brisbane", "time_malformed"),
        ("2026-11-24", "Australia/Brisbane", "time_malformed"),
        ("2026-11-24T09:00:00", "Australia/Atlantis", "time_zone_unknown"),
        ("2026-11-24T09:00:00", "Etc/Unknown", "time_zone_unknown"),
        ("2026-11-24T09:00:00", "Factory", "time_zone_unknown"),
        ("2026-11-24T09:00:00", "factory", "time_zone_unknown"),
        ("2026-11-24T23:59:60", "Australia/Brisbane", "time_malformed"),
        ("2026-11-24T09:00:00", "AEST-10", "time_zone_unknown"),
        ("2026-11-24T09:00:00", "+10:00", "time_zone_unknown"),
        ("2026-11-24T09:00:00", "../../etc/passwd", "time_zone_unknown"),
        ("2026-11-24T09:00:00", "", "time_zone_unknown"),
    ] {
        assert_eq!(local(text, zone), Err(code), "{text} {zone}");
    }
}

#[test]
fn each_refusal_names_its_field() {
    let (instant, naive, zone) = ("2026-11-24T09:00:00Z", "2026-11-24T09:00:00", "Australia/Brisbane");
    for (given, code, pointer) in [
        ((None, None, None), "time_missing", "/scheduled_for"),
        ((None, None, Some(zone)), "time_missing", "/scheduled_for"),
        ((Some(instant), Some(naive), Some(zone)), "time_ambiguous", "/scheduled_local"),
        ((Some(instant), Some(naive), None), "time_ambiguous", "/scheduled_local"),
        ((None, Some(naive), None), "time_without_zone", "/time_zone"),
        ((Some(naive), None, None), "time_without_zone", "/scheduled_for"),
        ((Some(naive), None, Some(zone)), "time_without_zone", "/scheduled_for"),
        ((Some(instant), None, Some("Nowhere")), "time_zone_unknown", "/time_zone"),
        ((None, Some("2020-01-01T00:00:00"), Some(zone)), "due_in_past", "/scheduled_local"),
    ] {
        let error = DueTime::parse(given.0, given.1, given.2, now()).unwrap_err();
        assert_eq!((named(error), error.pointer()), (code, pointer), "{given:?}");
    }
}

#[test]
fn each_advice_is_about_what_its_field_takes() {
    let (instant, naive, zone) = ("2026-11-24T09:00:00Z", "2026-11-24T09:00:00", "Australia/Brisbane");
    for (given, told) in [
        ((Some("9 am"), None, None), "such as 2026-11-24T09:00:00+10:00."),
        ((Some(naive), None, None), "such as 2026-11-24T09:00:00+10:00."),
        ((None, Some("9 am"), Some(zone)), "without an offset, such as 2026-11-24T09:00:00."),
        ((None, Some(instant), Some(zone)), "without an offset, such as 2026-11-24T09:00:00."),
        ((None, Some(naive), None), "an IANA name such as Australia/Brisbane."),
        ((Some("2026-12-31T23:59:60Z"), None, None), "a second from 00 to 59."),
        ((None, Some("2026-12-31T23:59:60"), Some(zone)), "a second from 00 to 59."),
        ((Some(instant), None, Some("Factory")), "an IANA name such as Australia/Brisbane."),
    ] {
        let error = DueTime::parse(given.0, given.1, given.2, now()).unwrap_err();
        assert!(error.detail().ends_with(told), "{given:?}: {}", error.detail());
    }
    let error = parse_latest(Some("2026-11-24T23:59:60Z"), now(), SignedDuration::from_mins(60), now()).unwrap_err();
    assert_eq!((named(error), error.pointer()), ("time_malformed", "/latest_at"));
}

#[test]
fn a_zone_beside_an_instant_is_kept_for_showing() {
    let due = DueTime::parse(Some("2026-11-24T09:00:00Z"), None, Some("australia/brisbane"), now()).unwrap();
    assert_eq!((due.time_zone.as_deref(), due.local_time), (Some("Australia/Brisbane"), None));
}

#[test]
fn a_local_time_of_a_moment_ago_is_none_of_the_instant_that_it_became() {
    let asked = |text| DueTime::parse(None, Some(text), Some("UTC"), now()).map(|due| (due.at, due.local_time)).unwrap();
    assert_eq!(asked("2026-11-23T08:59:30"), (now(), None));
    assert_eq!(asked("2026-11-23T09:00:00"), (now(), Some("2026-11-23T09:00:00".parse().unwrap())));
}

#[test]
fn a_local_time_means_another_instant_when_its_zone_gets_other_rules() {
    let (before, after) = (TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap(), TimeZone::posix("EST5").unwrap());
    for (local_time, by_old_rules, by_new_rules) in [
        ("2027-01-15T09:00:00", ("2027-01-15T14:00:00Z", None), "2027-01-15T14:00:00Z"),
        ("2027-06-01T09:00:00", ("2027-06-01T13:00:00Z", None), "2027-06-01T14:00:00Z"),
        ("2027-03-14T02:30:00", ("2027-03-14T07:30:00Z", Some(Adjusted::Gap)), "2027-03-14T07:30:00Z"),
        ("2027-11-07T01:30:00", ("2027-11-07T05:30:00Z", Some(Adjusted::Fold)), "2027-11-07T06:30:00Z"),
    ] {
        let local: DateTime = local_time.parse().unwrap();
        assert_eq!(meaning(local, &before), Some((at(by_old_rules.0), by_old_rules.1)), "{local_time}");
        assert_eq!(meaning(local, &after), Some((at(by_new_rules), None)), "{local_time}");
    }
    assert_eq!(instant_by_rules("2027-06-01T09:00:00".parse().unwrap(), "America/Atlantis"), None);
}

#[test]
fn a_minute_ago_is_now_and_a_year_ahead_is_the_limit() {
    for (text, expected) in [
        ("2026-11-23T08:58:59.999Z", Err("due_in_past")),
        ("2026-11-23T08:59:00Z", Ok(now())),
        ("2026-11-23T08:59:59Z", Ok(now())),
        ("2026-11-23T09:00:00Z", Ok(now())),
        ("2027-11-23T09:00:00Z", Ok(at("2027-11-23T09:00:00Z"))),
        ("2027-11-23T09:00:00.001Z", Err("due_too_far")),
        ("9999-12-30T00:00:00Z", Err("due_too_far")),
        ("0001-01-01T00:00:00Z", Err("due_in_past")),
    ] {
        assert_eq!(instant_of(text), expected, "{text}");
    }
}

#[test]
fn the_last_moment_is_after_the_due_time_and_within_a_day() {
    let (due, default) = (at("2026-11-24T09:00:00Z"), SignedDuration::from_mins(60));
    for (text, expected) in [
        (None, Ok("2026-11-24T10:00:00Z")),
        (Some("2026-11-24T19:00:01+10:00"), Ok("2026-11-24T09:00:01Z")),
        (Some("2026-11-25T09:00:00Z"), Ok("2026-11-25T09:00:00Z")),
        (Some("2026-11-24T09:00:00Z"), Err("latest_not_after_due")),
        (Some("2026-11-24T09:00:00.0001Z"), Err("latest_not_after_due")),
        (Some("2026-11-24T08:00:00Z"), Err("latest_not_after_due")),
        (Some("2026-11-25T09:00:00.001Z"), Err("latest_too_far")),
        (Some("2026-11-24T10:00:00"), Err("time_without_zone")),
        (Some("later"), Err("time_malformed")),
    ] {
        let latest = parse_latest(text, due, default, due - SignedDuration::from_secs(1));
        assert!(latest.is_ok() || latest.is_err_and(|error| error.pointer() == "/latest_at"));
        assert_eq!(latest.map_err(named), expected.map(at), "{text:?}");
    }
    // Asked for when the post is due already.
    let (now, due) = (now(), now() - SignedDuration::from_mins(40));
    let late = |text: &str| parse_latest(Some(text), due, SignedDuration::from_mins(60), now).map_err(named);
    assert_eq!(late(&now.to_string()), Err("latest_in_past"));
    assert!(late(&(now + SignedDuration::from_secs(1)).to_string()).is_ok());
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in "\\PC{0,70}", digits in "[0-9T:Z+.-]{0,40}", zone in "\\PC{0,70}") {
        let _ = DueTime::parse(Some(&text), None, None, now());
        let _ = DueTime::parse(Some(&digits), None, None, now());
        let _ = DueTime::parse(None, Some(&digits), Some("America/New_York"), now());
        let _ = DueTime::parse(None, Some("2026-11-24T09:00:00"), Some(&zone), now());
        let _ = parse_latest(Some(&text), now(), SignedDuration::from_mins(60), now());
    }

    #[test]
    fn a_local_time_means_the_same_again_by_the_same_rules(
        minutes in 0_i64..365 * 24 * 60,
        micros in 0_i64..60_000_000,
        zone in prop::sample::select(&["America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu"]),
    ) {
        let local = DateTime::constant(2026, 11, 24, 14, 0, 0, 0) + SignedDuration::from_mins(minutes) + SignedDuration::from_micros(micros);
        if let Ok(due) = DueTime::parse(None, Some(&local.to_string()), Some(zone), now()) {
            prop_assert_eq!(due.local_time, Some(local));
            prop_assert_eq!(instant_by_rules(local, zone), Some(due.at));
        }
    }

    #[test]
    fn what_is_accepted_lies_between_now_and_a_year_ahead(second in 0_i64..4_000_000_000, offset in -14_i8..=14) {
        let given = Timestamp::from_second(second).unwrap().display_with_offset(jiff::tz::Offset::constant(offset)).to_string();
        if let Ok(due) = DueTime::parse(Some(&given), None, None, now()) {
            prop_assert!(due.at >= now() && due.at <= now() + AHEAD_MAX);
            prop_assert_eq!(due.at, Timestamp::from_second(second).unwrap().max(now()));
        }
    }
}
