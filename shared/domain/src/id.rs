//! Identifiers: ULIDs, so that they sort by the time they were made.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// The random part of an id.
pub type IdEntropy = [u8; 10];

/// A text that is not an id of ours.
#[derive(Debug, thiserror::Error)]
#[error("not an id")]
pub struct NotAnId;

fn ulid(now: Timestamp, entropy: IdEntropy) -> String {
    let mut random = [0; 16];
    random[6..].copy_from_slice(&entropy);
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    ulid::Ulid::from_parts(millis, u128::from_be_bytes(random)).to_string()
}

/// Clients keep ids and send them back; the form is told so that an odd one is noticed early.
fn schema(what: &str) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).description(Some(what.trim()));
    text.min_length(Some(26)).max_length(Some(26)).pattern(Some("^[0-7][0-9A-HJKMNP-TV-Z]{25}$")).into()
}

macro_rules! id {
    (#[doc = $doc:literal] $name:ident) => {
        #[doc = $doc]
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// A new id; `entropy` must be fresh random bytes.
            pub fn new(now: Timestamp, entropy: IdEntropy) -> Self {
                Self(ulid(now, entropy))
            }

            /// Accepts exactly what [`Self::new`] makes: 26 upper-case Crockford letters.
            pub fn parse(text: &str) -> Result<Self, NotAnId> {
                match ulid::Ulid::from_string(text) {
                    Ok(id) if id.to_string() == text => Ok(Self(text.to_owned())),
                    _ => Err(NotAnId),
                }
            }

            /// The id as it stands in tables, addresses and logs.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;
            fn try_from(text: String) -> Result<Self, NotAnId> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                schema($doc)
            }
        }

        impl ToSchema for $name {}

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// One customer account.
    UserId
);
id!(
    /// One account on one platform that a user let us post to.
    ConnectionId
);
id!(
    /// One piece of content for one connection at one time.
    PostId
);
id!(
    /// The posts that were made in one request.
    GroupId
);
id!(
    /// One worker's try at a post, or at a token refresh; every write of that try carries it.
    AttemptId
);
id!(
    /// One row of the quota history.
    HistoryId
);
id!(
    /// A session as its owner sees it in a list; never the cookie.
    SessionId
);
id!(
    /// One run of a request that carries an idempotency key.
    ClaimId
);
id!(
    /// Several accounts of one consent that wait for the user's choice.
    ChoiceId
);

impl HistoryId {
    /// When it was made, to the millisecond, and its random part.
    pub fn parts(&self) -> (Timestamp, IdEntropy) {
        parts(&self.0)
    }
}

impl PostId {
    /// When it was made, to the millisecond.
    pub fn made_at(&self) -> Timestamp {
        parts(&self.0).0
    }
}

fn parts(id: &str) -> (Timestamp, IdEntropy) {
    let ulid = ulid::Ulid::from_string(id).expect("every constructor makes or checks one");
    let made_at = i64::try_from(ulid.timestamp_ms()).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
    let random = ulid.random().to_be_bytes();
    (made_at.unwrap_or(Timestamp::MAX), *random.last_chunk().expect("16 bytes hold 10"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_apart_into_what_it_was_made_of() {
        let made_at = Timestamp::from_millisecond(1_800_000_000_123).unwrap();
        for entropy in [[0; 10], [255; 10], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]] {
            assert_eq!(HistoryId::new(made_at, entropy).parts(), (made_at, entropy));
        }
        assert_eq!(HistoryId::parse("7ZZZZZZZZZZZZZZZZZZZZZZZZZ").unwrap().parts(), (Timestamp::MAX, [255; 10]));
    }

    #[test]
    fn ids_sort_by_the_time_they_were_made_and_read_back() {
        let early = PostId::new(Timestamp::from_second(1).unwrap(), [255; 10]);
        let late = PostId::new(Timestamp::from_second(2).unwrap(), [0; 10]);
        assert!(early < late);
        assert_eq!(PostId::parse(early.as_str()).unwrap(), early);
    }

    #[test]
    fn what_we_never_made_is_refused() {
        for text in ["", "01J", "01arz3ndektsv4rrffq69g5fav", "../../../etc/passwd", "01ARZ3NDEKTSV4RRFFQ69G5FA!"] {
            assert!(PostId::parse(text).is_err(), "{text}");
        }
    }
}
