//! Time, handed in.

use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

/// Where a function gets the time from: the system, or whoever drives the tests and the local run.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[expect(clippy::disallowed_methods, reason = "the one place where the system's time enters")]
    pub fn system() -> Self {
        Self(Arc::new(Timestamp::now))
    }

    /// A clock that `read` decides.
    pub fn from_fn(read: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The time now, in whole milliseconds: what is stored and what is shown are then the same.
    pub fn now(&self) -> Timestamp {
        let now = (self.0)();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    /// This clock, `by` ahead.
    #[must_use]
    pub fn shifted(&self, by: SignedDuration) -> Self {
        let read = self.0.clone();
        Self(Arc::new(move || read() + by))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
