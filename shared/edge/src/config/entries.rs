//! Lists of entries such as `x.api=https://api.x.com,facebook.version=v26.0`: each names one thing of a known set, and no thing twice.

use super::{Fault, Variables};

/// Longer names are not shown: what stands there is no name of ours.
const NAME_CHARS_SHOWN_MAX: usize = 40;

impl Variables<'_> {
    /// The entries of a variable that need not be set. `known` are the names with what each stands for; `read` gives an entry's value, or
    /// says what was expected. Every entry at fault is reported, by its name, never with its value.
    pub(super) fn entries<N: Copy, V>(
        &mut self,
        variable: &'static str,
        known: &[(String, N)],
        read: impl Fn(N, &str) -> Result<V, String>,
    ) -> Vec<(N, V)> {
        let (mut found, mut seen) = (Vec::new(), Vec::new());
        let Some(list) = self.source.get(variable).filter(|list| !list.is_empty()) else { return found };
        for (index, entry) in list.split(',').map(str::trim).enumerate() {
            match entry_of(entry, index + 1, known, &seen) {
                Ok((name, named, value)) => {
                    seen.push(name);
                    match read(named, value) {
                        Ok(value) => found.push((named, value)),
                        Err(expected) => self.faults.push(Fault::Entry { variable, entry: name.to_owned(), expected }),
                    }
                }
                Err((entry, expected)) => self.faults.push(Fault::Entry { variable, entry, expected }),
            }
        }
        found
    }
}

/// The name that an entry has, what it stands for, and the text of its value; or which entry it is, and what was expected of it.
fn entry_of<'a, N: Copy>(
    entry: &'a str,
    place: usize,
    known: &'a [(String, N)],
    seen: &[&str],
) -> Result<(&'a str, N, &'a str), (String, String)> {
    let unnamed = || format!("entry {place}");
    let (name, value) = entry.split_once('=').ok_or_else(|| (unnamed(), "name=value".to_owned()))?;
    let Some((name, named)) = known.iter().find(|(known, _)| known == name) else {
        let names: Vec<_> = known.iter().map(|(name, _)| name.as_str()).collect();
        let shown = if is_like_a_name(name) { format!("{} ({name})", unnamed()) } else { unnamed() };
        return Err((shown, format!("named one of {}", names.join(", "))));
    };
    if seen.contains(&name.as_str()) { Err((name.clone(), "there once".to_owned())) } else { Ok((name, *named, value)) }
}

/// Whether a misspelt name may be shown: it is no secret that got into the wrong place.
fn is_like_a_name(text: &str) -> bool {
    let named = |byte: u8| byte.is_ascii_lowercase() || byte == b'.' || byte == b'_';
    (1..=NAME_CHARS_SHOWN_MAX).contains(&text.len()) && text.bytes().all(named)
}

#[cfg(test)]
mod tests {
    use super::super::{Source, read};

    /// The entries of a list whose names are `a` and `b`, and whose values are digits; or the faults, in words.
    fn entries(list: &'static str) -> Result<Vec<(u8, u32)>, Vec<String>> {
        let source = Source::from_fn(move |_| Some(list.to_owned()));
        let known = [("a".to_owned(), 1), ("b".to_owned(), 2)];
        let digits = |_, value: &str| value.parse::<u32>().map_err(|_| "digits".to_owned());
        let read = read(&source, |variables| variables.entries("LIST", &known, digits));
        read.map_err(|error| error.0.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn entries_are_read_in_their_order() {
        assert_eq!(entries("b=2, a=1"), Ok(vec![(2, 2), (1, 1)]));
        assert_eq!(entries(""), Ok(Vec::new()));
    }

    #[test]
    fn every_entry_at_fault_is_named_and_no_value_is_shown() {
        let faults = entries("a=marker,b=1,c.d=marker,marker,b=2,,MARKER=1").unwrap_err();
        let expected = [
            "LIST: a must be digits",
            "LIST: entry 3 (c.d) must be named one of a, b",
            "LIST: entry 4 must be name=value",
            "LIST: b must be there once",
            "LIST: entry 6 must be name=value",
            "LIST: entry 7 must be named one of a, b",
        ];
        assert_eq!(faults, expected);
    }
}
