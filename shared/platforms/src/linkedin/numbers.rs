//! The numbers of an organization's post: `GET /rest/organizationalEntityShareStatistics`,
//! <https://learn.microsoft.com/linkedin/marketing/community-management/organizations/share-statistics>.
//!
//! impressions = `impressionCount`, reach = `uniqueImpressionsCount`, likes = `likeCount`, comments = `commentCount`, shares = `shareCount`,
//! clicks = `clickCount`. They are told with a delay of up to two days, and for a year. A post of which nothing is told is left out of the
//! answer, as one is that is gone: so none is ever said to be.

use domain::analytics::Numbers;
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;

use super::errors::of_numbers;
use super::{LinkedIn, urn};
use crate::http::{Answer, CALL_TIMEOUT};
use crate::{Account, NumbersError, Published, Told, detail};

#[derive(Deserialize)]
struct Statistics {
    elements: Vec<Element>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Element {
    share: Option<String>,
    ugc_post: Option<String>,
    #[serde(default)]
    total_share_statistics: Totals,
}

/// Some go below zero, where people took back more than they gave since LinkedIn began to count.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Totals {
    #[serde(rename = "impressionCount")]
    impressions: Option<i64>,
    #[serde(rename = "uniqueImpressionsCount")]
    reach: Option<i64>,
    #[serde(rename = "likeCount")]
    likes: Option<i64>,
    #[serde(rename = "commentCount")]
    comments: Option<i64>,
    #[serde(rename = "shareCount")]
    shares: Option<i64>,
    #[serde(rename = "clickCount")]
    clicks: Option<i64>,
}

impl LinkedIn {
    pub(super) async fn read_numbers(&self, account: Account<'_>, post: Published<'_>, now: Timestamp) -> Result<Told, NumbersError> {
        let list = match urn::parts(post.id) {
            Some((urn::SHARE, _)) => "shares",
            Some((urn::UGC_POST, _)) => "ugcPosts",
            _ => return Err(NumbersError::Unavailable { detail: "an odd id of a post".to_owned() }),
        };
        let (organization, id) = (urn::encoded(account.id), urn::encoded(post.id));
        let query = format!("q=organizationalEntity&organizationalEntity={organization}&{list}=List({id})");
        let url = self.resource("organizationalEntityShareStatistics", &query);
        let answer = self.http.send(self.call(Method::GET, url, account.tokens, Some("FINDER")), CALL_TIMEOUT).await?;
        if answer.status == StatusCode::OK { told(&answer, post.id) } else { Err(of_numbers(&answer, account.tokens, now)) }
    }
}

fn told(answer: &Answer, id: &str) -> Result<Told, NumbersError> {
    let unreadable = || NumbersError::Unavailable { detail: detail::of_answer(200, &[Some("unreadable statistics")]) };
    let statistics: Statistics = answer.json().ok_or_else(unreadable)?;
    let is_of_post = |element: &Element| [&element.share, &element.ugc_post].into_iter().flatten().any(|of| of == id);
    let Some(element) = statistics.elements.into_iter().find(is_of_post) else { return Ok(Told::default()) };
    let Totals { impressions, reach, likes, comments, shares, clicks } = element.total_share_statistics;
    let count = |told: Option<i64>| told.map(|told| told.max(0).unsigned_abs());
    let numbers = Numbers {
        impressions: count(impressions),
        reach: count(reach),
        engagements: None,
        likes: count(likes),
        comments: count(comments),
        shares: count(shares),
        clicks: count(clicks),
    };
    let asked = [
        ("impressionCount", impressions),
        ("uniqueImpressionsCount", reach),
        ("likeCount", likes),
        ("commentCount", comments),
        ("shareCount", shares),
        ("clickCount", clicks),
    ];
    let missing = asked.into_iter().filter(|(_, told)| told.is_none()).map(|(name, _)| name).collect();
    Ok(Told { numbers, missing, busy: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "urn:li:share:7";

    fn read(body: &str) -> Result<Told, NumbersError> {
        told(&Answer::recorded(200, &[], body), ID)
    }

    #[test]
    fn a_recorded_row_gives_its_numbers_and_a_field_that_does_not_come_is_named() {
        let row = |fields: &str| {
            format!(
                r#"{{"paging":{{"start":0,"count":10,"links":[]}},"elements":[{{"share":"urn:li:share:8","totalShareStatistics":{{"likeCount":99}}}},
                    {{"organizationalEntity":"urn:li:organization:1","share":"{ID}","totalShareStatistics":{{
                    "uniqueImpressionsCount":92,{fields}"engagement":0.0764,"likeCount":-2,"commentCount":0,"shareCount":1,"impressionCount":144}}}}]}}"#
            )
        };
        let expected = Numbers {
            impressions: Some(144),
            reach: Some(92),
            engagements: None,
            likes: Some(0),
            comments: Some(0),
            shares: Some(1),
            clicks: Some(11),
        };
        assert_eq!(read(&row(r#""clickCount":11,"#)), Ok(Told { numbers: expected, ..Told::default() }));
        assert_eq!(read(&row("")), Ok(Told { numbers: Numbers { clicks: None, ..expected }, missing: vec!["clickCount"], busy: false }));
    }

    #[test]
    fn a_post_without_a_row_tells_nothing_and_an_odd_answer_is_none() {
        assert_eq!(read(r#"{"elements":[]}"#), Ok(Told::default()));
        assert_eq!(read(r#"{"elements":[{"ugcPost":"urn:li:ugcPost:7","totalShareStatistics":{"likeCount":1}}]}"#), Ok(Told::default()));
        for body in ["{}", "<html>", r#"{"elements":[{"share":"urn:li:share:7","totalShareStatistics":{"likeCount":"many"}}]}"#] {
            assert!(matches!(read(body), Err(NumbersError::Unavailable { .. })), "{body}");
        }
    }
}
