//! Requests that are made once, however often they are sent: the rules behind `Idempotency-Key`.
//!
//! A request claims its key before it acts, and leaves its answer when it has acted. Who comes with the same key meets the
//! record: the answer, if there is one; a refusal, if another request is meant or the first still runs; else the request
//! may be run again. That last case is a first run that vanished or did not come to an answer. It may have taken effect, so
//! what a route makes under a key gets its ids from the [`Seed`], which is the same in every run.

use std::fmt;

use hmac::Mac;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::id::{ClaimId, IdEntropy, UserId};
use crate::people::hash::{mac, stored_hash};

/// How long a key is remembered, from its first use on.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// How long a run keeps everybody else out. A run that is older was cut off.
pub const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// The longest that a function may answer a request: API Gateway waits no longer.
const RUN_MAX: SignedDuration = SignedDuration::from_secs(30);
/// How far the clocks of two machines may be apart.
const SKEW_MAX: SignedDuration = SignedDuration::from_secs(5);
const _: () = assert!(LEASE.as_secs() >= RUN_MAX.as_secs() + SKEW_MAX.as_secs());
/// The longest key.
pub const KEY_BYTES_MAX: usize = 128;

/// A text that is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an idempotency key")]
pub struct NotAKey;

/// What a client names a request by: 1 to 128 visible ASCII letters.
///
/// It is not stored, and `Debug` does not show it. Name and print are keyed with it, so that a stolen table does not even
/// tell what was asked: a body may hold a phone number and six digits, which a plain hash would give away to whoever tries
/// them all.
#[derive(Clone)]
pub struct IdempotencyKey(Zeroizing<String>);

impl IdempotencyKey {
    /// Takes a key as it stands in the header.
    pub fn parse(text: &str) -> Result<Self, NotAKey> {
        let sound = (1..=KEY_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if sound { Ok(Self(Zeroizing::new(text.to_owned()))) } else { Err(NotAKey) }
    }

    /// The name under which the key's record is kept: one for each scope.
    pub fn name(&self, scope: Scope<'_>) -> RecordName {
        let (kind, whose) = match scope {
            Scope::User(user) => ("user", user.as_str()),
            Scope::Client(address) => ("client", address),
        };
        RecordName(self.keyed(&[b"name", kind.as_bytes(), whose.as_bytes()]))
    }

    /// The print by which the same request is known: method, path with query, every byte of the body, and the lines of `If-Match`. A
    /// request that means another version is another request.
    pub fn print(&self, method: &str, target: &str, if_match: &[&[u8]], body: &[u8]) -> Print {
        let request = [b"print", method.as_bytes(), target.as_bytes(), body];
        Print(self.keyed(&[&request, if_match].concat()))
    }

    fn keyed(&self, parts: &[&[u8]]) -> String {
        let mut mac = mac(self.0.as_bytes());
        for part in parts {
            // The length before each part, so that no two lists of parts give the same message.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes())
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyKey(…)")
    }
}

/// Among whose keys a key counts.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// A signed-in user's, whatever the session.
    User(&'a UserId),
    /// Nobody is signed in: those of the address that calls.
    Client(&'a str),
}

stored_hash!(
    /// Where a key's record is kept.
    RecordName
);
stored_hash!(
    /// What a request was, without telling what it was.
    Print
);

/// An answer, as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAnswer {
    /// The status.
    pub status: u16,
    /// The headers that belong to what was answered.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// How far a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A run holds the key; if it is silent after `until`, it was cut off.
    Running {
        /// The end of its lease.
        until: Timestamp,
    },
    /// A run ended without an answer that is final.
    Open,
    /// It is done.
    Answered(StoredAnswer),
}

/// What is kept of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Under which name.
    pub name: RecordName,
    /// Which request it was used for.
    pub print: Print,
    /// The run that wrote it.
    pub claim: ClaimId,
    /// One more with every write; a write demands the one before.
    pub rev: u64,
    /// The number of that run: after the first, an earlier one may have taken effect.
    pub run: u32,
    /// When the key was first used: it counts for [`KEPT`] from then on, and the [`Seed`] is made of it.
    pub first_at: Timestamp,
    /// How far the request is.
    pub progress: Progress,
}

/// What a request meets under its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meeting {
    /// It was made and answered.
    Answered(StoredAnswer),
    /// The key was used for another request.
    Reused,
    /// Its first run is not done.
    InFlight,
    /// It may run, once this is stored.
    Free(Record),
}

impl Record {
    /// The record of a key that nobody has used.
    pub fn open(name: RecordName, print: Print, claim: ClaimId, now: Timestamp) -> Self {
        Self { name, print, claim, rev: 1, run: 1, first_at: now, progress: Progress::Running { until: now + LEASE } }
    }

    /// What the request `print` meets in this record at `now`, and what it has to store as `claim` where it may run.
    pub fn meet(self, print: Print, claim: ClaimId, now: Timestamp) -> Meeting {
        let runs = matches!(self.progress, Progress::Running { until } if now < until);
        let forgotten = now >= self.keep_until() && !runs;
        let rev = self.rev + 1;
        if forgotten {
            return Meeting::Free(Self { rev, ..Self::open(self.name, print, claim, now) });
        }
        match self.progress {
            _ if self.print != print => Meeting::Reused,
            Progress::Answered(answer) => Meeting::Answered(answer),
            Progress::Running { .. } if runs => Meeting::InFlight,
            Progress::Running { .. } | Progress::Open => {
                Meeting::Free(Self { claim, rev, run: self.run + 1, progress: Progress::Running { until: now + LEASE }, ..self })
            }
        }
    }

    /// The record after its run has answered.
    #[must_use]
    pub fn answered(self, answer: StoredAnswer) -> Self {
        Self { rev: self.rev + 1, progress: Progress::Answered(answer), ..self }
    }

    /// The record after a run that brought no final answer: the same request may run again at once.
    #[must_use]
    pub fn reopened(self) -> Self {
        Self { rev: self.rev + 1, progress: Progress::Open, ..self }
    }

    /// From when on the key counts as new.
    pub fn keep_until(&self) -> Timestamp {
        self.first_at + KEPT
    }

    /// What this run makes its ids from.
    pub fn seed(&self) -> Seed {
        Seed { name: self.name.clone(), first_at: self.first_at, is_repeat: self.run > 1 }
    }
}

/// The same ids in every run of a request, so that a second run finds what a first has made instead of making it twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    name: RecordName,
    first_at: Timestamp,
    is_repeat: bool,
}

impl Seed {
    /// When the request first came.
    pub fn first_at(&self) -> Timestamp {
        self.first_at
    }

    /// Whether an earlier run may have taken effect.
    pub fn is_repeat(&self) -> bool {
        self.is_repeat
    }

    /// The random part of the id of the thing number `index` of a kind.
    pub fn entropy(&self, kind: &str, index: usize) -> IdEntropy {
        let mut mac = mac(self.name.as_str().as_bytes());
        mac.update(kind.as_bytes());
        mac.update(&[0]);
        mac.update(&(index as u64).to_be_bytes());
        mac.update(&self.first_at.as_millisecond().to_be_bytes());
        let bytes = mac.finalize().into_bytes();
        let (entropy, _) = bytes.split_first_chunk().expect("a hash has 32 bytes");
        *entropy
    }
}

#[cfg(test)]
mod tests;
