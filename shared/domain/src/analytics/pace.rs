//! How often an operator wants metrics read, network by network: at some networks each reading costs.

use std::collections::BTreeMap;

use super::{LADDER, Watch};
use crate::platform::PlatformName;

/// How much of the ladder is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Nothing.
    Off,
    /// The first rung, from there on one rung of so many, and the last; 1: each.
    OneOf(usize),
}

impl Pace {
    /// The whole ladder.
    pub const FULL: Self = Self::OneOf(1);
    /// With this one, the first and the last rung are left.
    pub const ONE_OF_MAX: usize = LADDER.len() - 1;

    /// Reads `off`, or a whole number from 1 to [`Self::ONE_OF_MAX`].
    pub fn parse(text: &str) -> Option<Self> {
        if text == "off" {
            return Some(Self::Off);
        }
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let rungs = text.parse().ok().filter(|rungs| digits && (1..=Self::ONE_OF_MAX).contains(rungs))?;
        Some(Self::OneOf(rungs))
    }

    /// Whether the rung of this place in the ladder is read.
    pub(super) fn reads(self, rung: usize) -> bool {
        match self {
            Self::Off => false,
            Self::OneOf(rungs) => rung.is_multiple_of(rungs) || rung + 1 == LADDER.len(),
        }
    }
}

/// The pace of each network; the whole ladder where nothing else was said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paces(BTreeMap<PlatformName, Pace>);

impl Paces {
    /// The network's.
    pub fn of(&self, platform: PlatformName) -> Pace {
        self.0.get(&platform).copied().unwrap_or(Pace::FULL)
    }

    /// What a post's owner is told of when its metrics are read.
    pub fn told(&self, watch: Watch) -> Watch {
        let pace = self.of(watch.platform);
        watch.told_at(pace)
    }
}

impl FromIterator<(PlatformName, Pace)> for Paces {
    /// What comes later counts.
    fn from_iter<I: IntoIterator<Item = (PlatformName, Pace)>>(paces: I) -> Self {
        Self(paces.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_off_or_one_rung_of_so_many() {
        assert_eq!((Pace::parse("off"), Pace::parse("1"), Pace::parse("6")), (Some(Pace::Off), Some(Pace::FULL), Some(Pace::OneOf(6))));
        for bad in ["", "0", "7", "-1", "+1", "1.5", "on", "OFF", " off", "99999999999999999999"] {
            assert_eq!(Pace::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_first_and_the_last_rung_stay_at_every_pace_but_none() {
        let read = |pace: Pace| (0..LADDER.len()).filter(|rung| pace.reads(*rung)).collect::<Vec<_>>();
        let expected = [vec![0, 1, 2, 3, 4, 5, 6], vec![0, 2, 4, 6], vec![0, 3, 6], vec![0, 4, 6], vec![0, 5, 6], vec![0, 6]];
        for (rungs, expected) in (1..=Pace::ONE_OF_MAX).zip(expected) {
            assert_eq!(read(Pace::OneOf(rungs)), expected, "{rungs}");
        }
        assert_eq!(read(Pace::Off), Vec::<usize>::new());
    }

    #[test]
    fn a_network_that_nothing_is_said_of_has_the_whole_ladder() {
        let paces: Paces = [(PlatformName::X, Pace::FULL), (PlatformName::X, Pace::Off)].into_iter().collect();
        assert_eq!((paces.of(PlatformName::X), paces.of(PlatformName::Facebook)), (Pace::Off, Pace::FULL));
    }
}
