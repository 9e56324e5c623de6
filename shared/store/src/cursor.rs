//! Where a list goes on.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use data_encoding::BASE64URL_NOPAD;
use domain::id::UserId;

use crate::key::Item;

/// The place in a list after which the next page starts, opaque to clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    user: UserId,
    keys: Vec<(String, String)>,
}

/// The lists that go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// A user's posts by time.
    Posts,
    /// A user's quota history.
    History,
    /// What a user's closed cycles came to.
    Cycles,
}

impl List {
    fn prefix(self) -> &'static str {
        match self {
            Self::Posts => crate::key::POST,
            Self::History => crate::key::HISTORY,
            Self::Cycles => crate::key::ANALYTICS,
        }
    }

    /// How many parts a key of the list has.
    fn keys(self) -> usize {
        match self {
            Self::Posts => 4,
            Self::History | Self::Cycles => 2,
        }
    }
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// In order.
    pub items: Vec<T>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<Cursor>,
}

/// A cursor that we did not give this user.
#[derive(Debug, thiserror::Error)]
#[error("not a cursor of this list")]
pub struct InvalidCursor;

/// The longest cursor that we hand out, with room.
const CURSOR_BYTES_MAX: usize = 1_024;

impl Cursor {
    /// The opaque form.
    pub fn encode(&self) -> String {
        let text: Vec<&str> =
            std::iter::once(self.user.as_str()).chain(self.keys.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()])).collect();
        BASE64URL_NOPAD.encode(text.join("\n").as_bytes())
    }

    /// Reads what [`Self::encode`] made for the same user and the same list, which `list` names by how its sort keys begin. What
    /// it addresses is bound to the user's own partition anyway.
    pub fn decode(text: &str, user: &UserId, list: List) -> Result<Self, InvalidCursor> {
        if text.len() > CURSOR_BYTES_MAX {
            return Err(InvalidCursor);
        }
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| InvalidCursor)?;
        let text = String::from_utf8(bytes).map_err(|_| InvalidCursor)?;
        let mut parts = text.split('\n').map(str::to_owned);
        if parts.next().as_deref() != Some(user.as_str()) {
            return Err(InvalidCursor);
        }
        let parts: Vec<String> = parts.collect();
        let (pairs, []) = parts.as_chunks::<2>() else { return Err(InvalidCursor) };
        let keys: Vec<(String, String)> = pairs.iter().map(|[name, value]| (name.clone(), value.clone())).collect();
        let mine = |(name, value): &(String, String)| match name.as_str() {
            "pk" => *value == crate::key::user_pk(user),
            "list_pk" => *value == user.as_str(),
            "sk" => value.starts_with(list.prefix()),
            "list_sk" => list == List::Posts && !value.is_empty(),
            _ => false,
        };
        let names: std::collections::BTreeSet<_> = keys.iter().map(|(name, _)| name.as_str()).collect();
        if keys.len() != list.keys() || names.len() != keys.len() || !keys.iter().all(mine) {
            return Err(InvalidCursor);
        }
        Ok(Self { user: user.clone(), keys })
    }

    /// From the key at which a query stopped.
    pub(crate) fn from_key(user: &UserId, key: &Item) -> Self {
        let mut keys: Vec<(String, String)> =
            key.iter().filter_map(|(name, value)| value.as_s().ok().map(|value| (name.clone(), value.clone()))).collect();
        keys.sort();
        Self { user: user.clone(), keys }
    }

    pub(crate) fn into_key(self) -> Item {
        self.keys.into_iter().map(|(name, value)| (name, AttributeValue::S(value))).collect::<HashMap<_, _>>()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn user(n: u8) -> UserId {
        UserId::new(Timestamp::UNIX_EPOCH, [n; 10])
    }

    fn cursor() -> Cursor {
        let user = user(1);
        let key = Item::from([
            ("pk".into(), AttributeValue::S(crate::key::user_pk(&user))),
            ("sk".into(), AttributeValue::S("HISTORY#1".into())),
        ]);
        Cursor::from_key(&user, &key)
    }

    #[test]
    fn a_cursor_reads_back_for_its_own_user_only() {
        assert_eq!(Cursor::decode(&cursor().encode(), &user(1), List::History).unwrap(), cursor());
        assert!(Cursor::decode(&cursor().encode(), &user(2), List::History).is_err());
        assert!(Cursor::decode(&cursor().encode(), &user(1), List::Posts).is_err(), "another list's cursor");
    }

    #[test]
    fn what_we_never_made_is_refused() {
        for text in ["", "!", "AAAA", &"A".repeat(5_000), &BASE64URL_NOPAD.encode(b"\xff\xfe")] {
            assert!(Cursor::decode(text, &user(1), List::History).is_err());
        }
        let foreign = format!("{}\npk\nUSER#someone\nsk\nPROFILE", user(1));
        assert!(Cursor::decode(&BASE64URL_NOPAD.encode(foreign.as_bytes()), &user(1), List::History).is_err());
    }

    proptest! {
        #[test]
        fn every_cursor_reads_back(seed: [u8; 10], place in "[0-9TZ:.-]{1,40}") {
            let user = UserId::new(Timestamp::UNIX_EPOCH, seed);
            let part = |name: &str, value: String| (name.to_owned(), AttributeValue::S(value));
            let (pk, sk) = (part("pk", crate::key::user_pk(&user)), |prefix| part("sk", format!("{prefix}{place}")));
            let history = Item::from([pk.clone(), sk("HISTORY#")]);
            let posts = Item::from([pk, sk("POST#"), part("list_pk", user.to_string()), part("list_sk", place.clone())]);
            for (list, key) in [(List::History, history), (List::Posts, posts)] {
                let cursor = Cursor::from_key(&user, &key);
                let read = Cursor::decode(&cursor.encode(), &user, list).unwrap();
                prop_assert_eq!(&read, &cursor);
                prop_assert_eq!(read.into_key(), key);
            }
        }

        /// Whatever is decoded, it addresses nothing outside the user's own partition.
        #[test]
        fn any_text_is_read_without_panic_and_leads_to_nobody_else(text in "\\PC{0,80}", parts in proptest::collection::vec("pk|sk|list_pk|list_sk|USER#[a-z]{1,3}|POST#[a-z]{0,3}|HISTORY#|.{0,6}", 0..9)) {
            let me = user(1);
            let forged = BASE64URL_NOPAD.encode(std::iter::once(me.to_string()).chain(parts).collect::<Vec<_>>().join("\n").as_bytes());
            for (text, list) in [(&text, List::Posts), (&forged, List::Posts), (&forged, List::History)] {
                if let Ok(cursor) = Cursor::decode(text, &me, list) {
                    let key = cursor.into_key();
                    prop_assert_eq!(key["pk"].as_s().unwrap(), &crate::key::user_pk(&me));
                }
            }
        }
    }
}
