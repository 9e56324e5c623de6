//! When an invocation is over, whatever it is doing.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// The moment at which Lambda kills the invocation.
///
/// Kept in the machine's running time, so that a clock that is set while the invocation runs changes nothing.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// So long from now.
    pub fn after(limit: Duration) -> Self {
        Self(Instant::now() + limit)
    }

    /// What Lambda says, in milliseconds since 1970, but no longer than `limit` from `now`: what leases and waits are counted from is the
    /// time-out that the code knows, whatever the function was deployed with.
    pub fn of_invocation(deadline_millis: u64, limit: Duration, now: Timestamp) -> Self {
        let now_millis = u64::try_from(now.as_millisecond()).unwrap_or_default();
        Self::after(Duration::from_millis(deadline_millis.saturating_sub(now_millis)).min(limit))
    }

    /// What is left.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_lambda_says_counts_but_never_more_than_the_code_knows() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let limit = Duration::from_mins(1);
        let millis = |secs: i64| u64::try_from(now.as_millisecond() + secs * 1000).unwrap();
        for (said, left) in [(30, 30), (60, 60), (900, 60), (-5, 0)] {
            assert_eq!(Deadline::of_invocation(millis(said), limit, now).remaining(), Duration::from_secs(left), "{said}");
        }
        let deadline = Deadline::after(limit);
        tokio::time::advance(Duration::from_secs(45)).await;
        assert_eq!(deadline.remaining(), Duration::from_secs(15));
    }
}
