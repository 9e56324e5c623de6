//! Lists.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::{FieldCode, FieldError, Problem};

/// How long a page is when the request does not say.
pub const LIMIT_DEFAULT: usize = 50;
/// The longest page.
pub const LIMIT_MAX: usize = 100;

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

/// Which page: `?limit=&cursor=`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// How many; 50 if absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// The `next_cursor` of the page before; opaque to clients.
    pub cursor: Option<String>,
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
    use super::*;

    #[test]
    fn a_page_has_between_one_and_a_hundred_rows() {
        for (limit, taken) in [(None, Some(50)), (Some(1), Some(1)), (Some(100), Some(100)), (Some(0), None), (Some(101), None)] {
            assert_eq!(ListQuery { limit, cursor: None }.limit().ok(), taken, "{limit:?}");
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
