//! *little*, the format of a post's `commentary`.
//! See <https://learn.microsoft.com/linkedin/marketing/community-management/shares/little-text-format>.
//!
//! Reserved letters begin mentions, hashtags and templates. One that is to be seen as itself is escaped by a backslash. One that is not, and
//! begins nothing, cuts the post off there, and LinkedIn answers as if all were well.

/// The letters that mean something.
const RESERVED: &str = r"\|{}@[]()<>#*_~";

/// What a hashtag may stand behind. Elsewhere, as in an address or in *C#*, the sign is a letter like others.
const OPENING: &str = "([{\"'«“‘¡¿";

/// How a hashtag is sent: with the sign alone in its place, it is a word that leads nowhere.
const HASHTAG: &str = "{hashtag|\\#|";

/// `text` as it is sent: people see it letter for letter, and hashtags lead to their feeds.
pub(super) fn written(text: &str) -> String {
    let mut commentary = String::with_capacity(text.len() + text.len() / 8);
    let (mut rest, mut before) = (text, None);
    while let Some(letter) = rest.chars().next() {
        let after = rest.get(letter.len_utf8()..).unwrap_or_default();
        let word = if letter == '#' && opens(before) { tag(after) } else { "" };
        if word.is_empty() {
            if RESERVED.contains(letter) {
                commentary.push('\\');
            }
            commentary.push(letter);
        } else {
            commentary.extend([HASHTAG, word, "}"]);
        }
        rest = after.get(word.len()..).unwrap_or_default();
        before = Some(word.chars().next_back().unwrap_or(letter));
    }
    commentary
}

/// Whether a hashtag may begin behind this letter.
fn opens(before: Option<char>) -> bool {
    before.is_none_or(|letter| letter.is_whitespace() || OPENING.contains(letter))
}

/// The word of a hashtag that begins here, with a letter in it; empty: there is none.
fn tag(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(text.len());
    let word = text.get(..end).unwrap_or_default();
    if word.chars().any(char::is_alphabetic) { word } else { "" }
}

/// The text that people see of a commentary.
pub(super) fn shown(commentary: &str) -> String {
    let mut text = String::with_capacity(commentary.len());
    let mut rest = commentary;
    while let Some(letter) = rest.chars().next() {
        let after = rest.get(letter.len_utf8()..).unwrap_or_default();
        let element = match letter {
            '\\' => after.chars().next().map(|escaped| (escaped.to_string(), after.get(escaped.len_utf8()..).unwrap_or_default())),
            '{' => hashtag(after),
            '@' => mention(after),
            _ => None,
        };
        let (seen, after) = element.unwrap_or_else(|| (letter.to_string(), after));
        text.push_str(&seen);
        rest = after;
    }
    text
}

/// `hashtag|\#|word}`: the sign and the word.
fn hashtag(text: &str) -> Option<(String, &str)> {
    let (sign, rest) = until(text.strip_prefix("hashtag|")?, '|')?;
    let (word, rest) = until(rest, '}')?;
    Some((sign + &word, rest))
}

/// `[Name](urn:li:…)`: the name.
fn mention(text: &str) -> Option<(String, &str)> {
    let (name, rest) = until(text.strip_prefix('[')?, ']')?;
    let (urn, rest) = until(rest.strip_prefix('(')?, ')')?;
    urn.starts_with("urn:li:").then_some((name, rest))
}

/// What stands before `end`, without escapes, and what stands behind it.
fn until(text: &str, end: char) -> Option<(String, &str)> {
    let (mut part, mut letters) = (String::new(), text.chars());
    loop {
        match letters.next()? {
            '\\' => part.push(letters.next()?),
            letter if letter == end => return Some((part, letters.as_str())),
            letter => part.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reserved_letter_is_escaped_and_no_other() {
        for letter in RESERVED.chars() {
            assert_eq!(written(&format!("a {letter} b")), format!("a \\{letter} b"), "{letter}");
        }
        let plain = "Café & Tee – 50 % · \"ja\"\n'nein'; 日本語 👩‍👩‍👧‍👦 $1.00 = 1^2 + `x`/y?!";
        assert_eq!(written(plain), plain);
        assert_eq!(written(r"Join us (today) at C:\x_y"), r"Join us \(today\) at C:\\x\_y");
    }

    #[test]
    fn a_hashtag_leads_to_its_feed_and_other_signs_are_signs() {
        for (text, commentary) in [
            ("#bread", "{hashtag|\\#|bread}"),
            ("New #bread, #2026er (#brot)", "New {hashtag|\\#|bread}, {hashtag|\\#|2026er} \\({hashtag|\\#|brot}\\)"),
            ("#Métiers\n#日本", "{hashtag|\\#|Métiers}\n{hashtag|\\#|日本}"),
            ("#snake_case", "{hashtag|\\#|snake}\\_case"),
            ("we are #1", "we are \\#1"),
            ("C# and ## and # x", "C\\# and \\#\\# and \\# x"),
            ("https://example.com/#menu", "https://example.com/\\#menu"),
            ("#a#b", "{hashtag|\\#|a}\\#b"),
        ] {
            assert_eq!(written(text), commentary, "{text}");
        }
    }

    #[test]
    fn what_is_read_back_is_what_was_sent() {
        let every: String = (' '..='\u{17f}').collect();
        for text in [
            every.as_str(),
            "",
            r"\",
            r"\\(\#)",
            "{hashtag|\\#|not one of ours}",
            "@[Name](urn:li:person:1) is text, too",
            "Join us (today) at some_name #launch @home ~5 * 3 <b> [x] {y} | #",
            "#a #b\n\n#c_d",
        ] {
            assert_eq!(shown(&written(text)), text, "{text}");
        }
    }

    #[test]
    fn what_others_wrote_is_read_as_people_see_it() {
        for (commentary, text) in [
            ("Hello @[Acme \\(Corp\\)](urn:li:organization:1234)!", "Hello Acme (Corp)!"),
            ("{hashtag|#|plain} {hashtag|＃|wide}", "#plain ＃wide"),
            ("{hashtag|\\#|a\\_b}", "#a_b"),
            ("unescaped (as it is) {x} @y [z](w) \\", "unescaped (as it is) {x} @y [z](w) \\"),
            ("{hashtag|\\#|open", "{hashtag|#|open"),
        ] {
            assert_eq!(shown(commentary), text, "{commentary}");
        }
    }
}
