//! How long a grant lives, and when it is looked after.
//!
//! A grant is what gets us tokens: a refresh token, or a long-lived token where there is none. An access token with a living refresh token
//! is renewed for a post, when one is due, and never by its age.

use jiff::{SignedDuration, Timestamp};

use super::{Connection, RefreshLease};
use crate::id::ConnectionId;
use crate::planted::Bug;
use crate::platform::Renewal;
use crate::token::TokenSet;

/// A secret is not written again sooner: more often than once in ten minutes for long, and the vault runs out of versions.
/// Source: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html>.
pub const WRITES_APART: SignedDuration = SignedDuration::from_mins(10);

/// A grant is renewed once this part of its life is over. So four fifths are left for a platform that does not answer, and a life that is only
/// our guess may be five times too long.
const RENEWED_AFTER: i32 = 5;
/// Chance adds up to this part of its life: grants that were given together are not renewed together.
const SPREAD_OVER: i32 = 20;
/// How long before its end an owner is asked, where a refresh token has an end that no renewal moves.
const WARN: SignedDuration = SignedDuration::from_hours(14 * 24);
/// A renewal that came to nothing is tried again after this part of what is left…
const TRIED_AGAIN_AFTER: i32 = 20;
/// …and after this time at the latest.
const TRIED_AGAIN_MAX: SignedDuration = SignedDuration::from_hours(6);
/// Ends that are told one after the other and are no further apart are one end: what is left is told in seconds, by clocks that differ.
const SAME_END: SignedDuration = SignedDuration::from_hours(1);
/// Grants of one platform that end within this time are one matter to their owner: one consent often brings several accounts.
const ASKED_TOGETHER: SignedDuration = SignedDuration::from_hours(24);
/// After so long an owner is asked again whose text was surely not taken.
const ASKED_AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// What a platform says of its grants without a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How they are renewed.
    pub renewal: Renewal,
    /// How long one lives that is not renewed, where no answer tells.
    pub life: Option<SignedDuration>,
}

/// The life of the grant behind a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantLife {
    /// When it was given or last renewed, by our own clock: its tokens were written then.
    pub granted_at: Timestamp,
    /// When it ends unless it is renewed, as the platform has told; `None`: not told, or never.
    pub ends_at: Option<Timestamp>,
    /// When it is looked at next, to be renewed or to have its owner asked: [`Connection::grant_step`] says which. It may be sooner than there
    /// is anything to do. `None`: never.
    pub renew_at: Option<Timestamp>,
    /// By when its owner has to connect again; `None` until they are asked.
    pub reconnect_by: Option<Timestamp>,
    /// When a text that asks for it was handed over, or may have been.
    pub asked_at: Option<Timestamp>,
}

/// What a grant needs when it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantStep {
    /// Nothing: it is not its time.
    Nothing,
    /// Nothing before then; `None`: nothing ever.
    Later(Option<Timestamp>),
    /// A call that renews it.
    Renew,
    /// Its owner, who has to connect again by then.
    Ask(Timestamp),
    /// Nothing helps but another consent: it is over.
    Over,
}

/// Who can keep a grant alive.
enum Keeper {
    /// A call of ours, from this age of the tokens on.
    Call {
        /// The age.
        after: SignedDuration,
    },
    /// A person, who is asked so long before the end.
    Person {
        /// How long.
        warn: SignedDuration,
    },
    /// Nobody needs to, or can.
    Nobody,
}

impl Keeper {
    fn of(terms: &Terms, refreshable: bool, ends_at: Option<Timestamp>) -> Self {
        match terms.renewal {
            Renewal::Rotating if refreshable => Self::Call { after: WRITES_APART },
            // A refresh token that stays keeps its end, if it was told one; else to use it keeps it alive.
            Renewal::Stable if refreshable => match ends_at {
                Some(_) => Self::Person { warn: WARN },
                None => Self::Call { after: WRITES_APART },
            },
            Renewal::Extends { after } => Self::Call { after: after.max(WRITES_APART) },
            Renewal::Consent { warn } => Self::Person { warn },
            Renewal::Rotating | Renewal::Stable | Renewal::Never => Self::Nobody,
        }
    }
}

impl GrantLife {
    /// The life of the grant that brought `tokens` at `granted_at`. `chance` spreads what begins together.
    pub fn new(terms: &Terms, tokens: &TokenSet, granted_at: Timestamp, chance: [u8; 8]) -> Self {
        let refreshable = tokens.refresh.is_some();
        let ends_at = match terms.renewal {
            Renewal::Never => None,
            Renewal::Rotating | Renewal::Stable => tokens.refresh_expires_at.filter(|_| refreshable),
            Renewal::Consent { .. } if refreshable => tokens.refresh_expires_at,
            Renewal::Extends { .. } | Renewal::Consent { .. } => tokens.expires_at,
        };
        let bare = Self { ends_at, ..Self::unwatched(granted_at) };
        Self { renew_at: bare.moment(terms, refreshable, chance), ..bare }
    }

    /// A grant that nobody looks after.
    pub fn unwatched(granted_at: Timestamp) -> Self {
        Self { granted_at, ends_at: None, renew_at: None, reconnect_by: None, asked_at: None }
    }

    /// Whether more than half of its life has passed without a renewal, as it should not.
    pub fn is_late(&self, terms: &Terms, now: Timestamp) -> bool {
        self.whole(terms).is_some_and(|whole| now > self.granted_at + whole / 2)
    }

    /// The same after a renewal at `granted_at` that brought `tokens`. Where only a person moves the end, nothing changes but by them. The index
    /// is moved only once half of its time is over: the tokens of an account that posts every hour are not a write to it each time.
    #[must_use]
    pub fn renewed(self, terms: &Terms, tokens: &TokenSet, granted_at: Timestamp, chance: [u8; 8]) -> Self {
        let fresh = Self::new(terms, tokens, granted_at, chance);
        let by_a_person = matches!(Keeper::of(terms, tokens.refresh.is_some(), fresh.ends_at), Keeper::Person { .. });
        let is_same_end = fresh.ends_at.zip(self.ends_at).is_some_and(|(fresh, old)| fresh <= old + SAME_END);
        if by_a_person && is_same_end {
            return self;
        }
        let half_way = |next: Timestamp| granted_at + next.duration_since(granted_at) / 2;
        // The latest that chance could have drawn: a moment that was drawn later than this one's would else be moved in vain.
        let latest = fresh.moment(terms, tokens.refresh.is_some(), [u8::MAX; 8]);
        let is_in_time = |at: &Timestamp| latest.is_some_and(|latest| *at <= latest);
        let stands = self.renew_at.filter(|at| is_in_time(at) && fresh.renew_at.is_some_and(|next| *at >= half_way(next)));
        Self { renew_at: stands.or(fresh.renew_at), ..fresh }
    }

    /// The same once a renewal was begun whose time had come: should it come to nothing, that is when it is tried again.
    fn tried(self, now: Timestamp) -> Self {
        let again = now + self.pause(now);
        Self { renew_at: self.renew_at.map(|at| if at <= now { again } else { at }), ..self }
    }

    fn pause(&self, now: Timestamp) -> SignedDuration {
        let left = self.ends_at.map(|ends| ends.duration_since(now) / TRIED_AGAIN_AFTER);
        left.unwrap_or(TRIED_AGAIN_MAX).clamp(WRITES_APART, TRIED_AGAIN_MAX)
    }

    fn whole(&self, terms: &Terms) -> Option<SignedDuration> {
        self.ends_at.map(|ends| ends.duration_since(self.granted_at)).or(terms.life)
    }

    /// From when on there is something to do.
    fn due_at(&self, terms: &Terms, refreshable: bool) -> Option<Timestamp> {
        match Keeper::of(terms, refreshable, self.ends_at) {
            Keeper::Call { after } => {
                let after = if Bug::GrantRenewedTooSoon.is_planted() { SignedDuration::ZERO } else { after };
                self.whole(terms).map(|whole| self.granted_at + (whole / RENEWED_AFTER).max(after))
            }
            // An owner who has just consented is not asked at once, however short the life is.
            Keeper::Person { warn } => self.ends_at.map(|ends| ends - warn.min(ends.duration_since(self.granted_at) / 2)),
            Keeper::Nobody => None,
        }
    }

    /// The moment for it: as [`Self::due_at`] says, and a little later by chance.
    fn moment(&self, terms: &Terms, refreshable: bool, chance: [u8; 8]) -> Option<Timestamp> {
        let spread = match Keeper::of(terms, refreshable, self.ends_at) {
            Keeper::Call { .. } => self.whole(terms).map_or(0, |whole| (whole / SPREAD_OVER).as_secs().max(0)),
            Keeper::Person { .. } | Keeper::Nobody => 0,
        };
        let part = (i128::from(u64::from_le_bytes(chance)) * i128::from(spread)) >> 64;
        let later = SignedDuration::from_secs(i64::try_from(part).unwrap_or(spread));
        self.due_at(terms, refreshable).map(|at| at + later)
    }
}

impl RefreshLease {
    /// When it was taken.
    pub fn taken_at(&self) -> Timestamp {
        self.until - super::REFRESH_LEASE
    }
}

impl Connection {
    /// When its grant is looked at. `None`: never, as that of an account that cannot be used.
    pub fn renews_at(&self) -> Option<Timestamp> {
        self.life.renew_at.filter(|_| self.is_usable())
    }

    /// What its grant needs at `now`.
    pub fn grant_step(&self, terms: &Terms, now: Timestamp, chance: [u8; 8]) -> GrantStep {
        if self.renews_at().is_none_or(|at| at > now) {
            return GrantStep::Nothing;
        }
        let ended = self.life.ends_at.filter(|ends| *ends <= now);
        let due = self.life.due_at(terms, self.refreshable).is_some_and(|at| at <= now);
        match (Keeper::of(terms, self.refreshable, self.life.ends_at), self.life.ends_at) {
            // A long-lived token that has ended renews nothing any more; of a refresh token the platform has the last word.
            (Keeper::Call { .. }, _) if ended.is_some() && !self.refreshable => GrantStep::Over,
            (Keeper::Call { .. }, _) if due => GrantStep::Renew,
            (Keeper::Person { .. }, Some(_)) if ended.is_some() => GrantStep::Over,
            (Keeper::Person { .. }, Some(ends)) if due && self.life.asked_at.is_none() => GrantStep::Ask(ends),
            (Keeper::Person { .. }, Some(ends)) if due => GrantStep::Later(Some(ends)),
            // Renewed since the index was written, or kept in another way by now.
            _ => GrantStep::Later(self.life.moment(terms, self.refreshable, chance)),
        }
    }

    /// Its grant is looked at then, or never again.
    #[must_use]
    pub fn renewing_at(self, at: Option<Timestamp>, now: Timestamp) -> Self {
        Self { life: GrantLife { renew_at: at, ..self.life }, ..self.changed(now) }
    }

    /// Its grant is looked at later, because nothing can come of it now.
    #[must_use]
    pub fn renewing_later(self, now: Timestamp) -> Self {
        Self { life: self.life.tried(now), ..self.changed(now) }
    }

    /// Its platform renews it no sooner: the lease is given back.
    #[must_use]
    pub fn not_renewed_before(self, at: Timestamp, now: Timestamp) -> Self {
        Self { life: GrantLife { renew_at: Some(at.max(now + WRITES_APART)), ..self.life }, ..self.released(now) }
    }

    /// Its owner is being asked to connect again by `by`. Written before the text is handed over: a text is not sent twice.
    #[must_use]
    pub fn asked(self, by: Timestamp, now: Timestamp) -> Self {
        Self { life: GrantLife { reconnect_by: Some(by), asked_at: Some(now), renew_at: Some(by), ..self.life }, ..self.changed(now) }
    }

    /// By when the text that asks its owner says, if that is its own to send, of `all` that the owner has connected. Of those whose grants end
    /// together the first one speaks for the others: by the earliest of the ends.
    pub fn speaks_by(&self, all: &[Self]) -> Option<Timestamp> {
        let beside = all.iter().filter(|other| other.platform == self.platform && other.is_usable() && other.id != self.id);
        let mut ends: Vec<_> = beside.chain([self]).filter_map(|one| Some((&one.id, one.life.ends_at?))).collect();
        ends.sort();
        // Who is spoken for speaks for nobody.
        let mut speakers: Vec<(&ConnectionId, Timestamp, Timestamp)> = Vec::new();
        for (id, end) in ends {
            match speakers.iter_mut().find(|(_, of, _)| of.duration_since(end).abs() <= ASKED_TOGETHER) {
                Some((.., earliest)) => *earliest = end.min(*earliest),
                None => speakers.push((id, end, end)),
            }
        }
        speakers.into_iter().find(|(id, ..)| **id == self.id).map(|(.., earliest)| earliest)
    }

    /// The text was surely not taken, and is tried again. What its owner sees on a page stays.
    #[must_use]
    pub fn unasked(self, now: Timestamp) -> Self {
        Self { life: GrantLife { asked_at: None, renew_at: Some(now + ASKED_AGAIN_AFTER), ..self.life }, ..self.changed(now) }
    }

    /// Whether its owner has to connect it again, now or soon.
    pub fn wants_reconnect(&self) -> bool {
        match self.health {
            super::Health::NeedsReauth | super::Health::Limited => true,
            super::Health::Ok => self.life.reconnect_by.is_some(),
            super::Health::Disconnecting => false,
        }
    }

    pub(super) fn tried_life(&self, now: Timestamp) -> GrantLife {
        self.life.tried(now)
    }
}

#[cfg(test)]
mod tests;
