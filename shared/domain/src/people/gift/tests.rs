use proptest::prelude::*;

use super::*;
use crate::people::hash::test_key;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn user(number: u8) -> UserId {
    UserId::new(at(0), [number; 10])
}

fn certificate() -> GiftCertificate {
    GiftCertificate::issue(Plan::Starter, 12, Some(at(100)), at(0))
}

#[test]
fn codes_are_sixteen_letters_in_fours() {
    assert_eq!(GiftCode::from_entropy([0; 10]).expose(), "0000-0000-0000-0000");
    assert_eq!(GiftCode::from_entropy([255; 10]).expose(), "ZZZZ-ZZZZ-ZZZZ-ZZZZ");
    assert_eq!(GiftCode::from_entropy([0, 0x44, 0x32, 0x14, 0xC7, 0x42, 0x54, 0xB6, 0x35, 0xCF]).expose(), "0123-4567-89AB-CDEF");
}

#[test]
fn what_people_type_for_a_code_is_understood() {
    for text in [
        "0110-4567-89AB-CDEF",
        "oilo456789abcdef",
        " OiLo 4567 89ab cdef ",
        "0110–4567–89AB–CDEF",
        "0110—4567—89AB—CDEF",
        "“0110-4567-89AB-CDEF”",
        "„0110-4567-89AB-CDEF“.",
        "0110-4567-89AB-CDEF.",
        "'0110-4567-89AB-CDEF.'",
        "0110-4567-\r\n89AB-CDEF\t",
        "\u{FEFF}0110\u{A0}4567\u{2011}89AB\u{200B}CDEF",
        "０１１０４５６７８９ａｂｃｄｅｆ",
    ] {
        assert_eq!(GiftCode::parse(text).unwrap().expose(), "0110-4567-89AB-CDEF", "{text}");
    }
}

#[test]
fn what_is_no_code_is_refused() {
    for text in [
        "",
        "0123-4567-89AB-CDE",
        "0123-4567-89AB-CDEFG",
        "U123-4567-89AB-CDEF",
        "0123_4567_89AB_CDEF",
        "0123.4567.89AB.CDEF",
        "0123\"4567-89AB-CDEF",
        "0123-4567-89AB-CDEF\0",
        "ſ123456789ABCDEF",
    ] {
        assert!(GiftCode::parse(text).is_err(), "{text}");
    }
    assert!(GiftCode::parse(&format!("{}0123456789ABCDEF", " ".repeat(100))).is_err());
}

#[test]
fn a_debug_line_shows_no_letter() {
    assert_eq!(format!("{:?}", GiftCode::from_entropy([1; 10])), "GiftCode(…)");
}

#[test]
fn the_first_to_redeem_has_it_and_may_repeat() {
    let Redeemed::Now(mine) = certificate().redeem(user(1), at(1)).unwrap() else { panic!("new") };
    assert_eq!((mine.redeemed_by.clone(), mine.redeemed_at), (Some(user(1)), Some(at(1))));
    assert_eq!(mine.clone().redeem(user(1), at(1000)), Ok(Redeemed::AlreadyYours(mine.clone())));
    assert_eq!(mine.redeem(user(2), at(2)), Err(Refused::Taken));
}

#[test]
fn expired_and_revoked_certificates_give_nothing() {
    assert!(certificate().redeem(user(1), at(99)).is_ok());
    assert_eq!(certificate().redeem(user(1), at(100)), Err(Refused::Expired));
    let revoked = certificate().revoke(at(1)).unwrap();
    assert_eq!(revoked.clone().revoke(at(5)).unwrap(), revoked);
    assert_eq!(revoked.redeem(user(1), at(2)), Err(Refused::Revoked));
    let Redeemed::Now(taken) = certificate().redeem(user(1), at(1)).unwrap() else { panic!("new") };
    assert_eq!(taken.revoke(at(2)), None);
    let endless = GiftCertificate { expires_at: None, ..certificate() };
    assert!(endless.redeem(user(1), at(0) + SignedDuration::from_hours(100_000)).is_ok());
}

proptest! {
    #[test]
    fn every_code_reads_back_with_the_same_hash(entropy: [u8; 10]) {
        let code = GiftCode::from_entropy(entropy);
        let read = GiftCode::parse(&code.expose()).unwrap();
        prop_assert_eq!(read.expose(), code.expose());
        prop_assert_eq!(read.keyed_hash(&test_key()), code.keyed_hash(&test_key()));
        let sloppy = code.expose().replace('-', " ").replace('0', "o").replace('1', "l").to_lowercase();
        prop_assert_eq!(GiftCode::parse(&sloppy).unwrap().expose(), code.expose());
    }

    #[test]
    fn different_bytes_give_different_codes(one: [u8; 10], other: [u8; 10]) {
        prop_assert_eq!(one == other, GiftCode::from_entropy(one).expose() == GiftCode::from_entropy(other).expose());
    }

    #[test]
    fn however_a_code_is_written_it_is_the_same_code(
        entropy: [u8; 10],
        between in proptest::collection::vec("[ -]{0,2}", 17),
        lower: [bool; 16],
        twin in proptest::collection::vec(0_usize..3, 16),
    ) {
        let code = GiftCode::from_entropy(entropy);
        let mut written = between[0].clone();
        for (index, letter) in code.expose().chars().filter(|letter| *letter != '-').enumerate() {
            let letter = match letter {
                '0' => ['0', 'O', 'o'][twin[index]],
                '1' => ['1', 'I', 'L'][twin[index]],
                other => other,
            };
            written.push(if lower[index] { letter.to_ascii_lowercase() } else { letter });
            written.push_str(&between[index + 1]);
        }
        prop_assert_eq!(GiftCode::parse(&written).map(|read| read.expose()), Ok(code.expose()), "{}", written);
    }

    #[test]
    fn any_text_is_no_code_or_sixteen_letters_of_the_alphabet(text in any::<String>(), near in "[0-9A-Za-z –.”-]{14,20}") {
        for text in [text, near] {
            if let Ok(code) = GiftCode::parse(&text) {
                prop_assert!(text.chars().filter(|letter| letter.is_alphanumeric()).count() == LETTERS, "{}", text);
                prop_assert!(code.expose().bytes().all(|letter| letter == b'-' || ALPHABET.contains(&letter)));
            }
        }
    }

    #[test]
    fn letters_spaces_and_hyphens_are_a_code_if_sixteen_letters_are_of_the_alphabet(text in "[0-9A-Za-z -]{14,20}") {
        let letters = text.chars().filter(|letter| !matches!(letter, ' ' | '-')).count();
        prop_assert_eq!(GiftCode::parse(&text).is_ok(), letters == LETTERS && !text.contains(['U', 'u']), "{}", text);
    }
}
