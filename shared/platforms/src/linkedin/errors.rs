//! LinkedIn's errors as a table: a status, then a name in one of three places, or a whole sentence.
//! See <https://learn.microsoft.com/linkedin/shared/api-guide/concepts/error-handling>.

use domain::failure::FailureCode;
use domain::token::TokenSet;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::urn;
use crate::detail;
use crate::http::Answer;
use crate::numbers::NumbersError;
use crate::outcome::{Outcome, ReadError};
use crate::verdict::{Class, Verdict};

/// What a row looks at.
enum Mark {
    /// The status says it all.
    Any,
    /// `code`, of the error or of one of the inputs that it lists.
    Code(&'static str),
    /// `serviceErrorCode`: some errors have no other name.
    Service(u32),
    /// The whole of `message`, in any case.
    Says(&'static str),
    /// `message` names the post that says the same.
    NamesPost,
    /// What is wrong with a field of ours: `ERROR :: /field :: …`.
    Field,
}

use Mark::{Any, Code, Field, NamesPost, Says, Service};

/// The first row whose status is equal and whose mark is there decides. No row: it proves nothing.
///
/// LinkedIn looks at the version, at the limits, at the token, at what it allows, then at the post: what is refused with one of these was not
/// published.
const TABLE: &[(u16, Mark, Class)] = &[
    // The app's, for everybody and everything: a version that has ended, or none.
    (426, Any, Class::AppLimited),
    (400, Code("VERSION_MISSING"), Class::AppLimited),
    // The app's, for this call: what all its accounts may do in a day.
    (429, Says("Resource level throttle APPLICATION DAY limit for calls to this resource is reached."), Class::AppLimited),
    // The account's: its limits, its token, what was not granted, or a role that it has lost.
    (429, Any, Class::Limited),
    (401, Any, Class::TokenRefused),
    (403, Code("ACCESS_DENIED"), Class::Rejected(FailureCode::PermissionMissing)),
    (403, Service(100), Class::Rejected(FailureCode::PermissionMissing)),
    // The post's: said already, too long, or a field that LinkedIn does not take.
    (422, Code("DUPLICATE_POST"), Class::Duplicate),
    (422, NamesPost, Class::Duplicate),
    (422, Field, Class::Rejected(FailureCode::ContentRejected)),
    (400, Code("FIELD_LENGTH_TOO_LONG"), Class::Rejected(FailureCode::ContentRejected)),
    (400, Code("INVALID_VALUE_FOR_FIELD"), Class::Rejected(FailureCode::ContentRejected)),
    (400, Code("INVALID_VALUE_BLANK_FIELD"), Class::Rejected(FailureCode::ContentRejected)),
    (400, Code("ILLEGAL_ARGUMENT"), Class::Rejected(FailureCode::ContentRejected)),
    (400, Code("MISSING_FIELD"), Class::Rejected(FailureCode::ContentRejected)),
];

/// Limits that begin anew at midnight. Of another 429 LinkedIn says no end, and may only be protecting itself.
const OF_A_DAY: [&str; 2] = [
    "Resource level throttle APPLICATION DAY limit for calls to this resource is reached.",
    "Resource level throttle MEMBER DAY limit for calls to this resource is reached.",
];

/// What stands before the URN of the post that has the same text.
const DUPLICATE_OF: &str = "content is a duplicate of ";

/// A token that was just made is unknown to some of LinkedIn's servers, which call it revoked…
const REVOKED: u32 = 65_601;
/// …for seconds; so long it is waited for.
const SETTLES_WITHIN: SignedDuration = SignedDuration::from_secs(60);
/// How long a token lives: its age follows from its end.
const TOKEN_LIFETIME: SignedDuration = SignedDuration::from_hours(60 * 24);

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Failure {
    message: String,
    code: Option<String>,
    service_error_code: Option<u32>,
    error_details: Details,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Details {
    input_errors: Vec<InputError>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct InputError {
    code: Option<String>,
}

impl Failure {
    fn of(answer: &Answer) -> Self {
        answer.json().unwrap_or_default()
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let of_inputs = self.error_details.input_errors.iter().map(|input| &input.code);
        std::iter::once(&self.code).chain(of_inputs).flatten().map(String::as_str)
    }

    fn says(&self, sentence: &str) -> bool {
        self.message.trim().eq_ignore_ascii_case(sentence)
    }

    /// The post that has the same text. The sentence stands alone, or behind the name of a class of LinkedIn's.
    fn duplicate_of(&self) -> Option<&str> {
        let sentence = self.message.trim().rsplit(": ").next()?;
        let (says, urn) = (sentence.get(..DUPLICATE_OF.len())?, sentence.get(DUPLICATE_OF.len()..)?);
        (says.eq_ignore_ascii_case(DUPLICATE_OF) && urn::is_post(urn)).then_some(urn)
    }
}

impl Mark {
    fn is_on(&self, failure: &Failure) -> bool {
        match self {
            Any => true,
            Code(name) => failure.names().any(|of| of == *name),
            Service(number) => failure.service_error_code == Some(*number),
            Says(sentence) => failure.says(sentence),
            NamesPost => failure.duplicate_of().is_some(),
            Field => failure.message.trim_start().starts_with("ERROR :: /"),
        }
    }
}

/// Judges an answer that is not what was hoped for.
pub(super) fn judge(answer: &Answer, now: Timestamp) -> Verdict {
    let (status, failure) = (answer.status.as_u16(), Failure::of(answer));
    let row = TABLE.iter().find(|(of, mark, _)| *of == status && mark.is_on(&failure));
    let class = row.map_or(Class::Ambiguous, |(_, _, class)| *class);
    let is_of_a_day = status == 429 && OF_A_DAY.iter().any(|sentence| failure.says(sentence));
    let number = failure.service_error_code.map(|number| number.to_string());
    let names: Vec<_> = failure.names().map(Some).chain([number.as_deref()]).collect();
    Verdict { class, status, until: if is_of_a_day { next_day(now) } else { None }, detail: detail::of_answer(status, &names) }
}

/// The same of a call with `tokens`: those that were just made are waited for.
fn judge_of(answer: &Answer, tokens: &TokenSet, now: Timestamp) -> Verdict {
    let verdict = judge(answer, now);
    let is_revoked = verdict.class == Class::TokenRefused && Failure::of(answer).service_error_code == Some(REVOKED);
    if !is_revoked || !is_fresh(tokens, now) {
        return verdict;
    }
    Verdict { class: Class::Limited, until: Some(now + SETTLES_WITHIN), ..verdict }
}

/// What an answer means for the post that was sent with `tokens`.
pub(super) fn outcome(answer: &Answer, tokens: &TokenSet, now: Timestamp) -> Outcome {
    let (verdict, failure) = (judge_of(answer, tokens, now), Failure::of(answer));
    let http_status = verdict.status;
    match verdict.class {
        Class::Duplicate => {
            let named = failure.duplicate_of();
            Outcome::Duplicate { post_id: named.map(str::to_owned), url: named.map(urn::permalink), http_status }
        }
        Class::AppLimited => Outcome::AppLimited { until: verdict.until, http_status, detail: verdict.detail },
        _ => verdict.into(),
    }
}

fn is_fresh(tokens: &TokenSet, now: Timestamp) -> bool {
    tokens.expires_at.is_some_and(|end| end.duration_since(now) > TOKEN_LIFETIME - SETTLES_WITHIN)
}

/// What a refused list proves.
pub(super) fn of_list(answer: &Answer, tokens: &TokenSet, now: Timestamp) -> ReadError {
    read_alone(judge_of(answer, tokens, now)).into()
}

/// What refused numbers prove.
pub(super) fn of_numbers(answer: &Answer, tokens: &TokenSet, now: Timestamp) -> NumbersError {
    read_alone(judge_of(answer, tokens, now)).into()
}

/// The app's limit of a day is that of one kind of call: where reading has come to its end, posting has not.
fn read_alone(verdict: Verdict) -> Verdict {
    let class = if verdict.status == 429 { Class::Limited } else { verdict.class };
    Verdict { class, ..verdict }
}

/// The next midnight in UTC, where days of limits end.
fn next_day(now: Timestamp) -> Option<Timestamp> {
    let tomorrow = now.to_zoned(TimeZone::UTC).date().tomorrow().ok()?;
    tomorrow.to_zoned(TimeZone::UTC).ok().map(|midnight| midnight.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T09:00:00Z".parse().unwrap()
    }

    fn midnight() -> Timestamp {
        "2026-11-24T00:00:00Z".parse().unwrap()
    }

    fn class_of(status: u16, body: &str) -> Class {
        judge(&Answer::recorded(status, &[], body), now()).class
    }

    /// Tokens that were made so long ago.
    fn tokens(age: SignedDuration) -> TokenSet {
        let expires_at = Some(now() - age + TOKEN_LIFETIME);
        TokenSet { expires_at, ..TokenSet::bare("a".into()) }
    }

    fn old() -> TokenSet {
        tokens(SignedDuration::from_hours(1))
    }

    fn outcome_of(status: u16, body: &str) -> Outcome {
        outcome(&Answer::recorded(status, &[], body), &old(), now())
    }

    #[test]
    fn a_version_that_has_ended_is_the_apps_fault_for_everybody() {
        let ended = r#"{"status":426,"code":"NONEXISTENT_VERSION","message":"Requested version 20250901 is not active"}"#;
        let missing = r#"{"status":400,"code":"VERSION_MISSING","message":"A version must be present. Please specify a version by adding the LinkedIn-Version header."}"#;
        for (status, body) in [(426, ended), (426, "<html>Upgrade Required</html>"), (400, missing)] {
            assert_eq!(class_of(status, body), Class::AppLimited, "{status} {body}");
            let answer = Answer::recorded(status, &[], body);
            assert!(matches!(of_list(&answer, &old(), now()), ReadError::AppLimited { .. }), "{status}");
            assert!(matches!(of_numbers(&answer, &old(), now()), NumbersError::AppLimited { .. }), "{status}");
        }
        assert!(
            matches!(outcome_of(426, ended), Outcome::AppLimited { until: None, http_status: 426, detail } if detail == "426 NONEXISTENT_VERSION")
        );
    }

    #[test]
    fn the_days_limits_end_at_midnight_and_the_apps_is_everybodys_only_for_the_call_that_met_it() {
        let body = |whose: &str| {
            format!(
                r#"{{"serviceErrorCode":101,"code":"TOO_MANY_REQUESTS","status":429,
                    "message":"Resource level throttle {whose} DAY limit for calls to this resource is reached."}}"#
            )
        };
        let (app, member) = (body("APPLICATION"), body("MEMBER"));
        assert!(matches!(outcome_of(429, &app), Outcome::AppLimited { until: Some(until), .. } if until == midnight()));
        assert_eq!(outcome_of(429, &member), Outcome::Limited { until: Some(midnight()), http_status: 429 });
        for body in [&app, &member] {
            let answer = Answer::recorded(429, &[], body);
            assert!(matches!(of_list(&answer, &old(), now()), ReadError::Limited { until: Some(until) } if until == midnight()));
            assert_eq!(of_numbers(&answer, &old(), now()), NumbersError::Limited { until: Some(midnight()) });
        }
        let plain =
            r#"{"serviceErrorCode":101,"message":"Resource level throttle limit for calls to this resource is reached.","status":429}"#;
        for body in [plain, "", "<html>", r#"{"message":"we said: APPLICATION DAY limit"}"#] {
            assert_eq!(outcome_of(429, body), Outcome::Limited { until: None, http_status: 429 }, "{body}");
        }
        assert_eq!(next_day("2026-12-31T23:59:59Z".parse().unwrap()), Some("2027-01-01T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn what_is_the_accounts_and_what_is_the_posts_is_told_apart() {
        use FailureCode::{ContentRejected, PermissionMissing};
        let input = |code: &str| {
            format!(
                r#"{{"errorDetailType":"com.linkedin.common.error.BadRequest","message":"m","status":400,
                    "errorDetails":{{"inputErrors":[{{"description":"d","input":{{"inputPath":{{"fieldPath":"/commentary"}}}},"code":"{code}"}}]}}}}"#
            )
        };
        for (status, body, class) in [
            (401, r#"{"status":401,"serviceErrorCode":65600,"code":"INVALID_ACCESS_TOKEN","message":"Invalid access token"}"#.to_owned(), Class::TokenRefused),
            (401, r#"{"status":401,"serviceErrorCode":65601,"code":"REVOKED_ACCESS_TOKEN","message":"The token used in the request has been revoked by the user"}"#.to_owned(), Class::TokenRefused),
            (401, r#"{"status":401,"serviceErrorCode":65602,"code":"EXPIRED_ACCESS_TOKEN","message":"The token used in the request has expired"}"#.to_owned(), Class::TokenRefused),
            (401, String::new(), Class::TokenRefused),
            (403, r#"{"status":403,"serviceErrorCode":100,"code":"ACCESS_DENIED","message":"Not enough permissions to access: posts.CREATE.20260901"}"#.to_owned(), Class::Rejected(PermissionMissing)),
            (403, r#"{"serviceErrorCode":100,"message":"Not enough permissions to access: POST /posts","status":403}"#.to_owned(), Class::Rejected(PermissionMissing)),
            (400, input("FIELD_LENGTH_TOO_LONG"), Class::Rejected(ContentRejected)),
            (400, input("INVALID_VALUE_FOR_FIELD"), Class::Rejected(ContentRejected)),
            (400, input("MISSING_FIELD"), Class::Rejected(ContentRejected)),
            (400, r#"{"status":400,"code":"ILLEGAL_ARGUMENT","message":"Request body could not be converted to data map"}"#.to_owned(), Class::Rejected(ContentRejected)),
            (422, r#"{"message":"ERROR :: /commentary :: length of \"…\" is out of range\n","status":422}"#.to_owned(), Class::Rejected(ContentRejected)),
        ] {
            assert_eq!(class_of(status, &body), class, "{status} {body}");
        }
    }

    #[test]
    fn a_duplicate_names_the_post_that_was_there_before() {
        let newer = r#"{"errorDetailType":"com.linkedin.common.error.BadRequest","message":"com.linkedin.content.common.exception.BadRequestResponseException: Content is a duplicate of urn:li:share:7141138937766391808","errorDetails":{"inputErrors":[{"description":"Duplicate post is detected","input":{},"code":"DUPLICATE_POST"}]},"status":422}"#;
        let older = r#"{"message":"Content is a duplicate of urn:li:ugcPost:6844785523593134080","status":422}"#;
        let shouted = r#"{"message":"CONTENT IS A DUPLICATE OF urn:li:share:7","status":422}"#;
        for (body, urn) in
            [(newer, "urn:li:share:7141138937766391808"), (older, "urn:li:ugcPost:6844785523593134080"), (shouted, "urn:li:share:7")]
        {
            let url = Some(format!("https://www.linkedin.com/feed/update/{urn}/"));
            assert_eq!(outcome_of(422, body), Outcome::Duplicate { post_id: Some(urn.to_owned()), url, http_status: 422 }, "{body}");
        }
        let unnamed = r#"{"message":"Duplicate post is detected","errorDetails":{"inputErrors":[{"code":"DUPLICATE_POST"}]},"status":422}"#;
        let other_name = unnamed.replace("Duplicate post is detected", "Content is a duplicate of urn:li:activity:7");
        for body in [unnamed, &other_name] {
            assert_eq!(outcome_of(422, body), Outcome::Duplicate { post_id: None, url: None, http_status: 422 }, "{body}");
        }
    }

    #[test]
    fn what_proves_nothing_stays_in_doubt() {
        let duplicate = r#"{"message":"Content is a duplicate of urn:li:share:7","status":422}"#;
        for (status, body) in [
            (422, r#"{"message":"Content is a duplicate of urn:li:person:782bbtaQ","status":422}"#),
            (422, r#"{"message":"The text said: Content is a duplicate of urn:li:share:7 or not","status":422}"#),
            (422, r#"{"message":"This content is a duplicate of urn:li:share:7","status":422,"code":"X"}"#),
            (422, r#"{"code":"UNPROCESSABLE_ENTITY","message":"Something is wrong","status":422}"#),
            (422, "of urn:li:share:7"),
            (400, r#"{"message":"Unable to obtain activity","status":400}"#),
            (400, "<html>Bad Request</html>"),
            (403, "<html>blocked</html>"),
            (404, r#"{"code":"NOT_FOUND","message":"m","status":404}"#),
            (404, "<html>"),
            (408, ""),
            (409, r#"{"code":"CONFLICT","message":"m","status":409}"#),
            (500, duplicate),
            (500, r#"{"message":"Unable to obtain activity","status":500}"#),
            (503, "<html>"),
            (302, ""),
            (200, duplicate),
        ] {
            assert_eq!(class_of(status, body), Class::Ambiguous, "{status} {body}");
        }
    }

    #[test]
    fn a_token_that_was_just_made_is_waited_for_when_linkedin_does_not_know_it_yet() {
        let revoked = r#"{"status":401,"serviceErrorCode":65601,"code":"REVOKED_ACCESS_TOKEN","message":"m"}"#;
        let at_age = |secs, body: &str| outcome(&Answer::recorded(401, &[], body), &tokens(SignedDuration::from_secs(secs)), now());
        assert_eq!(at_age(5, revoked), Outcome::Limited { until: Some(now() + SETTLES_WITHIN), http_status: 401 });
        assert_eq!(at_age(61, revoked), Outcome::TokenRefused { http_status: 401 });
        assert_eq!(at_age(5, &revoked.replace("65601", "65602")), Outcome::TokenRefused { http_status: 401 });
        let endless = TokenSet { expires_at: None, ..tokens(SignedDuration::ZERO) };
        assert_eq!(outcome(&Answer::recorded(401, &[], revoked), &endless, now()), Outcome::TokenRefused { http_status: 401 });
        // Whoever reads with them waits, too: a refusal would end the connection.
        let (answer, fresh, until) = (Answer::recorded(401, &[], revoked), tokens(SignedDuration::from_secs(5)), now() + SETTLES_WITHIN);
        assert!(matches!(of_list(&answer, &fresh, now()), ReadError::Limited { until: Some(waits) } if waits == until));
        assert_eq!(of_numbers(&answer, &fresh, now()), NumbersError::Limited { until: Some(until) });
        assert!(matches!(of_list(&answer, &old(), now()), ReadError::TokenRefused));
    }

    #[test]
    fn the_detail_names_the_error_and_repeats_no_message() {
        let body = r#"{"message":"ERROR :: /commentary :: my secret plan","code":"BAD","serviceErrorCode":7,"errorDetails":{"inputErrors":[{"code":"X_Y"}]}}"#;
        assert_eq!(judge(&Answer::recorded(422, &[], body), now()).detail, "422 BAD X_Y 7");
    }
}
