//! Reading back what an account has posted. See <https://developers.facebook.com/docs/threads/threads-media>.

use std::time::Duration;

use domain::post::SEND_DEADLINE;
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use url::Url;

use super::Threads;
use super::errors::judge;
use crate::graph::{self, Paging};
use crate::http::{CALL_TIMEOUT, COMMIT_TIMEOUT};
use crate::{Account, OwnPost, PAGES_MAX, ReadError, detail};

/// For the address of a post that is out already. It is asked for within the time of the send, whose answer must not be lost with it.
const PERMALINK_TIMEOUT: Duration = Duration::from_secs(3);

const _: () = assert!(
    COMMIT_TIMEOUT.as_secs() + PERMALINK_TIMEOUT.as_secs() < SEND_DEADLINE.unsigned_abs().as_secs(),
    "a post's address is asked for before the machine gives the send up"
);

/// A post of somebody else, shown again without a word.
const REPOST: &str = "REPOST_FACADE";

#[derive(Deserialize)]
struct List {
    data: Vec<Shown>,
    #[serde(default)]
    paging: Paging,
}

#[derive(Deserialize)]
struct Shown {
    id: String,
    /// Left out where a post is only a picture.
    #[serde(default)]
    text: String,
    timestamp: String,
    permalink: Option<String>,
    media_type: Option<String>,
}

#[derive(Deserialize)]
struct Linked {
    permalink: String,
}

impl Threads {
    pub(super) async fn list_posts(
        &self,
        account: Account<'_>,
        (since, until): (Timestamp, Option<Timestamp>),
        now: Timestamp,
    ) -> Result<Vec<OwnPost>, ReadError> {
        let unreadable = || ReadError::Unavailable { detail: detail::of_answer(200, &[Some("unreadable list")]) };
        let mut posts = Vec::new();
        let mut from = None;
        for _ in 0..PAGES_MAX {
            let mut url = self.fields(&[account.id, "threads"], "id,text,timestamp,permalink,media_type");
            // A second more on both sides: Threads' times have no fractions, and a post must not fall out at the edge.
            url.query_pairs_mut()
                .append_pair("since", &(since.as_second() - 1).to_string())
                .append_pair("limit", "100")
                .extend_pairs(until.map(|until| ("until", (until.as_second() + 1).to_string())))
                .extend_pairs(from.map(|after: String| ("after", after)));
            let answer = self.http.send(self.call(Method::GET, url, account.tokens), CALL_TIMEOUT).await?;
            if answer.status != StatusCode::OK {
                return Err(judge(&answer, now).into());
            }
            let page: List = answer.json().ok_or_else(unreadable)?;
            from = page.paging.after().map_err(|_| unreadable())?.map(str::to_owned);
            posts.extend(shown(page).ok_or_else(unreadable)?);
            if from.is_none() {
                posts.sort_by_key(|post| std::cmp::Reverse(post.created_at));
                return Ok(posts);
            }
        }
        Err(ReadError::Unavailable { detail: detail::of_answer(200, &[Some("too many posts")]) })
    }

    /// Where people see a post. Without an answer it has no address, and is out all the same.
    pub(super) async fn permalink(&self, account: Account<'_>, post_id: &str) -> Option<String> {
        let request = self.call(Method::GET, self.fields(&[post_id], "permalink"), account.tokens);
        let answer = self.http.send(request, PERMALINK_TIMEOUT).await.ok()?;
        let Linked { permalink } = answer.json().filter(|_| answer.status.is_success())?;
        Url::parse(&permalink).is_ok_and(|url| url.scheme() == "https").then_some(permalink)
    }
}

/// `None` when a post's time cannot be read: a list with a hole is no evidence.
fn shown(list: List) -> Option<Vec<OwnPost>> {
    let own = |Shown { id, text, timestamp, permalink: url, .. }: Shown| {
        let created_at = graph::time(&timestamp)?;
        Some(OwnPost { id, url, text, created_at })
    };
    list.data.into_iter().filter(|post| post.media_type.as_deref() != Some(REPOST)).map(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_documented_list_is_read_without_what_others_wrote() {
        let body = r#"{"data":[
            {"id":"1234567","text":"Hello\nyou","timestamp":"2026-11-23T09:00:00+0000","media_type":"TEXT_POST",
             "permalink":"https://www.threads.net/@ada/post/abcdefg","is_quote_post":false},
            {"id":"1234568","timestamp":"2026-11-23T10:00:00+0000","media_type":"REPOST_FACADE"},
            {"id":"1234569","timestamp":"2026-11-23T10:00:00+0000","media_type":"IMAGE"}],
            "paging":{"cursors":{"before":"B","after":"A"}}}"#;
        let posts = shown(serde_json::from_str(body).unwrap()).unwrap();
        assert_eq!(
            posts.iter().map(|post| (post.id.as_str(), post.text.as_str())).collect::<Vec<_>>(),
            [("1234567", "Hello\nyou"), ("1234569", "")]
        );
        assert_eq!(posts[0].created_at, "2026-11-23T09:00:00Z".parse().unwrap());
        assert!(shown(serde_json::from_str(r#"{"data":[{"id":"1","timestamp":"yesterday"}]}"#).unwrap()).is_none());
        assert!(serde_json::from_str::<List>(r#"{"error":{}}"#).is_err(), "a list without data is no evidence");
    }
}
