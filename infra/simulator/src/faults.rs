//! Faults on demand: what goes wrong, on which call, how often.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use domain::platform::PlatformName;
use futures::stream;
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::World;
use crate::token::Account;

macro_rules! names {
    ($(#[$doc:meta])* $type:ident { $($(#[$item:meta])* $name:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub(crate) enum $type {
            $($(#[$item])* #[serde(rename = $text)] $name,)*
        }

        impl $type {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name),*];

            pub(crate) fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            pub(crate) fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|item| item.as_str() == text)
            }
        }
    };
}

names! {
    /// What a call is for.
    Operation {
        /// A code, or a short-lived token, for a token.
        Exchange = "exchange",
        /// A refresh token for the next.
        Refresh = "refresh",
        /// Whose token, with which scopes, for which Pages.
        Identity = "identity",
        /// The call that makes a post visible.
        Publish = "publish",
        /// Reading back.
        List = "list",
        /// A post's numbers.
        Metrics = "metrics",
        /// Taking the grant back.
        Revoke = "revoke",
    }
}

names! {
    /// What goes wrong.
    FaultKind {
        /// The connection closes without an answer; nothing was done.
        DropBefore = "drop_before",
        /// The connection closes without an answer; it was done.
        DropAfter = "drop_after",
        /// The answer breaks off inside its body; it was done.
        CutAfter = "cut_after",
        /// A 5xx; nothing was done.
        ErrorBefore = "error_before",
        /// A 5xx; it was done.
        ErrorAfter = "error_after",
        /// It is done at once and answered `seconds` later.
        Slow = "slow",
        /// The platform's limit, with its reset in `seconds`.
        RateLimited = "rate_limited",
        /// What our app may do is used up, for everybody.
        AppLimited = "app_limited",
        /// Our app may not post: on X for anybody, on Facebook for this account.
        AppRefused = "app_refused",
        /// The platform has restricted the account.
        Restricted = "restricted",
        /// The platform's refusal of a post's content.
        Reject = "reject",
        /// The platform's refusal of a text that it has already.
        Duplicate = "duplicate",
        /// At once: the grants of the account end.
        TokenRevoked = "token_revoked",
        /// At once: the access and Page tokens of the account end.
        TokenExpired = "token_expired",
        /// Until cleared: posts are listed only once they are `seconds` old.
        ListLag = "list_lag",
        /// X: the app's money for this cycle is spent.
        SpendCap = "spend_cap",
        /// X: the app's posts of this month are used up.
        MonthCapped = "month_capped",
        /// X: the app's posts of this day are used up.
        AppsDay = "apps_day",
        /// X: the account looks like a robot; later it may not.
        Automated = "automated",
        /// Facebook: Meta has blocked the app.
        ApiBlocked = "api_blocked",
        /// Facebook: the app was deleted.
        AppDeleted = "app_deleted",
        /// Facebook: our servers' address is not one that the app allows.
        BadAddress = "bad_address",
        /// Facebook: the request is signed with another secret than the app's.
        BadSignature = "bad_signature",
        /// Facebook: there is no such path.
        UnknownPath = "unknown_path",
        /// Facebook: the version is over.
        OldVersion = "old_version",
        /// Facebook: the Page goes by another id.
        PageMoved = "page_moved",
        /// Facebook: the person is asked for a second factor.
        TwoFactor = "two_factor",
        /// Until cleared, at Facebook: a person's businesses are not told.
        BusinessesLost = "businesses_lost",
        /// Until cleared, at X: `repost_count` and `created_at` are dropped without a word.
        FieldDropped = "field_dropped",
        /// Until cleared: one of a post's numbers is not told any more.
        MetricMissing = "metric_missing",
        /// Until cleared: a post's numbers are half of what they were.
        NumbersFall = "numbers_fall",
        /// Until cleared: nine tenths of what the account may ask for are used up.
        Busy = "busy",
    }
}

/// A fault that waits for its calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    /// For how many calls.
    #[serde(default = "once")]
    pub(crate) times: u32,
    /// Which calls.
    #[serde(default = "publishing")]
    pub(crate) on: Operation,
    /// An account's id or name; all accounts without.
    #[serde(default)]
    pub(crate) account: Option<String>,
    #[serde(default)]
    pub(crate) seconds: Option<u32>,
}

fn once() -> u32 {
    1
}

fn publishing() -> Operation {
    Operation::Publish
}

impl FaultKind {
    /// The one platform that says it.
    fn only_at(self) -> Option<PlatformName> {
        match self {
            Self::SpendCap | Self::MonthCapped | Self::AppsDay | Self::Automated | Self::FieldDropped => Some(PlatformName::X),
            Self::ApiBlocked
            | Self::AppDeleted
            | Self::BadAddress
            | Self::BadSignature
            | Self::UnknownPath
            | Self::OldVersion
            | Self::PageMoved
            | Self::BusinessesLost
            | Self::TwoFactor => Some(PlatformName::Facebook),
            _ => None,
        }
    }
}

impl Fault {
    const TIMES_MAX: u32 = 1000;
    const SLOW_SECS_MAX: u32 = 120;
    const LIMITED_SECS: u32 = 60;

    /// What is wrong with it at a platform, if anything.
    pub(crate) fn objection(&self, platform: PlatformName) -> Option<&'static str> {
        match self.kind {
            kind if kind.only_at().is_some_and(|only| only != platform) => Some("this platform has no such fault"),
            _ if !(1..=Self::TIMES_MAX).contains(&self.times) => Some("times must be 1 to 1000"),
            FaultKind::Slow if self.seconds.is_none_or(|seconds| seconds > Self::SLOW_SECS_MAX) => Some("slow needs seconds, at most 120"),
            FaultKind::ListLag if self.seconds.is_none() => Some("list_lag needs seconds"),
            _ => None,
        }
    }
}

/// How a platform says the things that faults make it say.
pub(crate) struct Dialect {
    pub(crate) limited: fn(until: Timestamp, now: Timestamp) -> Response,
    pub(crate) app_limited: fn() -> Response,
    pub(crate) app_refused: fn() -> Response,
    pub(crate) restricted: fn() -> Response,
    pub(crate) rejected: fn() -> Response,
    pub(crate) duplicate: fn() -> Response,
    pub(crate) server_error: fn() -> Response,
    /// The platform's own errors, by the names that other platforms do not have.
    pub(crate) own: fn(kind: FaultKind, until: Timestamp) -> Option<Response>,
}

/// A call that a fault may hit.
pub(crate) struct Call<'a> {
    pub(crate) platform: PlatformName,
    pub(crate) on: Operation,
    pub(crate) account: Option<&'a Account>,
    pub(crate) dialect: &'static Dialect,
}

/// Counts the call, then runs `effect` as the next pending fault wants it.
pub(crate) async fn guarded(
    world: &World,
    call: Call<'_>,
    effect: impl FnOnce() -> Result<Response, Failed> + Send,
) -> Result<Response, Failed> {
    world.storage.count_call(call.platform, call.on)?;
    let Some(fault) = world.storage.take_fault(call.platform, call.on, call.account)? else {
        return effect();
    };
    let now = world.clock.now();
    let seconds = fault.seconds.unwrap_or(Fault::LIMITED_SECS);
    Ok(match fault.kind {
        FaultKind::DropBefore => dropped(),
        FaultKind::DropAfter => {
            effect()?;
            dropped()
        }
        FaultKind::CutAfter => cut(effect()?),
        FaultKind::ErrorBefore => (call.dialect.server_error)(),
        FaultKind::ErrorAfter => {
            effect()?;
            (call.dialect.server_error)()
        }
        FaultKind::Slow => {
            let response = effect()?;
            tokio::time::sleep(Duration::from_secs(seconds.into())).await;
            response
        }
        FaultKind::RateLimited => (call.dialect.limited)(now + Duration::from_secs(seconds.into()), now),
        FaultKind::AppLimited => (call.dialect.app_limited)(),
        FaultKind::AppRefused => (call.dialect.app_refused)(),
        FaultKind::Restricted => (call.dialect.restricted)(),
        FaultKind::Reject => (call.dialect.rejected)(),
        FaultKind::Duplicate => (call.dialect.duplicate)(),
        FaultKind::SpendCap
        | FaultKind::MonthCapped
        | FaultKind::AppsDay
        | FaultKind::Automated
        | FaultKind::ApiBlocked
        | FaultKind::AppDeleted
        | FaultKind::BadAddress
        | FaultKind::BadSignature
        | FaultKind::UnknownPath
        | FaultKind::OldVersion
        | FaultKind::PageMoved
        | FaultKind::TwoFactor => match (call.dialect.own)(fault.kind, now + Duration::from_secs(seconds.into())) {
            Some(response) => response,
            // Another platform's: none was let in.
            None => effect()?,
        },
        // These act when they are made, or stand until they are cleared; no call uses one up.
        FaultKind::TokenRevoked
        | FaultKind::TokenExpired
        | FaultKind::ListLag
        | FaultKind::FieldDropped
        | FaultKind::BusinessesLost
        | FaultKind::MetricMissing
        | FaultKind::NumbersFall
        | FaultKind::Busy => effect()?,
    })
}

/// An answer that never arrives: hyper has not flushed the head yet when the body fails, and closes the connection.
fn dropped() -> Response {
    Body::from_stream(stream::iter([Err::<Bytes, _>(io::Error::other("dropped on demand"))])).into_response()
}

/// An answer that breaks off: the pause lets the head and the first bytes leave.
fn cut(response: Response) -> Response {
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    let pieces = stream::unfold(0_u8, |piece| async move {
        match piece {
            0 => Some((Ok(Bytes::from_static(b"{\"")), 1)),
            1 => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Some((Err(io::Error::other("cut on demand")), 2))
            }
            _ => None,
        }
    });
    Response::from_parts(parts, Body::from_stream(pieces))
}

/// The simulator itself is at fault: a 500 that names nothing.
pub(crate) struct Failed(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        tracing::error!(error = %self.0, "the simulator failed");
        (StatusCode::INTERNAL_SERVER_ERROR, "the simulator failed").into_response()
    }
}
