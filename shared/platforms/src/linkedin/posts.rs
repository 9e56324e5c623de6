//! Posting, and reading back what an organization has posted.
//! See <https://learn.microsoft.com/linkedin/marketing/community-management/shares/posts-api>.

use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::errors::{of_list, outcome};
use super::paging::{COUNT, Paging};
use super::{LinkedIn, little, urn};
use crate::http::{Answer, CALL_TIMEOUT, COMMIT_TIMEOUT};
use crate::{Account, Call, Outcome, OwnPost, PAGES_MAX, ReadError, detail};

/// The header in which a new post's id comes. The body is empty.
const ID: &str = "x-restli-id";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewPost<'a> {
    author: &'a str,
    commentary: String,
    visibility: &'static str,
    distribution: Distribution,
    lifecycle_state: &'static str,
    is_reshare_disabled_by_author: bool,
}

/// To everybody.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Distribution {
    #[serde(rename = "feedDistribution")]
    feed: &'static str,
    target_entities: [(); 0],
    third_party_distribution_channels: [(); 0],
}

impl<'a> NewPost<'a> {
    fn of(author: &'a str, text: &str) -> Self {
        Self {
            author,
            commentary: little::written(text),
            visibility: "PUBLIC",
            distribution: Distribution { feed: "MAIN_FEED", target_entities: [], third_party_distribution_channels: [] },
            lifecycle_state: PUBLISHED,
            is_reshare_disabled_by_author: false,
        }
    }
}

/// The state of a post that people see.
const PUBLISHED: &str = "PUBLISHED";

#[derive(Deserialize)]
struct List {
    elements: Vec<Shown>,
    #[serde(default)]
    paging: Paging,
}

/// Times are milliseconds since 1970.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    id: String,
    /// Left out where a post is only a picture or a link.
    #[serde(default)]
    commentary: String,
    created_at: i64,
    last_modified_at: Option<i64>,
    lifecycle_state: Option<String>,
}

impl LinkedIn {
    pub(super) async fn create_post(&self, &Call { account, content, now, .. }: &Call<'_>) -> Outcome {
        let request = self.call(Method::POST, self.resource("posts", ""), account.tokens, None);
        let request = request.json(&NewPost::of(account.id, &content.text));
        match self.http.send(request, COMMIT_TIMEOUT).await {
            Ok(answer) => created(&answer).unwrap_or_else(|| outcome(&answer, account.tokens, now)),
            Err(error) => error.into(),
        }
    }

    /// What was changed last comes first. So a list has been read far enough where a post was not touched since before `since`: those behind it
    /// were not made later.
    pub(super) async fn list_posts(
        &self,
        account: Account<'_>,
        (since, until): (Timestamp, Option<Timestamp>),
        now: Timestamp,
    ) -> Result<Vec<OwnPost>, ReadError> {
        let unreadable = || ReadError::Unavailable { detail: detail::of_answer(200, &[Some("unreadable list")]) };
        let author = urn::encoded(account.id);
        let (mut posts, mut start) = (Vec::new(), 0);
        for _ in 0..PAGES_MAX {
            let query = format!("q=author&author={author}&count={COUNT}&start={start}&sortBy=LAST_MODIFIED");
            let request = self.call(Method::GET, self.resource("posts", &query), account.tokens, Some("FINDER"));
            let answer = self.http.send(request, CALL_TIMEOUT).await?;
            if answer.status != StatusCode::OK {
                return Err(of_list(&answer, account.tokens, now));
            }
            let List { elements, paging } = answer.json().ok_or_else(unreadable)?;
            let next = paging.next(start, elements.len()).filter(|_| !elements.last().is_some_and(|post| post.is_untouched(since)));
            posts.extend(elements.into_iter().filter_map(Shown::into_own));
            let Some(next) = next else {
                posts.retain(|post| is_within(post, since, until));
                posts.sort_by_key(|post| std::cmp::Reverse(post.created_at));
                return Ok(posts);
            };
            start = next;
        }
        Err(ReadError::Unavailable { detail: detail::of_answer(200, &[Some("too many posts")]) })
    }
}

/// LinkedIn's times have no more than milliseconds, and a post must not fall out at the edge.
fn is_within(post: &OwnPost, since: Timestamp, until: Option<Timestamp>) -> bool {
    let millis = Timestamp::as_millisecond;
    millis(post.created_at) >= millis(since) && until.is_none_or(|until| post.created_at <= until)
}

impl Shown {
    /// Whether it was neither made nor changed since.
    fn is_untouched(&self, since: Timestamp) -> bool {
        self.last_modified_at.is_some_and(|at| at.max(self.created_at) < since.as_millisecond())
    }

    /// `None`: a draft, or one that is not a post of ours by its name.
    fn into_own(self) -> Option<OwnPost> {
        let is_seen = self.lifecycle_state.is_none_or(|state| state == PUBLISHED) && urn::is_post(&self.id);
        let created_at = Timestamp::from_millisecond(self.created_at).ok()?;
        let text = little::shown(&self.commentary);
        is_seen.then(|| OwnPost { url: Some(urn::permalink(&self.id)), id: self.id, text, created_at })
    }
}

/// Published only with an id, which comes in a header: a 2xx without one proves nothing.
fn created(answer: &Answer) -> Option<Outcome> {
    let id = answer.headers.get(ID)?.to_str().ok().filter(|id| answer.status.is_success() && urn::is_post(id))?;
    Some(Outcome::Accepted { post_id: id.to_owned(), url: Some(urn::permalink(id)), http_status: answer.status.as_u16() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_is_public_and_its_text_is_escaped() {
        let sent = serde_json::to_value(NewPost::of("urn:li:person:782bbtaQ", "Hello (you)")).unwrap();
        let expected = serde_json::json!({
            "author": "urn:li:person:782bbtaQ", "commentary": "Hello \\(you\\)", "visibility": "PUBLIC",
            "distribution": { "feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": [] },
            "lifecycleState": "PUBLISHED", "isReshareDisabledByAuthor": false,
        });
        assert_eq!(sent, expected);
    }

    #[test]
    fn a_post_has_its_id_from_a_header_or_none() {
        let id = "urn:li:share:6844785523593134080";
        let created = |status, headers: &[(&'static str, &str)], body| created(&Answer::recorded(status, headers, body));
        let url = Some(format!("https://www.linkedin.com/feed/update/{id}/"));
        assert_eq!(created(201, &[(ID, id)], ""), Some(Outcome::Accepted { post_id: id.into(), url, http_status: 201 }));
        assert_eq!(created(201, &[], r#"{"id":"urn:li:share:7"}"#), None);
        for (status, header) in [(201, "7"), (201, "urn:li:person:7"), (201, ""), (302, id), (422, id), (500, id)] {
            assert_eq!(created(status, &[(ID, header)], ""), None, "{status} {header}");
        }
    }

    fn list(body: &str) -> List {
        serde_json::from_str(body).unwrap()
    }

    #[test]
    fn a_recorded_list_is_read_as_people_see_it() {
        let body = r#"{"paging":{"start":0,"count":10,"links":[]},"elements":[
            {"id":"urn:li:share:1","author":"urn:li:organization:5515715","commentary":"Fish \\(and\\) {hashtag|\\#|chips}","visibility":"PUBLIC",
             "createdAt":1795424400000,"publishedAt":1795424400031,"lastModifiedAt":1795424400040,"lifecycleState":"PUBLISHED",
             "distribution":{"feedDistribution":"MAIN_FEED","thirdPartyDistributionChannels":[]},"isReshareDisabledByAuthor":false},
            {"id":"urn:li:ugcPost:2","createdAt":1795424400000,"lifecycleState":"PUBLISHED"},
            {"id":"urn:li:share:3","commentary":"not yet","createdAt":1795424400000,"lifecycleState":"DRAFT"}]}"#;
        let posts: Vec<_> = list(body).elements.into_iter().filter_map(Shown::into_own).collect();
        let read: Vec<_> = posts.iter().map(|post| (post.id.as_str(), post.text.as_str())).collect();
        assert_eq!(read, [("urn:li:share:1", "Fish (and) #chips"), ("urn:li:ugcPost:2", "")]);
        assert_eq!(posts[0].created_at, Timestamp::from_second(1_795_424_400).unwrap());
        assert!(serde_json::from_str::<List>(r#"{"status":200}"#).is_err(), "a list without elements is no evidence");
    }

    #[test]
    fn an_old_post_ends_a_list_unless_it_was_changed_or_does_not_say() {
        let since = Timestamp::from_millisecond(1_000).unwrap();
        let is_untouched = |times: &str| {
            let post: Shown = serde_json::from_str(&format!(r#"{{"id":"urn:li:share:1",{times}}}"#)).unwrap();
            post.is_untouched(since)
        };
        assert!(is_untouched(r#""createdAt":500,"lastModifiedAt":999"#));
        for times in [r#""createdAt":500,"lastModifiedAt":1000"#, r#""createdAt":2000,"lastModifiedAt":500"#, r#""createdAt":500"#] {
            assert!(!is_untouched(times), "{times}");
        }
    }
}
