//! Gift certificates: a plan for whoever holds the code. [`grant()`] says what one brings to somebody whose plan runs.

mod grant;

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use super::hash::{HashKey, Purpose, stored_hash};
use super::limit::Limit;
use super::pasted::meant;
use crate::id::UserId;
use crate::plan::Plan;

/// Crockford's base32: no I, L, O and U, so that a code read aloud or from paper has one reading.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// 16 letters of 5 bits are 80 bits.
const LETTERS: usize = 16;
/// Letters between two hyphens.
const GROUP: usize = 4;
/// Wrong codes of one account: more than somebody with a certificate in their hand mistypes, and nothing against 80 bits.
pub const GUESSES_BY_USER: Limit = Limit { name: "gift-guesses-of-user", max: 30, span: SignedDuration::from_hours(1) };
/// Wrong codes of one address. It binds only those who have guessed wrong themselves: nobody is locked out by a neighbour.
pub const GUESSES_BY_ADDRESS: Limit = Limit { name: "gift-guesses-of-address", max: 120, span: SignedDuration::from_hours(1) };

pub use grant::{Grant, NotGranted, grant};

/// How many cycles a certificate brings unless it says otherwise: about a year.
pub const CYCLES_DEFAULT: u32 = 12;

/// The longest input that is looked at.
const INPUT_CHARS_MAX: usize = 64;

/// A text that is not a gift code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a gift code")]
pub struct NotAGiftCode;

/// The secret on a certificate: 80 random bits in 16 letters. `Debug` shows none of them.
#[derive(Clone)]
pub struct GiftCode(SecretString);

impl GiftCode {
    /// A new code from fresh random bytes.
    pub fn from_entropy(entropy: [u8; 10]) -> Self {
        let mut padded = [0; 16];
        padded[6..].copy_from_slice(&entropy);
        let bits = u128::from_be_bytes(padded);
        let letters = (0..LETTERS).rev().map(|index| char::from(ALPHABET[usize::try_from((bits >> (5 * index)) & 31).unwrap_or(0)]));
        Self(letters.collect::<String>().into())
    }

    /// Accepts small letters, dashes of any kind and white space anywhere, `O` for `0`, `I` and `L` for `1`. Quotes around it and a full stop
    /// behind it, as a sentence or a document gives them, do no harm. What is none cannot be a certificate at all, and is no guess at one.
    pub fn parse(text: &str) -> Result<Self, NotAGiftCode> {
        let meant = meant(text, INPUT_CHARS_MAX).ok_or(NotAGiftCode)?;
        let mut letters = String::with_capacity(LETTERS);
        for letter in meant.chars().filter(|letter| *letter != '-') {
            letters.push(match letter.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                known if known.is_ascii() && ALPHABET.contains(&(known as u8)) => known,
                _ => return Err(NotAGiftCode),
            });
        }
        if letters.len() == LETTERS { Ok(Self(letters.into())) } else { Err(NotAGiftCode) }
    }

    /// The name of the certificate in the table.
    pub fn keyed_hash(&self, key: &HashKey) -> GiftHash {
        GiftHash(key.hash(Purpose::Gift, &[self.0.expose_secret()]))
    }

    /// `XXXX-XXXX-XXXX-XXXX`, for the one time that it is shown.
    pub fn expose(&self) -> String {
        let letters = self.0.expose_secret();
        (0..LETTERS / GROUP).map(|group| &letters[group * GROUP..(group + 1) * GROUP]).collect::<Vec<_>>().join("-")
    }
}

impl fmt::Debug for GiftCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GiftCode(…)")
    }
}

stored_hash!(
    /// Keyed hash of a gift code.
    GiftHash
);

/// What a gift code stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GiftCertificate {
    /// What its holder gets.
    pub plan: Plan,
    /// For how many cycles of 30 days.
    pub cycles: u32,
    /// When it was made.
    pub issued_at: Timestamp,
    /// From when on it is refused; `None` = never.
    pub expires_at: Option<Timestamp>,
    /// Who used it.
    pub redeemed_by: Option<UserId>,
    /// When it was used.
    pub redeemed_at: Option<Timestamp>,
    /// When we took it back.
    pub revoked_at: Option<Timestamp>,
}

/// A certificate that its holder may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redeemed {
    /// It is theirs from now on: store it with the plan, on the condition that nobody was faster.
    Now(GiftCertificate),
    /// It was theirs already; nothing changes, and the answer is the same.
    AlreadyYours(GiftCertificate),
}

/// A certificate that gives nothing. The person is not told which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Somebody else used it.
    #[error("the certificate was redeemed by somebody else")]
    Taken,
    /// We took it back.
    #[error("the certificate was revoked")]
    Revoked,
    /// It is too old.
    #[error("the certificate has expired")]
    Expired,
}

impl GiftCertificate {
    /// A certificate that nobody has used.
    pub fn issue(plan: Plan, cycles: u32, expires_at: Option<Timestamp>, now: Timestamp) -> Self {
        Self { plan, cycles, issued_at: now, expires_at, redeemed_by: None, redeemed_at: None, revoked_at: None }
    }

    /// Takes the certificate back, so that nobody can redeem it; `None`: somebody has already. Repeated, the first time stands.
    #[must_use]
    pub fn revoke(self, now: Timestamp) -> Option<Self> {
        let revoked_at = self.revoked_at.or(Some(now));
        self.redeemed_by.is_none().then_some(Self { revoked_at, ..self })
    }

    /// Gives the certificate to `user`. Who has it already keeps it, whatever happened to it since.
    pub fn redeem(self, user: UserId, now: Timestamp) -> Result<Redeemed, Refused> {
        match &self.redeemed_by {
            Some(owner) if *owner == user => Ok(Redeemed::AlreadyYours(self)),
            Some(_) => Err(Refused::Taken),
            None if self.revoked_at.is_some() => Err(Refused::Revoked),
            None if self.expires_at.is_some_and(|expires| now >= expires) => Err(Refused::Expired),
            None => Ok(Redeemed::Now(Self { redeemed_by: Some(user), redeemed_at: Some(now), ..self })),
        }
    }
}

#[cfg(test)]
mod tests;
