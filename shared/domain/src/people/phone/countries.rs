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
/// assert!(Countries::parse("Australia").is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Countries(Vec<String>);

impl Countries {
    /// What is served where nothing else is said: places whose operators charge little for a text and pay nobody for receiving one.
    pub const DEFAULT: &str = "AT,AU,BE,CA,CH,DE,DK,ES,FI,FR,GB,GG,IE,IM,IT,JE,JP,LU,NL,NO,NZ,PT,SE,SG,US";

    /// Reads ISO 3166-1 codes of two capital letters, separated by commas; at least one, and only those that have a numbering plan.
    pub fn parse(text: &str) -> Option<Self> {
        let codes: Vec<_> = text.split(',').map(str::trim).map(str::to_owned).collect();
        let known = |code: &String| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()) && DATABASE.by_id(code).is_some();
        codes.iter().all(known).then_some(Self(codes))
    }

    /// Whether `phone` belongs to one of them. Countries that share a calling code (such as 1) are told apart by their numbering
    /// plans; a number of no country (satellite, international networks) belongs to none.
    pub fn include(&self, phone: &PhoneNumber) -> bool {
        region_of(phone).is_some_and(|region| self.0.iter().any(|served| served == region))
    }
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
            ("+61412345678", true),
            ("+15208782491", true),
            ("+393123456789", true),
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
        for text in ["", ",", "AU,", "au", "AUS", "AU;NZ", "001", "ZZ", "AU,*"] {
            assert_eq!(Countries::parse(text), None, "{text}");
        }
        assert_eq!(Countries::parse("AU, NZ"), Countries::parse("AU,NZ"));
    }
}
