use proptest::prelude::*;

use super::*;
use crate::people::hash::test_key;
use crate::people::phone::PhoneNumber;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn phone() -> PhoneHash {
    PhoneNumber::parse("+61412345678").unwrap().keyed_hash(&test_key())
}

fn code(digits: &str) -> VerificationCode {
    VerificationCode::parse(digits).unwrap()
}

fn challenge() -> Challenge {
    Challenge::open(phone(), &code("123456"), &test_key(), None, at(0)).unwrap()
}

#[test]
fn the_right_code_matches_and_no_other_does() {
    let counted = challenge().count_try(at(1)).unwrap();
    assert!(counted.matches(&code("123456"), &test_key()));
    assert!(!counted.matches(&code("123457"), &test_key()));
    assert!(!counted.matches(&code("123456"), &HashKey::new(vec![1; 32]).unwrap()));
}

#[test]
fn a_code_is_bound_to_its_phone() {
    let other = PhoneNumber::parse("+61412345679").unwrap().keyed_hash(&test_key());
    let theirs = Challenge::open(other, &code("123456"), &test_key(), None, at(0)).unwrap();
    assert_ne!(theirs.code_hash, challenge().code_hash);
}

#[test]
fn five_tries_and_no_sixth() {
    let mut open = challenge();
    for left in (0..TRIES).rev() {
        open = open.count_try(at(1)).unwrap().challenge().clone();
        assert_eq!(open.tries_left, left);
    }
    assert_eq!(open.count_try(at(1)), Err(NoTry::Exhausted));
}

#[test]
fn a_code_lives_for_five_minutes() {
    assert!(challenge().count_try(at(299)).is_ok());
    assert_eq!(challenge().count_try(at(300)), Err(NoTry::Expired));
}

#[test]
fn a_used_code_takes_no_more_tries_and_its_send_still_counts() {
    let used = challenge().count_try(at(1)).unwrap().used();
    assert_eq!(Challenge::may_send(Some(&used.sends), at(59)), Err(Wait { until: at(60) }));
    assert_eq!(used.count_try(at(2)), Err(NoTry::Exhausted));
}

#[test]
fn a_new_code_kills_the_old_one() {
    let old = challenge();
    let new = Challenge::open(phone(), &code("654321"), &test_key(), Some(old.sends), at(60)).unwrap();
    assert_eq!(new.tries_left, TRIES);
    assert_eq!(new.sends.times(), [at(0), at(60)]);
    assert!(!new.count_try(at(61)).unwrap().matches(&code("123456"), &test_key()));
}

#[test]
fn sends_are_limited_by_gap_by_ten_minutes_and_by_day() {
    let hour = 3600;
    for (why, sent, now, expected) in [
        ("first", vec![], 0, Ok(())),
        ("too soon", vec![0], 59, Err(60)),
        ("after the gap", vec![0], 60, Ok(())),
        ("five in ten minutes", vec![0, 60, 120, 180, 240], 300, Err(600)),
        ("ten minutes later", vec![0, 60, 120, 180, 240], 600, Ok(())),
        ("ten in a day", (0..10).map(|i| i * hour).collect(), 10 * hour, Err(24 * hour)),
        ("a day later", (0..10).map(|i| i * hour).collect(), 24 * hour, Ok(())),
        ("a clock that ran ahead", vec![30], 0, Err(90)),
    ] {
        let history = SendHistory::from_stored(sent.into_iter().map(at).collect());
        assert_eq!(Challenge::may_send(Some(&history), at(now)), expected.map_err(|until| Wait { until: at(until) }), "{why}");
    }
    assert!(Challenge::may_send(None, at(0)).is_ok());
}

#[test]
fn six_digits_are_read_and_nothing_else() {
    for text in ["123456", " 123 456 ", "123-456"] {
        assert_eq!(code(text).expose(), "123456");
    }
    for text in ["", "12345", "1234567", "12345a", "1.2.3.4.5.6", "-12345", "٦12345", "123456\0", &format!("123456{}", " ".repeat(35))] {
        assert!(VerificationCode::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_pasted_code_is_the_code_that_was_sent() {
    for text in [
        "123456\r\n",
        "\t123\u{A0}456",
        "123\u{202F}456",
        "１２３４５６",
        "１２３－４５６",
        "\u{FEFF}123456",
        "\u{202A}123456\u{202C}",
        "123–456",
        "“123456”.",
        "123 456.",
    ] {
        assert_eq!(VerificationCode::parse(text).unwrap().expose(), "123456", "{text:?}");
    }
}

#[test]
fn a_debug_line_shows_no_digit() {
    assert_eq!(format!("{:?}", code("123456")), "VerificationCode(…)");
}

proptest! {
    #[test]
    fn no_six_digits_answer_the_code_of_a_number_that_gets_none(entropy: [u8; 8], digits in "[0-9]{6}") {
        let nobodys = VerificationCode::unanswerable(entropy);
        let held = Challenge::open(phone(), &nobodys, &test_key(), None, at(0)).unwrap().count_try(at(1)).unwrap();
        prop_assert!(!held.matches(&code(&digits), &test_key()));
        prop_assert!(VerificationCode::parse(nobodys.expose()).is_err());
    }

    #[test]
    fn every_code_has_six_digits_and_reads_back(entropy: [u8; 8]) {
        let made = VerificationCode::from_entropy(entropy);
        let read = VerificationCode::parse(made.expose()).unwrap();
        prop_assert_eq!(read.expose(), made.expose());
    }

    #[test]
    fn a_persistent_caller_never_passes_a_limit(gaps in proptest::collection::vec(0_i64..4000, 1..60)) {
        let (mut now, mut history, mut sent) = (0, SendHistory::default(), Vec::new());
        for gap in gaps {
            now += gap;
            if history.may_send(at(now)).is_ok() {
                history = history.with(at(now));
                sent.push(now);
            }
        }
        for (count, window) in SEND_LIMITS {
            for span in sent.windows(count + 1) {
                prop_assert!(span[count] - span[0] >= window.as_secs());
            }
        }
        prop_assert!(history.times().len() <= SENDS_KEPT);
    }

    #[test]
    fn any_text_is_read_without_panic(text in any::<String>()) {
        let _ = VerificationCode::parse(&text);
    }
}
