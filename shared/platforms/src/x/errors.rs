//! X's errors as a table. Three shapes of body exist, and a proxy's HTML; the status decides first, then one whole field of the body.
//! See <https://docs.x.com/x-api/fundamentals/response-codes-and-errors>.

use domain::failure::FailureCode;
use http::HeaderMap;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::detail;
use crate::http::Answer;
use crate::verdict::{Class, Verdict};

/// What a row looks at. Texts are compared whole, in any case: a word inside X's prose may stand for anything.
enum Mark {
    /// The status says it all.
    Any,
    /// The last segment of `type`.
    Type(&'static str),
    /// `title`.
    Title(&'static str),
    /// `detail`, or the `message` of an older shape: some errors have no other name.
    Says(&'static str),
    /// `code` of the oldest shape.
    Code(u32),
    /// A header says that the app's posts of the day are used up.
    AppsDay,
}

use Mark::{Any, AppsDay, Code, Says, Title, Type};

/// The first row whose status is equal and whose mark is there decides. No row: it proves nothing.
///
/// X looks at the app, then at the account, then at the post: whatever is refused with one of these was not published.
const TABLE: &[(u16, Mark, Class)] = &[
    // The app's, for everybody and everything: money, caps, suspension.
    (401, Code(416), Class::AppLimited),
    (402, Any, Class::AppLimited),
    (403, Title("SpendCapReached"), Class::AppLimited),
    (403, Type("credits"), Class::AppLimited),
    (403, Type("usage-capped"), Class::AppLimited),
    (403, Code(416), Class::AppLimited),
    (429, Type("usage-capped"), Class::AppLimited),
    (429, AppsDay, Class::AppLimited),
    // The app's, for this call: an enrolment, a permission or a kind of token that it lacks.
    (403, Type("client-forbidden"), Class::Rejected(FailureCode::AppUnavailable)),
    (403, Type("unsupported-authentication"), Class::Rejected(FailureCode::AppUnavailable)),
    (403, Type("oauth1-permissions"), Class::Rejected(FailureCode::AppUnavailable)),
    (403, Code(87), Class::Rejected(FailureCode::AppUnavailable)),
    (403, Code(261), Class::Rejected(FailureCode::AppUnavailable)),
    (403, Code(453), Class::Rejected(FailureCode::AppUnavailable)),
    // The account's: its token, its limits, what was not granted, what it must do at X.
    (401, Any, Class::TokenRefused),
    (429, Any, Class::Limited),
    (403, Says(AUTOMATED), Class::Limited),
    (403, Says(AUTOMATED_LATER), Class::Limited),
    (403, Code(226), Class::Limited),
    (403, Code(185), Class::Limited),
    (403, Type("oauth2-permissions"), Class::Rejected(FailureCode::PermissionMissing)),
    (403, Type("not-authorized-for-resource"), Class::Rejected(FailureCode::PermissionMissing)),
    (403, Code(220), Class::Rejected(FailureCode::PermissionMissing)),
    (403, Code(64), Class::Rejected(FailureCode::AccountRestricted)),
    (403, Code(326), Class::Rejected(FailureCode::AccountRestricted)),
    // The post's.
    (403, Says("You are not allowed to create a Tweet with duplicate content."), Class::Duplicate),
    (403, Says("You are not allowed to create a Post with duplicate content."), Class::Duplicate),
    (403, Code(187), Class::Duplicate),
    (403, Code(186), Class::Rejected(FailureCode::ContentRejected)),
    (400, Type("invalid-request"), Class::Rejected(FailureCode::ContentRejected)),
    (404, Type("resource-not-found"), Class::Rejected(FailureCode::ContentRejected)),
    // Refused without another word, such as "You are not permitted to perform this action.": X shows the person why.
    (403, Title("Forbidden"), Class::Rejected(FailureCode::AccountRestricted)),
];

const AUTOMATED: &str = "This request looks like it might be automated. To protect our users from spam and other malicious activity, we can't complete this action right now.";
const AUTOMATED_LATER: &str = "This request looks like it might be automated. To protect our users from spam and other malicious activity, we can't complete this action right now. Please try again later.";

/// How many of the app's posts of a day are left.
const APPS_DAY: &str = "x-app-limit-24hour-remaining";

/// The pairs of headers that tell what is left and when it is full again, in unix seconds.
const LIMITS: [(&str, &str); 3] = [
    ("x-rate-limit-remaining", "x-rate-limit-reset"),
    (APPS_DAY, "x-app-limit-24hour-reset"),
    ("x-user-limit-24hour-remaining", "x-user-limit-24hour-reset"),
];

/// The shapes in one: a problem, a list of problems, and the list of messages with numbers.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    detail: Option<String>,
    message: Option<String>,
    code: Option<Number>,
    errors: Vec<Problem>,
}

/// The numbers of the oldest shape. What else may be called `code` spoils nothing.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Known(u32),
    Other(IgnoredAny),
}

impl Number {
    fn known(&self) -> Option<u32> {
        match self {
            Self::Known(number) => Some(*number),
            Self::Other(IgnoredAny) => None,
        }
    }
}

impl Problem {
    /// Itself, and what it lists.
    fn parts(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.errors)
    }

    fn sentences(&self) -> impl Iterator<Item = &str> {
        [&self.detail, &self.message].into_iter().flatten().map(String::as_str)
    }

    /// The last segment of the type's address is the error's name.
    fn name(&self) -> Option<&str> {
        self.kind.as_deref().and_then(|kind| kind.rsplit('/').next())
    }
}

impl Mark {
    fn is_on(&self, problem: &Problem, headers: &HeaderMap) -> bool {
        let any = |holds: &dyn Fn(&Problem) -> bool| problem.parts().any(holds);
        match self {
            Any => true,
            Type(name) => any(&|part| part.name().is_some_and(|of| of.eq_ignore_ascii_case(name))),
            Title(title) => any(&|part| part.title.as_deref().is_some_and(|of| of.eq_ignore_ascii_case(title))),
            // X writes the apostrophe both ways.
            Says(text) => any(&|part| part.sentences().any(|of| of.trim().replace('’', "'").eq_ignore_ascii_case(text))),
            Code(number) => any(&|part| part.code.as_ref().and_then(Number::known) == Some(*number)),
            AppsDay => number(headers, APPS_DAY) == Some(0),
        }
    }
}

/// Judges an answer that is not what was hoped for.
pub(super) fn judge(answer: &Answer, now: Timestamp) -> Verdict {
    let status = answer.status.as_u16();
    let problem: Problem = answer.json().unwrap_or_default();
    let row = TABLE.iter().find(|(of, mark, _)| *of == status && mark.is_on(&problem, &answer.headers));
    let class = row.map_or(Class::Ambiguous, |(_, _, class)| *class);
    Verdict {
        class,
        status,
        until: if class == Class::Limited { reset(&answer.headers, now) } else { None },
        detail: detail::of_answer(status, &[problem.name(), problem.title.as_deref()]),
    }
}

fn number(headers: &HeaderMap, name: &str) -> Option<i64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// The latest reset among the limits that are used up, or the plain one where no header says which is. Past ones tell nothing.
fn reset(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let used_up = LIMITS.iter().filter(|(remaining, _)| number(headers, remaining) == Some(0));
    let used_up_until = used_up.filter_map(|(_, reset)| number(headers, reset)).max();
    let seconds = used_up_until.or_else(|| number(headers, "x-rate-limit-reset"))?;
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

    /// A problem as X writes it: what stands in it, and whose fault it is.
    fn problem(title: &str, kind: &str, detail: &str) -> String {
        serde_json::json!({ "title": title, "type": kind, "detail": detail, "status": 0 }).to_string()
    }

    fn legacy(code: u32, message: &str) -> String {
        serde_json::json!({ "errors": [{ "code": code, "message": message }] }).to_string()
    }

    #[test]
    fn what_is_the_apps_is_no_accounts_fault() {
        let of = |name: &str| format!("https://api.twitter.com/2/problems/{name}");
        let cap = "Your enrolled account [1] has reached its billing cycle spend cap. API requests will be blocked until the next cycle begins on 2026-12-14.";
        let month = r#"{"account_id":1,"product_name":"standard-basic","title":"UsageCapExceeded","period":"Monthly","scope":"Product",
            "detail":"Usage cap exceeded: Monthly product cap","type":"https://api.twitter.com/2/problems/usage-capped"}"#;
        for (status, body) in [
            (402, problem("CreditsDepleted", &of("credits"), "Your enrolled account does not have any credits.")),
            (402, String::new()),
            (403, problem("SpendCapReached", &of("credits"), cap)),
            (403, problem("SpendCapReached", "about:blank", cap)),
            (403, month.to_owned()),
            (429, month.to_owned()),
            (403, legacy(416, "Invalid / suspended application")),
        ] {
            assert_eq!(class_of(status, &body), Class::AppLimited, "{status} {body}");
        }
        let enroll = r#"{"client_id":"1","detail":"When authenticating requests to the Twitter API v2 endpoints, you must use keys and tokens from a Twitter developer App that is attached to a Project.","registration_url":"https://developer.x.com","title":"Client Forbidden","required_enrollment":"Appropriate Level of API Access","reason":"client-not-enrolled","type":"https://api.twitter.com/2/problems/client-forbidden"}"#;
        for body in [
            enroll.to_owned(),
            problem(
                "Unsupported Authentication",
                &of("unsupported-authentication"),
                "Authenticating with OAuth 2.0 Application-Only is forbidden.",
            ),
            legacy(453, "You currently have access to a subset of X API V2 endpoints"),
        ] {
            assert_eq!(class_of(403, &body), Class::Rejected(FailureCode::AppUnavailable), "{body}");
        }
    }

    #[test]
    fn the_apps_day_is_everybodys_and_the_accounts_day_is_its_own() {
        let day = |app: &str, user: &str| {
            let headers = [("x-app-limit-24hour-remaining", app), ("x-user-limit-24hour-remaining", user), ("x-rate-limit-remaining", "7")];
            judge(&Answer::recorded(429, &headers, &problem("Too Many Requests", "about:blank", "Too Many Requests")), now()).class
        };
        assert_eq!(day("0", "12"), Class::AppLimited);
        assert_eq!(day("0", "0"), Class::AppLimited);
        assert_eq!(day("12", "0"), Class::Limited);
        assert_eq!(day("none", "0"), Class::Limited);
    }

    #[test]
    fn what_is_the_accounts_and_what_is_the_posts_is_told_apart() {
        use FailureCode::{AccountRestricted, ContentRejected, PermissionMissing};
        let of = |name: &str| format!("https://api.x.com/2/problems/{name}");
        let said = |detail: &str| problem("Forbidden", "about:blank", detail);
        for (status, body, class) in [
            (401, problem("Unauthorized", "about:blank", "Unauthorized"), Class::TokenRefused),
            (429, legacy(88, "Rate limit exceeded"), Class::Limited),
            (429, problem("Too Many Requests", &of("rate-limit-exceeded"), "Rate limit exceeded"), Class::Limited),
            (429, String::new(), Class::Limited),
            (403, said(AUTOMATED_LATER), Class::Limited),
            (403, said(&AUTOMATED.replace('\'', "’")), Class::Limited),
            (403, legacy(226, "This request looks like it might be automated."), Class::Limited),
            (403, said("You are not permitted to perform this action."), Class::Rejected(AccountRestricted)),
            (403, legacy(326, "To protect our users from spam, this account is temporarily locked."), Class::Rejected(AccountRestricted)),
            (403, legacy(64, "Your account is suspended and is not permitted to access this feature"), Class::Rejected(AccountRestricted)),
            (403, problem("Authorization Error", &of("not-authorized-for-resource"), "d"), Class::Rejected(PermissionMissing)),
            (403, said("You are not allowed to create a Tweet with duplicate content."), Class::Duplicate),
            (403, legacy(187, "Status is a duplicate."), Class::Duplicate),
            (403, r#"{"code":"187","errors":[{"code":187,"message":"Status is a duplicate.","detail":"d"}]}"#.to_owned(), Class::Duplicate),
            (
                400,
                problem("Invalid Request", &of("invalid-request"), "One or more parameters to your request was invalid."),
                Class::Rejected(ContentRejected),
            ),
            (404, problem("Not Found Error", &of("resource-not-found"), "d"), Class::Rejected(ContentRejected)),
        ] {
            assert_eq!(class_of(status, &body), class, "{status} {body}");
        }
    }

    #[test]
    fn a_word_inside_prose_decides_nothing() {
        let blocked =
            problem("Some New Title", "https://api.x.com/2/problems/some-new-thing", "blocked, locked, suspended, out of scope, forbidden");
        assert_eq!(class_of(403, &blocked), Class::Ambiguous);
        let quoted =
            problem("Forbidden", "about:blank", "The app said: You are not allowed to create a Tweet with duplicate content. Twice.");
        assert_eq!(class_of(403, &quoted), Class::Rejected(FailureCode::AccountRestricted));
    }

    #[test]
    fn what_proves_nothing_stays_in_doubt() {
        let duplicate = problem("Forbidden", "about:blank", "You are not allowed to create a Tweet with duplicate content.");
        for (status, body) in [
            (400, "<html>Bad Request</html>"),
            (403, "<html>blocked</html>"),
            (404, "<html>Not Found</html>"),
            (408, ""),
            (409, r#"{"title":"Conflict"}"#),
            (500, duplicate.as_str()),
            (503, "<html>over capacity</html>"),
            (302, ""),
            (200, r#"{"errors":[{"message":"x"}]}"#),
        ] {
            assert_eq!(class_of(status, body), Class::Ambiguous, "{status} {body}");
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
