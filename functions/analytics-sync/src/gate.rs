//! What one run may still ask, and what it has learned. It is this function's own: what a platform says of reading keeps nobody from posting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::id::ConnectionId;
use domain::platform::PlatformName;
use jiff::Timestamp;
use platforms::Platforms;

/// The budgets of the platforms, and the limits that were met.
#[derive(Debug)]
pub(crate) struct Gate(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    left: BTreeMap<PlatformName, usize>,
    accounts: BTreeMap<ConnectionId, Timestamp>,
    platforms: BTreeMap<PlatformName, Timestamp>,
    missing: BTreeSet<(PlatformName, &'static str)>,
}

impl Gate {
    pub(crate) fn new(platforms: &Platforms) -> Self {
        let left = platforms.all().map(|platform| (platform.name(), platform.descriptor().numbers.posts_max)).collect();
        Self(Mutex::new(Inner { left, ..Inner::default() }))
    }

    /// Whether one more post of the platform may be read.
    pub(crate) fn has_room(&self, platform: PlatformName) -> bool {
        self.inner().left.get(&platform).is_some_and(|left| *left > 0)
    }

    /// Uses one of the platform's readings; `false`: there is none left.
    pub(crate) fn take(&self, platform: PlatformName) -> bool {
        let mut inner = self.inner();
        let taken = inner.left.get_mut(&platform).and_then(|left| Some((left.checked_sub(1)?, left)));
        taken.map(|(less, left)| *left = less).is_some()
    }

    /// An account is not to be asked before `until`.
    pub(crate) fn limit_account(&self, account: &ConnectionId, until: Timestamp) {
        self.inner().accounts.insert(account.clone(), until);
    }

    /// Nothing of a platform is to be asked before `until`.
    pub(crate) fn limit_platform(&self, platform: PlatformName, until: Timestamp) {
        self.inner().platforms.insert(platform, until);
    }

    /// Until when the account is not to be asked, as far as this run has learned.
    pub(crate) fn limited_until(&self, account: &ConnectionId, platform: PlatformName) -> Option<Timestamp> {
        let inner = self.inner();
        inner.accounts.get(account).copied().max(inner.platforms.get(&platform).copied())
    }

    /// A platform does not tell fields that were asked for.
    pub(crate) fn note_missing(&self, platform: PlatformName, fields: &[&'static str]) {
        self.inner().missing.extend(fields.iter().map(|field| (platform, *field)));
    }

    /// The fields that did not come, each once, however many posts lack it.
    pub(crate) fn missing(&self) -> BTreeSet<(PlatformName, &'static str)> {
        self.inner().missing.clone()
    }

    /// Every change of it is whole at once.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_ends_and_the_later_of_two_limits_counts() {
        let left = BTreeMap::from([(PlatformName::X, 2)]);
        let gate = Gate(Mutex::new(Inner { left, ..Inner::default() }));
        assert!(gate.take(PlatformName::X) && gate.has_room(PlatformName::X) && gate.take(PlatformName::X));
        assert!(!gate.has_room(PlatformName::X) && !gate.take(PlatformName::X) && !gate.take(PlatformName::Facebook));

        let at = |secs| Timestamp::from_second(secs).unwrap();
        let account = ConnectionId::new(at(0), [1; 10]);
        assert_eq!(gate.limited_until(&account, PlatformName::X), None);
        gate.limit_account(&account, at(5));
        gate.limit_platform(PlatformName::X, at(9));
        assert_eq!(gate.limited_until(&account, PlatformName::X), Some(at(9)));
        assert_eq!(gate.limited_until(&account, PlatformName::Facebook), Some(at(5)));
    }

    #[test]
    fn a_field_that_many_posts_lack_is_noted_once_for_each_platform() {
        let gate = Gate(Mutex::new(Inner::default()));
        for _ in 0..3 {
            gate.note_missing(PlatformName::X, &["repost_count", "engagements"]);
        }
        gate.note_missing(PlatformName::Facebook, &["post_clicks"]);
        gate.note_missing(PlatformName::Facebook, &[]);
        assert_eq!(gate.missing().len(), 3);
    }
}
