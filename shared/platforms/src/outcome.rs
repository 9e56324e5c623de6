//! What a call to a network came to. The decision is in the type; no caller reads a status or a text.

use domain::failure::FailureCode;
use jiff::Timestamp;

/// What became of the call that makes a post visible.
///
/// The default is [`Outcome::Unknown`]; every other one needs proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The network gave the post an id.
    Accepted {
        /// The network's id; where many people run servers of the network, one that no other server gives.
        post_id: String,
        /// Where people see it.
        url: Option<String>,
        /// The answer's status.
        http_status: u16,
    },
    /// The network has it under a handle and will show it later.
    Processing {
        /// The handle.
        handle: String,
        /// The answer's status.
        http_status: u16,
    },
    /// The network's answer is in the adapter's table of rejections: it is surely not there, and a repeat would not help.
    Rejected {
        /// Why, for the owner.
        code: FailureCode,
        /// The answer's status.
        http_status: u16,
        /// Scrubbed and cut to 300 characters, for operators.
        detail: String,
    },
    /// Not a byte of the request was written: connection refused, no such host, no TLS.
    NotSent {
        /// For operators.
        detail: String,
    },
    /// A limit; surely not accepted.
    Limited {
        /// When the network says that it ends.
        until: Option<Timestamp>,
        /// The answer's status.
        http_status: u16,
    },
    /// The network takes nothing from our app at present, whoever's the post is; surely not accepted.
    AppLimited {
        /// When the network says that it ends.
        until: Option<Timestamp>,
        /// The answer's status.
        http_status: u16,
        /// Scrubbed, for operators.
        detail: String,
    },
    /// The access token was refused; surely not accepted. A refresh may help.
    TokenRefused {
        /// The answer's status.
        http_status: u16,
    },
    /// The account already has this text. After an earlier try of ours it is evidence, on a first one a rejection.
    Duplicate {
        /// The post that has it, where the network names it.
        post_id: Option<String>,
        /// Where people see that one.
        url: Option<String>,
        /// The answer's status.
        http_status: u16,
    },
    /// Anything else: 5xx, time-out, reset, cut body, odd 2xx. It may be there.
    Unknown {
        /// The answer's status, if there was one.
        http_status: Option<u16>,
        /// For operators.
        detail: String,
    },
}

/// Why a post could not be prepared. Nothing is visible by it, and it may be repeated.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// The network's answer is in the adapter's table of rejections.
    #[error("the post was refused: {detail}")]
    Rejected {
        /// Why, for the owner.
        code: FailureCode,
        /// The answer's status.
        http_status: u16,
        /// Scrubbed, for operators.
        detail: String,
    },
    /// The access token was refused.
    #[error("the token was refused")]
    TokenRefused {
        /// The answer's status.
        http_status: u16,
    },
    /// A limit.
    #[error("limited")]
    Limited {
        /// When the network says that it ends.
        until: Option<Timestamp>,
        /// The answer's status.
        http_status: u16,
    },
    /// Anything else.
    #[error("the platform did not answer: {detail}")]
    Unavailable {
        /// For operators.
        detail: String,
    },
}

/// What a network says of a handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandleState {
    /// The network is still at it; it will become ready or live by itself.
    InProgress,
    /// It waits to be published, and surely was not.
    Ready,
    /// It is published.
    Live {
        /// The network's id; the handle itself where the network tells none.
        post_id: String,
        /// Where people see it.
        url: Option<String>,
    },
    /// It ended unpublished, for good.
    Gone {
        /// Why, for the owner.
        code: FailureCode,
    },
}

/// Why a consent could not be begun.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizeError {
    /// What the user named is no server, or no account, that we could be let post to.
    #[error("there is nothing to connect: {detail}")]
    Refused {
        /// Scrubbed, for operators.
        detail: String,
    },
    /// No answer, or none that could be read.
    #[error("the platform did not answer: {detail}")]
    Unavailable {
        /// For operators.
        detail: String,
    },
}

/// Why a code could not be turned into accounts.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The network refused the code, the verifier or us.
    #[error("the code was refused: {detail}")]
    Refused {
        /// Scrubbed, for operators.
        detail: String,
    },
    /// Without these nothing could be posted and no account could be read.
    #[error("scopes were not granted: {missing:?}")]
    ScopeMissing {
        /// Which.
        missing: Vec<String>,
    },
    /// The consent holds no account that we could post to.
    #[error("the grant holds no account to post to")]
    NoAccounts,
    /// No answer, or none that could be read.
    #[error("the platform did not answer: {detail}")]
    Unavailable {
        /// For operators.
        detail: String,
    },
}

/// Why tokens could not be renewed.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The grant is gone; only the user can mend it.
    #[error("the grant is gone: {detail}")]
    Dead {
        /// Scrubbed, for operators.
        detail: String,
    },
    /// Surely not processed; the old tokens stand.
    #[error("the refresh was not processed: {detail}")]
    Unavailable {
        /// For operators.
        detail: String,
    },
    /// Sent, and no readable answer: the old refresh token may be spent.
    #[error("the refresh may have been processed: {detail}")]
    Unknown {
        /// For operators.
        detail: String,
    },
}

/// Why posts could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The network takes nothing from our app at present, whatever it is.
    #[error("the app is limited: {detail}")]
    AppLimited {
        /// Scrubbed, for operators.
        detail: String,
    },
    /// The access token was refused.
    #[error("the token was refused")]
    TokenRefused,
    /// A limit.
    #[error("limited")]
    Limited {
        /// When the network says that it ends.
        until: Option<Timestamp>,
    },
    /// Anything else.
    #[error("the platform did not answer: {detail}")]
    Unavailable {
        /// For operators.
        detail: String,
    },
}

/// Why a grant could not be taken back.
#[derive(Debug, thiserror::Error)]
#[error("the grant could not be revoked: {detail}")]
pub struct RevokeError {
    /// Scrubbed, for operators.
    pub detail: String,
}
