//! What copying and typing bring along with a number or a code, and nobody means.

use crate::text::is_invisible;

/// How far a full-width character is from its ASCII twin (Unicode, Halfwidth and Fullwidth Forms).
pub(super) const FULL_WIDTH_OFFSET: u32 = 0xFEE0;

/// `text` as its writer meant it. White space, line ends and invisible letters are dropped, full-width forms and dashes become ASCII. Quotes
/// around it and full stops behind it are dropped too. `None`: it is longer than `chars_max`, all of that included.
pub(super) fn meant(text: &str, chars_max: usize) -> Option<String> {
    if text.chars().nth(chars_max).is_some() {
        return None;
    }
    let plain: String = text.chars().filter(|letter| !letter.is_whitespace() && !is_invisible(*letter)).map(plain).collect();
    let behind = |letter| letter == '.' || is_quote(letter);
    Some(plain.trim_start_matches(is_quote).trim_end_matches(behind).to_owned())
}

/// The ASCII form of a full-width character, of a dash and of an ideographic full stop; others stay as they are.
fn plain(letter: char) -> char {
    match letter {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(letter) - FULL_WIDTH_OFFSET).unwrap_or(letter),
        '\u{2010}'..='\u{2015}' | '\u{2043}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' => '-',
        '\u{3002}' | '\u{FF61}' => '.',
        _ => letter,
    }
}

fn is_quote(letter: char) -> bool {
    matches!(letter, '"' | '\'' | '`' | '«' | '»' | '\u{2018}'..='\u{201F}' | '\u{2039}' | '\u{203A}' | '\u{300C}'..='\u{300F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_along_is_dropped_and_nothing_else_is() {
        for (text, expected) in [
            ("\u{FEFF}12 34\r\n", "1234"),
            ("\u{202A}12\u{A0}34\u{202C}\t", "1234"),
            ("“12–34”.", "12-34"),
            ("»12—34«", "12-34"),
            ("'12\u{2212}34.'", "12-34"),
            ("「１２－３４」。", "12-34"),
            ("1.2\"3'4", "1.2\"3'4"),
            ("+1(2)/3\0", "+1(2)/3\0"),
            ("”", ""),
        ] {
            assert_eq!(meant(text, 40).as_deref(), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn the_length_is_that_of_the_whole_input() {
        assert_eq!(meant(&format!("1{}", " ".repeat(9)), 10).as_deref(), Some("1"));
        assert_eq!(meant(&format!("1{}", " ".repeat(10)), 10), None);
    }
}
