//! The numbers of a post: `GET /2/tweets`, <https://docs.x.com/x-api/fundamentals/metrics>.
//!
//! impressions = `impression_count`, likes = `like_count`, comments = `reply_count`, shares = `repost_count` + `quote_count`,
//! clicks = `url_link_clicks`, engagement = `engagements`. X tells no reach. The last two are told to the author, for 30 days.

use domain::analytics::{Numbers, sum};
use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::X;
use super::errors::judge;
use crate::http::{Answer, CALL_TIMEOUT};
use crate::verdict::Class;
use crate::{Account, NumbersError, Published, Told, address, detail};

/// For so long X tells the author more than everybody.
const OWN_NUMBERS_AGE: SignedDuration = SignedDuration::from_hours(30 * 24);

const PUBLIC: &str = "public_metrics";
const OWN: &str = "public_metrics,non_public_metrics";

/// 200 also where nothing was found: what is missing stands in `errors`.
#[derive(Deserialize)]
struct Tweets {
    #[serde(default)]
    data: Vec<Tweet>,
    #[serde(default)]
    errors: Vec<Missing>,
}

#[derive(Deserialize)]
struct Tweet {
    id: String,
    #[serde(default)]
    public_metrics: PublicMetrics,
    non_public_metrics: Option<OwnMetrics>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PublicMetrics {
    #[serde(rename = "impression_count")]
    impressions: Option<u64>,
    #[serde(rename = "like_count")]
    likes: Option<u64>,
    #[serde(rename = "reply_count")]
    replies: Option<u64>,
    #[serde(rename = "repost_count")]
    reposts: Option<u64>,
    /// The same under its older name.
    #[serde(rename = "retweet_count")]
    retweets: Option<u64>,
    #[serde(rename = "quote_count")]
    quotes: Option<u64>,
}

impl PublicMetrics {
    fn reposts(&self) -> Option<u64> {
        self.reposts.or(self.retweets)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OwnMetrics {
    impression_count: Option<u64>,
    url_link_clicks: Option<u64>,
    engagements: Option<u64>,
}

#[derive(Deserialize)]
struct Missing {
    resource_id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// What X answered.
enum Read {
    Told(Told),
    /// Something that was asked for is not told of this post, or not any more.
    NotAll,
}

impl X {
    /// Everything that X tells; if it refuses that, what it tells to everybody.
    pub(super) async fn read_numbers(&self, account: Account<'_>, post: Published<'_>, now: Timestamp) -> Result<Told, NumbersError> {
        let fields = if now < post.at + OWN_NUMBERS_AGE { [OWN, PUBLIC].as_slice() } else { &[PUBLIC] };
        for fields in fields {
            let mut url = address::join(&self.api_url, &["2", "tweets"]);
            url.query_pairs_mut().append_pair("ids", post.id).append_pair("post.fields", fields);
            let request = self.http.request(Method::GET, url).bearer_auth(account.tokens.access.expose_secret());
            let answer = self.http.send(request, CALL_TIMEOUT).await?;
            if let Read::Told(told) = read(&answer, (post.id, fields), now)? {
                return Ok(told);
            }
        }
        Err(NumbersError::Unavailable { detail: detail::of_answer(200, &[Some("no numbers")]) })
    }
}

/// The answer to the question for the fields of one post.
fn read(answer: &Answer, (id, fields): (&str, &str), now: Timestamp) -> Result<Read, NumbersError> {
    if answer.status != StatusCode::OK {
        let verdict = judge(answer, now);
        // A field that X does not know any more.
        let unknown = answer.status == StatusCode::BAD_REQUEST && matches!(verdict.class, Class::Rejected(_));
        return if unknown { Ok(Read::NotAll) } else { Err(verdict.into()) };
    }
    let unreadable = || NumbersError::Unavailable { detail: detail::of_answer(200, &[Some("unreadable post")]) };
    let tweets: Tweets = answer.json().ok_or_else(unreadable)?;
    if let Some(tweet) = tweets.data.into_iter().find(|tweet| tweet.id == id) {
        return Ok(Read::Told(Told { numbers: numbers(&tweet), missing: missing(&tweet, fields), busy: false }));
    }
    let of_post = |missing: &&Missing| missing.resource_id.as_deref().is_none_or(|of| of == id);
    let is_gone = |missing: &Missing| missing.kind.as_deref().is_some_and(|kind| kind.ends_with("/resource-not-found"));
    let missing = tweets.errors.iter().find(of_post).ok_or_else(unreadable)?;
    if is_gone(missing) { Err(NumbersError::Gone) } else { Ok(Read::NotAll) }
}

fn numbers(tweet: &Tweet) -> Numbers {
    let public = &tweet.public_metrics;
    let own = tweet.non_public_metrics.as_ref();
    Numbers {
        impressions: public.impressions.or_else(|| own?.impression_count),
        reach: None,
        engagements: own.and_then(|own| own.engagements),
        likes: public.likes,
        comments: public.replies,
        shares: sum([public.reposts(), public.quotes]),
        clicks: own.and_then(|own| own.url_link_clicks),
    }
}

/// What was asked for and did not come. X drops a field that it does not know any more, and says nothing.
fn missing(tweet: &Tweet, fields: &str) -> Vec<&'static str> {
    let public = &tweet.public_metrics;
    let own = tweet.non_public_metrics.as_ref();
    let of_own = [("url_link_clicks", own.and_then(|own| own.url_link_clicks)), ("engagements", own.and_then(|own| own.engagements))];
    let of_all = [
        ("impression_count", public.impressions),
        ("like_count", public.likes),
        ("reply_count", public.replies),
        ("repost_count", public.reposts()),
        ("quote_count", public.quotes),
    ];
    let asked = of_all.into_iter().chain(of_own.into_iter().filter(|_| fields == OWN));
    asked.filter(|(_, told)| told.is_none()).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, body: &str) -> Result<Option<Numbers>, NumbersError> {
        Ok(whole(status, body, OWN)?.map(|told| told.numbers))
    }

    fn whole(status: u16, body: &str, fields: &str) -> Result<Option<Told>, NumbersError> {
        let read = read(&Answer::recorded(status, &[], body), ("42", fields), Timestamp::UNIX_EPOCH)?;
        Ok(if let Read::Told(told) = read { Some(told) } else { None })
    }

    #[test]
    fn a_repost_counts_under_both_of_its_names_and_a_field_that_does_not_come_is_named() {
        let body = |reposts: &str| {
            format!(
                r#"{{"data":[{{"id":"42","text":"hi","edit_history_post_ids":["42"],"public_metrics":{{{reposts}"reply_count":3,"like_count":5,
                    "quote_count":1,"impression_count":700}}}}]}}"#
            )
        };
        for reposts in [r#""repost_count":2,"#, r#""retweet_count":2,"#, r#""repost_count":2,"retweet_count":9,"#] {
            let told = whole(200, &body(reposts), PUBLIC).unwrap().unwrap();
            assert_eq!((told.numbers.shares, told.missing.as_slice()), (Some(3), &[][..]), "{reposts}");
        }
        let told = whole(200, &body(""), PUBLIC).unwrap().unwrap();
        assert_eq!((told.numbers.likes, told.missing), (Some(5), vec!["repost_count"]));
        let told = whole(200, &body(r#""repost_count":2,"#), OWN).unwrap().unwrap();
        assert_eq!(told.missing, ["url_link_clicks", "engagements"]);
    }

    #[test]
    fn a_recorded_post_gives_its_numbers_and_what_is_not_told_stays_untold() {
        let whole = r#"{"data":[{"id":"42","text":"hi","edit_history_tweet_ids":["42"],
            "public_metrics":{"retweet_count":2,"reply_count":3,"like_count":5,"quote_count":1,"bookmark_count":0,"impression_count":700},
            "non_public_metrics":{"impression_count":700,"url_link_clicks":11,"user_profile_clicks":4,"engagements":26}}]}"#;
        let numbers = told(200, whole).unwrap().unwrap();
        let expected = Numbers {
            impressions: Some(700),
            reach: None,
            engagements: Some(26),
            likes: Some(5),
            comments: Some(3),
            shares: Some(3),
            clicks: Some(11),
        };
        assert_eq!(numbers, expected);
        let few = told(200, r#"{"data":[{"id":"42","text":"hi","public_metrics":{"like_count":0}}]}"#).unwrap().unwrap();
        assert_eq!(few, Numbers { likes: Some(0), ..Numbers::default() });
    }

    #[test]
    fn a_post_that_is_gone_is_told_from_fields_that_are() {
        let missing = |kind: &str| {
            format!(
                r#"{{"errors":[{{"resource_id":"42","parameter":"ids","resource_type":"tweet","title":"t","detail":"d",
                    "type":"https://api.twitter.com/2/problems/{kind}"}}]}}"#
            )
        };
        assert_eq!(told(200, &missing("resource-not-found")), Err(NumbersError::Gone));
        assert_eq!(told(200, &missing("not-authorized-for-field")), Ok(None));
        let unknown = r#"{"errors":[{"message":"m"}],"title":"Invalid Request","type":"https://api.x.com/2/problems/invalid-request"}"#;
        assert_eq!(told(400, unknown), Ok(None));
        for body in ["{}", "<html>", r#"{"data":[{"id":"43"}]}"#] {
            assert!(matches!(told(200, body), Err(NumbersError::Unavailable { .. })), "{body}");
        }
        assert_eq!(told(401, "{}"), Err(NumbersError::TokenRefused));
        assert!(matches!(told(402, "{}"), Err(NumbersError::AppLimited { .. })));
        assert_eq!(told(429, "{}"), Err(NumbersError::Limited { until: None }));
    }
}
