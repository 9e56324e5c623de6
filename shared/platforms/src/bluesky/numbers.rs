//! What the network counts of a post: `app.bsky.feed.getPosts`, which needs no token. Nobody is told how often one was seen.

use domain::analytics::Numbers;
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;

use super::Bluesky;
use super::errors::judge;
use super::handle::Did;
use super::record;
use crate::http::{Answer, CALL_TIMEOUT};
use crate::{Account, NumbersError, Published, Told, address, detail};

#[derive(Deserialize)]
struct Posts {
    posts: Vec<Counted>,
}

#[derive(Deserialize)]
struct Counted {
    uri: String,
    #[serde(rename = "likeCount")]
    likes: Option<u64>,
    #[serde(rename = "replyCount")]
    replies: Option<u64>,
    #[serde(rename = "repostCount")]
    reposts: Option<u64>,
    #[serde(rename = "quoteCount")]
    quotes: Option<u64>,
}

impl Bluesky {
    pub(super) async fn read_numbers(&self, of: Account<'_>, post: Published<'_>, now: Timestamp) -> Result<Told, NumbersError> {
        let unavailable = |detail: String| NumbersError::Unavailable { detail };
        let did = Did::parse(of.id).ok_or_else(|| unavailable("the account has no DID".to_owned()))?;
        let uri = record::uri(&did, post.id);
        let mut url = address::join(&self.api_url, &["xrpc", "app.bsky.feed.getPosts"]);
        url.query_pairs_mut().append_pair("uris", &uri);
        let answer = self.http.send(self.http.request(Method::GET, url), CALL_TIMEOUT).await?;
        if let Some(told) = read(&answer, &uri, now)? {
            return Ok(told);
        }
        // The network shows what it has seen; a fresh post it may see later.
        match self.is_there(of, post.id).await {
            Ok(false) => Err(NumbersError::Gone),
            Ok(true) => Err(unavailable("it is not shown yet".to_owned())),
            Err(error) => Err(unavailable(error.to_string())),
        }
    }
}

/// The numbers of the post at `uri`; `None`: it is not shown.
fn read(answer: &Answer, uri: &str, now: Timestamp) -> Result<Option<Told>, NumbersError> {
    if answer.status.as_u16() != 200 {
        return Err(judge(answer, now).into());
    }
    let unreadable = || NumbersError::Unavailable { detail: detail::of_answer(200, &[Some("unreadable posts")]) };
    let posts: Posts = answer.json().ok_or_else(unreadable)?;
    Ok(posts.posts.into_iter().find(|post| post.uri == uri).map(|post| {
        let shares = match (post.reposts, post.quotes) {
            (None, None) => None,
            (reposts, quotes) => Some(reposts.unwrap_or(0) + quotes.unwrap_or(0)),
        };
        let asked = [("likeCount", post.likes), ("replyCount", post.replies), ("repostCount", post.reposts), ("quoteCount", post.quotes)];
        let missing = asked.into_iter().filter(|(_, told)| told.is_none()).map(|(name, _)| name).collect();
        let numbers = Numbers { likes: post.likes, comments: post.replies, shares, ..Numbers::default() };
        Told { numbers, missing, busy: false }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "at://did:plc:z72i7hdynmk6r22z27h6tvur/app.bsky.feed.post/3jzfcijpj2z2a";

    fn told(status: u16, body: &str) -> Result<Option<Told>, NumbersError> {
        read(&Answer::recorded(status, &[], body), URI, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_post_tells_its_numbers_and_what_is_not_told_stays_untold() {
        let body = format!(
            r#"{{"posts":[{{"uri":"{URI}","cid":"c","author":{{}},"record":{{}},"replyCount":3,"repostCount":2,"likeCount":5,"quoteCount":1,"bookmarkCount":9,"indexedAt":"x"}}]}}"#
        );
        let all = told(200, &body).unwrap().unwrap();
        assert_eq!(all.numbers, Numbers { likes: Some(5), comments: Some(3), shares: Some(3), ..Numbers::default() });
        assert!(all.missing.is_empty());
        let few = told(200, &format!(r#"{{"posts":[{{"uri":"{URI}","likeCount":0}}]}}"#)).unwrap().unwrap();
        assert_eq!(few.numbers, Numbers { likes: Some(0), ..Numbers::default() });
        assert_eq!(few.missing, ["replyCount", "repostCount", "quoteCount"]);
    }

    #[test]
    fn a_post_that_is_not_shown_is_told_from_a_server_that_says_nothing() {
        assert_eq!(told(200, r#"{"posts":[]}"#), Ok(None));
        assert_eq!(told(200, &format!(r#"{{"posts":[{{"uri":"{URI}x"}}]}}"#)), Ok(None));
        for (status, body) in [(200, "<html>"), (200, "{}"), (502, ""), (400, r#"{"error":"InvalidRequest"}"#)] {
            assert!(matches!(told(status, body), Err(NumbersError::Unavailable { .. })), "{status} {body}");
        }
        assert_eq!(told(429, ""), Err(NumbersError::Limited { until: None }));
    }
}
