//! Codes that are sent to a phone, and how often.
//!
//! A code is short, so three things keep it from being guessed: it lives for five minutes, it has five tries, and a try is
//! counted and stored *before* the code is compared. A crash in between costs a try and never gives one.

use std::fmt;

use data_encoding::HEXLOWER;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use super::hash::{HashKey, Purpose, stored_hash};
use super::pasted::meant;
use super::phone::PhoneHash;

/// How long a code can be used.
pub const LIFETIME: SignedDuration = SignedDuration::from_mins(5);
/// How many guesses a code takes.
pub const TRIES: u32 = 5;
/// How long after a code the next one may be sent.
pub const RESEND_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// The limits on one phone: so many codes within so long.
pub const SEND_LIMITS: [(usize, SignedDuration); 3] = [(1, RESEND_AFTER), (5, SignedDuration::from_mins(10)), (10, DAY)];
/// How long a send counts.
pub const DAY: SignedDuration = SignedDuration::from_hours(24);
/// How many sends are remembered: the most that any limit asks for.
const SENDS_KEPT: usize = 10;
/// How many codes there are.
const CODES: u64 = 1_000_000;
/// The longest input that is looked at: six digits, each with something around it that came along.
const INPUT_CHARS_MAX: usize = 40;

/// A text that is not six digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a verification code")]
pub struct NotACode;

/// Six digits. `Debug` shows none of them.
#[derive(Clone)]
pub struct VerificationCode(SecretString);

impl VerificationCode {
    /// A new code from fresh random bytes. 64 bits over 10⁶ codes leave no code likelier than another by more than 2⁻⁴⁴.
    pub fn from_entropy(entropy: [u8; 8]) -> Self {
        Self(format!("{:06}", u64::from_be_bytes(entropy) % CODES).into())
    }

    /// A code that nobody can type, for a number that gets none: its challenge is stored and guessed at as any other, in vain.
    pub fn unanswerable(entropy: [u8; 8]) -> Self {
        Self(format!("none-{}", HEXLOWER.encode(&entropy)).into())
    }

    /// Accepts six digits in ASCII or full width, with the spaces, dashes and line ends that people, keyboards and copying put in. What is
    /// none cannot be a code at all, and is no guess at one.
    pub fn parse(text: &str) -> Result<Self, NotACode> {
        let digits = meant(text, INPUT_CHARS_MAX).ok_or(NotACode)?.replace('-', "");
        let six = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
        if six { Ok(Self(digits.into())) } else { Err(NotACode) }
    }

    /// The digits, for the text message alone.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Bound to the phone: the code of one number says nothing about another's.
    fn keyed_hash(&self, phone: &PhoneHash, key: &HashKey) -> CodeHash {
        CodeHash(key.hash(Purpose::Code, &[phone.as_str(), self.expose()]))
    }
}

impl fmt::Debug for VerificationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerificationCode(…)")
    }
}

stored_hash!(
    /// Keyed hash of a code and the phone that it was sent to.
    CodeHash
);

/// Another code has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many codes: the next one may be sent at {until}")]
pub struct Wait {
    /// From when on it may be sent.
    pub until: Timestamp,
}

/// When codes were sent to one phone. It outlives each code: a used code does not open the way for more texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SendHistory(Vec<Timestamp>);

impl SendHistory {
    /// Takes stored times back, in any order; of too many, the newest count.
    pub fn from_stored(mut times: Vec<Timestamp>) -> Self {
        times.sort_unstable();
        times.drain(..times.len().saturating_sub(SENDS_KEPT));
        Self(times)
    }

    /// The times, oldest first; at most ten.
    pub fn times(&self) -> &[Timestamp] {
        &self.0
    }

    /// Whether a code may be sent at `now`, and else from when on.
    pub fn may_send(&self, now: Timestamp) -> Result<(), Wait> {
        let until = SEND_LIMITS.iter().filter_map(|&(count, window)| {
            // The limit is reached while the send that lies `count` back is still in the window.
            let nth_newest = self.0.len().checked_sub(count).map(|index| self.0[index])?;
            Some(nth_newest + window)
        });
        match until.max() {
            Some(until) if until > now => Err(Wait { until }),
            _ => Ok(()),
        }
    }

    #[must_use]
    fn with(mut self, now: Timestamp) -> Self {
        self.0.retain(|&sent| sent + DAY > now);
        self.0.push(now);
        Self::from_stored(self.0)
    }
}

/// The one code that is valid for a phone. It is stored before the text goes out, and a new one replaces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Whose phone.
    pub phone_hash: PhoneHash,
    /// The code.
    pub code_hash: CodeHash,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Timestamp,
    /// How many guesses are left; the condition of every write that counts one.
    pub tries_left: u32,
    /// This phone's sends, with this one.
    pub sends: SendHistory,
}

/// A code that takes no more guesses. The person is not told which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoTry {
    /// It is too old.
    #[error("the code has expired")]
    Expired,
    /// It was guessed at too often, or used.
    #[error("the code takes no more tries")]
    Exhausted,
}

impl Challenge {
    /// Whether a phone with this history may get a code at `now`.
    pub fn may_send(previous: Option<&SendHistory>, now: Timestamp) -> Result<(), Wait> {
        previous.map_or(Ok(()), |history| history.may_send(now))
    }

    /// A fresh challenge for `code`, if the phone may get one.
    pub fn open(
        phone_hash: PhoneHash,
        code: &VerificationCode,
        key: &HashKey,
        previous: Option<SendHistory>,
        now: Timestamp,
    ) -> Result<Self, Wait> {
        Self::may_send(previous.as_ref(), now)?;
        Ok(Self {
            code_hash: code.keyed_hash(&phone_hash, key),
            phone_hash,
            created_at: now,
            expires_at: now + LIFETIME,
            tries_left: TRIES,
            sends: previous.unwrap_or_default().with(now),
        })
    }

    /// When the next code may be asked for, by the shortest of the limits.
    pub fn resend_after(&self) -> Timestamp {
        self.created_at + RESEND_AFTER
    }

    /// Until when the row holds something that a limit needs.
    pub fn keep_until(&self) -> Timestamp {
        self.created_at + DAY
    }

    /// Takes one try. The result has to be stored, on the condition that `tries_left` is what it was, before it can be asked
    /// whether a code matches.
    pub fn count_try(self, now: Timestamp) -> Result<CountedTry, NoTry> {
        if now >= self.expires_at {
            return Err(NoTry::Expired);
        }
        let tries_left = self.tries_left.checked_sub(1).ok_or(NoTry::Exhausted)?;
        Ok(CountedTry(Self { tries_left, ..self }))
    }
}

/// A challenge with one try taken. Only this can be compared with a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedTry(Challenge);

impl CountedTry {
    /// What to store before [`Self::matches`].
    pub fn challenge(&self) -> &Challenge {
        &self.0
    }

    /// Whether `code` is the one that was sent; compared in constant time.
    pub fn matches(&self, code: &VerificationCode, key: &HashKey) -> bool {
        self.0.code_hash == code.keyed_hash(&self.0.phone_hash, key)
    }

    /// The challenge after its code was used: it takes no more tries, but its sends still count.
    #[must_use]
    pub fn used(self) -> Challenge {
        Challenge { tries_left: 0, ..self.0 }
    }
}

#[cfg(test)]
mod tests;
