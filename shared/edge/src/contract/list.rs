//! Lists.

use std::io;

use data_encoding::BASE64URL_NOPAD;
use domain::id::UserId;
use domain::order::Order;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::{FieldCode, FieldError, Problem};

/// How long a page is when the request does not say.
pub const LIMIT_DEFAULT: usize = 50;
/// The longest page.
pub const LIMIT_MAX: usize = 100;
/// A page ends before its items come to more than so many bytes, as they are sent: what a function may answer is bounded.
pub const LIST_BYTES_MAX: usize = 4_000_000;
/// The longest cursor of a list that is read whole, with room.
const CURSOR_BYTES_MAX: usize = 1_024;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = List)]
pub struct ListJson<T> {
    /// In order.
    pub items: Vec<T>,
    /// What brings the next page; `null` after the last.
    pub next_cursor: Option<String>,
}

impl<T> ListJson<T> {
    /// A list that fits on one page.
    pub fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }
}

impl<T: Serialize> ListJson<T> {
    /// A page of rows with the place after each. It ends early, with a cursor, before it comes to more than [`LIST_BYTES_MAX`]; one row is told
    /// in any case. `next` is the place after the last row, where something follows.
    pub fn of_rows<P>(rows: impl IntoIterator<Item = (T, P)>, next: Option<&P>, encode: impl Fn(&P) -> String) -> Self {
        let (mut items, mut bytes, mut last) = (Vec::new(), 0, None);
        for (item, place) in rows {
            bytes += json_bytes(&item) + 1;
            if bytes > LIST_BYTES_MAX
                && let Some(last) = &last
            {
                return Self { items, next_cursor: Some(encode(last)) };
            }
            items.push(item);
            last = Some(place);
        }
        Self { items, next_cursor: next.map(encode) }
    }

    /// A page, of 100 rows where the request does not say, of a list that was read whole: `rows` are all of a user's, each with a name that is its own and sorts as the list does.
    pub fn of_all(mut rows: Vec<(String, T)>, query: &ListQuery, default: Order, (user, list): (&UserId, &str)) -> Result<Self, Problem> {
        let limit = checked_limit(query.limit.or(Some(LIMIT_MAX)))?;
        let start = WholeStart::asked(query, default, user, list)?;
        rows.sort_by(|(one, _), (other, _)| one.cmp(other));
        if start.order == Order::Desc {
            rows.reverse();
        }
        let follows = |name: &String| match (&start.after, start.order) {
            (None, _) => true,
            (Some(after), Order::Asc) => name > after,
            (Some(after), Order::Desc) => name < after,
        };
        let mut rows: Vec<_> = rows.into_iter().filter(|(name, _)| follows(name)).map(|(name, row)| (row, name)).collect();
        let next = (rows.len() > limit).then(|| rows[limit - 1].1.clone());
        rows.truncate(limit);
        Ok(Self::of_rows(rows, next.as_ref(), |name| start.encode(name)))
    }
}

/// Where a page of a list starts that is read whole.
struct WholeStart<'a> {
    order: Order,
    after: Option<String>,
    owner: [&'a str; 2],
}

impl<'a> WholeStart<'a> {
    fn asked(query: &ListQuery, default: Order, user: &'a UserId, list: &'a str) -> Result<Self, Problem> {
        let owner = [user.as_str(), list];
        let Some(cursor) = &query.cursor else { return Ok(Self { order: query.order.unwrap_or(default), after: None, owner }) };
        let invalid = || Problem::invalid_cursor();
        let bytes = Some(cursor)
            .filter(|cursor| cursor.len() <= CURSOR_BYTES_MAX)
            .and_then(|cursor| BASE64URL_NOPAD.decode(cursor.as_bytes()).ok());
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(invalid)?;
        let parts: Vec<&str> = text.split('\n').collect();
        let [whose, what, order, after] = parts[..] else { return Err(invalid()) };
        let order = Order::parse(order).ok_or_else(invalid)?;
        if [whose, what] != owner || query.order.is_some_and(|asked| asked != order) {
            return Err(invalid());
        }
        Ok(Self { order, after: Some(after.to_owned()), owner })
    }

    fn encode(&self, name: &str) -> String {
        let [user, list] = self.owner;
        BASE64URL_NOPAD.encode([user, list, self.order.as_str(), name].join("\n").as_bytes())
    }
}

/// How many bytes `value` comes to as JSON, escapes included.
pub fn json_bytes<T: Serialize>(value: &T) -> usize {
    struct Counter(usize);

    impl io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut counter = Counter(0);
    // What cannot be written fails again where it is answered, and is told there.
    let _counted = serde_json::to_writer(&mut counter, value);
    counter.0
}

/// Which page: `?limit=&cursor=&order=`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// How many; if absent 50, and 100 connections or sessions.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// The `next_cursor` of the page before; opaque to clients.
    pub cursor: Option<String>,
    /// Which way the list goes. A cursor keeps its order: with another one it is `invalid_cursor`.
    #[param(inline)]
    pub order: Option<Order>,
}

impl ListQuery {
    /// How many are asked for: 1 to [`LIMIT_MAX`], else 400 `malformed_request`.
    pub fn limit(&self) -> Result<usize, Problem> {
        checked_limit(self.limit)
    }
}

/// How many rows a query asks for: [`LIMIT_DEFAULT`] if it does not say, 1 to [`LIMIT_MAX`], else 400 `malformed_request`.
pub fn checked_limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked.unwrap_or(LIMIT_DEFAULT) {
        limit @ 1..=LIMIT_MAX => Ok(limit),
        _ => Err(Problem::query(FieldError::new("/limit", FieldCode::OutOfRange, "`limit` takes a number from 1 to 100."))),
    }
}

/// Refuses a period that ends before it begins: 400 `malformed_request`.
pub fn check_period(from: Option<Timestamp>, to: Option<Timestamp>) -> Result<(), Problem> {
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        let detail = "`from` lies after `to`. Give an earlier one, or a later `to`.";
        return Err(Problem::query(FieldError::new("/from", FieldCode::PeriodReversed, detail)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::problem::ProblemCode;
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_page_has_between_one_and_a_hundred_rows() {
        for (limit, taken) in [(None, Some(50)), (Some(1), Some(1)), (Some(100), Some(100)), (Some(0), None), (Some(101), None)] {
            assert_eq!(ListQuery { limit, ..ListQuery::default() }.limit().ok(), taken, "{limit:?}");
        }
    }

    #[test]
    fn a_page_ends_before_it_is_longer_than_may_be_sent_escapes_included() {
        // As JSON, each of these letters is two.
        let text = "\"".repeat(500_000);
        let rows = (0..9).map(|place| (text.clone(), place));
        let page = ListJson::of_rows(rows, Some(&8), |place| format!("after {place}"));
        assert_eq!((page.items.len(), page.next_cursor.as_deref()), (3, Some("after 2")));
        assert!(json_bytes(&page) <= LIST_BYTES_MAX + 100);
        let long = [("\"".repeat(3_000_000), 0), (String::new(), 1)];
        let page = ListJson::of_rows(long, None, |place| format!("after {place}"));
        assert_eq!((page.items.len(), page.next_cursor.as_deref()), (1, Some("after 0")), "one is told in any case");
        let short = ListJson::of_rows([("a", 0), ("b", 1)], None, |place: &i32| place.to_string());
        assert_eq!((short.items.len(), short.next_cursor), (2, None));
    }

    #[test]
    fn a_list_that_is_read_whole_goes_page_by_page_in_either_order() {
        let (ann, eve) = (UserId::new(Timestamp::UNIX_EPOCH, [1; 10]), UserId::new(Timestamp::UNIX_EPOCH, [2; 10]));
        let rows = || (0..5).map(|row| (format!("id{row}"), row)).rev().collect::<Vec<_>>();
        let page = |user: &UserId, list: &str, cursor: Option<&str>, order| {
            let query = ListQuery { limit: Some(2), cursor: cursor.map(str::to_owned), order };
            ListJson::of_all(rows(), &query, Order::Asc, (user, list))
        };
        for (order, expected) in [(None, [0, 1, 2, 3, 4]), (Some(Order::Asc), [0, 1, 2, 3, 4]), (Some(Order::Desc), [4, 3, 2, 1, 0])] {
            let (mut seen, mut cursor) = (Vec::new(), None::<String>);
            loop {
                // The cursor goes on its way by itself.
                let asked = if cursor.is_none() { order } else { None };
                let one = page(&ann, "things", cursor.as_deref(), asked).ok().unwrap();
                assert!(!one.items.is_empty());
                seen.extend(one.items);
                cursor = one.next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(seen, expected, "{order:?}");
        }
        let cursor = page(&ann, "things", None, None).ok().unwrap().next_cursor.unwrap();
        let refused =
            |user: &UserId, list: &str, cursor: &str, order| page(user, list, Some(cursor), order).err().map(|problem| problem.code());
        for refusal in [
            refused(&eve, "things", &cursor, None),
            refused(&ann, "others", &cursor, None),
            refused(&ann, "things", &cursor, Some(Order::Desc)),
            refused(&ann, "things", "!", None),
            refused(&ann, "things", &"A".repeat(2_000), None),
            refused(&ann, "things", "", None),
        ] {
            assert_eq!(refusal, Some(ProblemCode::InvalidCursor));
        }
        assert_eq!(checked_limit(Some(0)).unwrap_err().errors()[0].pointer, "/limit");
    }

    #[test]
    fn a_period_that_ends_before_it_begins_is_refused_by_its_beginning() {
        let [early, late] = [0, 1].map(|second| Timestamp::from_second(second).ok());
        for (from, to) in [(early, late), (early, early), (None, early), (late, None)] {
            assert!(check_period(from, to).is_ok(), "{from:?} {to:?}");
        }
        assert_eq!(check_period(late, early).unwrap_err().errors()[0].pointer, "/from");
    }
}
