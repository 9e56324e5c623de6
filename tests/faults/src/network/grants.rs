//! How the platform keeps grants alive, and what it demands of whoever renews them.

use domain::connection::WRITES_APART;
use domain::platform::{Descriptor, Reconcile, Renewal};
use jiff::{SignedDuration, Timestamp};
use platforms::Renewed;

use super::{Broken, Network, descriptor, grantor};
use crate::actor::Actor;
use crate::scenario::Keeping;
use crate::world::RENEWALS;

/// How old a long-lived token must be.
const AFTER: SignedDuration = SignedDuration::from_mins(30);
/// How long before the end of a grant its owner is told.
const WARN: SignedDuration = SignedDuration::from_hours(1);

pub(super) static EXTENDED: Descriptor =
    Descriptor { renewal: Renewal::Extends { after: AFTER }, grant_life: None, ..descriptor(|_| Reconcile::Search) };
pub(super) static CONSENTED: Descriptor =
    Descriptor { renewal: Renewal::Consent { warn: WARN }, grant_life: None, ..descriptor(|_| Reconcile::Search) };

/// When what is given ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lives {
    pub(super) now: Timestamp,
    pub(super) access: Timestamp,
    /// Whether a refresh token is given, too.
    pub(super) is_refreshable: bool,
    /// When that one ends, if ever.
    pub(super) refresh: Option<Timestamp>,
}

impl Network {
    /// How long what is given now lives, where an access token with a refresh token lives for `access`.
    pub(super) fn lives(&self, now: Timestamp, access: SignedDuration) -> Lives {
        let ends = self.grant_life.map(|life| now + life);
        match self.keeping {
            Keeping::Refresh => Lives { now, access: now + access, is_refreshable: true, refresh: ends },
            Keeping::Extend | Keeping::Consent => Lives { now, access: ends.unwrap_or(now + access), is_refreshable: false, refresh: None },
        }
    }

    /// A new long-lived token for one that lives and is old enough; the old one goes on, too.
    pub(super) fn extend(&self, account: &str, access: &str) -> Result<Renewed, Broken> {
        let now = self.clock.now();
        let mut held = self.held();
        if !held.is_live(account, access, now) {
            return Err(Broken::Refused);
        }
        let given_at = held.newest.get(account).filter(|(newest, _)| newest == access).map(|(_, at)| *at);
        if let Some(from) = given_at.map(|at| at + AFTER).filter(|from| now < *from) {
            // A clock that is ahead believes it old enough.
            if !self.injector.clocks_jumped() {
                self.injector.violation(format!("S31: the grant of {account} is renewed at {now}, which may be from {from} on"));
            }
            return Ok(Renewed::NotYet(from));
        }
        let next = self.lives(now, SignedDuration::ZERO);
        Ok(Renewed::Tokens(held.issue(account, grantor(access), next)))
    }

    /// Nobody who looks after grants writes a secret twice within ten minutes. Whoever posts may.
    pub(super) fn demand_apart(&self, account: &str) {
        let is_for_its_age = Actor::current().is_some_and(|actor| actor.name == RENEWALS);
        if !is_for_its_age || self.injector.clocks_jumped() {
            return;
        }
        let newest = self.held().newest.get(account).cloned();
        let Some((token, at)) = newest.filter(|(_, at)| self.clock.now() < *at + WRITES_APART) else { return };
        let is_stored = self.aws.secrets().unwrap_or_default().iter().any(|(_, _, value)| value.contains(&token));
        if is_stored {
            self.injector.violation(format!("S31: tokens of {account} were written at {at}, and are renewed again for their age"));
        }
    }

    /// Whether an account's grant lives at this moment.
    pub(crate) fn lives_on(&self, account: &str) -> bool {
        let (held, now) = (self.held(), self.clock.now());
        let revoked = held.revoked.iter().any(|revoked| revoked == account);
        let by_refresh = held.fresh.values().any(|(of, until)| of == account && until.is_none_or(|until| now < until));
        let by_access = held.access.values().any(|(of, until)| of == account && now < *until);
        !revoked && if self.keeping == Keeping::Refresh { by_refresh } else { by_access }
    }
}
