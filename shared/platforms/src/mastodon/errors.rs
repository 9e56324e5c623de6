//! Servers' errors as a table: the status, then the whole of `error`. See <https://docs.joinmastodon.org/entities/Error/>.
//!
//! Servers word most errors in their owner's language, and other software in its own way. So a row asks for a text only where one status
//! stands for several faults. No row is our app's fault at all servers: what one of them says of it is about that server, whose accounts are
//! its own. An answer that is not a server's own JSON, such as a proxy's page, proves nothing.

use domain::failure::FailureCode;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::detail;
use crate::http::Answer;
use crate::verdict::{Class, Verdict};

/// What a row looks at.
enum Mark {
    /// The status says it all.
    Any,
    /// The whole of `error`, in any case.
    Says(&'static str),
    /// Any `error`: it is the server itself that refuses.
    Error,
}

use Mark::{Any, Error, Says};

/// The first row whose status is equal and whose mark is there decides. No row: it proves nothing.
///
/// A server checks the token, its scopes, its owner and then the post, all before it makes one. A 404 has no row: Mastodon answers so where
/// the key stands for a post that has been deleted since.
const TABLE: &[(u16, Mark, Class)] = &[
    // The account's: its token, what was not granted, what its owner must do at the server, its limits.
    // Of a page that is no answer of the server's own, the token's owner is not asked: a proxy may have closed the door.
    (401, Error, Class::TokenRefused),
    (403, Says("This action is outside the authorized scopes"), Class::Rejected(FailureCode::PermissionMissing)),
    (403, Says("insufficient_scope"), Class::Rejected(FailureCode::PermissionMissing)),
    // "Your login is currently disabled", is pending, lacks a confirmed address, has moved, and whatever else servers say.
    (403, Error, Class::Rejected(FailureCode::AccountRestricted)),
    (410, Error, Class::Rejected(FailureCode::AccountRestricted)),
    (429, Any, Class::Limited),
    // The post's. Mastodon validates with 422, GoToSocial with 400.
    (400, Error, Class::Rejected(FailureCode::ContentRejected)),
    (422, Error, Class::Rejected(FailureCode::ContentRejected)),
];

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    error: Option<String>,
}

impl Mark {
    fn is_on(&self, problem: &Problem) -> bool {
        match self {
            Any => true,
            Says(text) => problem.error.as_deref().is_some_and(|error| error.trim().eq_ignore_ascii_case(text)),
            Error => problem.error.is_some(),
        }
    }

    /// In our own words: those of a server may repeat what was sent.
    fn words(&self) -> Option<&'static str> {
        match self {
            Says(text) => Some(text),
            Any | Error => None,
        }
    }
}

/// Judges an answer that is not what was hoped for.
pub(super) fn judge(answer: &Answer, now: Timestamp) -> Verdict {
    let status = answer.status.as_u16();
    let problem: Problem = answer.json().unwrap_or_default();
    let row = TABLE.iter().find(|(of, mark, _)| *of == status && mark.is_on(&problem));
    let class = row.map_or(Class::Ambiguous, |(_, _, class)| *class);
    Verdict {
        class,
        status,
        until: if class == Class::Limited { reset(&answer.headers, now) } else { None },
        detail: detail::of_answer(status, &[row.and_then(|(_, mark, _)| mark.words())]),
    }
}

/// When the limit ends: an instant at Mastodon, unix seconds or seconds from now at others. Past ones tell nothing.
fn reset(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let told = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let instant = |text: &str| text.parse().ok().or_else(|| text.parse().ok().and_then(|second| Timestamp::from_second(second).ok()));
    let from_now = |text: &str| now.checked_add(SignedDuration::from_secs(text.parse().ok()?)).ok();
    let reset = told("x-ratelimit-reset").and_then(instant).or_else(|| told("retry-after").and_then(from_now));
    reset.filter(|reset| *reset > now)
}

/// Whether nine tenths of what the account may ask for are used up.
pub(super) fn is_busy(headers: &HeaderMap) -> bool {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let left = number("x-ratelimit-limit").zip(number("x-ratelimit-remaining"));
    left.is_some_and(|(limit, remaining)| remaining.saturating_mul(10) <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T09:00:00Z".parse().unwrap()
    }

    fn said(error: &str) -> String {
        serde_json::json!({ "error": error }).to_string()
    }

    #[test]
    fn each_error_is_laid_at_the_right_door() {
        use FailureCode::{AccountRestricted, ContentRejected, PermissionMissing};
        for (status, error, class) in [
            (401, "The access token is invalid", Class::TokenRefused),
            (401, "The access token was revoked", Class::TokenRefused),
            (401, "The access token expired", Class::TokenRefused),
            (403, "This action is outside the authorized scopes", Class::Rejected(PermissionMissing)),
            (403, "insufficient_scope", Class::Rejected(PermissionMissing)),
            (403, "Your login is currently disabled", Class::Rejected(AccountRestricted)),
            (403, "Your login is missing a confirmed e-mail address", Class::Rejected(AccountRestricted)),
            (403, "Diese Aktion ist nicht erlaubt", Class::Rejected(AccountRestricted)),
            (404, "Record not found", Class::Ambiguous),
            (422, "Validation failed: Text can't be blank", Class::Rejected(ContentRejected)),
            (
                422,
                "Gültigkeitsprüfung ist fehlgeschlagen: Text hat das Limit von 500 Zeichen überschritten",
                Class::Rejected(ContentRejected),
            ),
            (400, "Bad Request: text exceeds the limit", Class::Rejected(ContentRejected)),
            (429, "Too many requests", Class::Limited),
            (500, "Internal Server Error", Class::Ambiguous),
            (503, "There was a temporary problem serving your request, please try again", Class::Ambiguous),
            (409, "Conflict", Class::Ambiguous),
            (200, "odd", Class::Ambiguous),
        ] {
            let verdict = judge(&Answer::recorded(status, &[], &said(error)), now());
            assert_eq!(verdict.class, class, "{status} {error}");
            assert!(!verdict.detail.contains("blank") && !verdict.detail.contains("Text"), "{}", verdict.detail);
        }
    }

    #[test]
    fn a_page_of_a_proxy_proves_nothing_but_a_limit_is_what_it_is() {
        for (status, class) in [
            (400, Class::Ambiguous),
            (403, Class::Ambiguous),
            (404, Class::Ambiguous),
            (410, Class::Ambiguous),
            (422, Class::Ambiguous),
            (502, Class::Ambiguous),
            (302, Class::Ambiguous),
            (401, Class::Ambiguous),
            (429, Class::Limited),
        ] {
            for body in ["<html><h1>no</h1></html>", "", "[]", r#"{"error":{"code":1}}"#] {
                assert_eq!(judge(&Answer::recorded(status, &[], body), now()).class, class, "{status} {body}");
            }
        }
    }

    #[test]
    fn nothing_that_one_server_says_is_about_our_app_everywhere() {
        let apps = |class: &Class| matches!(class, Class::AppLimited | Class::Rejected(FailureCode::AppUnavailable));
        assert!(!TABLE.iter().any(|(_, _, class)| apps(class)));
    }

    #[test]
    fn a_limit_ends_when_the_server_says() {
        let until = |headers: &[(&'static str, &str)]| judge(&Answer::recorded(429, headers, ""), now()).until;
        let end = now() + SignedDuration::from_mins(5);
        for headers in [
            &[("x-ratelimit-reset", "2026-11-23T09:05:00.000000Z")][..],
            &[("x-ratelimit-reset", &end.as_second().to_string())],
            &[("retry-after", "300")],
            &[("x-ratelimit-reset", "soon"), ("retry-after", "300")],
        ] {
            assert_eq!(until(headers), Some(end), "{headers:?}");
        }
        for headers in [&[][..], &[("x-ratelimit-reset", "2026-11-23T08:59:59Z")], &[("retry-after", "-5")], &[("retry-after", "9e99")]] {
            assert_eq!(until(headers), None, "{headers:?}");
        }
    }
}
