//! When a published post's numbers are read.
//!
//! The older a post, the rarer its numbers change: they are read on a ladder of ages, and then no more. A reading that is late skips the
//! rungs that have passed. Every change raises `rev`, the condition of its write: of two that read at once, one writes. A rung is one write
//! with what the platform told. Where each reading costs there is one before it, too, so that of two only one asks.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Numbers, Pace};
use crate::id::{ConnectionId, PostId, UserId};
use crate::planted::Bug;
use crate::platform::PlatformName;
use crate::post::{Post, State};

/// The ages at which a post's numbers are read.
pub const LADDER: [SignedDuration; 7] = [
    SignedDuration::from_hours(1),
    SignedDuration::from_hours(6),
    SignedDuration::from_hours(24),
    SignedDuration::from_hours(3 * 24),
    SignedDuration::from_hours(7 * 24),
    SignedDuration::from_hours(14 * 24),
    END_AGE,
];
/// The last rung.
pub const END_AGE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// A post whose last reading keeps failing is given up at this age.
pub const WATCH_AGE_MAX: SignedDuration = SignedDuration::from_hours(37 * 24);

/// How long a reading that was noted may take, until somebody else goes by the note; and the shortest wait after a limit.
const READING_MAX: SignedDuration = SignedDuration::from_mins(10);
/// The shortest wait after a reading that failed, where the platform may be asked often; it grows with the post's age.
const RETRY_AFTER: SignedDuration = SignedDuration::from_mins(30);
/// The longest, the wait for somebody who can mend it, and that for the next reading of a platform that may be asked once a day.
const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// How often a platform may be asked for one post's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rhythm {
    /// As often as the ladder wants.
    Ladder,
    /// Each reading costs: once in a day of UTC at most. Rungs of a day that has its reading are left out.
    OnceADay,
}

/// Whether and when the numbers are read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Watching {
    /// At `next_sync_at`.
    Following,
    /// At `next_sync_at`, should the account be connected anew until then.
    NeedsReauth,
    /// No more: the post is old.
    Ended,
    /// No more: the post is gone from the platform. Its numbers are the last that it had.
    Deleted,
    /// No more: the account was disconnected.
    Disconnected,
    /// Not now: the service does not read at this platform. It is told, and never stored: the row waits for its next time, so that reading
    /// goes on once it is turned on again.
    Off,
}

impl Watching {
    /// The name in JSON and in exports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Following => "following",
            Self::NeedsReauth => "needs_reauth",
            Self::Ended => "ended",
            Self::Deleted => "deleted",
            Self::Disconnected => "disconnected",
            Self::Off => "off",
        }
    }
}

/// A published post whose numbers are followed, with the last that were told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// Which post.
    pub post_id: PostId,
    /// Whose.
    pub user_id: UserId,
    /// By which account it can be read.
    pub connection_id: ConnectionId,
    /// Where.
    pub platform: PlatformName,
    /// The platform's id.
    pub platform_post_id: String,
    /// When it became visible.
    pub published_at: Timestamp,
    /// The cycle that paid for it.
    pub cycle_start: Option<Timestamp>,
    /// What was told last.
    pub numbers: Numbers,
    /// When that was.
    pub observed_at: Option<Timestamp>,
    /// When the platform was last asked and may have answered, where each reading costs.
    pub asked_at: Option<Timestamp>,
    /// Whether it goes on.
    pub watching: Watching,
    /// When; `None`: no more.
    pub next_sync_at: Option<Timestamp>,
    /// Raised with each stored change.
    pub rev: u64,
}

/// What there is to do at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Nothing yet, or nothing any more.
    Nothing,
    /// The platform must not be asked today again: this is to be stored instead.
    Later(Box<Watch>),
    /// The platform is asked.
    Read(Box<Watch>),
    /// Each reading costs: this is to be stored, and then the platform is asked.
    Note(Box<Watch>),
}

/// Why a reading brought no numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// A limit, or a pause, which ends then; the platform was not asked or has surely not answered.
    Limited(Timestamp),
    /// The platform did not answer, or not so that it could be read.
    Unanswered,
    /// The account does not let us read; its owner can mend that.
    NeedsReauth,
    /// The account was disconnected.
    Disconnected,
    /// The post is gone from the platform.
    Deleted,
}

impl Watch {
    /// For a post that was just published; `None`: it is not, or the platform's id is not known.
    pub fn of(post: &Post) -> Option<Self> {
        let State::Published { at, platform_post_id: Some(id), .. } = &post.state else { return None };
        Some(Self {
            post_id: post.id.clone(),
            user_id: post.user_id.clone(),
            connection_id: post.connection_id.clone(),
            platform: post.platform,
            platform_post_id: id.clone(),
            published_at: *at,
            cycle_start: post.cycle_start,
            numbers: Numbers::default(),
            observed_at: None,
            asked_at: None,
            watching: Watching::Following,
            next_sync_at: Some(*at + LADDER[0]),
            rev: 1,
        })
    }

    /// What there is to do at `now`. Where each reading costs it is noted first: one that vanishes is not repeated on the same day. The note
    /// leaves the time of the reading alone, which is the key of an index.
    pub fn task(self, rhythm: Rhythm, now: Timestamp) -> Task {
        if self.next_sync_at.is_none_or(|at| at > now) {
            return Task::Nothing;
        }
        match (rhythm, self.asked_at) {
            (Rhythm::Ladder, _) => Task::Read(Box::new(self)),
            // Somebody may be at it.
            (Rhythm::OnceADay, Some(asked)) if now < asked + READING_MAX => Task::Nothing,
            (Rhythm::OnceADay, Some(asked)) if day(asked) >= day(now) => {
                let watching = self.watching;
                Task::Later(Box::new(self.again_at(asked + A_DAY, watching)))
            }
            (Rhythm::OnceADay, _) => Task::Note(Box::new(Self { asked_at: Some(now), ..self.changed() })),
        }
    }

    /// The platform told `numbers` at `now`. What was told later than that stands.
    #[must_use]
    pub fn observed(self, numbers: Numbers, rhythm: Rhythm, pace: Pace, now: Timestamp) -> Self {
        let next_sync_at = self.rung_after(rhythm, pace, now);
        if self.observed_at.is_some_and(|observed| observed >= now) {
            return Self { next_sync_at, ..self.changed() };
        }
        let watching = if next_sync_at.is_some() { Watching::Following } else { Watching::Ended };
        let numbers = if Bug::NumbersCountedTwice.is_planted() { numbers.plus(self.numbers) } else { numbers.or(self.numbers) };
        Self { numbers, observed_at: Some(now), watching, next_sync_at, ..self.changed() }
    }

    /// Nobody is asked at `now`, because reading is turned off: the row waits for the rung that would be next, should it be on by then.
    #[must_use]
    pub fn passed_over(self, now: Timestamp) -> Self {
        let next_sync_at = self.rung_after(Rhythm::Ladder, Pace::FULL, now);
        let watching = if next_sync_at.is_some() { self.watching } else { Watching::Ended };
        Self { watching, next_sync_at, ..self.changed() }
    }

    /// What its owner is told while the platform is read at `pace`: no time at which nobody will read.
    #[must_use]
    pub fn told_at(self, pace: Pace) -> Self {
        if pace == Pace::Off && self.next_sync_at.is_some() { Self { watching: Watching::Off, next_sync_at: None, ..self } } else { self }
    }

    /// There are no new numbers. Surely not asked is not asked: a limit does not use up the day's reading.
    #[must_use]
    pub fn put_off(self, trouble: Trouble, rhythm: Rhythm, now: Timestamp) -> Self {
        let stopped = |watch: Self, watching| Self { watching, next_sync_at: None, ..watch.changed() };
        match trouble {
            Trouble::Deleted => stopped(self, Watching::Deleted),
            Trouble::Disconnected => stopped(self, Watching::Disconnected),
            Trouble::NeedsReauth => Self { asked_at: None, ..self.again_at(now + A_DAY, Watching::NeedsReauth) },
            Trouble::Limited(until) => Self { asked_at: None, ..self.again_at(until.max(now + READING_MAX), Watching::Following) },
            Trouble::Unanswered => {
                let age = now.duration_since(self.published_at);
                let wait = if rhythm == Rhythm::OnceADay { A_DAY } else { (age / 4).clamp(RETRY_AFTER, A_DAY) };
                self.again_at(now + wait, Watching::Following)
            }
        }
    }

    /// The next reading, unless the post is too old by then.
    fn again_at(self, at: Timestamp, watching: Watching) -> Self {
        let too_old = at > self.published_at + WATCH_AGE_MAX;
        let (watching, next_sync_at) = if too_old { (Watching::Ended, None) } else { (watching, Some(at)) };
        Self { watching, next_sync_at, ..self.changed() }
    }

    /// The first rung of the pace that is still to come after a reading at `now`.
    fn rung_after(&self, rhythm: Rhythm, pace: Pace, now: Timestamp) -> Option<Timestamp> {
        let is_free = |at: &Timestamp| *at > now && (rhythm == Rhythm::Ladder || day(*at) > day(now));
        let rungs = LADDER.into_iter().enumerate().filter(|(rung, _)| pace.reads(*rung));
        rungs.map(|(_, age)| self.published_at + age).find(is_free)
    }

    fn changed(self) -> Self {
        Self { rev: self.rev + 1, ..self }
    }
}

/// The day of an instant in UTC.
fn day(at: Timestamp) -> jiff::civil::Date {
    at.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests;
