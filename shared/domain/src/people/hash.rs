//! Hashes under which what a person shows us is stored.

use std::fmt;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::{Digest, Sha256};

/// The fewest bytes that a [`HashKey`] may have: as many as the hash gives.
pub const KEY_BYTES_MIN: usize = 32;

/// A key that is too short to protect anything.
#[derive(Debug, thiserror::Error)]
#[error("a hash key needs at least {KEY_BYTES_MIN} bytes")]
pub struct KeyTooShort;

/// The secret without which a stolen table does not give up phone numbers, codes or certificates.
///
/// Ten digits can be tried one by one, so a plain hash of a phone number hides nothing; a keyed one does.
#[derive(Clone)]
pub struct HashKey(SecretSlice<u8>);

impl HashKey {
    /// Takes at least [`KEY_BYTES_MIN`] random bytes.
    pub fn new(bytes: Vec<u8>) -> Result<Self, KeyTooShort> {
        let bytes = SecretSlice::from(bytes);
        if bytes.expose_secret().len() < KEY_BYTES_MIN { Err(KeyTooShort) } else { Ok(Self(bytes)) }
    }

    /// The hash of `parts` for one purpose, in hexadecimal. The purposes share no hashes, even for the same parts.
    pub(crate) fn hash(&self, purpose: Purpose, parts: &[&str]) -> String {
        let mut mac = mac(self.0.expose_secret());
        mac.update(purpose.label().as_bytes());
        for part in parts {
            // No label and no part holds a zero byte, so no two lists of parts give the same message.
            mac.update(&[0]);
            mac.update(part.as_bytes());
        }
        HEXLOWER.encode(&mac.finalize().into_bytes())
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(…)")
    }
}

/// What a keyed hash is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Phone,
    Code,
    Gift,
    Address,
}

impl Purpose {
    fn label(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Code => "code",
            Self::Gift => "gift",
            Self::Address => "address",
        }
    }
}

/// HMAC-SHA256, ready for its message.
pub(crate) fn mac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// SHA-256 in hexadecimal; only for what has 256 random bits.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

/// A stored hash: compared in constant time, shown by its beginning alone.
macro_rules! stored_hash {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The stored form: 64 hexadecimal digits.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Takes a stored hash back; it is only ever compared with a fresh one.
            pub fn from_stored(text: String) -> Self {
                Self(text)
            }
        }

        impl PartialEq for $name {
            /// Takes as long for hashes that differ early as for those that differ late.
            fn eq(&self, other: &Self) -> bool {
                subtle::ConstantTimeEq::ct_eq(self.0.as_bytes(), other.0.as_bytes()).into()
            }
        }

        impl Eq for $name {}

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({}…)"), self.0.get(..8).unwrap_or_default())
            }
        }
    };
}

pub(crate) use stored_hash;

#[cfg(test)]
pub(crate) fn test_key() -> HashKey {
    HashKey::new(vec![7; KEY_BYTES_MIN]).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_key_is_refused() {
        assert!(HashKey::new(vec![1; KEY_BYTES_MIN - 1]).is_err());
        assert!(HashKey::new(vec![1; KEY_BYTES_MIN]).is_ok());
    }

    #[test]
    fn keys_purposes_and_parts_share_no_hashes() {
        let other = HashKey::new(vec![8; KEY_BYTES_MIN]).unwrap();
        let mut hashes = vec![
            test_key().hash(Purpose::Phone, &["ab"]),
            test_key().hash(Purpose::Code, &["ab"]),
            test_key().hash(Purpose::Gift, &["ab"]),
            test_key().hash(Purpose::Gift, &["a", "b"]),
            test_key().hash(Purpose::Gift, &["ab", ""]),
            other.hash(Purpose::Gift, &["ab"]),
        ];
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), 6);
        assert!(hashes.iter().all(|hash| hash.len() == 64));
    }

    #[test]
    fn a_key_does_not_show_itself() {
        assert_eq!(format!("{:?}", test_key()), "HashKey(…)");
    }
}
