//! What serde says that a value should have been, in words for whoever sent it.

use std::fmt;

/// What a timestamp says of itself.
pub(super) const TIMESTAMP: &str = "a timestamp string";

/// What a type takes, by what it says of itself where it is not given that.
pub(super) struct Expecting<'a>(pub(super) &'a str);

impl fmt::Display for Expecting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            "a string" | "str" | "string" => "a text",
            "a sequence" => "a list",
            "a boolean" => "`true` or `false`",
            "an object" => "an object",
            TIMESTAMP => "a time with its offset, such as 2026-11-24T09:00:00Z",
            "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize" | "a whole number" => "a whole number",
            known if known.starts_with("struct ") || known.starts_with("a map") => "an object",
            _ => "another kind of value",
        })
    }
}

/// Names in backquotes, the last one after `and` or `or`.
pub(super) fn name_list(names: &[&str], last: &str) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [front @ .., end] if !front.is_empty() => format!("{} {last} {end}", front.join(", ")),
        all => all.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_as_in_a_sentence() {
        for (names, told) in [(&["a"] as &[&str], "`a`"), (&["a", "b"], "`a` or `b`"), (&["a", "b", "c"], "`a`, `b` or `c`")] {
            assert_eq!(name_list(names, "or"), told);
        }
    }

    #[test]
    fn what_a_type_calls_itself_is_not_told_unless_it_is_known() {
        assert_eq!(Expecting("usize").to_string(), "a whole number");
        assert_eq!(Expecting("struct Target").to_string(), "an object");
        assert_eq!(Expecting("a carrier of secrets").to_string(), "another kind of value");
    }
}
