//! Where a list goes on.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use data_encoding::BASE64URL_NOPAD;
use domain::id::UserId;
use domain::order::Order;

use crate::key::Item;

/// The place in a list after which the next page starts, and which way; opaque to clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    user: UserId,
    order: Order,
    keys: Vec<(String, String)>,
}

/// Where a page starts, and which way the list goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Which way.
    pub(crate) order: Order,
    /// `None`: at the list's beginning.
    pub(crate) after: Option<Cursor>,
}

impl Start {
    /// At the beginning of a list.
    pub fn first(order: Order) -> Self {
        Self { order, after: None }
    }

    /// After the page before.
    pub fn after(cursor: Cursor) -> Self {
        Self { order: cursor.order, after: Some(cursor) }
    }

    /// Where a request wants to start: a cursor keeps its order, and one that is asked to turn is none of ours.
    pub fn asked(cursor: Option<&str>, order: Option<Order>, default: Order, (user, list): (&UserId, List)) -> Result<Self, InvalidCursor> {
        let Some(cursor) = cursor else { return Ok(Self::first(order.unwrap_or(default))) };
        let cursor = Cursor::decode(cursor, user, list)?;
        if order.is_some_and(|order| order != cursor.order) {
            return Err(InvalidCursor);
        }
        Ok(Self::after(cursor))
    }
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
    /// After each of them: whoever shows fewer goes on there.
    places: Vec<Cursor>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// Of rows with the place after each.
    pub(crate) fn new(rows: impl IntoIterator<Item = (T, Cursor)>, next: Option<Cursor>) -> Self {
        let (items, places) = rows.into_iter().unzip();
        Self { items, places, next }
    }

    /// At most `limit` of its rows, which is one or more; the next page begins with what is cut off.
    pub(crate) fn cut(mut self, limit: usize) -> Self {
        if self.items.len() > limit {
            self.items.truncate(limit);
            self.places.truncate(limit);
            self.next = self.places.last().cloned();
        }
        self
    }

    /// Each row with the place after it.
    pub fn into_rows(self) -> impl Iterator<Item = (T, Cursor)> {
        self.items.into_iter().zip(self.places)
    }
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
        let keys = self.keys.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
        let text: Vec<&str> = [self.user.as_str(), self.order.as_str()].into_iter().chain(keys).collect();
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
        let order = parts.next().and_then(|order| Order::parse(&order)).ok_or(InvalidCursor)?;
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
        Ok(Self { user: user.clone(), order, keys })
    }

    /// From the key at which a query stopped that went this way.
    pub(crate) fn from_key(user: &UserId, order: Order, key: &Item) -> Self {
        let mut keys: Vec<(String, String)> =
            key.iter().filter_map(|(name, value)| value.as_s().ok().map(|value| (name.clone(), value.clone()))).collect();
        keys.sort();
        Self { user: user.clone(), order, keys }
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
        Cursor::from_key(&user, Order::Desc, &key)
    }

    #[test]
    fn a_cursor_keeps_its_order_and_another_one_refuses_it() {
        let (user, text) = (user(1), cursor().encode());
        let asked = |order, default| Start::asked(Some(&text), order, default, (&user, List::History));
        for default in [Order::Asc, Order::Desc] {
            assert_eq!(asked(None, default).unwrap(), Start::after(cursor()), "whatever the list does by itself");
            assert_eq!(asked(Some(Order::Desc), default).unwrap().order, Order::Desc);
            assert!(asked(Some(Order::Asc), default).is_err());
        }
        let first = Start::asked(None, None, Order::Asc, (&user, List::History)).unwrap();
        assert_eq!(first, Start::first(Order::Asc));
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
        let foreign = format!("{}\nasc\npk\nUSER#someone\nsk\nPROFILE", user(1));
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
            for (list, order, key) in [(List::History, Order::Desc, history), (List::Posts, Order::Asc, posts)] {
                let cursor = Cursor::from_key(&user, order, &key);
                let read = Cursor::decode(&cursor.encode(), &user, list).unwrap();
                prop_assert_eq!(&read, &cursor);
                prop_assert_eq!(read.into_key(), key);
            }
        }

        /// Whatever is decoded, it addresses nothing outside the user's own partition.
        #[test]
        fn any_text_is_read_without_panic_and_leads_to_nobody_else(text in "\\PC{0,80}", parts in proptest::collection::vec("pk|sk|list_pk|list_sk|USER#[a-z]{1,3}|POST#[a-z]{0,3}|HISTORY#|.{0,6}", 0..9)) {
            let me = user(1);
            let forged = BASE64URL_NOPAD.encode([me.to_string(), "asc".to_owned()].into_iter().chain(parts).collect::<Vec<_>>().join("\n").as_bytes());
            for (text, list) in [(&text, List::Posts), (&forged, List::Posts), (&forged, List::History)] {
                if let Ok(cursor) = Cursor::decode(text, &me, list) {
                    let key = cursor.into_key();
                    prop_assert_eq!(key["pk"].as_s().unwrap(), &crate::key::user_pk(&me));
                }
            }
        }
    }
}
