//! One configuration for every SDK client of the product.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};

/// How often one call is sent at most, the first time included.
pub const ATTEMPTS_MAX: u32 = 3;
/// How long one call may take with all its attempts and the pauses between them.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one attempt may take.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long connecting may take. It is a part of the attempt, so only a hung connect that ends late would notice.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The SDK behaviour that this code was tested with. Pinned: `latest()` would change retries and time-outs with an update.
pub fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// Standard retries: exponential with jitter, and a budget that stops a storm.
pub fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX)
}

/// Every call ends: the SDK's own default waits without limit for an answer.
pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}

/// The configuration inside Lambda: region and credentials from its environment, the limits from here.
pub async fn load() -> SdkConfig {
    aws_config::defaults(behavior()).retry_config(retries()).timeout_config(timeouts()).load().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attempt_fits_into_its_operation() {
        assert!(CONNECT_TIMEOUT <= ATTEMPT_TIMEOUT);
        assert!(ATTEMPT_TIMEOUT * ATTEMPTS_MAX < OPERATION_TIMEOUT);
    }

    #[test]
    fn the_limits_reach_the_sdk() {
        assert_eq!(retries().max_attempts(), ATTEMPTS_MAX);
        let timeouts = timeouts();
        assert_eq!(timeouts.operation_timeout(), Some(OPERATION_TIMEOUT));
        assert_eq!(timeouts.operation_attempt_timeout(), Some(ATTEMPT_TIMEOUT));
        assert_eq!(timeouts.connect_timeout(), Some(CONNECT_TIMEOUT));
    }
}
