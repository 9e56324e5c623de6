//! Graph's errors as a table: a code, often a subcode, hardly ever a telling status.
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
enum Key {
    /// The code, whatever the subcode.
    Codes(RangeInclusive<u32>),
    /// The number as code or as subcode: Graph uses both places.
    Either(u32),
    /// Both.
    Pair(u32, u32),
    /// The code with this whole message: some errors of our app share the code of errors of an account, and differ in nothing else.
    Said(u32, &'static str),
}

use Key::{Codes, Either, Pair, Said};

/// The first row that fits decides: subcodes and messages tell more than codes, so they come first. No row: it proves nothing.
///
/// Graph looks at the app, then at the token, then at the limits, then at the post: what is refused with one of these was not published,
/// but for those that prove nothing.
const TABLE: &[(Key, Class)] = &[
    // Nothing proven, whatever subcode it brings: unknown, out of service, passing trouble. Posts were seen although these were answered.
    (Codes(1..=2), Class::Ambiguous),
    (Either(1_363_047), Class::Ambiguous),
    (Either(1_609_010), Class::Ambiguous),
    // The post's: said already, a bad link, a bad file, abuse, community standards.
    (Either(1_366_051), Class::Duplicate),
    (Either(1_609_005), Class::Rejected(FailureCode::ContentRejected)),
    (Either(1_609_008), Class::Rejected(FailureCode::ContentRejected)),
    (Either(2_061_006), Class::Rejected(FailureCode::ContentRejected)),
    (Either(1_366_046), Class::Rejected(FailureCode::ContentRejected)),
    (Either(2_069_019), Class::Rejected(FailureCode::ContentRejected)),
    (Either(1_346_003), Class::Rejected(FailureCode::ContentRejected)),
    (Either(1_404_102), Class::Rejected(FailureCode::ContentRejected)),
    // The account's: it posts too fast.
    (Either(1_390_008), Class::Limited),
    // The account's: something to do at Facebook. Security check, Page publishing authorization, limited account, identity to confirm.
    (Either(1_404_006), Class::Rejected(FailureCode::AccountRestricted)),
    (Either(1_404_078), Class::Rejected(FailureCode::AccountRestricted)),
    (Either(1_404_112), Class::Rejected(FailureCode::AccountRestricted)),
    (Either(4_854_002), Class::Rejected(FailureCode::AccountRestricted)),
    // A checkpoint, an unconfirmed person: the token comes back to life once they have acted.
    (Pair(190, 459), Class::Rejected(FailureCode::AccountRestricted)),
    (Pair(190, 464), Class::Rejected(FailureCode::AccountRestricted)),
    // The account's: the Page goes by another id now, or cannot be seen with this token.
    (Pair(100, 21), Class::Rejected(FailureCode::ReconnectNeeded)),
    (Pair(100, 33), Class::Rejected(FailureCode::PermissionMissing)),
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
    // The account's: its token, or a Page that goes by another id now, which a new consent brings.
    (Codes(190..=190), Class::TokenRefused),
    (Codes(102..=102), Class::TokenRefused),
    (Codes(21..=21), Class::Rejected(FailureCode::ReconnectNeeded)),
    // The account's: its limits.
    (Codes(17..=17), Class::Limited),
    (Codes(32..=32), Class::Limited),
    (Codes(341..=341), Class::Limited),
    (Codes(613..=613), Class::Limited),
    (Codes(80_000..=80_014), Class::Limited),
    // The account's: a second factor is asked for, as a Page of a business may; a block for hours, with something to read on the Page.
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
}

/// Judges an answer that is not what was hoped for. Only a 4xx can prove anything, and one that Graph calls transient only that a limit stands.
pub(super) fn judge(answer: &Answer, now: Timestamp) -> Verdict {
    let status = answer.status.as_u16();
    let error = answer.json::<Failure>().map(|failure| failure.error).unwrap_or_default();
    let (key, class) = row_of(&error);
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

/// Whether Graph says that there is no such thing, or none that this token may see: it does not tell which.
pub(super) fn is_not_seen(answer: &Answer) -> bool {
    answer.json::<Failure>().is_some_and(|failure| failure.error.code == 100 && failure.error.error_subcode == Some(33))
}

/// Whether Graph refuses a parameter of this one call, such as a metric that it does not have any more.
pub(super) fn is_bad_parameter(answer: &Answer) -> bool {
    let refuses = |error: &GraphError| error.code == 100 && row_of(error).1 == Class::Rejected(FailureCode::ContentRejected);
    answer.json::<Failure>().is_some_and(|failure| refuses(&failure.error))
}

/// How much of what a Page or our app may do is used up, in percent; the highest of all that the headers tell.
pub(super) fn used_up_percent(headers: &HeaderMap) -> u32 {
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

fn row_of(error: &GraphError) -> (Option<&'static Key>, Class) {
    let row = TABLE.iter().find(|(key, _)| key.fits(error));
    row.map_or((None, Class::Ambiguous), |(key, class)| (Some(key), *class))
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

    fn class_of(status: u16, error: &str) -> Class {
        let body = format!(r#"{{"error":{{"message":"m","type":"OAuthException","fbtrace_id":"A",{error}}}}}"#);
        judge(&Answer::recorded(status, &[], &body), now()).class
    }

    #[test]
    fn recorded_errors_fall_into_their_classes() {
        use FailureCode::{AccountRestricted, AppUnavailable, ContentRejected, PermissionMissing, ReconnectNeeded};
        for (status, error, class) in [
            (400, r#""code":190,"error_subcode":463"#, Class::TokenRefused),
            (401, r#""code":190"#, Class::TokenRefused),
            (400, r#""code":190,"error_subcode":459"#, Class::Rejected(AccountRestricted)),
            (400, r#""code":102"#, Class::TokenRefused),
            (400, r#""code":506"#, Class::Duplicate),
            (400, r#""code":100,"error_subcode":1366051"#, Class::Duplicate),
            (403, r#""code":4"#, Class::AppLimited),
            (403, r#""code":4,"is_transient":true"#, Class::AppLimited),
            (400, r#""code":5"#, Class::AppLimited),
            (400, r#""code":104"#, Class::AppLimited),
            (400, r#""code":2500"#, Class::Rejected(AppUnavailable)),
            (400, r#""code":2635"#, Class::Rejected(AppUnavailable)),
            (400, r#""code":21"#, Class::Rejected(ReconnectNeeded)),
            (400, r#""code":100,"error_subcode":21"#, Class::Rejected(ReconnectNeeded)),
            (400, r#""code":415"#, Class::Rejected(AccountRestricted)),
            (400, r#""code":341,"is_transient":true"#, Class::Limited),
            (400, r#""code":3"#, Class::Rejected(PermissionMissing)),
            (400, r#""code":17,"is_transient":true"#, Class::Limited),
            (500, r#""code":4,"is_transient":true"#, Class::Ambiguous),
            (400, r#""code":1,"error_subcode":1390008,"is_transient":true"#, Class::Ambiguous),
            (400, r#""code":80001"#, Class::Limited),
            (400, r#""code":100,"error_subcode":1390008"#, Class::Limited),
            (403, r#""code":200"#, Class::Rejected(PermissionMissing)),
            (400, r#""code":100,"error_subcode":33"#, Class::Rejected(PermissionMissing)),
            (400, r#""code":100"#, Class::Rejected(ContentRejected)),
            (400, r#""code":1609005"#, Class::Rejected(ContentRejected)),
            (400, r#""code":368"#, Class::Rejected(AccountRestricted)),
            (400, r#""code":368,"error_subcode":1346003"#, Class::Rejected(ContentRejected)),
            (400, r#""code":1"#, Class::Ambiguous),
            (400, r#""code":1,"error_subcode":1404102"#, Class::Ambiguous),
            (400, r#""code":2,"error_subcode":1609005"#, Class::Ambiguous),
            (400, r#""code":1,"error_subcode":1390008"#, Class::Ambiguous),
            (400, r#""code":2,"is_transient":true"#, Class::Ambiguous),
            (400, r#""code":100,"is_transient":true"#, Class::Ambiguous),
            (500, r#""code":506"#, Class::Ambiguous),
            (200, r#""code":100"#, Class::Ambiguous),
            (400, r#""code":123456"#, Class::Ambiguous),
        ] {
            assert_eq!(class_of(status, error), class, "{status} {error}");
        }
        assert_eq!(judge(&Answer::recorded(400, &[], "<html>"), now()).class, Class::Ambiguous);
    }

    #[test]
    fn what_is_the_apps_is_told_from_an_accounts_error_of_the_same_code_by_its_whole_message() {
        use FailureCode::{AppUnavailable, ContentRejected, PermissionMissing};
        let verdict = |code: u32, message: &str| {
            let body = serde_json::json!({ "error": { "message": message, "type": "OAuthException", "code": code, "fbtrace_id": "A" } });
            judge(&Answer::recorded(400, &[], &body.to_string()), now())
        };
        for (code, message, class) in [
            (190, "Error validating application. Application has been deleted.", Class::AppLimited),
            (190, "Error validating access token: Session has expired on Monday.", Class::TokenRefused),
            (101, "Error validating application. Invalid application ID.", Class::AppLimited),
            (101, "Error validating application. Cannot get application info due to a system error.", Class::Ambiguous),
            (200, "API access blocked.", Class::AppLimited),
            (200, "API access deactivated. To reactivate, go to the app dashboard.", Class::AppLimited),
            (200, "(#200) The user hasn't authorized the application to perform this action", Class::Rejected(PermissionMissing)),
            (200, "Requires access. API access blocked. Or not", Class::Rejected(PermissionMissing)),
            (100, "API calls from the server require an appsecret_proof argument", Class::AppLimited),
            (100, "Invalid appsecret_proof provided in the API argument", Class::AppLimited),
            (100, "(#100) Missing message or attachment", Class::Rejected(ContentRejected)),
            (3, "(#3) Application does not have the capability to make this API call.", Class::Rejected(AppUnavailable)),
            (341, "(#341) Application limit reached", Class::AppLimited),
            (341, "(#341) Feed action request limit reached", Class::Limited),
        ] {
            assert_eq!(verdict(code, message).class, class, "{code} {message}");
        }
        assert_eq!(verdict(200, "API access blocked.").detail, "400 OAuthException 200 API access blocked");
        assert_eq!(verdict(200, "(#200) my secret plan").detail, "400 OAuthException 200");
    }

    #[test]
    fn the_minutes_until_access_is_regained_become_a_time() {
        let usage = |minutes: i64| {
            let header =
                format!(r#"{{"123":[{{"type":"pages","call_count":100,"estimated_time_to_regain_access":{minutes}}}],"9":[{{}}]}}"#);
            let body = r#"{"error":{"code":80001}}"#;
            judge(&Answer::recorded(400, &[("x-business-use-case-usage", &header)], body), now()).until
        };
        assert_eq!(usage(12), Some(now() + SignedDuration::from_mins(12)));
        assert_eq!(usage(0), None);
        assert_eq!(usage(i64::MAX), Some(now() + SignedDuration::from_mins(REGAIN_MINUTES_MAX)));
        assert_eq!(judge(&Answer::recorded(400, &[], r#"{"error":{"code":80001}}"#), now()).until, None);
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
    fn the_detail_names_the_numbers_and_repeats_no_message() {
        let body =
            r#"{"error":{"message":"Error validating access token EAAB","type":"OAuthException","code":100,"error_subcode":1366051}}"#;
        assert_eq!(judge(&Answer::recorded(400, &[], body), now()).detail, "400 OAuthException 100 1366051");
    }
}
