//! Which sequences of code points are one emoji to X's counter.
//!
//! It knows those of Emoji 11 (2018; npm `twemoji-parser` 11.0.2 in `twitter-text` 3.1.0), in the spellings that its own pictures have.
//! Later sequences count by their parts, so a text never weighs less here than at X. A code point alone is not looked for: as an emoji
//! it weighs what it weighs as a letter.

use std::ops::Range;

/// Joins emoji to one.
const JOINER: char = '\u{200D}';
/// Asks for the picture in place of the letter (variation selector 16).
const PICTURE: char = '\u{FE0F}';
/// Makes a keycap of a digit.
const KEYCAP: char = '\u{20E3}';
const HEART: char = '\u{2764}';
const KISS: char = '\u{1F48B}';
const MAN: char = '\u{1F468}';
const WOMAN: char = '\u{1F469}';
const BOY: char = '\u{1F466}';
const GIRL: char = '\u{1F467}';
const BLACK_FLAG: char = '\u{1F3F4}';
const END_OF_TAGS: char = '\u{E007F}';

/// Weigh as they are, or with [`PICTURE`].
#[rustfmt::skip] // One a line would push the rules off the screen.
const PICTURED: &[(u32, u32)] = &[
    (0xA9, 0xA9), (0xAE, 0xAE), (0x203C, 0x203C), (0x2049, 0x2049), (0x2122, 0x2122), (0x2139, 0x2139), (0x2194, 0x2199), (0x21A9, 0x21AA), (0x231A, 0x231B), (0x2328, 0x2328),
    (0x23CF, 0x23CF), (0x23ED, 0x23EF), (0x23F1, 0x23F2), (0x23F8, 0x23FA), (0x24C2, 0x24C2), (0x25AA, 0x25AB), (0x25B6, 0x25B6),
    (0x25C0, 0x25C0), (0x25FB, 0x25FE), (0x2600, 0x2604), (0x260E, 0x260E), (0x2611, 0x2611), (0x2614, 0x2615), (0x2618, 0x2618),
    (0x2620, 0x2620), (0x2622, 0x2623), (0x2626, 0x2626), (0x262A, 0x262A), (0x262E, 0x262F), (0x2638, 0x263A), (0x2640, 0x2640),
    (0x2642, 0x2642), (0x2648, 0x2653), (0x265F, 0x2660), (0x2663, 0x2663), (0x2665, 0x2666), (0x2668, 0x2668), (0x267B, 0x267B),
    (0x267F, 0x267F), (0x2692, 0x2697), (0x2699, 0x2699), (0x269B, 0x269C), (0x26A0, 0x26A1), (0x26AA, 0x26AB), (0x26B0, 0x26B1),
    (0x26BD, 0x26BE), (0x26C4, 0x26C5), (0x26C8, 0x26C8), (0x26CF, 0x26CF), (0x26D1, 0x26D1), (0x26D3, 0x26D4), (0x26E9, 0x26EA),
    (0x26F0, 0x26F5), (0x26F8, 0x26F8), (0x26FA, 0x26FA), (0x26FD, 0x26FD), (0x2702, 0x2702), (0x2708, 0x2709), (0x270F, 0x270F),
    (0x2712, 0x2712), (0x2714, 0x2714), (0x2716, 0x2716), (0x271D, 0x271D), (0x2721, 0x2721), (0x2733, 0x2734), (0x2744, 0x2744),
    (0x2747, 0x2747), (0x2757, 0x2757), (0x2763, 0x2764), (0x27A1, 0x27A1), (0x2934, 0x2935), (0x2B05, 0x2B07), (0x2B1B, 0x2B1C),
    (0x2B50, 0x2B50), (0x2B55, 0x2B55), (0x3030, 0x3030), (0x303D, 0x303D), (0x3297, 0x3297), (0x3299, 0x3299), (0x1F004, 0x1F004),
    (0x1F170, 0x1F171), (0x1F17E, 0x1F17F), (0x1F202, 0x1F202), (0x1F21A, 0x1F21A), (0x1F22F, 0x1F22F), (0x1F237, 0x1F237),
    (0x1F321, 0x1F321), (0x1F324, 0x1F32C), (0x1F336, 0x1F336), (0x1F37D, 0x1F37D), (0x1F396, 0x1F397), (0x1F399, 0x1F39B),
    (0x1F39E, 0x1F39F), (0x1F3CD, 0x1F3CE), (0x1F3D4, 0x1F3DF), (0x1F3F3, 0x1F3F3), (0x1F3F5, 0x1F3F5), (0x1F3F7, 0x1F3F7),
    (0x1F43F, 0x1F43F), (0x1F441, 0x1F441), (0x1F4FD, 0x1F4FD), (0x1F549, 0x1F54A), (0x1F56F, 0x1F570), (0x1F573, 0x1F573),
    (0x1F576, 0x1F579), (0x1F587, 0x1F587), (0x1F58A, 0x1F58D), (0x1F5A5, 0x1F5A5), (0x1F5A8, 0x1F5A8), (0x1F5B1, 0x1F5B2),
    (0x1F5BC, 0x1F5BC), (0x1F5C2, 0x1F5C4), (0x1F5D1, 0x1F5D3), (0x1F5DC, 0x1F5DE), (0x1F5E1, 0x1F5E1), (0x1F5E3, 0x1F5E3),
    (0x1F5E8, 0x1F5E8), (0x1F5EF, 0x1F5EF), (0x1F5F3, 0x1F5F3), (0x1F5FA, 0x1F5FA), (0x1F6CB, 0x1F6CB), (0x1F6CD, 0x1F6CF),
    (0x1F6E0, 0x1F6E5), (0x1F6E9, 0x1F6E9), (0x1F6F0, 0x1F6F0), (0x1F6F3, 0x1F6F3),
];

/// Take a skin tone.
#[rustfmt::skip]
const TONED: &[(u32, u32)] = &[
    (0x270A, 0x270B), (0x1F385, 0x1F385), (0x1F3C2, 0x1F3C4), (0x1F3C7, 0x1F3C7), (0x1F3CA, 0x1F3CA), (0x1F442, 0x1F443),
    (0x1F446, 0x1F450), (0x1F466, 0x1F469), (0x1F46E, 0x1F46E), (0x1F470, 0x1F478), (0x1F47C, 0x1F47C), (0x1F481, 0x1F483),
    (0x1F485, 0x1F487), (0x1F4AA, 0x1F4AA), (0x1F57A, 0x1F57A), (0x1F595, 0x1F596), (0x1F645, 0x1F647), (0x1F64B, 0x1F64F),
    (0x1F6A3, 0x1F6A3), (0x1F6B4, 0x1F6B6), (0x1F6C0, 0x1F6C0), (0x1F6CC, 0x1F6CC), (0x1F918, 0x1F91C), (0x1F91E, 0x1F91F),
    (0x1F926, 0x1F926), (0x1F930, 0x1F939), (0x1F93D, 0x1F93E), (0x1F9B5, 0x1F9B6), (0x1F9B8, 0x1F9B9), (0x1F9D1, 0x1F9DD),
];

/// Take a skin tone, [`PICTURE`], or both.
#[rustfmt::skip]
const TONED_AND_PICTURED: &[(u32, u32)] = &[
    (0x261D, 0x261D), (0x26F7, 0x26F7), (0x26F9, 0x26F9), (0x270C, 0x270D), (0x1F3CB, 0x1F3CC), (0x1F574, 0x1F575), (0x1F590, 0x1F590),
];

/// Are women or men when joined with a sign, with or without a skin tone.
#[rustfmt::skip]
const SEXED: &[(u32, u32)] = &[
    (0x1F3C3, 0x1F3C4), (0x1F3CA, 0x1F3CA), (0x1F46E, 0x1F46E), (0x1F471, 0x1F471), (0x1F473, 0x1F473), (0x1F477, 0x1F477),
    (0x1F481, 0x1F482), (0x1F486, 0x1F487), (0x1F645, 0x1F647), (0x1F64B, 0x1F64B), (0x1F64D, 0x1F64E), (0x1F6A3, 0x1F6A3),
    (0x1F6B4, 0x1F6B6), (0x1F926, 0x1F926), (0x1F935, 0x1F935), (0x1F937, 0x1F939), (0x1F93D, 0x1F93E), (0x1F9B8, 0x1F9B9),
    (0x1F9D6, 0x1F9DD),
];

/// The second letters of the flags' codes, by their first.
const FLAGS: [&str; 26] = [
    "CDEFGILMOQRSTUWXZ",
    "ABDEFGHIJLMNOQRSTVWYZ",
    "ACDFGHIKLMNOPRUVWXYZ",
    "EGJKMOZ",
    "ACEGHRSTU",
    "IJKMOR",
    "ABDEFGHILMNPQRSTUWY",
    "KMNRTU",
    "CDELMNOQRST",
    "EMOP",
    "EGHIMNPRWYZ",
    "ABCIKRSTUVY",
    "ACDEFGHKLMNOPQRSTUVWXYZ",
    "ACEFGILOPRUZ",
    "M",
    "AEFGHKLMNRSTWY",
    "A",
    "EOSUW",
    "ABCDEGHIJKLMNORSTVXYZ",
    "ACDFGHJKLMNORTVWZ",
    "AGMNSYZ",
    "ACEGINU",
    "FS",
    "K",
    "ET",
    "AMW",
];

/// The emoji of several code points in `text`, in order, in UTF-16 code units.
pub(super) fn sequences(text: &str) -> Vec<Range<usize>> {
    let letters: Vec<char> = text.chars().collect();
    let (mut found, mut rest, mut at) = (Vec::new(), letters.as_slice(), 0);
    while !rest.is_empty() {
        let sequence = sequence_length(rest);
        let (letters, others) = rest.split_at(sequence.unwrap_or(1));
        let end = at + letters.iter().map(|letter| letter.len_utf16()).sum::<usize>();
        found.extend(sequence.map(|_| at..end));
        (rest, at) = (others, end);
    }
    found
}

/// How many code points the emoji at the start of `text` has, if it has several.
fn sequence_length(text: &[char]) -> Option<usize> {
    let rules = [person, family, couple, other_sequence, toned_or_pictured, flag];
    rules.iter().find_map(|rule| rule(text))
}

/// Somebody at work, with red hair and the like, or by sex.
fn person(text: &[char]) -> Option<usize> {
    let (&who, rest) = text.split_first()?;
    let tone = usize::from(rest.first().copied().is_some_and(is_tone));
    match (who, &rest[tone..]) {
        (MAN | WOMAN, [JOINER, '⚕' | '⚖' | '✈', PICTURE, ..]) => Some(tone + 4),
        (MAN | WOMAN, [JOINER, tool, ..]) if is_tool(*tool) => Some(tone + 3),
        (_, [JOINER, '♀' | '♂', PICTURE, ..]) if holds(SEXED, who) => Some(tone + 4),
        ('👯' | '🤼' | '🧞' | '🧟', [JOINER, '♀' | '♂', PICTURE, ..]) if tone == 0 => Some(4),
        ('🏋' | '🏌' | '🕴' | '🕵' | '⛹', [JOINER, '♀' | '♂', PICTURE, ..]) if tone == 1 => Some(5),
        ('🏋' | '🏌' | '🕴' | '🕵' | '⛹', [PICTURE, JOINER, '♀' | '♂', PICTURE, ..]) => Some(5),
        _ => None,
    }
}

fn is_tool(letter: char) -> bool {
    matches!(letter, '🌾' | '🍳' | '🎓' | '🎤' | '🎨' | '🏫' | '🏭' | '💻' | '💼' | '🔧' | '🔬' | '🚀' | '🚒' | '\u{1F9B0}'..='\u{1F9B3}')
}

/// One or two parents with one or two children.
fn family(text: &[char]) -> Option<usize> {
    let parents = match text {
        [MAN, JOINER, MAN | WOMAN, JOINER, BOY | GIRL, ..] | [WOMAN, JOINER, WOMAN, JOINER, BOY | GIRL, ..] => 3,
        [MAN | WOMAN, JOINER, BOY | GIRL, ..] => 1,
        _ => return None,
    };
    match &text[parents..] {
        [_, BOY, JOINER, BOY, ..] | [_, GIRL, JOINER, BOY | GIRL, ..] => Some(parents + 4),
        _ => Some(parents + 2),
    }
}

/// Two with a heart between them, or a kiss.
fn couple(text: &[char]) -> Option<usize> {
    match text {
        [MAN, JOINER, HEART, PICTURE, JOINER, KISS, JOINER, MAN, ..]
        | [WOMAN, JOINER, HEART, PICTURE, JOINER, KISS, JOINER, MAN | WOMAN, ..] => Some(8),
        [MAN, JOINER, HEART, PICTURE, JOINER, MAN, ..] | [WOMAN, JOINER, HEART, PICTURE, JOINER, MAN | WOMAN, ..] => Some(6),
        _ => None,
    }
}

fn other_sequence(text: &[char]) -> Option<usize> {
    match text {
        ['🏳', PICTURE, JOINER, '🌈', ..] | [BLACK_FLAG, JOINER, '☠', PICTURE, ..] => Some(4),
        ['👁', JOINER, '🗨', ..] | ['#' | '*' | '0'..='9', PICTURE, KEYCAP, ..] => Some(3),
        ['#' | '*' | '0'..='9', KEYCAP, ..] => Some(2),
        _ => None,
    }
}

fn toned_or_pictured(text: &[char]) -> Option<usize> {
    match text {
        [first, PICTURE, tone, ..] if is_tone(*tone) && holds(TONED_AND_PICTURED, *first) => Some(3),
        [first, PICTURE, ..] if holds(PICTURED, *first) || holds(TONED_AND_PICTURED, *first) => Some(2),
        [first, tone, ..] if is_tone(*tone) && (holds(TONED, *first) || holds(TONED_AND_PICTURED, *first)) => Some(2),
        _ => None,
    }
}

/// A flag of two letters, or of England, Scotland or Wales.
fn flag(text: &[char]) -> Option<usize> {
    if let [BLACK_FLAG, tags @ ..] = text {
        let names = ["gbeng", "gbsct", "gbwls"];
        let is_named = |name: &&str| tags.iter().copied().take(6).eq(name.chars().filter_map(tag).chain([END_OF_TAGS]));
        return names.iter().any(is_named).then_some(7);
    }
    let (first, second) = (code_letter(*text.first()?)?, code_letter(*text.get(1)?)?);
    FLAGS[first].bytes().any(|letter| usize::from(letter - b'A') == second).then_some(2)
}

/// The tag that stands for an ASCII letter.
fn tag(letter: char) -> Option<char> {
    char::from_u32(0xE0000 + u32::from(letter))
}

/// Which letter of the alphabet a regional indicator is, from 0.
fn code_letter(letter: char) -> Option<usize> {
    let number = u32::from(letter).checked_sub(0x1F1E6).filter(|number| *number < 26)?;
    usize::try_from(number).ok()
}

fn is_tone(letter: char) -> bool {
    matches!(letter, '\u{1F3FB}'..='\u{1F3FF}')
}

/// Whether one of the sorted `ranges` holds `letter`.
fn holds(ranges: &[(u32, u32)], letter: char) -> bool {
    let number = u32::from(letter);
    let before = ranges.partition_point(|(first, _)| *first <= number);
    before.checked_sub(1).is_some_and(|at| number <= ranges[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_can_be_searched() {
        for ranges in [PICTURED, TONED, TONED_AND_PICTURED, SEXED] {
            assert!(ranges.iter().all(|(first, last)| first <= last));
            assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0), "{ranges:?}");
        }
        assert!(FLAGS.iter().all(|seconds| seconds.bytes().all(|letter| letter.is_ascii_uppercase())));
    }
}
