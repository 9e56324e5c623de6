//! The numbers of a post: `GET /{post}/insights`, <https://developers.facebook.com/docs/threads/insights>.
//!
//! impressions = `views`, likes = `likes`, comments = `replies`, shares = `reposts`, `quotes` and `shares` together. Reach and clicks of a post are
//! not told. They are told with a delay of some hours.

use domain::analytics::Numbers;
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;

use super::Threads;
use super::containers::is_handle;
use super::errors::{is_bad_parameter, is_not_seen, judge};
use crate::graph::used_up_percent;
use crate::http::{Answer, CALL_TIMEOUT};
use crate::{Account, NumbersError, Published, Told, detail};

const VIEWS: &str = "views";
const LIKES: &str = "likes";
const REPLIES: &str = "replies";
const SHARES: [&str; 3] = ["reposts", "quotes", "shares"];

/// One that Threads does not have any more fails the call for all of them.
const METRICS: [&str; 6] = [VIEWS, LIKES, REPLIES, SHARES[0], SHARES[1], SHARES[2]];

/// From here on what is left of an account's calls is left to posting.
const BUSY_PERCENT: u32 = 50;

#[derive(Deserialize)]
struct Insights {
    data: Vec<Metric>,
}

#[derive(Deserialize)]
struct Metric {
    name: String,
    #[serde(default)]
    values: Vec<Count>,
    total_value: Option<Count>,
}

#[derive(Deserialize)]
struct Count {
    value: u64,
}

impl Metric {
    fn told(&self) -> Option<u64> {
        self.values.first().or(self.total_value.as_ref()).map(|count| count.value)
    }
}

impl Threads {
    /// All metrics in one call; where that is refused for one of them, one after the other. Of a post of which only the container is known,
    /// Threads tells nothing.
    pub(super) async fn read_numbers(&self, account: Account<'_>, post: Published<'_>, now: Timestamp) -> Result<Told, NumbersError> {
        if is_handle(post.id) {
            return Ok(Told::default());
        }
        let answer = self.insights(account, post, &METRICS.join(",")).await?;
        if answer.status == StatusCode::OK {
            return Ok(read(&answer)?.told());
        }
        if is_not_seen(&answer) {
            return Err(self.gone_or_hidden(account, &answer, now).await);
        }
        if !is_bad_parameter(&answer) {
            return Err(judge(&answer, now).into());
        }
        let mut all = Read::default();
        for metric in METRICS {
            let answer = self.insights(account, post, metric).await?;
            if is_bad_parameter(&answer) {
                all.missing.push(metric);
                continue;
            }
            if answer.status != StatusCode::OK {
                return Err(judge(&answer, now).into());
            }
            let one = read(&answer)?;
            all.metrics.extend(one.metrics);
            all.busy |= one.busy;
        }
        Ok(all.told())
    }

    async fn insights(&self, account: Account<'_>, post: Published<'_>, metrics: &str) -> Result<Answer, NumbersError> {
        let mut url = self.graph(&[post.id, "insights"]);
        url.query_pairs_mut().append_pair("metric", metrics);
        Ok(self.http.send(self.call(Method::GET, url, account.tokens), CALL_TIMEOUT).await?)
    }

    /// Graph says the same of a post that is gone and of one that this token may not see. A token that is the account's sees its posts.
    async fn gone_or_hidden(&self, account: Account<'_>, refusal: &Answer, now: Timestamp) -> NumbersError {
        #[derive(Deserialize)]
        struct Owner {
            id: String,
        }
        let request = self.call(Method::GET, self.fields(&["me"], "id"), account.tokens);
        match self.http.send(request, CALL_TIMEOUT).await {
            Ok(answer) if answer.status == StatusCode::OK => match answer.json::<Owner>() {
                Some(owner) if owner.id == account.id => NumbersError::Gone,
                _ => judge(refusal, now).into(),
            },
            Ok(answer) => judge(&answer, now).into(),
            Err(error) => error.into(),
        }
    }
}

/// What one or more calls have told.
#[derive(Default)]
struct Read {
    metrics: Vec<Metric>,
    missing: Vec<&'static str>,
    busy: bool,
}

impl Read {
    fn told(self) -> Told {
        let of = |name: &str| self.metrics.iter().find(|metric| metric.name == name)?.told();
        // Of what is not told nothing is known, and the others are still shares.
        let shares = SHARES.into_iter().filter_map(of).reduce(u64::saturating_add);
        let numbers = Numbers { impressions: of(VIEWS), likes: of(LIKES), comments: of(REPLIES), shares, ..Numbers::default() };
        Told { numbers, missing: self.missing, busy: self.busy }
    }
}

fn read(answer: &Answer) -> Result<Read, NumbersError> {
    let unreadable = || NumbersError::Unavailable { detail: detail::of_answer(200, &[Some("unreadable insights")]) };
    let Insights { data: metrics } = answer.json().ok_or_else(unreadable)?;
    Ok(Read { metrics, missing: Vec::new(), busy: used_up_percent(&answer.headers) >= BUSY_PERCENT })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_insights_give_their_numbers_and_missing_rows_stay_untold() {
        let body = r#"{"data":[
            {"name":"views","period":"lifetime","values":[{"value":120}],"title":"views","description":"d","id":"1/insights/views/lifetime"},
            {"name":"likes","period":"lifetime","values":[{"value":9}]},
            {"name":"reposts","period":"lifetime","values":[{"value":2}]},
            {"name":"quotes","period":"lifetime","values":[{"value":1}]},
            {"name":"shares","period":"lifetime","total_value":{"value":4}}]}"#;
        let told = read(&Answer::recorded(200, &[("x-app-usage", r#"{"call_count":55}"#)], body)).unwrap().told();
        let expected = Numbers { impressions: Some(120), likes: Some(9), shares: Some(7), ..Numbers::default() };
        assert_eq!((told.numbers, told.busy, told.missing.len()), (expected, true, 0));
    }

    #[test]
    fn an_answer_that_is_none_is_not_taken_for_silence() {
        for body in ["{}", "<html>", r#"{"data":[{"name":"views","values":[{"value":"many"}]}]}"#] {
            assert!(matches!(read(&Answer::recorded(200, &[], body)), Err(NumbersError::Unavailable { .. })), "{body}");
        }
        // A post that only shows another one has none.
        assert_eq!(read(&Answer::recorded(200, &[], r#"{"data":[]}"#)).unwrap().told(), Told::default());
    }
}
