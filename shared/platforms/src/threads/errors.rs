//! What is Threads' own of Graph's errors, as a table; what Graph says everywhere stands in `graph.rs`. Where tokens are given for a code, errors
//! have another form. See <https://developers.facebook.com/docs/threads/troubleshooting>.

use domain::failure::FailureCode;
use jiff::Timestamp;
use serde::Deserialize;

use crate::graph::Key::{Codes, Either, Pair};
use crate::graph::{self, Row, code_of};
use crate::http::Answer;
use crate::verdict::{Class, Verdict};
use crate::{ExchangeError, ReadError, RefreshError, detail};

/// The code of what does not exist.
const NOTHING: u32 = 24;

/// The first row that fits decides, and these come before what Graph's networks share.
const TABLE: &[Row] = &[
    // Nothing proven: blocked as spam, which Instagram has answered of posts that went out.
    (Either(2_207_051), Class::Ambiguous),
    // Nothing proven: no such container yet, although its status said that it can be published, or not any more, because it was published.
    (Either(4_279_009), Class::Ambiguous),
    (Codes(NOTHING..=NOTHING), Class::Ambiguous),
    // Nothing proven: no such thing for this token, be it the account or the container.
    (Pair(100, 33), Class::Ambiguous),
    // The account's: Threads has restricted it.
    (Either(4_279_013), Class::Rejected(FailureCode::AccountRestricted)),
];

/// The form of errors where tokens are given.
#[derive(Deserialize)]
struct Refusal {
    error_type: String,
}

/// Judges an answer that is not what was hoped for.
pub(super) fn judge(answer: &Answer, now: Timestamp) -> Verdict {
    graph::judge(TABLE, answer, now)
}

/// Whether Graph refuses a parameter of this one call, such as a metric that it does not have any more.
pub(super) fn is_bad_parameter(answer: &Answer) -> bool {
    graph::is_bad_parameter(TABLE, answer)
}

/// Whether there is no such thing, or none that this token may see.
pub(super) fn is_not_seen(answer: &Answer) -> bool {
    let is_told = answer.status.is_client_error();
    is_told && (graph::is_not_seen(answer) || code_of(answer).is_some_and(|(code, _)| code == NOTHING))
}

/// What an answer means for a code, or for the token that it brought. A code works once, so nothing is repeated.
pub(super) fn of_exchange(answer: &Answer) -> ExchangeError {
    let refusal = answer.json::<Refusal>().filter(|_| answer.status.is_client_error());
    if let Some(Refusal { error_type }) = refusal {
        return ExchangeError::Refused { detail: detail::of_answer(answer.status.as_u16(), &[Some(&error_type)]) };
    }
    let Verdict { class, detail, .. } = judge(answer, Timestamp::UNIX_EPOCH);
    match class {
        Class::Rejected(_) | Class::TokenRefused => ExchangeError::Refused { detail },
        Class::Duplicate | Class::Limited | Class::AppLimited | Class::Ambiguous => ExchangeError::Unavailable { detail },
    }
}

/// What an answer means for a token that was to be extended. Extending takes nothing away, so one more try does no harm: only what a person
/// alone can mend is the end.
pub(super) fn of_refresh(answer: &Answer) -> RefreshError {
    let Verdict { class, detail, .. } = judge(answer, Timestamp::UNIX_EPOCH);
    match class {
        Class::TokenRefused | Class::Rejected(FailureCode::PermissionMissing) => RefreshError::Dead { detail },
        Class::Rejected(_) | Class::Duplicate | Class::Limited | Class::AppLimited | Class::Ambiguous => {
            RefreshError::Unavailable { detail }
        }
    }
}

/// What an answer means for a look at a container, where nobody has said what time it is: the end of a limit is not told.
pub(super) fn of_look(verdict: Verdict) -> ReadError {
    ReadError::from(Verdict { until: None, ..verdict })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, error: &str) -> Answer {
        Answer::recorded(status, &[], &format!(r#"{{"error":{{"message":"m","type":"OAuthException","fbtrace_id":"A",{error}}}}}"#))
    }

    #[test]
    fn documented_errors_fall_into_their_classes() {
        use FailureCode::{AccountRestricted, AppUnavailable, ContentRejected, PermissionMissing};
        for (status, error, class) in [
            (400, r#""code":24,"error_subcode":4279009,"is_transient":false"#, Class::Ambiguous),
            (400, r#""code":24"#, Class::Ambiguous),
            (400, r#""code":4,"error_subcode":2207051"#, Class::Ambiguous),
            (400, r#""code":100,"error_subcode":33"#, Class::Ambiguous),
            (400, r#""code":1"#, Class::Ambiguous),
            (500, r#""code":2,"is_transient":true"#, Class::Ambiguous),
            (400, r#""code":100,"error_subcode":4279013"#, Class::Rejected(AccountRestricted)),
            (400, r#""code":190,"error_subcode":459"#, Class::Rejected(AccountRestricted)),
            (400, r#""code":190,"error_subcode":463"#, Class::TokenRefused),
            (401, r#""code":190"#, Class::TokenRefused),
            (400, r#""code":10"#, Class::Rejected(PermissionMissing)),
            (403, r#""code":200"#, Class::Rejected(PermissionMissing)),
            (403, r#""code":4,"is_transient":true"#, Class::AppLimited),
            (400, r#""code":17"#, Class::Limited),
            (400, r#""code":613"#, Class::Limited),
            (400, r#""code":100"#, Class::Rejected(ContentRejected)),
            (400, r#""code":2635"#, Class::Rejected(AppUnavailable)),
            (400, r#""code":506"#, Class::Duplicate),
            (400, r#""code":9,"error_subcode":2207042"#, Class::Ambiguous),
            (500, r#""code":100"#, Class::Ambiguous),
            (200, r#""code":100"#, Class::Ambiguous),
        ] {
            assert_eq!(judge(&answer(status, error), Timestamp::UNIX_EPOCH).class, class, "{status} {error}");
        }
    }

    #[test]
    fn what_does_not_exist_is_told_from_all_else() {
        assert!(is_not_seen(&answer(400, r#""code":24,"error_subcode":4279009"#)));
        assert!(is_not_seen(&answer(400, r#""code":100,"error_subcode":33"#)));
        for (status, error) in [(400, r#""code":100"#), (400, r#""code":190"#), (500, r#""code":24"#)] {
            assert!(!is_not_seen(&answer(status, error)), "{status} {error}");
        }
    }

    #[test]
    fn a_spent_code_is_refused_and_trouble_is_not() {
        let spent = r#"{"error_type":"OAuthException","code":400,"error_message":"This authorization code has been used"}"#;
        let of = |status, body: &str| of_exchange(&Answer::recorded(status, &[], body));
        assert!(matches!(of(400, spent), ExchangeError::Refused { detail } if detail == "400 OAuthException"));
        assert!(matches!(of(400, r#"{"error":{"code":190}}"#), ExchangeError::Refused { .. }));
        for (status, body) in [(500, spent), (400, r#"{"error":{"code":2}}"#), (400, r#"{"error":{"code":4}}"#), (400, "<html>"), (503, "")]
        {
            assert!(matches!(of(status, body), ExchangeError::Unavailable { .. }), "{status} {body}");
        }
    }

    #[test]
    fn only_what_a_person_alone_can_mend_ends_a_grant() {
        let of = |status, error: &str| of_refresh(&answer(status, error));
        for error in [r#""code":190"#, r#""code":190,"error_subcode":458"#, r#""code":10"#, r#""code":200"#] {
            assert!(matches!(of(400, error), RefreshError::Dead { .. }), "{error}");
        }
        for (status, error) in [
            (400, r#""code":100"#),
            (400, r#""code":190,"error_subcode":459"#),
            (400, r#""code":17"#),
            (403, r#""code":4"#),
            (500, r#""code":190"#),
            (400, r#""code":1"#),
        ] {
            assert!(matches!(of(status, error), RefreshError::Unavailable { .. }), "{status} {error}");
        }
    }
}
