//! Where codes may be sent.

use phonenumber::metadata::DATABASE;

use super::PhoneNumber;

/// The countries whose numbers get codes: what a text costs, and how many of them are sent by people who share in that price, differs
/// by the hundredfold between countries.
///
/// ```
/// use domain::people::phone::{Countries, PhoneNumber};
///
/// let served = Countries::parse("AU, NZ").unwrap();
/// assert!(served.include(&PhoneNumber::parse("+61 412 345 678").unwrap()));
/// assert!(!served.include(&PhoneNumber::parse("+44 7911 123456").unwrap()));
/// assert!(Countries::parse("Australia").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Countries(Vec<String>);

/// An entry of a list of countries that cannot be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongEntry {
    /// Which one: its place, and what stands there if that is as short as a code.
    pub entry: String,
    /// What was expected.
    pub expected: &'static str,
}

impl Countries {
    /// What is served where nothing else is said: places whose carriers deliver from a sender that is registered nowhere, charge little for
    /// a text, and pay nobody for receiving one.
    pub const DEFAULT: &str = "AT,CH,DE,FR,GB,GG,IM,JE,JP,LU,NL,SE";

    /// Reads ISO 3166-1 codes of two capital letters, separated by commas; at least one, each once, and only those that have a numbering
    /// plan. Every entry at fault is named.
    pub fn parse(text: &str) -> Result<Self, Vec<WrongEntry>> {
        let (mut codes, mut wrong) = (Vec::new(), Vec::new());
        for (index, code) in text.split(',').map(str::trim).enumerate() {
            match fault_of(code, &codes) {
                None => codes.push(code.to_owned()),
                Some(expected) => wrong.push(WrongEntry { entry: named(index + 1, code), expected }),
            }
        }
        if wrong.is_empty() { Ok(Self(codes)) } else { Err(wrong) }
    }

    /// Whether `phone` belongs to one of them. Countries that share a calling code (such as 1) are told apart by their numbering
    /// plans; a number of no country (satellite, international networks) belongs to none.
    pub fn include(&self, phone: &PhoneNumber) -> bool {
        region_of(phone).is_some_and(|region| self.0.iter().any(|served| served == region))
    }
}

/// What was expected instead of `code`, after those that stand before it.
fn fault_of(code: &str, before: &[String]) -> Option<&'static str> {
    let is_country = code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()) && DATABASE.by_id(code).is_some();
    if !is_country {
        return Some("a country's ISO 3166-1 code in two capital letters, such as GB");
    }
    before.iter().any(|other| other == code).then_some("there once")
}

/// An entry by its place. What stands there is shown if it may be meant as a code: anything longer is no business of a log.
fn named(place: usize, code: &str) -> String {
    let is_short = (1..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphabetic());
    if is_short { format!("entry {place} ({code})") } else { format!("entry {place}") }
}

fn region_of(phone: &PhoneNumber) -> Option<&'static str> {
    let number = phonenumber::parse(None, phone.as_str()).ok()?;
    if let Some(plan) = number.metadata(&DATABASE) {
        return Some(plan.id());
    }
    // As for the number's kind: leading zeros that belong to it are not seen above.
    let national = number.national().to_string();
    let regions = DATABASE.region(&number.code().value()).unwrap_or_default();
    let mut plans = regions.into_iter().filter_map(|region| DATABASE.by_id(region));
    plans.find(|plan| plan.descriptors().mobile().is_some_and(|mobile| mobile.is_match(&national))).map(phonenumber::Metadata::id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(text: &str) -> Option<&'static str> {
        region_of(&PhoneNumber::parse(text).unwrap())
    }

    #[test]
    fn a_number_belongs_to_the_country_whose_plan_has_it() {
        for (text, country) in [
            ("+61412345678", "AU"),
            ("+64211234567", "NZ"),
            ("+15208782491", "US"),
            ("+16137827274", "CA"),
            ("+18762101234", "JM"),
            ("+447400123456", "GB"),
            ("+447911123456", "GG"),
            ("+447781123456", "GG"),
            ("+393123456789", "IT"),
            ("+2250712345678", "CI"),
            ("+79161234567", "RU"),
            ("+77010001234", "KZ"),
        ] {
            assert_eq!(region(text), Some(country), "{text}");
        }
    }

    #[test]
    fn only_the_countries_of_the_list_are_served() {
        let served = Countries::parse(Countries::DEFAULT).unwrap();
        for (text, expected) in [
            ("+447400123456", true),
            ("+447911123456", true),
            ("+4915123456789", true),
            ("+61412345678", false),
            ("+15208782491", false),
            ("+18762101234", false),
            ("+2250712345678", false),
            ("+99365123456", false),
            ("+79161234567", false),
        ] {
            assert_eq!(served.include(&PhoneNumber::parse(text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn a_list_with_anything_but_countries_is_refused() {
        for text in ["", ",", "AU,", "au", "AUS", "AU;NZ", "001", "ZZ", "AU,*", "AU NZ", "AU,NZ,AU"] {
            assert!(Countries::parse(text).is_err(), "{text}");
        }
        assert_eq!(Countries::parse("AU, NZ"), Countries::parse("AU,NZ"));
    }

    #[test]
    fn every_wrong_entry_is_named_and_none_that_is_long_is_shown() {
        let wrong = Countries::parse("AU,UK,nz,AU,a-secret,,FRA").unwrap_err();
        let named: Vec<_> = wrong.iter().map(|wrong| wrong.entry.as_str()).collect();
        assert_eq!(named, ["entry 2 (UK)", "entry 3 (nz)", "entry 4 (AU)", "entry 5", "entry 6", "entry 7 (FRA)"]);
        assert!(wrong.iter().all(|wrong| (wrong.expected == "there once") == (wrong.entry == "entry 4 (AU)")), "{wrong:?}");
    }
}
