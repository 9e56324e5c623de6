//! Keys of records: TIDs, that is a time in microseconds and a number, in 13 letters that sort as they do (<https://atproto.com/specs/tid>).

use domain::id::PostId;
use sha2::{Digest, Sha256};

/// In the order of what they stand for.
const LETTERS: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";
/// How many letters a TID has.
const LENGTH: u32 = 13;
/// How many bits of it are the time.
const TIME_BITS: u32 = 53;
/// How many are the number beside it.
const CLOCK_BITS: u32 = 10;
/// How many low bits of the time come from the hash: about a second.
const SPREAD_BITS: u32 = 20;

/// The record's key of the post that `key` names: always the same one. Its time is that at which the post was written, at most a second later:
/// servers list an account's records by their keys. What tells two posts of one second apart are 30 bits of a hash.
pub(super) fn record_key(key: &str) -> String {
    let hash = Sha256::digest(key.as_bytes());
    let word = u64::from_be_bytes(*hash.first_chunk().expect("32 bytes hold 8"));
    // A key that names no post of ours has a time like any other.
    let base = key.get(..26).and_then(|id| PostId::parse(id).ok()).map_or(word, |id| id.made_at().as_microsecond().unsigned_abs());
    let micros = base.wrapping_add(word & mask(SPREAD_BITS)) & mask(TIME_BITS);
    let clock = (word >> SPREAD_BITS) & mask(CLOCK_BITS);
    tid((micros << CLOCK_BITS) | clock)
}

/// Whether `text` is a TID.
pub(super) fn is_tid(text: &str) -> bool {
    let first_is_low = text.as_bytes().first().is_some_and(|first| LETTERS[..16].contains(first));
    text.len() == LENGTH as usize && first_is_low && text.bytes().all(|letter| LETTERS.contains(&letter))
}

fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

fn tid(value: u64) -> String {
    let five_bits = |at: u32| usize::try_from((value >> (5 * at)) & mask(5)).expect("five bits");
    (0..LENGTH).rev().map(|at| char::from(LETTERS[five_bits(at)])).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::Timestamp;

    use super::*;

    fn time_of(text: &str) -> u64 {
        let digit = |letter: u8| LETTERS.iter().position(|of| *of == letter).unwrap() as u64;
        text.bytes().fold(0, |value, letter| (value << 5) | digit(letter)) >> CLOCK_BITS
    }

    #[test]
    fn the_examples_of_the_specification_are_told_from_what_is_none() {
        for good in ["3jzfcijpj2z2a", "7777777777777", "3zzzzzzzzzzzz", "2222222222222"] {
            assert!(is_tid(good), "{good}");
        }
        for bad in
            ["3jzfcijpj2z21", "0000000000000", "3jzfcijpj2z2aa", "3jzfcijpj2z2", "3jzf-cij-pj2z-2a", "zzzzzzzzzzzzz", "kjzfcijpj2z2a", ""]
        {
            assert!(!is_tid(bad), "{bad}");
        }
        assert_eq!(
            (tid(1_688_137_381_887_007 << CLOCK_BITS | 6), time_of("3jzfcijpj2z2a")),
            ("3jzfcijpj2z2a".to_owned(), 1_688_137_381_887_007)
        );
    }

    #[test]
    fn a_post_has_one_key_in_each_version_and_it_tells_when_it_was_written() {
        let made_at: Timestamp = "2026-11-23T09:00:00.123Z".parse().unwrap();
        let id = PostId::new(made_at, [7; 10]);
        let key = record_key(&format!("{id}-3"));
        assert_eq!(key, record_key(&format!("{id}-3")));
        assert_ne!(key, record_key(&format!("{id}-4")));
        assert_ne!(key, record_key(&format!("{}-3", PostId::new(made_at, [8; 10]))));
        let micros = time_of(&key) - made_at.as_microsecond().unsigned_abs();
        assert!(is_tid(&key) && micros < 1 << SPREAD_BITS, "{key} {micros}");
    }

    #[test]
    fn posts_of_one_moment_and_keys_of_any_form_have_keys_of_their_own() {
        let id = |n: u16| PostId::new(Timestamp::UNIX_EPOCH, std::array::from_fn(|at| n.to_be_bytes()[at % 2]));
        let keys: BTreeSet<_> = (0..2_000).flat_map(|n| [record_key(&format!("{}-1", id(n))), record_key(&format!("other {n}"))]).collect();
        assert_eq!(keys.len(), 4_000);
        assert!(keys.iter().all(|key| is_tid(key)));
    }
}
