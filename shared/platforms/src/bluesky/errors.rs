//! atproto's errors as tables. A body has one shape, `{"error", "message"}`; a proxy's HTML has none; and where a token is refused, a header names the
//! error (RFC 6750 §3). Names: <https://docs.bsky.app/docs/advanced-guides/oauth-client>, <https://atproto.com/specs/xrpc#error-responses>.

use domain::failure::FailureCode;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::detail;
use crate::http::Answer;
use crate::oauth::{RefreshClass, RefreshRow};
use crate::verdict::{Class, Verdict};

/// What is under the post's key is another record, or the same with other bytes.
pub(super) const INVALID_SWAP: &str = "InvalidSwap";

/// There is no record under a key.
pub(super) const RECORD_NOT_FOUND: &str = "RecordNotFound";

/// A status, the whole of the error's name or `None` for any, and what they mean. The first row that fits decides. No row: it proves nothing.
///
/// A server looks at the token, then at the account, then at the record: whatever is refused with one of these was not written.
const TABLE: &[(u16, Option<&str>, Class)] = &[
    // The token's.
    (400, Some("ExpiredToken"), Class::TokenRefused),
    (400, Some("InvalidToken"), Class::TokenRefused),
    (401, Some("invalid_token"), Class::TokenRefused),
    (401, Some("AuthMissing"), Class::TokenRefused),
    (401, Some("AuthenticationRequired"), Class::TokenRefused),
    (401, Some("ExpiredToken"), Class::TokenRefused),
    (401, Some("InvalidToken"), Class::TokenRefused),
    // A clock is wrong: ours, or that of this one server. Whose word it is, so its accounts alone wait.
    (400, Some("invalid_dpop_proof"), Class::Limited),
    (401, Some("invalid_dpop_proof"), Class::Limited),
    // The account's.
    (400, Some("AccountTakedown"), Class::Rejected(FailureCode::AccountRestricted)),
    (401, Some("AccountTakedown"), Class::Rejected(FailureCode::AccountRestricted)),
    (401, Some("AccountSuspended"), Class::Rejected(FailureCode::AccountRestricted)),
    (401, Some("AccountDeactivated"), Class::Rejected(FailureCode::AccountRestricted)),
    (403, Some("Forbidden"), Class::Rejected(FailureCode::PermissionMissing)),
    (403, Some("ScopeMissingError"), Class::Rejected(FailureCode::PermissionMissing)),
    (403, Some("insufficient_scope"), Class::Rejected(FailureCode::PermissionMissing)),
    (403, Some("AccountNotFound"), Class::Rejected(FailureCode::ReconnectNeeded)),
    (429, None, Class::Limited),
    // The post's.
    (400, Some("InvalidRequest"), Class::Rejected(FailureCode::ContentRejected)),
    (400, Some("BlobTooLarge"), Class::Rejected(FailureCode::ContentRejected)),
    (400, Some("InvalidMimeType"), Class::Rejected(FailureCode::ContentRejected)),
    (413, None, Class::Rejected(FailureCode::ContentRejected)),
];

/// What a token end point's error means for a refresh token. One that is shown twice ends the session, and that says `invalid_grant`, too.
pub(super) const REFRESH_TABLE: &[RefreshRow] = &[
    (400, Some("invalid_grant"), RefreshClass::Dead),
    // The app's: its document, its key, its clock, its calls.
    (400, Some("invalid_client"), RefreshClass::NotProcessed),
    (401, Some("invalid_client"), RefreshClass::NotProcessed),
    (400, Some("invalid_client_metadata"), RefreshClass::NotProcessed),
    (400, Some("unauthorized_client"), RefreshClass::NotProcessed),
    (400, Some("invalid_dpop_proof"), RefreshClass::NotProcessed),
    (401, Some("invalid_dpop_proof"), RefreshClass::NotProcessed),
    (400, Some("use_dpop_nonce"), RefreshClass::NotProcessed),
    (401, Some("use_dpop_nonce"), RefreshClass::NotProcessed),
    (429, None, RefreshClass::NotProcessed),
];

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    error: String,
}

/// The name of the error: that of the body, or else that of the header.
pub(super) fn error_of(answer: &Answer) -> String {
    let named = answer.json::<Problem>().unwrap_or_default().error;
    if named.is_empty() { challenged(&answer.headers).unwrap_or_default() } else { named }
}

/// The error in a challenge: `DPoP error="invalid_token"`.
fn challenged(headers: &HeaderMap) -> Option<String> {
    let challenge = headers.get("www-authenticate")?.to_str().ok()?;
    let (_, rest) = challenge.split_once("error=\"")?;
    rest.split_once('"').map(|(error, _)| error.to_owned())
}

/// Judges an answer. Limits are the account's, whoever has them: a server that one person runs stops nobody else, and where posts are read
/// nothing is said of those that are written.
pub(super) fn judge(answer: &Answer, now: Timestamp) -> Verdict {
    let (status, error) = (answer.status.as_u16(), error_of(answer));
    let row = TABLE.iter().find(|(of, name, _)| *of == status && name.is_none_or(|name| name == error));
    let class = row.map_or(Class::Ambiguous, |(_, _, class)| *class);
    let until = if class == Class::Limited { reset(&answer.headers, now) } else { None };
    Verdict { class, status, until, detail: detail::of_answer(status, &[Some(&error)]) }
}

/// When a limit ends: at a second of the clock, or after some. A past one tells nothing.
fn reset(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    let at = number("ratelimit-reset").and_then(|second| Timestamp::from_second(second).ok());
    let after = || number("retry-after").and_then(|seconds| now.checked_add(SignedDuration::from_secs(seconds)).ok());
    at.or_else(after).filter(|reset| *reset > now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T09:00:00Z".parse().unwrap()
    }

    fn class_of(status: u16, headers: &[(&'static str, &str)], body: &str) -> Class {
        judge(&Answer::recorded(status, headers, body), now()).class
    }

    fn body(error: &str) -> String {
        serde_json::json!({ "error": error, "message": "my secret plan" }).to_string()
    }

    #[test]
    fn the_tokens_the_accounts_and_the_posts_faults_are_told_apart() {
        use FailureCode::{AccountRestricted, ContentRejected, PermissionMissing, ReconnectNeeded};
        for (status, error, class) in [
            (400, "ExpiredToken", Class::TokenRefused),
            (400, "InvalidToken", Class::TokenRefused),
            (401, "AuthMissing", Class::TokenRefused),
            (401, "AuthenticationRequired", Class::TokenRefused),
            (401, "AccountTakedown", Class::Rejected(AccountRestricted)),
            (401, "AccountDeactivated", Class::Rejected(AccountRestricted)),
            (401, "invalid_dpop_proof", Class::Limited),
            (403, "Forbidden", Class::Rejected(PermissionMissing)),
            (403, "ScopeMissingError", Class::Rejected(PermissionMissing)),
            (403, "AccountNotFound", Class::Rejected(ReconnectNeeded)),
            (400, "InvalidRequest", Class::Rejected(ContentRejected)),
            (413, "PayloadTooLarge", Class::Rejected(ContentRejected)),
            (429, "RateLimitExceeded", Class::Limited),
        ] {
            assert_eq!(class_of(status, &[], &body(error)), class, "{status} {error}");
        }
        let header = r#"DPoP realm="pds", error="invalid_token", error_description="expired""#;
        assert_eq!(class_of(401, &[("www-authenticate", header)], ""), Class::TokenRefused);
    }

    #[test]
    fn what_proves_nothing_stays_in_doubt() {
        for (status, error) in [
            (400, INVALID_SWAP),
            (401, "use_dpop_nonce"),
            (401, "SomethingNew"),
            (403, "SomethingNew"),
            (404, "XRPCNotSupported"),
            (500, "InternalServerError"),
            (502, "UpstreamFailure"),
            (503, "NotEnoughResources"),
            (200, "InvalidRequest"),
        ] {
            assert_eq!(class_of(status, &[], &body(error)), Class::Ambiguous, "{status} {error}");
        }
        for status in [400, 401, 403, 404, 408, 502, 302] {
            assert_eq!(class_of(status, &[], "<html>InvalidRequest</html>"), Class::Ambiguous, "{status}");
        }
    }

    #[test]
    fn a_limit_ends_when_it_says_so() {
        let soon = (now().as_second() + 60).to_string();
        for (headers, until) in [
            (&[("ratelimit-reset", soon.as_str()), ("retry-after", "90")][..], Some(60)),
            (&[("retry-after", "90")], Some(90)),
            (&[("ratelimit-reset", "1")], None),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "9223372036854775807")], None),
            (&[], None),
        ] {
            let verdict = judge(&Answer::recorded(429, headers, ""), now());
            assert_eq!(verdict.until, until.map(|secs| now() + SignedDuration::from_secs(secs)), "{headers:?}");
        }
    }

    #[test]
    fn the_detail_names_the_error_and_repeats_no_message() {
        assert_eq!(judge(&Answer::recorded(400, &[], &body("InvalidRequest")), now()).detail, "400 InvalidRequest");
    }
}
