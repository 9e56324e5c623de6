//! Finds mentions of other servers' accounts: `@name@host`.

use std::ops::Range;

use icu_properties::CodePointMapData;
use icu_properties::props::{GeneralCategory, GeneralCategoryGroup};

/// A mention with the name of a server.
pub(super) struct Mention {
    /// All of it.
    pub(super) bytes: Range<usize>,
    /// Where its `@name` ends.
    pub(super) name_end: usize,
}

/// The remote mentions in `text`, in order.
pub(super) fn remote(text: &str) -> Vec<Mention> {
    let (mut mentions, mut from) = (Vec::new(), 0);
    while let Some(start) = text[from..].find('@').map(|at| from + at) {
        from = start + 1;
        if text[..start].chars().next_back().is_some_and(forbids_mention) {
            continue;
        }
        let Some(name_end) = joined(text, start + 1, is_in_name) else { continue };
        from = name_end;
        let host_end = text[name_end..].strip_prefix('@').and_then(|_| joined(text, name_end + 1, is_in_word));
        let Some(end) = host_end else { continue };
        from = end;
        if !["@", "＠", "://"].iter().any(|more| text[end..].starts_with(more)) {
            mentions.push(Mention { bytes: start..end, name_end });
        }
    }
    mentions
}

/// The end of the parts that begin at `start`, with dots and hyphens between them.
fn joined(text: &str, start: usize, belongs: fn(char) -> bool) -> Option<usize> {
    let run = |from: usize, belongs: fn(char) -> bool| text[from..].find(|letter| !belongs(letter)).map_or(text.len(), |end| from + end);
    let mut end = run(start, belongs);
    if end == start {
        return None;
    }
    loop {
        let next = run(end, |letter| matches!(letter, '.' | '-'));
        let part = run(next, belongs);
        if next == end || part == next {
            return Some(end);
        }
        end = part;
    }
}

/// Whether no mention begins behind `letter`: it would be within a word or an address.
fn forbids_mention(letter: char) -> bool {
    matches!(letter, '=' | '/') || is_in_word(letter)
}

fn is_in_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// Letters, marks, digits and what connects them, in any script.
const WORD: GeneralCategoryGroup = GeneralCategoryGroup::Letter
    .union(GeneralCategoryGroup::Mark)
    .union(GeneralCategoryGroup::DecimalNumber)
    .union(GeneralCategoryGroup::ConnectorPunctuation);

fn is_in_word(letter: char) -> bool {
    WORD.contains(CodePointMapData::<GeneralCategory>::new().get(letter))
}
