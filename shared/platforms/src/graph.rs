//! What Meta's networks share: how Graph writes an error, what its numbers mean everywhere, lists, times, and what is used up.
//! See <https://developers.facebook.com/docs/graph-api/guides/error-handling>.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use domain::failure::FailureCode;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::detail;
use crate::http::Answer;
use crate::verdict::{Class, Verdict};

/// What a row looks at.
pub(crate) enum Key {
    /// The code, whatever the subcode.
    Codes(RangeInclusive<u32>),
    /// The number as code or as subcode: Graph uses both places.
    Either(u32),
    /// Both.
    Pair(u32, u32),
    /// The code with this whole message: some errors of our app share the code of errors of an account, and differ in nothing else.
    Said(u32, &'static str),
}

use Key::{Codes, Pair, Said};

/// A row of a network's table.
pub(crate) type Row = (Key, Class);

/// Nothing proven, whatever subcode it brings: unknown, and out of service. Posts were seen although these were answered.
const DOUBT: &[Row] = &[(Codes(1..=2), Class::Ambiguous)];

/// What Graph's numbers mean at each of its networks. A network's own rows come first, because subcodes tell more than codes. No row: it
/// proves nothing.
///
/// Graph looks at the app, then at the token, then at the limits, then at the post: what is refused with one of these was not published.
const SHARED: &[Row] = &[
    // A checkpoint, an unconfirmed person: the token comes back to life once they have acted.
    (Pair(190, 459), Class::Rejected(FailureCode::AccountRestricted)),
    (Pair(190, 464), Class::Rejected(FailureCode::AccountRestricted)),
    // The app's, for everybody and everything: its limit, its secret, its standing with Meta.
    (Said(341, "Application limit reached"), Class::AppLimited),
    (Said(100, "API calls from the server require an appsecret_proof argument"), Class::AppLimited),
    (Said(100, "Invalid appsecret_proof provided in the API argument"), Class::AppLimited),
    (Said(101, "Error validating application. Invalid application ID"), Class::AppLimited),
    (Said(190, "Error validating application. Application has been deleted"), Class::AppLimited),
    (Said(200, "API access blocked"), Class::AppLimited),
    (Said(200, "API access deactivated. To reactivate, go to the app dashboard"), Class::AppLimited),
    // The app's, for this call: a capability that it lacks.
    (Said(3, "Application does not have the capability to make this API call"), Class::Rejected(FailureCode::AppUnavailable)),
    // The app's, for everybody and everything: too many calls, a server that may not call, a signature that is not its own.
    (Codes(4..=4), Class::AppLimited),
    (Codes(5..=5), Class::AppLimited),
    (Codes(104..=104), Class::AppLimited),
    // The app's, for this call: an address or a version that Graph does not have any more.
    (Codes(2500..=2500), Class::Rejected(FailureCode::AppUnavailable)),
    (Codes(2635..=2635), Class::Rejected(FailureCode::AppUnavailable)),
    // The account's: its token.
    (Codes(190..=190), Class::TokenRefused),
    (Codes(102..=102), Class::TokenRefused),
    // The account's: its limits.
    (Codes(17..=17), Class::Limited),
    (Codes(32..=32), Class::Limited),
    (Codes(341..=341), Class::Limited),
    (Codes(613..=613), Class::Limited),
    (Codes(80_000..=80_014), Class::Limited),
    // The account's: a second factor is asked for; a block for hours, with something to read at the network.
    (Codes(415..=415), Class::Rejected(FailureCode::AccountRestricted)),
    (Codes(368..=368), Class::Rejected(FailureCode::AccountRestricted)),
    // The account's: what was not granted, or was taken back.
    (Codes(3..=3), Class::Rejected(FailureCode::PermissionMissing)),
    (Codes(10..=10), Class::Rejected(FailureCode::PermissionMissing)),
    (Codes(200..=299), Class::Rejected(FailureCode::PermissionMissing)),
    // The post's: said already, or a parameter that Graph does not take.
    (Codes(506..=506), Class::Duplicate),
    (Codes(100..=100), Class::Rejected(FailureCode::ContentRejected)),
];

/// Too many calls: of our app, a person or a Page.
const THROTTLED: [RangeInclusive<u32>; 6] = [4..=4, 17..=17, 32..=32, 341..=341, 613..=613, 80_000..=80_014];

/// No limit of Graph lasts longer; a larger number is a mistake.
const REGAIN_MINUTES_MAX: i64 = 48 * 60;

#[derive(Deserialize)]
struct Failure {
    error: GraphError,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GraphError {
    message: String,
    code: u32,
    error_subcode: Option<u32>,
    #[serde(rename = "type")]
    kind: Option<String>,
    is_transient: Option<bool>,
}

impl Key {
    fn fits(&self, error: &GraphError) -> bool {
        match self {
            Self::Codes(codes) => codes.contains(&error.code),
            Self::Either(number) => error.code == *number || error.error_subcode == Some(*number),
            Self::Pair(code, subcode) => error.code == *code && error.error_subcode == Some(*subcode),
            Self::Said(code, message) => error.code == *code && error.said().eq_ignore_ascii_case(message),
        }
    }

    /// Our own words for what Graph's numbers do not tell.
    fn words(&self) -> Option<&'static str> {
        match self {
            Self::Said(_, message) => Some(message),
            Self::Codes(_) | Self::Either(_) | Self::Pair(..) => None,
        }
    }
}

impl GraphError {
    /// The message without the code that Graph sometimes begins it with, and without its last point.
    fn said(&self) -> &str {
        let message = self.message.trim();
        let rest = message.strip_prefix("(#").and_then(|rest| rest.split_once(") ")).map_or(message, |(_, rest)| rest);
        rest.trim_end_matches('.')
    }

    /// The first row that fits decides.
    fn row(&self, own: &'static [Row]) -> (Option<&'static Key>, Class) {
        let row = DOUBT.iter().chain(own).chain(SHARED).find(|(key, _)| key.fits(self));
        row.map_or((None, Class::Ambiguous), |(key, class)| (Some(key), *class))
    }
}

/// Judges an answer that is not what was hoped for, by a network's own rows and then by those that all share. Only a 4xx can prove anything,
/// and one that Graph calls transient only that a limit stands.
pub(crate) fn judge(own: &'static [Row], answer: &Answer, now: Timestamp) -> Verdict {
    let status = answer.status.as_u16();
    let error = answer.json::<Failure>().map(|failure| failure.error).unwrap_or_default();
    let (key, class) = error.row(own);
    let class = match class {
        _ if !answer.status.is_client_error() => Class::Ambiguous,
        // A limit of calls passes, and so Graph calls it transient; but it stands before the action, and nothing was done.
        class @ (Class::Limited | Class::AppLimited) if THROTTLED.iter().any(|codes| codes.contains(&error.code)) => class,
        _ if error.is_transient == Some(true) => Class::Ambiguous,
        class => class,
    };
    let (code, subcode) = (error.code.to_string(), error.error_subcode.map(|subcode| subcode.to_string()));
    Verdict {
        class,
        status,
        until: if class == Class::Limited { regained(&answer.headers, now) } else { None },
        detail: detail::of_answer(status, &[error.kind.as_deref(), Some(&code), subcode.as_deref(), key.and_then(Key::words)]),
    }
}

/// The code of an error, and its subcode.
pub(crate) fn code_of(answer: &Answer) -> Option<(u32, Option<u32>)> {
    answer.json::<Failure>().map(|failure| (failure.error.code, failure.error.error_subcode))
}

/// Whether Graph says that there is no such thing, or none that this token may see: it does not tell which.
pub(crate) fn is_not_seen(answer: &Answer) -> bool {
    code_of(answer) == Some((100, Some(33)))
}

/// Whether Graph refuses a parameter of this one call, such as a metric that it does not have any more.
pub(crate) fn is_bad_parameter(own: &'static [Row], answer: &Answer) -> bool {
    let refuses = |error: &GraphError| error.code == 100 && error.row(own).1 == Class::Rejected(FailureCode::ContentRejected);
    answer.json::<Failure>().is_some_and(|failure| refuses(&failure.error))
}

/// Where a list goes on. The address of the next page is only looked for, never followed: it carries the token.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Paging {
    cursors: Cursors,
    next: Option<serde::de::IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cursors {
    after: Option<String>,
}

/// A list goes on, and does not say where.
pub(crate) struct NoCursor;

impl Paging {
    /// What the next page is asked for with; `None`: this was the last one.
    pub(crate) fn after(&self) -> Result<Option<&str>, NoCursor> {
        match (&self.next, &self.cursors.after) {
            (None, _) => Ok(None),
            (Some(_), Some(after)) => Ok(Some(after)),
            (Some(_), None) => Err(NoCursor),
        }
    }
}

/// Graph writes the offset without a colon: `2026-11-23T09:00:00+0000`.
pub(crate) fn time(text: &str) -> Option<Timestamp> {
    Timestamp::strptime("%Y-%m-%dT%H:%M:%S%z", text).ok()
}

/// How much of what an account or our app may do is used up, in percent; the highest of all that the headers tell.
pub(crate) fn used_up_percent(headers: &HeaderMap) -> u32 {
    let read = |name: &str| headers.get(name).map(http::HeaderValue::as_bytes);
    let businesses: HashMap<String, Vec<Load>> =
        read("x-business-use-case-usage").and_then(|usage| serde_json::from_slice(usage).ok()).unwrap_or_default();
    let app: Option<Load> = read("x-app-usage").and_then(|usage| serde_json::from_slice(usage).ok());
    businesses
        .into_values()
        .flatten()
        .chain(app)
        .map(|load| load.call_count.max(load.total_time).max(load.total_cputime))
        .max()
        .unwrap_or(0)
}

/// Percentages.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Load {
    call_count: u32,
    total_time: u32,
    total_cputime: u32,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    estimated_time_to_regain_access: i64,
}

/// `X-Business-Use-Case-Usage` tells, per business, the minutes until calls are taken again.
fn regained(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let usage: HashMap<String, Vec<Usage>> = serde_json::from_slice(headers.get("x-business-use-case-usage")?.as_bytes()).ok()?;
    let minutes = usage.values().flatten().map(|usage| usage.estimated_time_to_regain_access).max().filter(|minutes| *minutes > 0)?;
    Some(now + SignedDuration::from_mins(minutes.min(REGAIN_MINUTES_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T09:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_networks_own_row_outweighs_what_all_share_and_neither_outweighs_doubt() {
        const OWN: &[Row] = &[(Key::Either(7_000_001), Class::Duplicate)];
        let class = |error: &str| judge(OWN, &Answer::recorded(400, &[], &format!(r#"{{"error":{{{error}}}}}"#)), now()).class;
        assert_eq!(class(r#""code":100,"error_subcode":7000001"#), Class::Duplicate);
        assert_eq!(class(r#""code":100"#), Class::Rejected(FailureCode::ContentRejected));
        assert_eq!(class(r#""code":2,"error_subcode":7000001"#), Class::Ambiguous);
        assert_eq!(class(r#""code":7000002"#), Class::Ambiguous);
    }

    #[test]
    fn the_minutes_until_access_is_regained_become_a_time() {
        let usage = |minutes: i64| {
            let header =
                format!(r#"{{"123":[{{"type":"pages","call_count":100,"estimated_time_to_regain_access":{minutes}}}],"9":[{{}}]}}"#);
            let body = r#"{"error":{"code":80001}}"#;
            judge(&[], &Answer::recorded(400, &[("x-business-use-case-usage", &header)], body), now()).until
        };
        assert_eq!(usage(12), Some(now() + SignedDuration::from_mins(12)));
        assert_eq!(usage(0), None);
        assert_eq!(usage(i64::MAX), Some(now() + SignedDuration::from_mins(REGAIN_MINUTES_MAX)));
        assert_eq!(judge(&[], &Answer::recorded(400, &[], r#"{"error":{"code":80001}}"#), now()).until, None);
    }

    #[test]
    fn the_fullest_of_all_limits_counts() {
        let used_up = |headers: &[(&'static str, &str)]| used_up_percent(&Answer::recorded(200, headers, "").headers);
        assert_eq!(used_up(&[]), 0);
        assert_eq!(used_up(&[("x-app-usage", r#"{"call_count":28,"total_time":25,"total_cputime":61}"#)]), 61);
        let pages =
            r#"{"1":[{"type":"pages","call_count":3}],"2":[{"call_count":9},{"total_time":72,"estimated_time_to_regain_access":0}]}"#;
        assert_eq!(used_up(&[("x-business-use-case-usage", pages), ("x-app-usage", "often")]), 72);
    }

    #[test]
    fn a_list_that_goes_on_without_saying_where_is_none() {
        let after = |paging: &str| serde_json::from_str::<Paging>(paging).unwrap().after().map(|after| after.map(str::to_owned)).ok();
        assert_eq!(after("{}"), Some(None));
        assert_eq!(after(r#"{"cursors":{"after":"A"}}"#), Some(None), "Graph gives a cursor for the last page, too");
        assert_eq!(after(r#"{"cursors":{"after":"A"},"next":"https://graph.example/next"}"#), Some(Some("A".to_owned())));
        assert_eq!(after(r#"{"next":"https://graph.example/next"}"#), None);
    }
}
