//! How many lines a round writes about what it could not do.

/// The log names so many.
const NAMED_MAX: usize = 10;

/// What could not be done. All of it may fail at once, and again a minute later: the log names the first, and counts the rest.
#[derive(Debug, Default)]
pub(crate) struct Failures(usize);

impl Failures {
    /// One more; `name` writes its line.
    pub(crate) fn add(&mut self, name: impl FnOnce()) {
        if self.0 < NAMED_MAX {
            name();
        }
        self.0 += 1;
    }

    /// How many the log does not name.
    pub(crate) fn unnamed(&self) -> usize {
        self.0.saturating_sub(NAMED_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ten_are_named_and_the_rest_is_counted() {
        let (mut failures, mut named) = (Failures::default(), 0);
        for _ in 0..NAMED_MAX {
            failures.add(|| named += 1);
        }
        assert_eq!((named, failures.unnamed()), (NAMED_MAX, 0));
        failures.add(|| panic!("it is only counted"));
        assert_eq!(failures.unnamed(), 1);
    }
}
