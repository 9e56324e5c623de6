//! Faults on demand: what goes wrong, on which call, how often.

use std::io;
use std::time::Duration;

use anyhow::Context;
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::World;
use crate::doubles::Double;
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
        /// Our app makes itself known to a server.
        Register = "register",
        /// A code, or a short-lived token, for a token.
        Exchange = "exchange",
        /// A refresh token for the next.
        Refresh = "refresh",
        /// Whose token, with which scopes, for which Pages.
        Identity = "identity",
        /// What a post needs before it can be made visible.
        Prepare = "prepare",
        /// The call that makes a post visible.
        Publish = "publish",
        /// What became of something that was prepared.
        LookUp = "look_up",
        /// Reading back.
        List = "list",
        /// A post's numbers.
        Metrics = "metrics",
        /// Taking the grant back.
        Revoke = "revoke",
    }
}

names! {
    /// What goes wrong at every platform.
    CommonFault {
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
        /// Our app may not post: for anybody, or for this account.
        AppRefused = "app_refused",
        /// The platform has restricted the account.
        Restricted = "restricted",
        /// The platform's refusal of a post's content.
        Reject = "reject",
        /// The platform's refusal of a text that it has already.
        Duplicate = "duplicate",
        /// At once: the grants of the account end.
        TokenRevoked = "token_revoked",
        /// At once: the tokens with which the account is acted for end.
        TokenExpired = "token_expired",
        /// Until cleared: posts are listed only once they are `seconds` old.
        ListLag = "list_lag",
        /// Until cleared: one of a post's numbers is not told any more.
        MetricMissing = "metric_missing",
        /// Until cleared: a post's numbers are half of what they were.
        NumbersFall = "numbers_fall",
        /// Until cleared: nine tenths of what the account may ask for are used up.
        Busy = "busy",
    }
}

/// A fault that one platform alone has.
pub(crate) struct OwnFault {
    pub(crate) name: &'static str,
    /// What the platform says; `None`: the fault stands until it is cleared, and the double asks for it.
    says: Option<fn(until: Timestamp) -> Response>,
}

impl OwnFault {
    /// One that a call is answered with.
    pub(crate) const fn said(name: &'static str, says: fn(until: Timestamp) -> Response) -> Self {
        Self { name, says: Some(says) }
    }

    /// One that lasts until it is cleared.
    pub(crate) const fn standing(name: &'static str) -> Self {
        Self { name, says: None }
    }
}

/// What a fault's name stands for at a platform.
#[derive(Clone, Copy)]
pub(crate) enum FaultKind {
    Common(CommonFault),
    Own(&'static OwnFault),
}

impl FaultKind {
    fn of(name: &str, double: &dyn Double) -> Option<Self> {
        let own = || double.own_faults().iter().find(|own| own.name == name).map(Self::Own);
        CommonFault::parse(name).filter(|common| !double.lacks().contains(common)).map(Self::Common).or_else(own)
    }

    /// Whether it lasts until it is cleared: no call uses it up.
    pub(crate) fn stands(self) -> bool {
        match self {
            Self::Common(common) => {
                matches!(common, CommonFault::ListLag | CommonFault::MetricMissing | CommonFault::NumbersFall | CommonFault::Busy)
            }
            Self::Own(own) => own.says.is_none(),
        }
    }
}

/// A fault that waits for its calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// Its name.
    pub(crate) kind: String,
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

impl Fault {
    const TIMES_MAX: u32 = 1000;
    const SLOW_SECS_MAX: u32 = 120;
    const LIMITED_SECS: u32 = 60;

    /// What it stands for at a platform, or what is wrong with it.
    pub(crate) fn checked(&self, double: &dyn Double) -> Result<FaultKind, &'static str> {
        match FaultKind::of(&self.kind, double).ok_or("this platform has no such fault")? {
            _ if !(1..=Self::TIMES_MAX).contains(&self.times) => Err("times must be 1 to 1000"),
            FaultKind::Common(CommonFault::Slow) if self.seconds.is_none_or(|seconds| seconds > Self::SLOW_SECS_MAX) => {
                Err("slow needs seconds, at most 120")
            }
            FaultKind::Common(CommonFault::ListLag) if self.seconds.is_none() => Err("list_lag needs seconds"),
            kind => Ok(kind),
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
}

/// A call that a fault may hit.
pub(crate) struct Call<'a> {
    pub(crate) double: &'static dyn Double,
    pub(crate) on: Operation,
    pub(crate) account: Option<&'a Account>,
}

/// Counts the call, then runs `effect` as the next pending fault wants it.
pub(crate) async fn guarded(
    world: &World,
    call: Call<'_>,
    effect: impl FnOnce() -> Result<Response, Failed> + Send,
) -> Result<Response, Failed> {
    let platform = call.double.platform();
    world.storage.count_call(platform, call.on)?;
    let Some(fault) = world.storage.take_fault(platform, call.on, call.account)? else {
        return effect();
    };
    let kind = FaultKind::of(&fault.kind, call.double).context("a stored fault has a name that nothing has")?;
    let (now, dialect) = (world.clock.now(), call.double.dialect());
    let wait = Duration::from_secs(fault.seconds.unwrap_or(Fault::LIMITED_SECS).into());
    let common = match kind {
        FaultKind::Common(common) => common,
        FaultKind::Own(own) => return own.says.map_or_else(effect, |says| Ok(says(now + wait))),
    };
    Ok(match common {
        CommonFault::DropBefore => dropped(),
        CommonFault::DropAfter => {
            effect()?;
            dropped()
        }
        CommonFault::CutAfter => cut(effect()?),
        CommonFault::ErrorBefore => (dialect.server_error)(),
        CommonFault::ErrorAfter => {
            effect()?;
            (dialect.server_error)()
        }
        CommonFault::Slow => {
            let response = effect()?;
            tokio::time::sleep(wait).await;
            response
        }
        CommonFault::RateLimited => (dialect.limited)(now + wait, now),
        CommonFault::AppLimited => (dialect.app_limited)(),
        CommonFault::AppRefused => (dialect.app_refused)(),
        CommonFault::Restricted => (dialect.restricted)(),
        CommonFault::Reject => (dialect.rejected)(),
        CommonFault::Duplicate => (dialect.duplicate)(),
        // These act when they are made, or stand until they are cleared; no call uses one up.
        CommonFault::TokenRevoked
        | CommonFault::TokenExpired
        | CommonFault::ListLag
        | CommonFault::MetricMissing
        | CommonFault::NumbersFall
        | CommonFault::Busy => effect()?,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doubles::DOUBLES;

    /// What `double` makes of a fault of that name.
    fn checked(name: &str, double: &dyn Double) -> Result<FaultKind, &'static str> {
        let fault = Fault { kind: name.to_owned(), times: 1, on: Operation::Publish, account: None, seconds: Some(60) };
        fault.checked(double)
    }

    #[test]
    fn each_platform_takes_the_common_faults_and_its_own_and_no_others() {
        for double in DOUBLES {
            for common in CommonFault::ALL {
                let is_known = matches!(checked(common.as_str(), double), Ok(FaultKind::Common(found)) if found == *common);
                assert_eq!(is_known, !double.lacks().contains(common), "{} at {}", common.as_str(), double.platform());
            }
            for own in DOUBLES.iter().flat_map(|of| of.own_faults()) {
                let is_own = double.own_faults().iter().any(|of| of.name == own.name);
                let found = checked(own.name, double).is_ok_and(|kind| matches!(kind, FaultKind::Own(found) if found.name == own.name));
                assert_eq!(found, is_own, "{} at {}", own.name, double.platform());
            }
            assert_eq!(checked("earthquake", double).err(), Some("this platform has no such fault"));
        }
    }
}
