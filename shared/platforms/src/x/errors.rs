//! X's errors as a table. Three shapes of body exist, and a proxy's HTML; the status decides first, then a marker in the body.
//! See <https://docs.x.com/x-api/fundamentals/response-codes-and-errors>.

use domain::failure::FailureCode;
use http::HeaderMap;
use jiff::Timestamp;
use serde::Deserialize;

use crate::detail;
use crate::http::Answer;
use crate::verdict::{Class, Verdict};

/// The first row whose status is equal and whose marker (lower case) stands in the body's error fields decides.
/// No row: it proves nothing.
const TABLE: &[(u16, &str, Class)] = &[
    (400, "invalid-request", Class::Rejected(FailureCode::ContentRejected)),
    (401, "", Class::TokenRefused),
    // The app's credits are used up.
    (402, "", Class::AppLimited),
    (403, "duplicate content", Class::Duplicate),
    (403, "status is a duplicate", Class::Duplicate),
    (403, "usage-capped", Class::Limited),
    (403, "client-forbidden", Class::Rejected(FailureCode::AppUnavailable)),
    (403, "client-not-enrolled", Class::Rejected(FailureCode::AppUnavailable)),
    (403, "unsupported-authentication", Class::Rejected(FailureCode::AppUnavailable)),
    (403, "oauth2-permissions", Class::Rejected(FailureCode::PermissionMissing)),
    (403, "scope", Class::Rejected(FailureCode::PermissionMissing)),
    (403, "suspended", Class::Rejected(FailureCode::AccountRestricted)),
    (403, "locked", Class::Rejected(FailureCode::AccountRestricted)),
    (403, "not permitted to perform this action", Class::Rejected(FailureCode::AccountRestricted)),
    (403, "not allowed to create a tweet", Class::Rejected(FailureCode::ContentRejected)),
    (403, "forbidden", Class::Rejected(FailureCode::AccountRestricted)),
    (404, "resource-not-found", Class::Rejected(FailureCode::ContentRejected)),
    (429, "", Class::Limited),
];

/// The pairs of headers that tell what is left and when it is full again, in unix seconds.
const LIMITS: [(&str, &str); 3] = [
    ("x-rate-limit-remaining", "x-rate-limit-reset"),
    ("x-app-limit-24hour-remaining", "x-app-limit-24hour-reset"),
    ("x-user-limit-24hour-remaining", "x-user-limit-24hour-reset"),
];

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    detail: Option<String>,
    errors: Vec<ProblemPart>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ProblemPart {
    message: Option<String>,
    detail: Option<String>,
    title: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl Problem {
    /// Everything that a marker may stand in, in lower case.
    fn haystack(&self) -> String {
        let own = [&self.title, &self.kind, &self.detail].into_iter();
        let parts = self.errors.iter().flat_map(|part| [&part.message, &part.detail, &part.title, &part.kind]);
        own.chain(parts).flatten().map(|text| text.to_lowercase()).collect::<Vec<_>>().join("\n")
    }

    /// The last segment of the type's address is the error's name.
    fn name(&self) -> Option<&str> {
        self.kind.as_deref().and_then(|kind| kind.rsplit('/').next())
    }
}

/// Judges an answer that is not what was hoped for.
pub(super) fn judge(answer: &Answer, now: Timestamp) -> Verdict {
    let status = answer.status.as_u16();
    let problem: Problem = answer.json().unwrap_or_default();
    let haystack = problem.haystack();
    let row = TABLE.iter().find(|(of, marker, _)| *of == status && haystack.contains(marker));
    let class = row.map_or(Class::Ambiguous, |(_, _, class)| *class);
    Verdict {
        class,
        status,
        until: if class == Class::Limited { reset(&answer.headers, now) } else { None },
        detail: detail::of_answer(status, &[problem.name(), problem.title.as_deref()]),
    }
}

/// The latest reset among the limits that are used up, or the plain one where no header says which is. Past ones tell nothing.
fn reset(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    let used_up = LIMITS.iter().filter(|(remaining, _)| number(remaining) == Some(0)).filter_map(|(_, reset)| number(reset)).max();
    let seconds = used_up.or_else(|| number("x-rate-limit-reset"))?;
    Timestamp::from_second(seconds).ok().filter(|reset| *reset > now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T09:00:00Z".parse().unwrap()
    }

    fn class_of(status: u16, body: &str) -> Class {
        judge(&Answer::recorded(status, &[], body), now()).class
    }

    #[test]
    fn recorded_answers_fall_into_their_classes() {
        use FailureCode::{AccountRestricted, AppUnavailable, ContentRejected};
        let invalid = r#"{"errors":[{"message":"bad"}],"title":"Invalid Request","detail":"One or more parameters to your request was invalid.","type":"https://api.twitter.com/2/problems/invalid-request"}"#;
        let duplicate = r#"{"detail":"You are not allowed to create a Tweet with duplicate content.","type":"about:blank","title":"Forbidden","status":403}"#;
        let enroll =
            r#"{"title":"Client Forbidden","type":"https://api.x.com/2/problems/client-forbidden","reason":"client-not-enrolled"}"#;
        let action = r#"{"title":"Forbidden","detail":"You are not permitted to perform this action.","type":"about:blank","status":403}"#;
        let legacy = r#"{"errors":[{"code":88,"message":"Rate limit exceeded"}]}"#;
        for (status, body, class) in [
            (400, invalid, Class::Rejected(ContentRejected)),
            (400, "<html>Bad Request</html>", Class::Ambiguous),
            (401, r#"{"title":"Unauthorized","type":"about:blank","status":401,"detail":"Unauthorized"}"#, Class::TokenRefused),
            (402, r#"{"title":"CreditsDepleted","type":"https://api.x.com/2/problems/credits"}"#, Class::AppLimited),
            (403, duplicate, Class::Duplicate),
            (403, enroll, Class::Rejected(AppUnavailable)),
            (403, action, Class::Rejected(AccountRestricted)),
            (403, "<html>blocked</html>", Class::Ambiguous),
            (429, legacy, Class::Limited),
            (429, "", Class::Limited),
            (408, "", Class::Ambiguous),
            (500, duplicate, Class::Ambiguous),
            (503, "<html>over capacity</html>", Class::Ambiguous),
            (302, "", Class::Ambiguous),
            (200, r#"{"errors":[{"message":"x"}]}"#, Class::Ambiguous),
        ] {
            assert_eq!(class_of(status, body), class, "{status} {body}");
        }
    }

    #[test]
    fn the_latest_reset_among_those_used_up_counts() {
        let second = now().as_second();
        let (soon, late) = ((second + 60).to_string(), (second + 7200).to_string());
        let headers = [
            ("x-rate-limit-remaining", "0"),
            ("x-rate-limit-reset", soon.as_str()),
            ("x-user-limit-24hour-remaining", "0"),
            ("x-user-limit-24hour-reset", late.as_str()),
            ("x-app-limit-24hour-remaining", "12"),
            ("x-app-limit-24hour-reset", "9999999999"),
        ];
        assert_eq!(judge(&Answer::recorded(429, &headers, ""), now()).until.unwrap().as_second(), second + 7200);
        assert_eq!(judge(&Answer::recorded(429, &headers[1..2], ""), now()).until.unwrap().as_second(), second + 60);
        assert_eq!(judge(&Answer::recorded(429, &[("x-rate-limit-reset", "1")], ""), now()).until, None);
        assert_eq!(judge(&Answer::recorded(429, &[("x-rate-limit-reset", "soon")], ""), now()).until, None);
    }

    #[test]
    fn the_detail_names_the_error_and_repeats_no_message() {
        let body = r#"{"title":"Invalid Request","detail":"text: my secret plan","type":"https://api.x.com/2/problems/invalid-request"}"#;
        assert_eq!(judge(&Answer::recorded(400, &[], body), now()).detail, "400 invalid-request Invalid Request");
    }
}
