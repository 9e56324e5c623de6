//! What becomes of a post's `commentary`: escapes are undone, hashtags are hashtags, and whatever else is reserved cuts the rest off.
//! See <https://learn.microsoft.com/linkedin/marketing/community-management/shares/little-text-format>.

/// The text that people see.
pub(super) fn seen(commentary: &str) -> String {
    let mut seen = String::new();
    let mut rest = commentary;
    while let Some(at) = rest.find(['\\', '|', '{', '}', '@', '[', ']', '(', ')', '<', '>', '#', '*', '_', '~']) {
        let (plain, reserved) = rest.split_at(at);
        seen.push_str(plain);
        let after = reserved.get(1..).unwrap_or_default();
        if reserved.starts_with('\\') {
            seen.extend(after.chars().next());
            rest = after.get(after.chars().next().map_or(0, char::len_utf8)..).unwrap_or_default();
        } else if let Some((word, after)) = reserved.strip_prefix("{hashtag|\\#|").and_then(|tag| tag.split_once('}')) {
            seen.push('#');
            seen.push_str(word);
            rest = after;
        } else {
            // LinkedIn says nothing of it.
            return seen;
        }
    }
    seen + rest
}

/// A text as lists tell it: hashtags as such, all else that is reserved escaped.
pub(super) fn told(text: &str) -> String {
    let mut told = String::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '#' && letters.peek().is_some_and(|next| next.is_alphabetic()) {
            let mut word = String::new();
            while let Some(next) = letters.next_if(|next| next.is_alphanumeric()) {
                word.push(next);
            }
            told.extend(["{hashtag|\\#|", &word, "}"]);
        } else {
            if r"\|{}@[]()<>#*_~".contains(letter) {
                told.push('\\');
            }
            told.push(letter);
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unescaped_letter_cuts_the_rest_off_without_a_word() {
        for (commentary, text) in [
            ("Join us (today)", "Join us "),
            ("some_name", "some"),
            (r"Join us \(today\) at some\_name", "Join us (today) at some_name"),
            (r"new {hashtag|\#|bread} \#1", "new #bread #1"),
            ("new #bread", "new "),
            (r"at the end \", "at the end "),
        ] {
            assert_eq!(seen(commentary), text, "{commentary}");
        }
    }

    #[test]
    fn what_is_told_is_what_is_seen() {
        for text in ["Fish (and) #chips_1 #2", r"a\b", "plain"] {
            assert_eq!(seen(&told(text)), text, "{text}");
        }
    }
}
