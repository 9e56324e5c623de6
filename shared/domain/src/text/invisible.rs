//! Letters that show as nothing.

/// Whether a letter shows as nothing, whatever stands around it.
///
/// These are Unicode's `Default_Ignorable_Code_Point` (DerivedCoreProperties.txt, 16.0): joiners, marks of direction, Hangul fillers,
/// variation selectors, tags. Then what is left of category `Cf` and has no glyph, and the blank patterns that have one.
/// `Cf` as a whole would be wrong: Arabic number signs belong to it and are seen.
pub(crate) fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}'
        | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFF8}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E0FFF}'
        // Interlinear annotations and the joiners of hieroglyphs.
        | '\u{FFF9}'..='\u{FFFB}' | '\u{13430}'..='\u{1343F}'
        // Braille without a dot, and a note without a head.
        | '\u{2800}' | '\u{1D159}')
}

/// White space, and what shows as nothing at all.
pub(super) fn is_blank(letter: char) -> bool {
    letter.is_whitespace() || is_invisible(letter)
}
