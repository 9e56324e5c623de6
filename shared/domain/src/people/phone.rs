//! Phone numbers that a text message can reach.

mod countries;

use std::fmt;

use phonenumber::metadata::DATABASE;
use phonenumber::{Mode, Type};

use super::hash::{HashKey, Purpose, stored_hash};
use super::pasted::meant;

pub use countries::{Countries, WrongEntry};

/// The longest input that is looked at; full-width digits take three bytes each.
const INPUT_CHARS_MAX: usize = 40;
/// The most digits of an international number (ITU-T E.164 §6).
const DIGITS_MAX: usize = 15;

/// A text that is not a phone number we can send a text message to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a mobile phone number in international form, such as +61 412 345 678")]
pub struct NotAPhoneNumber;

/// A number that can receive text messages, in E.164 form. `Debug` shows its last two digits alone.
#[derive(Clone, PartialEq, Eq)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Accepts a `+`, the country code and the number. Spaces, hyphens, dots, slashes and parentheses may separate the digits, and
    /// all of it may be in the full-width forms that East Asian keyboards give. Line ends, tabs and invisible marks that came with a
    /// pasted number do no harm. An extension is refused: no text reaches one.
    ///
    /// The number must be valid by the national numbering plan and of a kind that takes texts. Numbers that cost their
    /// owner or us extra (premium, shared cost) are refused, and so is what no text reaches (fixed lines, pagers).
    pub fn parse(text: &str) -> Result<Self, NotAPhoneNumber> {
        let canonical = canonical(&digits(text)?)?;
        // A canonical form that reads as yet another number would give one phone two accounts.
        if self::canonical(&canonical)? == canonical { Ok(Self(canonical)) } else { Err(NotAPhoneNumber) }
    }

    /// Takes a stored number back: numbering plans change, and a number that was checked stays its owner's.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The E.164 form, for sending and for its owner's eyes; never for a log.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of this number in keys and limits.
    pub fn keyed_hash(&self, key: &HashKey) -> PhoneHash {
        PhoneHash(key.hash(Purpose::Phone, &[&self.0]))
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.0.get(self.0.len().saturating_sub(2)..).unwrap_or_default();
        write!(f, "PhoneNumber(…{last})")
    }
}

stored_hash!(
    /// Keyed hash of a phone number.
    PhoneHash
);

/// `+` and the digits alone, without separators.
fn digits(text: &str) -> Result<String, NotAPhoneNumber> {
    let mut digits = String::new();
    for letter in meant(text, INPUT_CHARS_MAX).ok_or(NotAPhoneNumber)?.chars() {
        match letter {
            '+' if digits.is_empty() => digits.push('+'),
            '0'..='9' if !digits.is_empty() => digits.push(letter),
            '-' | '.' | '/' | '(' | ')' if !digits.is_empty() => {}
            _ => return Err(NotAPhoneNumber),
        }
    }
    Ok(digits)
}

fn canonical(digits: &str) -> Result<String, NotAPhoneNumber> {
    let number = phonenumber::parse(None, digits).map_err(|_| NotAPhoneNumber)?;
    if !number.is_valid() || number.extension().is_some() || !takes_texts(&number) {
        return Err(NotAPhoneNumber);
    }
    let canonical = number.format().mode(Mode::E164).to_string();
    let well_formed = canonical.strip_prefix('+').is_some_and(|rest| rest.len() <= DIGITS_MAX && rest.bytes().all(|b| b.is_ascii_digit()));
    if well_formed { Ok(canonical) } else { Err(NotAPhoneNumber) }
}

/// Whether the numbering plan knows the number as a mobile one, or cannot tell mobile from fixed.
///
/// `number_type` drops leading zeros, which belong to the number in some countries (Italy, Côte d'Ivoire), and then says
/// "unknown"; so an unknown kind is looked up again, by the whole number.
fn takes_texts(number: &phonenumber::PhoneNumber) -> bool {
    match number.number_type(&DATABASE) {
        Type::Mobile | Type::FixedLineOrMobile => true,
        Type::Unknown => {
            let national = number.national().to_string();
            let regions = DATABASE.region(&number.code().value()).unwrap_or_default();
            regions.into_iter().filter_map(|region| DATABASE.by_id(region)).any(|plan| {
                plan.descriptors().general().is_match(&national)
                    && plan.descriptors().mobile().is_some_and(|mobile| mobile.is_match(&national))
            })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::hash::test_key;
    use super::super::pasted::FULL_WIDTH_OFFSET;
    use super::*;

    #[test]
    fn one_phone_has_one_form_however_it_is_written() {
        for (text, canonical) in [
            ("+61412345678", "+61412345678"),
            (" +61 412 345 678 ", "+61412345678"),
            ("+61-412-345-678", "+61412345678"),
            ("+61.412.345.678", "+61412345678"),
            ("+61 (0) 412 345 678", "+61412345678"),
            ("+61 0412 345 678", "+61412345678"),
            ("+1 (520) 878-2491", "+15208782491"),
            ("+44 7911 123456", "+447911123456"),
            ("+225 07 12 34 56 78", "+2250712345678"),
            ("+39 312 345 6789", "+393123456789"),
            ("+49 1512/3456789", "+4915123456789"),
            ("+６１４１２３４５６７８", "+61412345678"),
            ("＋６１　４１２－３４５－６７８", "+61412345678"),
            ("+61\u{A0}412\u{2011}345\u{2011}678", "+61412345678"),
            ("+61 412 345 678\r\n", "+61412345678"),
            ("\t+61\t412345678\n", "+61412345678"),
            ("+61412\n345678", "+61412345678"),
            ("\u{202A}+61 412 345 678\u{202C}", "+61412345678"),
            ("\u{200E}+61412345678\u{202E}", "+61412345678"),
            ("\u{FEFF}+61 412\u{200B}345678", "+61412345678"),
            ("+61 412—345−678.", "+61412345678"),
            ("“+61 412 345 678”", "+61412345678"),
            (&format!("+61412345678{}", " ".repeat(28)), "+61412345678"),
        ] {
            assert_eq!(PhoneNumber::parse(text).unwrap().as_str(), canonical, "{text}");
        }
    }

    #[test]
    fn what_no_text_message_reaches_is_refused() {
        for (why, text) in [
            ("empty", ""),
            ("no plus", "61412345678"),
            ("national form", "0412 345 678"),
            ("two pluses", "++61412345678"),
            ("inner plus", "+61+412345678"),
            ("extension", "+61412345678 ext. 5"),
            ("extension", "+61412345678;ext=5"),
            ("letters", "+61412FLOWER"),
            ("full-width extension", "＋６１４１２３４５６７８ｘ５"),
            ("a mark before the plus", "(+61)412345678"),
            ("only a plus", "+"),
            ("Arabic digits", "+٦١٤١٢٣٤٥٦٧٨"),
            ("a header behind a line end", "+61412345678\r\nTo: x"),
            ("a control character", "+61412345678\0"),
            ("too long", "+61 412 345 678                            "),
            ("too long before the plus", &format!("{}+61412345678", " ".repeat(40))),
            ("a digit written with a mark of its own", "+6141234567\u{2467}"),
            ("a personal number, which is charged as premium", "+44 70 1234 5678"),
            ("premium rate, North America", "+1 900 234 5678"),
            ("premium rate, Germany", "+49 900 1234567"),
            ("too few digits", "+6141"),
            ("too many digits", "+614123456789012"),
            ("no such country", "+999412345678"),
            ("invalid in its country", "+15550000"),
            ("fixed line, Australia", "+61 2 9374 4000"),
            ("fixed line, Italy, leading zero", "+39 06 1234 5678"),
            ("toll-free", "+1 800 723 3456"),
            ("premium rate", "+61 1900 123 456"),
            ("shared cost", "+44 845 464 1234"),
            ("international freephone", "+800 1234 5678"),
        ] {
            assert_eq!(PhoneNumber::parse(text), Err(NotAPhoneNumber), "{why}: {text}");
        }
    }

    #[test]
    fn a_debug_line_shows_two_digits() {
        assert_eq!(format!("{:?}", PhoneNumber::parse("+61412345678").unwrap()), "PhoneNumber(…78)");
    }

    #[test]
    fn a_hash_depends_on_number_and_key() {
        let number = PhoneNumber::parse("+61412345678").unwrap();
        let other_key = HashKey::new(vec![9; 32]).unwrap();
        assert_eq!(number.keyed_hash(&test_key()), number.keyed_hash(&test_key()));
        assert_ne!(number.keyed_hash(&test_key()), number.keyed_hash(&other_key));
        assert_ne!(number.keyed_hash(&test_key()), PhoneNumber::parse("+61412345679").unwrap().keyed_hash(&test_key()));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic_and_gives_e164_or_nothing(text in any::<String>(), near in "[+＋]?[0-9０-９ ().x;/-]{0,45}") {
            for text in [text, near] {
                if let Ok(number) = PhoneNumber::parse(&text) {
                    let digits = number.as_str().strip_prefix('+').unwrap();
                    prop_assert!((7..=15).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit()), "{}", digits);
                    prop_assert!(!digits.starts_with('0'));
                }
            }
        }

        #[test]
        fn one_phone_has_one_form_whatever_stands_between_its_digits(
            last in "[0-9]{6}",
            separators in proptest::collection::vec(0_usize..9, 11),
            wide in any::<[bool; 11]>(),
        ) {
            let plain = format!("61412{last}");
            let mut written = String::from("+");
            for ((digit, separator), wide) in plain.chars().zip(&separators).zip(wide) {
                written.push(if wide { char::from_u32(u32::from(digit) + FULL_WIDTH_OFFSET).unwrap() } else { digit });
                written.push_str(["", "", "", " ", "-", ".", "/", ")", "\u{3000}"][*separator]);
            }
            let number = PhoneNumber::parse(&written);
            prop_assert_eq!(number.map(|number| number.as_str().to_owned()), Ok(format!("+{plain}")), "{}", written);
        }

        #[test]
        fn a_debug_line_never_shows_more_than_two_digits(last in "[0-9]{6}") {
            let shown = format!("{:?}", PhoneNumber::parse(&format!("+61412{last}")).unwrap());
            prop_assert_eq!(shown.chars().filter(char::is_ascii_digit).count(), 2);
        }

        #[test]
        fn what_is_accepted_reads_back_as_itself(text in "\\+[0-9]{6,16}") {
            if let Ok(number) = PhoneNumber::parse(&text) {
                prop_assert_eq!(PhoneNumber::parse(number.as_str()), Ok(number.clone()));
            }
        }
    }
}
