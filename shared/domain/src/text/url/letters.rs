//! Which letters may stand where in a link, as X's counter has it.
//!
//! The counter reads UTF-16 code units and compares in any case, by simple upper case: a letter belongs to a class if another case of
//! it does. So a Greek iota is an accented Latin letter (one mark has it as its upper case), and either half of a letter outside the
//! basic plane may begin a domain. The ranges are the outcome, compared with the counter unit by unit.

/// The ASCII letter or sign in `unit`; for all else a sign that no class holds.
fn ascii(unit: u16) -> char {
    u8::try_from(unit).ok().filter(u8::is_ascii).map_or('\0', char::from)
}

/// Whether `unit` is one of `signs`, which are ASCII.
pub(super) fn is_one_of(unit: u16, signs: &str) -> bool {
    signs.contains(ascii(unit))
}

/// Whether no link begins after `unit`: it would be the middle of a word, a mail address or a tag.
pub(super) fn forbids_link(unit: u16) -> bool {
    ascii(unit).is_ascii_alphanumeric()
        || matches!(ascii(unit), '@' | '#' | '$')
        || matches!(unit, 0xFEFF | 0xFF03 | 0xFF20 | 0xFFFE | 0xFFFF)
}

/// Whether no link without a scheme begins after `unit`.
pub(super) fn forbids_bare_link(unit: u16) -> bool {
    matches!(ascii(unit), '-' | '_' | '.' | '/')
}

/// Whether `unit` may begin and end a label: no punctuation, no space, no mark of direction. Both quotes `"` and `` ` `` may.
pub(super) fn is_in_label(unit: u16) -> bool {
    !matches!(unit,
        0x09..=0x0D | 0x20..=0x21 | 0x23..=0x2F | 0x3A..=0x40 | 0x5B..=0x5F | 0x7B..=0x7E | 0x85 | 0xA0
        | 0x61C | 0x1680 | 0x180E | 0x2000..=0x200A | 0x200E..=0x200F | 0x2028..=0x202F | 0x205F | 0x2066..=0x2069
        | 0x3000 | 0xFEFF | 0xFFFE | 0xFFFF)
}

/// Whether `unit` may stand between the first and the last letter of a label.
pub(super) fn is_within_label(unit: u16) -> bool {
    is_in_label(unit) || matches!(ascii(unit), '-' | '_')
}

/// Whether `unit` may stand in a domain that has no scheme.
pub(super) fn is_in_bare_label(unit: u16) -> bool {
    is_in_punycode(unit) || is_accented(unit)
}

/// Whether `unit` may stand in a label in Punycode.
pub(super) fn is_in_punycode(unit: u16) -> bool {
    ascii(unit).is_ascii_alphanumeric() || ascii(unit) == '-'
}

/// Whether a top-level domain before `unit` would be cut short.
pub(super) fn joins_top_level(unit: u16) -> bool {
    ascii(unit).is_ascii_alphanumeric() || matches!(ascii(unit), '@' | '+' | '-')
}

/// Whether `unit` may stand in a path, parentheses apart.
pub(super) fn is_in_path(unit: u16) -> bool {
    ends_path(unit)
        || matches!(ascii(unit), '!' | '*' | '\'' | ';' | ':' | ',' | '.' | '$' | '%' | '[' | ']' | '~' | '@' | '|' | '&')
        || unit == 0x2013
}

/// Whether a path may end in `unit`; other punctuation belongs to the sentence.
pub(super) fn ends_path(unit: u16) -> bool {
    let cyrillic = matches!(unit, 0x400..=0x4FF | 0x1C80..=0x1C87);
    ascii(unit).is_ascii_alphanumeric() || matches!(ascii(unit), '+' | '-' | '=' | '_' | '#' | '/') || is_accented(unit) || cyrillic
}

/// Whether `unit` may stand in a query.
pub(super) fn is_in_query(unit: u16) -> bool {
    ends_query(unit) || is_one_of(unit, "!?*'@();:+$%[].,~|")
}

/// Whether a query may end in `unit`.
pub(super) fn ends_query(unit: u16) -> bool {
    ascii(unit).is_ascii_alphanumeric() || matches!(ascii(unit), '-' | '_' | '&' | '=' | '#' | '/')
}

/// Latin letters with accents, and the accents.
fn is_accented(unit: u16) -> bool {
    matches!(unit,
        0xC0..=0xD6 | 0xD8..=0xF6 | 0xF8..=0x24F | 0x253 | 0x254 | 0x256 | 0x257 | 0x259 | 0x25B | 0x260 | 0x263 | 0x268 | 0x269 | 0x26F
        | 0x272 | 0x275 | 0x280 | 0x283 | 0x288..=0x28C | 0x292 | 0x2BB | 0x300..=0x36F | 0x399 | 0x3B9 | 0x1E00..=0x1EFF | 0x1FBE
        | 0x2C65 | 0x2C66 | 0x2C7E | 0x2C7F | 0xA7DC)
}

/// The length of `prefix`, which is ASCII, if `text` begins with it in any case.
pub(super) fn prefix_length(text: &[u16], prefix: &str) -> Option<usize> {
    let start = text.get(..prefix.len())?;
    start.iter().zip(prefix.chars()).all(|(unit, letter)| ascii(*unit).eq_ignore_ascii_case(&letter)).then_some(prefix.len())
}

/// The letter in `unit` without its case; `None` for half a letter.
///
/// No letter beyond ASCII folds into ASCII, nor one letter into several.
pub(super) fn folded(unit: u16) -> Option<char> {
    let letter = char::from_u32(unit.into())?;
    if letter.is_ascii() {
        return Some(letter.to_ascii_lowercase());
    }
    let upper = single(letter.to_uppercase()).unwrap_or(letter);
    Some(single(upper.to_lowercase()).unwrap_or(letter))
}

fn single(mut letters: impl Iterator<Item = char>) -> Option<char> {
    letters.next().filter(|letter| !letter.is_ascii() && letters.next().is_none())
}
