//! What a token end point says where it gives no tokens (RFC 6749 §5.2). What that means stands in the adapter's table.

use serde::Deserialize;

use super::NoTokens;
use crate::http::{Answer, SendError};
use crate::{ExchangeError, RefreshError, RevokeError, detail};

/// What an error means for a refresh token.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RefreshClass {
    /// The grant is over.
    Dead,
    /// The old tokens stand.
    NotProcessed,
}

/// A status, the whole of `error` or `None` for any, and what they mean. The first row that fits decides. No row: it proves nothing.
pub(crate) type RefreshRow = (u16, Option<&'static str>, RefreshClass);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    error: String,
}

/// Why a code brought no tokens.
pub(crate) fn exchange_error(error: NoTokens) -> ExchangeError {
    match error {
        NoTokens::NoAnswer(error) => ExchangeError::Unavailable { detail: error.into_detail() },
        NoTokens::Answer(answer) if answer.status.is_client_error() => ExchangeError::Refused { detail: named(&answer) },
        NoTokens::Answer(answer) => ExchangeError::Unavailable { detail: named(&answer) },
    }
}

/// What an answer without tokens means for a refresh token, by the network's table.
pub(crate) fn refresh_error(table: &[RefreshRow], answer: &Answer) -> RefreshError {
    let (status, error, detail) = (answer.status.as_u16(), error_of(answer), named(answer));
    let row = table.iter().find(|(of, name, _)| *of == status && name.is_none_or(|name| name == error));
    match row.map(|(_, _, class)| class) {
        Some(RefreshClass::Dead) => RefreshError::Dead { detail },
        Some(RefreshClass::NotProcessed) => RefreshError::Unavailable { detail },
        None => RefreshError::Unknown { detail },
    }
}

/// Whether a token was taken back. One that the network does not know, which it says by one of the errors `unknown`, counts as taken back.
pub(crate) fn revoked(sent: Result<Answer, SendError>, unknown: &[&str]) -> Result<(), RevokeError> {
    let answer = sent.map_err(|error| RevokeError { detail: error.into_detail() })?;
    let is_unknown = answer.status.as_u16() == 400 && unknown.contains(&error_of(&answer).as_str());
    if answer.status.is_success() || is_unknown { Ok(()) } else { Err(RevokeError { detail: named(&answer) }) }
}

fn error_of(answer: &Answer) -> String {
    answer.json::<Problem>().unwrap_or_default().error
}

fn named(answer: &Answer) -> String {
    detail::of_answer(answer.status.as_u16(), &[Some(&error_of(answer))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_the_network_does_not_know_is_taken_back_and_our_own_fault_is_told() {
        let of = |status, body| revoked(Ok(Answer::recorded(status, &[], body)), &["invalid_request"]);
        assert!(of(200, "").is_ok() && of(204, "<html>").is_ok() && of(400, r#"{"error":"invalid_request"}"#).is_ok());
        for (status, body, detail) in [
            (400, r#"{"error":"invalid_client"}"#, "400 invalid_client"),
            (401, r#"{"error":"invalid_request"}"#, "401 invalid_request"),
            (400, "<html>", "400"),
            (503, "", "503"),
        ] {
            assert_eq!(of(status, body).unwrap_err().detail, detail);
        }
        assert!(revoked(Err(SendError::NotSent { detail: "no way".into() }), &[]).is_err());
    }
}
