//! How an OAuth flow ended: kept with the flow, so that the same callback again tells the same.

use serde::{Deserialize, Serialize};

use crate::id::{ChoiceId, ConnectionId};

/// What came of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowEnd {
    /// An account is connected.
    Connected {
        /// Under this id.
        connection_id: ConnectionId,
        /// Scopes that posting needs and that were not granted.
        missing_scopes: Vec<String>,
    },
    /// Several accounts wait for the choice.
    Choose {
        /// This one.
        choice_id: ChoiceId,
    },
    /// Nothing was connected.
    Failed {
        /// Why.
        error: FlowError,
    },
}

impl From<FlowError> for FlowEnd {
    fn from(error: FlowError) -> Self {
        Self::Failed { error }
    }
}

/// Why a callback brought no account. The names are stable: the frontend reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowError {
    /// The person said no.
    Denied,
    /// Unknown, run out, not ours, or not this platform's.
    StateInvalid,
    /// Another browser session than the one that began: somebody may be made to connect an account that is not theirs.
    SessionMismatch,
    /// What posting needs was not allowed.
    ScopeMissing,
    /// All was allowed, and there is no account to post to: the person has none, left it out of the consent, or may not post there.
    NoAccounts,
    /// Not the account that was to be connected again.
    AccountMismatch,
    /// The user has connected as many accounts as one may.
    TooManyConnections,
    /// The code brought nothing.
    ExchangeFailed,
}

impl FlowError {
    /// The name in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::StateInvalid => "state_invalid",
            Self::SessionMismatch => "session_mismatch",
            Self::ScopeMissing => "scope_missing",
            Self::NoAccounts => "no_accounts",
            Self::AccountMismatch => "account_mismatch",
            Self::TooManyConnections => "too_many_connections",
            Self::ExchangeFailed => "exchange_failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn an_end_reads_back_and_its_errors_have_one_name_everywhere() {
        let connection_id = ConnectionId::new(Timestamp::UNIX_EPOCH, [1; 10]);
        let ends = [
            FlowEnd::Connected { connection_id, missing_scopes: vec!["tweet.write".to_owned()] },
            FlowEnd::Choose { choice_id: ChoiceId::new(Timestamp::UNIX_EPOCH, [2; 10]) },
            FlowError::AccountMismatch.into(),
        ];
        for end in ends {
            let json = serde_json::to_value(&end).unwrap();
            assert_eq!(serde_json::from_value::<FlowEnd>(json).unwrap(), end);
        }
        let (whose, what) = ([FlowError::Denied, FlowError::StateInvalid], [FlowError::ScopeMissing, FlowError::NoAccounts]);
        for error in whose.into_iter().chain(what).chain([FlowError::SessionMismatch, FlowError::TooManyConnections]) {
            assert_eq!(serde_json::to_value(error).unwrap(), error.as_str());
        }
    }
}
