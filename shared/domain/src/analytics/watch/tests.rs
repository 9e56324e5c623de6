use super::*;
use crate::analytics::Sums;

const HOUR: i64 = 3_600;

/// `hours` after the post was published, at nine in the morning.
fn at(hours: i64) -> Timestamp {
    "2026-11-23T09:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(hours * HOUR)
}

fn watch() -> Watch {
    Watch {
        post_id: PostId::new(at(0), [1; 10]),
        user_id: UserId::new(at(0), [2; 10]),
        connection_id: ConnectionId::new(at(0), [3; 10]),
        platform: PlatformName::X,
        platform_post_id: "42".into(),
        published_at: at(0),
        cycle_start: Some(at(-24)),
        numbers: Numbers::default(),
        observed_at: None,
        asked_at: None,
        watching: Watching::Following,
        next_sync_at: Some(at(1)),
        rev: 1,
    }
}

fn likes(likes: u64) -> Numbers {
    Numbers { likes: Some(likes), ..Numbers::default() }
}

/// What is there once the platform may be asked.
fn begun(watch: Watch, rhythm: Rhythm, now: Timestamp) -> Watch {
    match watch.task(rhythm, now) {
        Task::Read(watch) | Task::Note(watch) => *watch,
        other => panic!("it is due: {other:?}"),
    }
}

/// The hours of age at which a post is read by somebody who comes as soon as it is due.
fn readings(rhythm: Rhythm, pace: Pace) -> Vec<i64> {
    let (mut watch, mut hours) = (watch(), Vec::new());
    while let Some(due) = watch.next_sync_at {
        hours.push(due.duration_since(at(0)).as_secs() / HOUR);
        watch = begun(watch, rhythm, due).observed(likes(1), rhythm, pace, due);
    }
    assert_eq!(watch.watching, Watching::Ended);
    hours
}

#[test]
fn a_post_is_read_on_the_ladder_and_then_no_more() {
    assert_eq!(readings(Rhythm::Ladder, Pace::FULL), [1, 6, 24, 72, 168, 336, 720]);
}

#[test]
fn where_a_reading_costs_it_is_once_in_a_day_of_utc() {
    assert_eq!(readings(Rhythm::OnceADay, Pace::FULL), [1, 24, 72, 168, 336, 720], "six hours after nine is the same day");
}

#[test]
fn an_operator_may_have_fewer_rungs_read() {
    assert_eq!(readings(Rhythm::Ladder, Pace::OneOf(2)), [1, 24, 168, 720]);
    assert_eq!(readings(Rhythm::OnceADay, Pace::OneOf(3)), [1, 72, 720]);
    assert_eq!(readings(Rhythm::Ladder, Pace::OneOf(6)), [1, 720]);
}

#[test]
fn a_post_that_is_not_read_walks_the_ladder_and_goes_on_once_it_is() {
    let passed = watch().passed_over(at(1));
    assert_eq!((passed.next_sync_at, passed.asked_at, passed.rev), (Some(at(6)), None, 2), "nobody was asked");
    let told = passed.clone().told_at(Pace::Off);
    assert_eq!((told.watching, told.next_sync_at), (Watching::Off, None), "no time at which nobody will read");
    assert_eq!(passed.clone().told_at(Pace::OneOf(6)), passed);
    assert_eq!(begun(passed, Rhythm::Ladder, at(6)).observed(likes(1), Rhythm::Ladder, Pace::FULL, at(6)).next_sync_at, Some(at(24)));
    let old = watch().passed_over(at(720));
    assert_eq!((old.watching, old.next_sync_at), (Watching::Ended, None));
    assert_eq!(old.told_at(Pace::Off).watching, Watching::Ended, "what is over stays over");
}

#[test]
fn a_reading_that_is_late_skips_the_rungs_that_have_passed() {
    assert_eq!(begun(watch(), Rhythm::Ladder, at(100)).observed(likes(1), Rhythm::Ladder, Pace::FULL, at(100)).next_sync_at, Some(at(168)));
    let last = begun(watch(), Rhythm::Ladder, at(800)).observed(likes(1), Rhythm::Ladder, Pace::FULL, at(800));
    assert_eq!((last.next_sync_at, last.watching, last.numbers.likes), (None, Watching::Ended, Some(1)));
}

#[test]
fn a_reading_that_costs_is_noted_first_and_not_made_again_on_a_day_that_it_may_have_cost() {
    let Task::Note(noted) = watch().task(Rhythm::OnceADay, at(1)) else { panic!("it is due") };
    assert_eq!((noted.asked_at, noted.rev, noted.next_sync_at), (Some(at(1)), 2, watch().next_sync_at), "the index stays as it is");
    assert_eq!(noted.clone().task(Rhythm::OnceADay, at(1)), Task::Nothing, "somebody is at it");
    let Task::Later(later) = noted.clone().task(Rhythm::OnceADay, at(2)) else { panic!("it is not asked again today") };
    assert_eq!(later.next_sync_at, Some(at(25)));
    assert!(matches!(noted.task(Rhythm::OnceADay, at(25)), Task::Note(_)), "and may be tomorrow");
}

#[test]
fn a_reading_that_costs_nothing_is_not_noted() {
    assert_eq!(watch().task(Rhythm::Ladder, at(1)), Task::Read(Box::new(watch())));
}

#[test]
fn late_and_falling_numbers_do_no_harm() {
    let first = watch().observed(likes(10), Rhythm::Ladder, Pace::FULL, at(6));
    assert_eq!(
        first.clone().observed(likes(3), Rhythm::Ladder, Pace::FULL, at(5)).numbers,
        likes(10),
        "an older observation changes nothing"
    );
    assert_eq!(first.clone().observed(likes(99), Rhythm::Ladder, Pace::FULL, at(6)).numbers, likes(10), "nor does the same one again");
    let fell = first.clone().observed(likes(7), Rhythm::Ladder, Pace::FULL, at(24));
    assert_eq!(fell.numbers, likes(7), "what the platform takes back is taken back");
    let untold = first.observed(Numbers::default(), Rhythm::Ladder, Pace::FULL, at(24));
    assert_eq!((untold.numbers, untold.observed_at), (likes(10), Some(at(24))));
}

#[test]
fn each_trouble_has_its_wait_or_its_end() {
    let put_off = |trouble, rhythm| watch().put_off(trouble, rhythm, at(8));
    for (trouble, rhythm, watching, next) in [
        (Trouble::Limited(at(20)), Rhythm::Ladder, Watching::Following, Some(at(20))),
        (Trouble::Limited(at(0)), Rhythm::Ladder, Watching::Following, Some(at(8) + READING_MAX)),
        (Trouble::Unanswered, Rhythm::Ladder, Watching::Following, Some(at(10))),
        (Trouble::Unanswered, Rhythm::OnceADay, Watching::Following, Some(at(32))),
        (Trouble::NeedsReauth, Rhythm::Ladder, Watching::NeedsReauth, Some(at(32))),
        (Trouble::Disconnected, Rhythm::Ladder, Watching::Disconnected, None),
        (Trouble::Deleted, Rhythm::Ladder, Watching::Deleted, None),
    ] {
        let watch = put_off(trouble, rhythm);
        assert_eq!((watch.watching, watch.next_sync_at, watch.rev), (watching, next, 2), "{trouble:?} {rhythm:?}");
    }
    let old = Watch { next_sync_at: Some(at(880)), ..watch() }.put_off(Trouble::NeedsReauth, Rhythm::Ladder, at(880));
    assert_eq!((old.watching, old.next_sync_at), (Watching::Ended, None), "nobody is waited for without end");
}

#[test]
fn a_limit_does_not_use_up_the_day() {
    let limited = begun(watch(), Rhythm::OnceADay, at(1)).put_off(Trouble::Limited(at(2)), Rhythm::OnceADay, at(1));
    assert!(matches!(limited.task(Rhythm::OnceADay, at(2)), Task::Note(_)));
}

#[test]
fn a_cycle_comes_to_what_its_own_posts_told_last_each_once() {
    let cycle = watch().cycle_start.unwrap();
    let told = |numbers, hour| watch().observed(numbers, Rhythm::Ladder, Pace::FULL, at(hour));
    assert_eq!(Sums::of(&[], cycle), Sums::default(), "not told is not zero");
    let grown = told(likes(5), 1).observed(likes(8), Rhythm::Ladder, Pace::FULL, at(6));
    let first = Sums::of(std::slice::from_ref(&grown), cycle);
    assert_eq!((first.engagement, first.reach, first.captured_at, first.next_sync_at), (Some(8), None, Some(at(6)), Some(at(24))));
    let other = told(Numbers { reach: Some(3), ..likes(1) }, 2);
    let elsewhere = Watch { cycle_start: Some(at(0)), ..told(likes(70), 3) };
    let both = Sums::of(&[grown.clone(), other, elsewhere], cycle);
    assert_eq!((both.engagement, both.reach, both.captured_at, both.next_sync_at), (Some(9), Some(3), Some(at(6)), Some(at(6))));
    let fell = grown.observed(likes(2), Rhythm::Ladder, Pace::FULL, at(24));
    assert_eq!(Sums::of(&[fell], cycle).engagement, Some(2), "and falls with them");
}
