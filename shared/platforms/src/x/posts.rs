//! Posting, and reading back what was posted.

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::X;
use super::errors::judge;
use crate::http::{Answer, CALL_TIMEOUT, COMMIT_TIMEOUT};
use crate::{Account, Call, Outcome, OwnPost, PAGES_MAX, ReadError, address, detail};

#[derive(Serialize)]
struct NewPost<'a> {
    text: &'a str,
}

#[derive(Deserialize)]
struct Created {
    data: CreatedData,
}

#[derive(Deserialize)]
struct CreatedData {
    id: String,
}

/// What is asked for of each post.
const FIELDS: &str = "created_at,text,entities";

/// An empty list leaves `data` out, but not `meta`: one without both is no evidence of absence.
#[derive(Deserialize)]
struct Timeline {
    data: Option<Vec<Shown>>,
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Meta {
    result_count: u32,
    next_token: Option<String>,
}

#[derive(Deserialize)]
struct Shown {
    id: String,
    text: String,
    /// Without it nothing can be told of a list. X drops what it does not know without a word.
    created_at: Option<Timestamp>,
    #[serde(default)]
    entities: Entities,
}

#[derive(Default, Deserialize)]
struct Entities {
    #[serde(default)]
    urls: Vec<LinkEntity>,
}

#[derive(Deserialize)]
struct LinkEntity {
    url: String,
    expanded_url: Option<String>,
    media_key: Option<String>,
}

impl X {
    pub(super) async fn create_post(&self, &Call { account, content, now, .. }: &Call<'_>) -> Outcome {
        let request = self.http.request(Method::POST, address::join(&self.api_url, &["2", "tweets"]));
        let request = request.bearer_auth(account.tokens.access.expose_secret()).json(&NewPost { text: &content.text });
        match self.http.send(request, COMMIT_TIMEOUT).await {
            Ok(answer) => created(&answer, account.username, now),
            Err(error) => error.into(),
        }
    }

    pub(super) async fn list_posts(
        &self,
        account: Account<'_>,
        since: Timestamp,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<OwnPost>, ReadError> {
        let unreadable = || ReadError::Unavailable { detail: detail::of_answer(200, &[Some("unreadable timeline")]) };
        let mut posts = Vec::new();
        let mut from = None;
        for _ in 0..PAGES_MAX {
            let mut url = address::join(&self.api_url, &["2", "users", account.id, "tweets"]);
            // Whole seconds: X takes no fractions, and a post must not fall out at the edge.
            let second = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            url.query_pairs_mut()
                .append_pair("max_results", "100")
                .append_pair("start_time", &second(since))
                .append_pair("post.fields", FIELDS)
                .extend_pairs(until.map(|until| ("end_time", second(until + SignedDuration::from_secs(1)))))
                .extend_pairs(from.map(|token: String| ("pagination_token", token)));
            let request = self.http.request(Method::GET, url).bearer_auth(account.tokens.access.expose_secret());
            let answer = self.http.send(request, CALL_TIMEOUT).await?;
            if answer.status != StatusCode::OK {
                return Err(judge(&answer, now).into());
            }
            let timeline: Timeline = answer.json().ok_or_else(unreadable)?;
            if timeline.lacks_times() {
                tracing::error!(field = "created_at", "X does not tell a field that was asked for; no post can be found by it");
                return Err(ReadError::Unavailable { detail: detail::of_answer(200, &[Some("no created_at")]) });
            }
            let (page, next) = shown(timeline, account.username).ok_or_else(unreadable)?;
            posts.extend(page);
            from = next;
            if from.is_none() {
                posts.sort_by_key(|post| std::cmp::Reverse(post.created_at));
                return Ok(posts);
            }
        }
        Err(ReadError::Unavailable { detail: detail::of_answer(200, &[Some("too many posts")]) })
    }
}

/// Published only with an id: a 2xx without one proves nothing.
fn created(answer: &Answer, username: &str, now: Timestamp) -> Outcome {
    match answer.json::<Created>() {
        Some(Created { data: CreatedData { id } }) if answer.status.is_success() && address::is_id(&id) => {
            Outcome::Accepted { url: Some(permalink(username, &id)), post_id: id, http_status: answer.status.as_u16() }
        }
        _ => judge(answer, now).into(),
    }
}

impl Timeline {
    fn lacks_times(&self) -> bool {
        self.data.iter().flatten().any(|post| post.created_at.is_none())
    }
}

/// A page's posts, and what the next page is asked for with. `None`: it is no evidence of anything.
fn shown(timeline: Timeline, username: &str) -> Option<(Vec<OwnPost>, Option<String>)> {
    let next = timeline.meta.as_ref().and_then(|meta| meta.next_token.clone());
    let list = match (timeline.data, timeline.meta) {
        (Some(list), _) => list,
        (None, Some(Meta { result_count: 0, .. })) => Vec::new(),
        (None, _) => return None,
    };
    let own = |post: Shown| {
        let (url, text) = (Some(permalink(username, &post.id)), unwrapped(&post.text, &post.entities.urls));
        Some(OwnPost { url, text, created_at: post.created_at?, id: post.id })
    };
    let posts = list.into_iter().filter(|post| address::is_id(&post.id)).map(own).collect::<Option<_>>()?;
    Some((posts, next))
}

/// The text as it was written: short links become what they stand for, the link to the post's own media goes, and the three
/// characters that X escapes come back.
fn unwrapped(text: &str, links: &[LinkEntity]) -> String {
    let mut text = text.to_owned();
    for link in links.iter().filter(|link| !link.url.is_empty()) {
        let original = if link.media_key.is_some() { "" } else { link.expanded_url.as_deref().unwrap_or(&link.url) };
        text = text.replacen(&link.url, original, 1);
    }
    // The ampersand last, so that an escaped "&lt;" that was written as such stays.
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").trim_end().to_owned()
}

fn permalink(username: &str, id: &str) -> String {
    let name = if address::is_id(username) { username } else { "i/web" };
    format!("https://x.com/{name}/status/{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Option<Vec<OwnPost>> {
        shown(serde_json::from_str(body).unwrap(), "demo_x").map(|(posts, _)| posts)
    }

    #[test]
    fn links_are_unwrapped_media_dropped_and_escapes_undone() {
        let body = r#"{"data":[{"id":"7","created_at":"2026-11-23T09:00:00.000Z","edit_history_tweet_ids":["7"],
            "text":"Fish &amp; chips &amp;lt; https://t.co/aaa and https://t.co/bbb https://t.co/ccc",
            "entities":{"urls":[{"start":1,"end":2,"url":"https://t.co/aaa","expanded_url":"https://a.example/?x=1","display_url":"a.example"},
              {"url":"https://t.co/bbb","expanded_url":"http://b.example"},
              {"url":"https://t.co/ccc","expanded_url":"https://x.com/demo_x/status/7/photo/1","media_key":"3_1"}]}}],"meta":{"result_count":1}}"#;
        let posts = read(body).unwrap();
        assert_eq!(posts[0].text, "Fish & chips &lt; https://a.example/?x=1 and http://b.example");
        assert_eq!(posts[0].url.as_deref(), Some("https://x.com/demo_x/status/7"));
    }

    #[test]
    fn only_a_counted_empty_list_is_evidence_of_absence() {
        assert!(read(r#"{"meta":{"result_count":0}}"#).unwrap().is_empty());
        assert!(read(r#"{"errors":[{"title":"Not Found Error"}]}"#).is_none());
        assert!(read("{}").is_none());
        assert!(read(r#"{"data":[{"id":"7","text":"no time"}],"meta":{"result_count":1}}"#).is_none());
    }

    #[test]
    fn a_post_without_an_id_is_in_doubt() {
        let now = Timestamp::UNIX_EPOCH;
        let outcome = |status, body| created(&Answer::recorded(status, &[], body), "demo_x", now);
        assert_eq!(
            outcome(201, r#"{"data":{"id":"42","text":"hello"}}"#),
            Outcome::Accepted { post_id: "42".into(), url: Some("https://x.com/demo_x/status/42".into()), http_status: 201 }
        );
        for (status, body) in [(201, "{}"), (201, "<html>"), (201, r#"{"data":{"id":""}}"#), (200, r#"{"errors":[]}"#), (204, "")] {
            assert!(matches!(outcome(status, body), Outcome::Unknown { .. }), "{status} {body}");
        }
    }
}
