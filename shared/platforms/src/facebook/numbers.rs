//! The numbers of a post: `GET /{post}/insights`, <https://developers.facebook.com/docs/graph-api/reference/insights>.
//!
//! impressions = `post_media_view`, reach = `post_total_media_view_unique`, likes = all of `post_reactions_by_type_total`, comments and
//! shares = those of `post_activity_by_action_type`, clicks = `post_clicks`. They are told with a delay of up to two days.

use std::collections::BTreeMap;

use domain::analytics::Numbers;
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;

use super::Facebook;
use super::errors::{is_bad_parameter, is_not_seen, judge, used_up_percent};
use crate::http::{Answer, CALL_TIMEOUT};
use crate::{Account, NumbersError, Published, Told, detail};

const VIEWS: &str = "post_media_view";
const REACH: &str = "post_total_media_view_unique";
const REACTIONS: &str = "post_reactions_by_type_total";
const ACTIVITY: &str = "post_activity_by_action_type";
const CLICKS: &str = "post_clicks";

/// One that Graph does not have any more fails the call for all of them.
const METRICS: [&str; 5] = [VIEWS, REACH, REACTIONS, ACTIVITY, CLICKS];

/// From here on what is left of a Page's calls is left to posting.
const BUSY_PERCENT: u32 = 50;

#[derive(Deserialize)]
struct Insights {
    data: Vec<Metric>,
}

#[derive(Deserialize)]
struct Metric {
    name: String,
    values: Vec<MetricValue>,
}

#[derive(Deserialize)]
struct MetricValue {
    value: Value,
}

/// A number, or one for each kind.
#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Whole(u64),
    ByKind(BTreeMap<String, u64>),
}

impl Value {
    fn total(&self) -> u64 {
        match self {
            Self::Whole(number) => *number,
            Self::ByKind(kinds) => kinds.values().fold(0, |sum, number| sum.saturating_add(*number)),
        }
    }

    fn of(&self, kind: &str) -> Option<u64> {
        match self {
            Self::Whole(_) => None,
            Self::ByKind(kinds) => kinds.get(kind).copied(),
        }
    }
}

impl Facebook {
    /// All metrics in one call; where that is refused for one of them, one after the other.
    pub(super) async fn read_numbers(&self, account: Account<'_>, post: Published<'_>, now: Timestamp) -> Result<Told, NumbersError> {
        let answer = self.insights(account, post, &METRICS.join(",")).await?;
        if answer.status == StatusCode::OK {
            return told(&answer);
        }
        if is_not_seen(&answer) {
            return Err(self.gone_or_hidden(account, &answer, now).await);
        }
        if !is_bad_parameter(&answer) {
            return Err(judge(&answer, now).into());
        }
        let mut all = Told::default();
        for metric in METRICS {
            let answer = self.insights(account, post, metric).await?;
            if is_bad_parameter(&answer) {
                all.missing.push(metric);
                continue;
            }
            if answer.status != StatusCode::OK {
                return Err(judge(&answer, now).into());
            }
            let one = told(&answer)?;
            all = Told { numbers: one.numbers.or(all.numbers), busy: all.busy || one.busy, ..all };
        }
        Ok(all)
    }

    async fn insights(&self, account: Account<'_>, post: Published<'_>, metrics: &str) -> Result<Answer, NumbersError> {
        let mut url = self.graph(&[post.id, "insights"]);
        url.query_pairs_mut().append_pair("metric", metrics);
        Ok(self.http.send(self.call(Method::GET, url, account.tokens), CALL_TIMEOUT).await?)
    }

    /// Graph says the same of a post that is gone and of one that this token may not see. A token that sees its Page sees the Page's posts.
    async fn gone_or_hidden(&self, account: Account<'_>, refusal: &Answer, now: Timestamp) -> NumbersError {
        let mut url = self.graph(&[account.id]);
        url.query_pairs_mut().append_pair("fields", "id");
        match self.http.send(self.call(Method::GET, url, account.tokens), CALL_TIMEOUT).await {
            Ok(answer) if answer.status == StatusCode::OK => NumbersError::Gone,
            Ok(answer) if is_not_seen(&answer) => judge(refusal, now).into(),
            Ok(answer) => judge(&answer, now).into(),
            Err(error) => error.into(),
        }
    }
}

fn told(answer: &Answer) -> Result<Told, NumbersError> {
    let unreadable = || NumbersError::Unavailable { detail: detail::of_answer(200, &[Some("unreadable insights")]) };
    let insights: Insights = answer.json().ok_or_else(unreadable)?;
    let of = |name: &str| insights.data.iter().find(|metric| metric.name == name)?.values.first().map(|value| &value.value);
    let numbers = Numbers {
        impressions: of(VIEWS).map(Value::total),
        reach: of(REACH).map(Value::total),
        engagements: None,
        likes: of(REACTIONS).map(Value::total),
        comments: of(ACTIVITY).and_then(|activity| activity.of("comment")),
        shares: of(ACTIVITY).and_then(|activity| activity.of("share")),
        clicks: of(CLICKS).map(Value::total),
    };
    Ok(Told { numbers, missing: Vec::new(), busy: used_up_percent(&answer.headers) >= BUSY_PERCENT })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_insights_give_their_numbers_and_missing_rows_stay_untold() {
        let body = r#"{"data":[
            {"name":"post_media_view","period":"lifetime","values":[{"value":{"paid":20,"organic":100}}],"title":"t","id":"1_2/insights/a"},
            {"name":"post_reactions_by_type_total","period":"lifetime","values":[{"value":{"like":7,"love":2}}]},
            {"name":"post_activity_by_action_type","period":"lifetime","values":[{"value":{"share":3,"like":9}}]},
            {"name":"post_clicks","period":"lifetime","values":[{"value":0}]}],"paging":{"previous":"p","next":"n"}}"#;
        let told = told(&Answer::recorded(200, &[("x-app-usage", r#"{"call_count":55}"#)], body)).unwrap();
        let expected = Numbers { impressions: Some(120), likes: Some(9), shares: Some(3), clicks: Some(0), ..Numbers::default() };
        assert_eq!((told.numbers, told.busy), (expected, true));
        assert_eq!(told.numbers.engagement(), Some(12));
    }

    #[test]
    fn an_answer_that_is_none_is_not_taken_for_silence() {
        for body in ["{}", "<html>", r#"{"data":[{"name":"post_clicks","values":[{"value":"many"}]}]}"#] {
            assert!(matches!(told(&Answer::recorded(200, &[], body)), Err(NumbersError::Unavailable { .. })), "{body}");
        }
        let nothing_yet = told(&Answer::recorded(200, &[], r#"{"data":[]}"#)).unwrap();
        assert_eq!(nothing_yet, Told::default());
    }
}
