//! Why a post did not go out, in words for its owner.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the owner can do about it; the `error.action` of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing needs doing.
    None,
    /// It goes on by itself.
    Wait,
    /// Connect the account again.
    Reconnect,
    /// Change the post.
    Edit,
    /// Look at the account on the platform.
    CheckPlatform,
    /// The plan holds too few posts.
    UpgradePlan,
    /// Only we can mend it.
    ContactSupport,
}

macro_rules! failures {
    ($($(#[$doc:meta])* $name:ident = $code:tt, $action:ident, $message:literal;)*) => {
        /// A stable code for each way that a post can fail or be delayed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        pub enum FailureCode {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
        }

        impl FailureCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable name, in snake case.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What happened, in a plain sentence.
            pub fn message(self) -> &'static str {
                match self { $(Self::$name => $message,)* }
            }

            /// What to do.
            pub fn action(self) -> Action {
                match self { $(Self::$name => Action::$action,)* }
            }

            /// Reads what [`Self::as_str`] writes.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == text)
            }
        }
    };
}

failures! {
    /// The platform read the post and said no.
    ContentRejected = "content_rejected", Edit, "The platform refused this post. Change it and approve it again.";
    /// The account already has a post with this text.
    DuplicateContent = "duplicate_content", Edit, "The account already has a post with this text. Change it and approve it again.";
    /// The grant is gone or ran out.
    ReconnectNeeded = "reconnect_needed", Reconnect, "The platform no longer accepts this connection. Connect the account again; what is too late by then can be retried.";
    /// A permission was not granted or was taken back.
    PermissionMissing = "permission_missing", Reconnect, "A permission to post is missing. Connect the account again and allow posting, then retry this post.";
    /// The connection was removed before the post was sent.
    ConnectionGone = "connection_gone", Reconnect, "The account is disconnected, and this post goes nowhere without it. Connect it again; what is too late by then can be retried.";
    /// The account is locked, limited or must be confirmed.
    AccountRestricted = "account_restricted", CheckPlatform, "The platform has restricted this account. Sign in there and do what it asks for, then retry this post.";
    /// Our app's own standing with the platform.
    AppUnavailable = "app_unavailable", Wait, "We cannot post to this platform at the moment. We have been told, and try again.";
    /// A limit of the platform put it off.
    RateLimited = "rate_limited", Wait, "The platform limits how often this account may post. We try again when it allows.";
    /// It was surely not sent; we try again.
    PlatformUnreachable = "platform_unreachable", Wait, "The platform could not be reached. Nothing was sent; we try again.";
    /// Tries are used up and nothing was sent.
    PlatformDown = "platform_down", CheckPlatform, "The platform could not be reached for too long. Nothing was sent. Retry this post when the platform is back.";
    /// A token refresh is under way or failed for the moment.
    TokenUnavailable = "token_unavailable", Wait, "The connection is being renewed. We try again in a moment.";
    /// The function's time was nearly up: a send was not begun.
    OutOfTime = "out_of_time", Wait, "There was not enough time left to send this safely. Nothing was sent; we try again at once.";
    /// Sent, and no answer came.
    AnswerLost = "answer_lost", Wait, "The platform did not answer. We are checking whether the post went out.";
    /// Sent, and no evidence was found.
    NotConfirmed = "not_confirmed", CheckPlatform, "We sent this post but could not confirm it. Look at the account and tell us whether the post is there.";
    /// The deadline passed.
    TooLate = "too_late", Edit, "This post could not go out in time and was not sent. Choose a new time and approve it again.";
    /// The plan was lowered or has lapsed, and the cycle has no quota slot for it.
    QuotaLost = "quota_lost", UpgradePlan, "Your plan has no quota slot for this post, and it waits for one. What is too late by then can be retried.";
    /// A person said that it is not on the platform.
    ReportedMissing = "reported_missing", Edit, "You told us that this post is not on the platform. Retry it, or change it and approve it again.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_and_says_something() {
        for code in FailureCode::ALL {
            assert_eq!(FailureCode::parse(code.as_str()), Some(*code));
            assert!(code.message().ends_with('.'));
        }
    }
}
