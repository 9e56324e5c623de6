//! What may follow a domain: port, path and query.

use super::grammar::Grammar;
use super::letters;

const COLON: u16 = b':' as u16;
const SLASH: u16 = b'/' as u16;
const QUESTION_MARK: u16 = b'?' as u16;
const OPENING: u16 = b'(' as u16;
const CLOSING: u16 = b')' as u16;

/// A colon and digits.
pub(super) fn port_length(text: &[u16]) -> usize {
    if text.first() != Some(&COLON) {
        return 0;
    }
    let digits = run_length(&text[1..], |unit| (u16::from(b'0')..=u16::from(b'9')).contains(&unit));
    if digits > 0 { 1 + digits } else { 0 }
}

/// A path may hold punctuation and pairs of parentheses, but does not end in punctuation: that belongs to the sentence.
pub(super) fn path_length(text: &[u16], grammar: &Grammar) -> usize {
    if text.first() != Some(&SLASH) {
        return 0;
    }
    let (mut at, mut end) = (1, 1);
    while let Some(unit) = text.get(at) {
        if let Some(length) = parentheses_length(&text[at..], grammar) {
            if at == end || grammar.pair_ends_path {
                end = at + length;
            }
            at += length;
        } else if (grammar.is_in_path)(*unit) {
            at += 1;
            if (grammar.ends_path)(*unit) {
                end = at;
            }
        } else {
            break;
        }
    }
    end
}

/// `(…)` with something in it, which may be one more pair.
fn parentheses_length(text: &[u16], grammar: &Grammar) -> Option<usize> {
    let (length, before) = opened_length(text, grammar)?;
    if text.get(length) == Some(&CLOSING) {
        return (before > 0).then_some(length + 1);
    }
    let (inner, inside) = opened_length(&text[length..], grammar)?;
    let inner_end = length + inner;
    if inside == 0 || text.get(inner_end) != Some(&CLOSING) {
        return None;
    }
    let end = inner_end + 1 + run_length(&text[inner_end + 1..], grammar.is_in_path);
    (text.get(end) == Some(&CLOSING)).then_some(end + 1)
}

/// An opening parenthesis with the letters behind it, and how many they are.
fn opened_length(text: &[u16], grammar: &Grammar) -> Option<(usize, usize)> {
    let inside = text.strip_prefix(&[OPENING])?;
    let length = run_length(inside, grammar.is_in_path);
    Some((1 + length, length))
}

/// A question mark and what follows, but for the punctuation at its end.
pub(super) fn query_length(text: &[u16], grammar: &Grammar) -> usize {
    if text.first() != Some(&QUESTION_MARK) {
        return 0;
    }
    let query = &text[..=run_length(&text[1..], grammar.is_in_query)];
    query[1..].iter().rposition(|unit| (grammar.ends_query)(*unit)).map_or(0, |last| last + 2)
}

/// The name that `t.co` gives a link: ASCII letters and digits.
pub(super) fn short_name_length(text: &[u16]) -> usize {
    run_length(text, |unit| letters::is_in_punycode(unit) && unit != u16::from(b'-'))
}

fn run_length(text: &[u16], belongs: impl Fn(u16) -> bool) -> usize {
    text.iter().take_while(|unit| belongs(**unit)).count()
}
