//! Posting to a Page, and reading back what was posted.

use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;

use super::Facebook;
use super::errors::judge;
use crate::graph::{self, Paging};
use crate::http::{Answer, CALL_TIMEOUT, COMMIT_TIMEOUT};
use crate::{Account, Call, Outcome, OwnPost, PAGES_MAX, ReadError, address, detail};

#[derive(Deserialize)]
struct Created {
    id: String,
    permalink_url: Option<String>,
}

#[derive(Deserialize)]
struct Published {
    data: Vec<Shown>,
    #[serde(default)]
    paging: Paging,
}

#[derive(Deserialize)]
struct Shown {
    id: String,
    /// Left out where a post is only a picture or a link.
    #[serde(default)]
    message: String,
    created_time: String,
    permalink_url: Option<String>,
}

impl Facebook {
    pub(super) async fn create_post(&self, &Call { account, content, now, .. }: &Call<'_>) -> Outcome {
        let mut url = self.graph(&[account.id, "feed"]);
        url.query_pairs_mut().append_pair("fields", "id,permalink_url");
        let request = self.call(Method::POST, url, account.tokens).form(&[("message", content.text.as_str()), ("published", "true")]);
        match self.http.send(request, COMMIT_TIMEOUT).await {
            Ok(answer) => created(&answer, now),
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
        let unreadable = || ReadError::Unavailable { detail: detail::of_answer(200, &[Some("unreadable list")]) };
        let mut posts = Vec::new();
        let mut from = None;
        for _ in 0..PAGES_MAX {
            let mut url = self.graph(&[account.id, "published_posts"]);
            // A second more on both sides: Graph's times have no fractions, and a post must not fall out at the edge.
            url.query_pairs_mut()
                .append_pair("fields", "id,message,created_time,permalink_url")
                .append_pair("since", &(since.as_second() - 1).to_string())
                .append_pair("limit", "100")
                .extend_pairs(until.map(|until| ("until", (until.as_second() + 1).to_string())))
                .extend_pairs(from.map(|after: String| ("after", after)));
            let answer = self.http.send(self.call(Method::GET, url, account.tokens), CALL_TIMEOUT).await?;
            if answer.status != StatusCode::OK {
                return Err(judge(&answer, now).into());
            }
            let page: Published = answer.json().ok_or_else(unreadable)?;
            from = page.paging.after().map_err(|_| unreadable())?.map(str::to_owned);
            posts.extend(shown(page).ok_or_else(unreadable)?);
            if from.is_none() {
                posts.sort_by_key(|post| std::cmp::Reverse(post.created_at));
                return Ok(posts);
            }
        }
        Err(ReadError::Unavailable { detail: detail::of_answer(200, &[Some("too many posts")]) })
    }
}

/// Published only with an id: a 2xx without one proves nothing.
fn created(answer: &Answer, now: Timestamp) -> Outcome {
    match answer.json::<Created>() {
        Some(Created { id, permalink_url }) if answer.status.is_success() && address::is_id(&id) => {
            Outcome::Accepted { post_id: id, url: permalink_url, http_status: answer.status.as_u16() }
        }
        _ => judge(answer, now).into(),
    }
}

/// `None` when a post's time cannot be read: a list with a hole is no evidence.
fn shown(list: Published) -> Option<Vec<OwnPost>> {
    let own = |post: Shown| {
        let created_at = graph::time(&post.created_time)?;
        Some(OwnPost { id: post.id, url: post.permalink_url, text: post.message, created_at })
    };
    list.data.into_iter().map(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_list_is_read() {
        let body = r#"{"data":[
            {"id":"1_2","message":"Hello\nyou","created_time":"2026-11-23T09:00:00+0000","permalink_url":"https://www.facebook.com/1/posts/2"},
            {"id":"1_3","created_time":"2026-11-23T10:00:00+0000"}],"paging":{}}"#;
        let posts = shown(serde_json::from_str(body).unwrap()).unwrap();
        assert_eq!(posts.iter().map(|post| post.id.as_str()).collect::<Vec<_>>(), ["1_2", "1_3"]);
        assert_eq!(posts[0].text, "Hello\nyou");
        assert_eq!(posts[0].created_at, "2026-11-23T09:00:00Z".parse().unwrap());
        assert!(shown(serde_json::from_str(r#"{"data":[{"id":"1","created_time":"yesterday"}]}"#).unwrap()).is_none());
    }

    #[test]
    fn a_post_without_an_id_is_in_doubt() {
        let outcome = |status, body| created(&Answer::recorded(status, &[], body), Timestamp::UNIX_EPOCH);
        assert_eq!(
            outcome(200, r#"{"id":"1_2","permalink_url":"https://www.facebook.com/1/posts/2"}"#),
            Outcome::Accepted { post_id: "1_2".into(), url: Some("https://www.facebook.com/1/posts/2".into()), http_status: 200 }
        );
        for (status, body) in [(200, "{}"), (200, r#"{"error":{"code":100}}"#), (200, "<html>"), (500, r#"{"error":{"code":506}}"#)] {
            assert!(matches!(outcome(status, body), Outcome::Unknown { .. }), "{status} {body}");
        }
    }
}
