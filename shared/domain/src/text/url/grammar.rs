//! What may stand before and behind a domain, by network.

use super::letters;

/// How a network reads what is not the domain of a link.
#[derive(Clone, Copy)]
pub(in super::super) struct Grammar {
    /// What makes a link of a domain that follows it, in lower case.
    pub(super) schemes: &'static [&'static str],
    /// Whether a domain in Latin letters is a link without one, too.
    pub(super) takes_bare: bool,
    /// Whether a unit may stand in a path, parentheses apart.
    pub(super) is_in_path: fn(u16) -> bool,
    /// Whether a path may end in a unit.
    pub(super) ends_path: fn(u16) -> bool,
    /// Whether a pair of parentheses ends a path wherever it stands. Else it does so only right behind what could end it too.
    pub(super) pair_ends_path: bool,
    /// Whether a unit may stand in a query.
    pub(super) is_in_query: fn(u16) -> bool,
    /// Whether a query may end in a unit.
    pub(super) ends_query: fn(u16) -> bool,
}

/// X's published counter.
pub(in super::super) const X: Grammar = Grammar {
    schemes: &["https://", "http://"],
    takes_bare: true,
    is_in_path: letters::is_in_path,
    ends_path: letters::ends_path,
    pair_ends_path: false,
    is_in_query: letters::is_in_query,
    ends_query: letters::ends_query,
};

/// Mastodon's server: paths of any script, and schemes of other networks (`config/initializers/twitter_regex.rb` of
/// <https://github.com/mastodon/mastodon>).
pub(in super::super) const MASTODON: Grammar = Grammar {
    schemes: &["https://", "http://", "dat://", "dweb://", "ipfs://", "ipns://", "ssb://", "gopher://", "gemini://"],
    takes_bare: false,
    is_in_path: is_in_any_path,
    ends_path: ends_any_path,
    pair_ends_path: true,
    is_in_query: |unit| letters::is_in_query(unit) || unit == u16::from(b'^') || is_beyond_ascii(unit),
    ends_query: |unit| letters::ends_query(unit) || is_beyond_ascii(unit),
};

/// Where a network leaves it to us what is a link: whatever people would take for one.
pub(in super::super) const PLAIN: Grammar = Grammar { schemes: X.schemes, takes_bare: true, ..MASTODON };

/// All but spaces and what encloses.
fn is_in_any_path(unit: u16) -> bool {
    let is_space = matches!(unit, 0x09..=0x0D | 0x20 | 0x85 | 0xA0 | 0x1680 | 0x2000..=0x200A | 0x2028 | 0x2029 | 0x202F | 0x205F | 0x3000);
    !is_space && !letters::is_one_of(unit, "<>()?")
}

/// All of it but what belongs to the sentence.
fn ends_any_path(unit: u16) -> bool {
    is_in_any_path(unit) && !letters::is_one_of(unit, "!*\"';:=,.$%[]~&|@") && !matches!(unit, 0x300C | 0x300D)
}

/// What an address may hold unescaped (`ucschar` and `iprivate` of RFC 3987 section 2.2), as units: halves of letters, but for the
/// first half of a tag, which it may not.
fn is_beyond_ascii(unit: u16) -> bool {
    matches!(unit, 0xA0..=0xDB3F | 0xDB44..=0xFDCF | 0xFDF0..=0xFFEF)
}
