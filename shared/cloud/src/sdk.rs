//! One configuration for every SDK client of the product.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use crate::http_client::Pools;

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

/// The configuration inside Lambda: region, credentials and an emulator's address from the variables that Lambda sets, the limits from here.
///
/// The SDK's own search for credentials is left out. It would link profiles, STS and the metadata service into every function, and Lambda has none of them.
pub fn on_lambda() -> SdkConfig {
    let mut sdk = SdkConfig::builder()
        .behavior_version(behavior())
        .http_client(http_client())
        .retry_config(retries())
        .timeout_config(timeouts())
        .sleep_impl(TokioSleep::new())
        .time_source(SystemTimeSource::new())
        .identity_cache(IdentityCache::lazy().build())
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()));
    sdk.set_region(variable("AWS_REGION").map(Region::new));
    sdk.set_endpoint_url(variable("AWS_ENDPOINT_URL"));
    sdk.build()
}

/// The configuration of an operator's machine: region and credentials wherever the SDK looks for them, such as profiles.
pub async fn of_operator() -> SdkConfig {
    aws_config::defaults(behavior()).http_client(http_client()).retry_config(retries()).timeout_config(timeouts()).load().await
}

/// The HTTP client of clients that are configured elsewhere.
pub fn http_client() -> SharedHttpClient {
    SharedHttpClient::new(Pools::open(CONNECT_TIMEOUT))
}

#[expect(clippy::disallowed_methods, reason = "the names are the SDK's own, which would read them itself")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;

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

    #[tokio::test]
    async fn the_clients_of_all_services_share_the_pool_that_was_there_at_the_start() {
        let pools = Pools::open(CONNECT_TIMEOUT);
        let sdk = SdkConfig::builder()
            .behavior_version(behavior())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test")))
            .http_client(pools.clone())
            .timeout_config(timeouts())
            .retry_config(RetryConfig::disabled())
            // Nobody listens there: what counts is which pool was asked to connect.
            .endpoint_url("http://127.0.0.1:1")
            .build();
        assert!(aws_sdk_sqs::Client::new(&sdk).list_queues().send().await.is_err());
        assert!(aws_sdk_secretsmanager::Client::new(&sdk).list_secrets().send().await.is_err());
        assert_eq!(pools.len(), 1);
        let impatient = TimeoutConfig::builder().connect_timeout(Duration::from_secs(1)).build();
        let sdk = sdk.into_builder().timeout_config(impatient).build();
        assert!(aws_sdk_sqs::Client::new(&sdk).list_queues().send().await.is_err());
        assert_eq!(pools.len(), 2, "another time-out is kept, and is not ours");
    }
}
