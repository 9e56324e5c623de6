//! The numbers of a post: `GET /api/v1/statuses/{id}`, <https://docs.joinmastodon.org/entities/Status/>.
//!
//! likes = `favourites_count`, comments = `replies_count`, shares = `reblogs_count` + `quotes_count` (since 4.5). They are those that the
//! account's server knows of. No server tells impressions, reach or clicks.

use domain::analytics::{Numbers, sum};
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;

use super::errors::{is_busy, judge};
use super::{Mastodon, NO_SERVER, bare};
use crate::http::{Answer, CALL_TIMEOUT};
use crate::{Account, NumbersError, Published, Told, address, detail};

#[derive(Deserialize)]
struct Counted {
    id: String,
    favourites_count: Option<u64>,
    reblogs_count: Option<u64>,
    replies_count: Option<u64>,
    quotes_count: Option<u64>,
}

impl Mastodon {
    pub(super) async fn read_numbers(&self, account: Account<'_>, post: Published<'_>, now: Timestamp) -> Result<Told, NumbersError> {
        let found = account.server.and_then(|server| Some((server, bare(post.id, server)?)));
        let (server, id) = found.ok_or_else(|| NumbersError::Unavailable { detail: NO_SERVER.to_owned() })?;
        let url = address::join(&server.api, &["api", "v1", "statuses", id]);
        let answer = self.http.send(self.call(Method::GET, url, account.tokens), CALL_TIMEOUT).await?;
        read(&answer, id, now)
    }
}

fn read(answer: &Answer, id: &str, now: Timestamp) -> Result<Told, NumbersError> {
    let status = answer.status;
    // A proxy's page says nothing of a post.
    if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) && answer.json::<serde_json::Map<_, serde_json::Value>>().is_some() {
        return Err(NumbersError::Gone);
    }
    if status != StatusCode::OK {
        return Err(judge(answer, now).into());
    }
    let counted: Option<Counted> = answer.json().filter(|counted: &Counted| counted.id == id);
    let counted = counted.ok_or_else(|| NumbersError::Unavailable { detail: detail::of_answer(200, &[Some("unreadable status")]) })?;
    let asked = [
        ("favourites_count", counted.favourites_count),
        ("reblogs_count", counted.reblogs_count),
        ("replies_count", counted.replies_count),
    ];
    let missing = asked.into_iter().filter(|(_, count)| count.is_none()).map(|(name, _)| name).collect();
    let numbers = Numbers {
        likes: counted.favourites_count,
        comments: counted.replies_count,
        shares: sum([counted.reblogs_count, counted.quotes_count]),
        ..Numbers::default()
    };
    Ok(Told { numbers, missing, busy: is_busy(&answer.headers) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, headers: &[(&'static str, &str)], body: &str) -> Result<Told, NumbersError> {
        read(&Answer::recorded(status, headers, body), "109", Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn what_is_told_is_counted_and_what_is_not_is_no_zero() {
        let told = of(200, &[], r#"{"id":"109","favourites_count":3,"reblogs_count":2,"replies_count":0,"quotes_count":1}"#).unwrap();
        assert_eq!((told.numbers.likes, told.numbers.shares, told.numbers.comments), (Some(3), Some(3), Some(0)));
        assert_eq!((told.numbers.impressions, told.numbers.reach, told.numbers.clicks), (None, None, None));
        let older = of(200, &[], r#"{"id":"109","favourites_count":3,"reblogs_count":2}"#).unwrap();
        assert_eq!((older.numbers.shares, older.numbers.comments, older.missing), (Some(2), None, vec!["replies_count"]));
        for odd in ["{}", "[]", "<html>", r#"{"id":"110","favourites_count":3}"#] {
            assert!(matches!(of(200, &[], odd), Err(NumbersError::Unavailable { .. })), "{odd}");
        }
    }

    #[test]
    fn a_post_is_gone_by_the_servers_own_word_alone() {
        assert_eq!(of(404, &[], r#"{"error":"Record not found"}"#), Err(NumbersError::Gone));
        assert_eq!(of(410, &[], r#"{"error":"Gone"}"#), Err(NumbersError::Gone));
        assert!(matches!(of(404, &[], "<html>"), Err(NumbersError::Unavailable { .. })));
        assert_eq!(of(401, &[], r#"{"error":"The access token was revoked"}"#), Err(NumbersError::TokenRefused));
        assert!(matches!(of(401, &[], "<html>"), Err(NumbersError::Unavailable { .. })), "a proxy's word ends no connection");
    }

    #[test]
    fn little_that_is_left_is_left_to_posting() {
        let busy = |limit, left| {
            let headers = [("x-ratelimit-limit", limit), ("x-ratelimit-remaining", left)];
            of(200, &headers, r#"{"id":"109","favourites_count":0,"reblogs_count":0,"replies_count":0}"#).unwrap().busy
        };
        assert!(busy("300", "30") && busy("300", "0") && !busy("300", "31") && !busy("300", "many"));
    }
}
