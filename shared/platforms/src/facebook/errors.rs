//! What is Facebook's own of Graph's errors, as a table: a code, often a subcode, hardly ever a telling status. What Graph says everywhere stands
//! in `graph.rs`.

use domain::failure::FailureCode;
use jiff::Timestamp;

use crate::graph::Key::{Codes, Either, Pair};
use crate::graph::{self, Row};
use crate::http::Answer;
use crate::verdict::{Class, Verdict};

pub(super) use crate::graph::{is_not_seen, used_up_percent};

/// The first row that fits decides, and these come before what Graph's networks share.
const TABLE: &[Row] = &[
    // Nothing proven: passing trouble.
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
    // The account's: the Page goes by another id now, which a new consent brings, or cannot be seen with this token.
    (Pair(100, 21), Class::Rejected(FailureCode::ReconnectNeeded)),
    (Pair(100, 33), Class::Rejected(FailureCode::PermissionMissing)),
    (Codes(21..=21), Class::Rejected(FailureCode::ReconnectNeeded)),
];

/// Judges an answer that is not what was hoped for.
pub(super) fn judge(answer: &Answer, now: Timestamp) -> Verdict {
    graph::judge(TABLE, answer, now)
}

/// Whether Graph refuses a parameter of this one call, such as a metric that it does not have any more.
pub(super) fn is_bad_parameter(answer: &Answer) -> bool {
    graph::is_bad_parameter(TABLE, answer)
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
    fn the_detail_names_the_numbers_and_repeats_no_message() {
        let body =
            r#"{"error":{"message":"Error validating access token EAAB","type":"OAuthException","code":100,"error_subcode":1366051}}"#;
        assert_eq!(judge(&Answer::recorded(400, &[], body), now()).detail, "400 OAuthException 100 1366051");
    }
}
