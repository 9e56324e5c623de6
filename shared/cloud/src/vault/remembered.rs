//! Tokens that this process has read a moment ago.

use std::collections::HashMap;

use domain::token::TokenSet;
use jiff::{SignedDuration, Timestamp};

use super::credentials::is_fresh;

/// How many versions are remembered at most: far more than one process acts for in so short a time.
const VERSIONS_MAX: usize = 256;

/// Versions of secrets, each for the same while. What is dropped is wiped from memory, as all that [`TokenSet`] holds is.
pub(super) struct Remembered {
    life: SignedDuration,
    versions: HashMap<Version, (TokenSet, Timestamp)>,
}

/// A secret's name, and which of its versions.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Version(String, String);

impl Remembered {
    pub(super) fn for_a_while(life: SignedDuration) -> Self {
        Self { life, versions: HashMap::new() }
    }

    pub(super) fn tokens(&self, name: &str, version: &str, now: Timestamp) -> Option<TokenSet> {
        let (tokens, read_at) = self.versions.get(&Version(name.to_owned(), version.to_owned()))?;
        is_fresh(*read_at, now, self.life).then(|| tokens.clone())
    }

    /// What is too old goes, and of too many the one that was read first.
    pub(super) fn keep(&mut self, name: &str, version: &str, tokens: &TokenSet, now: Timestamp) {
        let life = self.life;
        self.versions.retain(|_, (_, read_at)| is_fresh(*read_at, now, life));
        let read_first = || self.versions.iter().min_by_key(|(_, (_, read_at))| *read_at).map(|(version, _)| version.clone());
        if self.versions.len() >= VERSIONS_MAX
            && let Some(version) = read_first()
        {
            self.versions.remove(&version);
        }
        self.versions.insert(Version(name.to_owned(), version.to_owned()), (tokens.clone(), now));
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.versions.retain(|version, _| version.0 != name);
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn tokens(access: usize) -> TokenSet {
        let access = access.to_string().into();
        TokenSet::bare(access)
    }

    #[test]
    fn of_too_many_versions_those_that_were_read_first_are_forgotten() {
        let at = |millis: usize| Timestamp::from_millisecond(i64::try_from(millis).unwrap()).unwrap();
        let mut remembered = Remembered::for_a_while(SignedDuration::from_mins(5));
        let all = VERSIONS_MAX + 10;
        for number in 0..all {
            // Two at each moment.
            remembered.keep("secret", &number.to_string(), &tokens(number), at(number / 2));
        }
        let known = |number: usize| remembered.tokens("secret", &number.to_string(), at(all));
        assert_eq!(remembered.versions.len(), VERSIONS_MAX);
        assert!((0..10).all(|number| known(number).is_none()) && (10..all).all(|number| known(number).is_some()));
        assert_eq!(known(all - 1).unwrap().access.expose_secret(), (all - 1).to_string());
    }

    #[test]
    fn what_is_too_old_does_not_stay_in_memory() {
        let (begin, life) = (Timestamp::UNIX_EPOCH, SignedDuration::from_mins(5));
        let mut remembered = Remembered::for_a_while(life);
        remembered.keep("one", "1", &tokens(1), begin);
        assert!(remembered.tokens("one", "1", begin + life).is_none());
        remembered.keep("two", "1", &tokens(2), begin + life);
        assert_eq!(remembered.versions.len(), 1);
    }
}
