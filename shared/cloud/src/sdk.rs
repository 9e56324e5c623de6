//! One configuration for every SDK client of the product.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

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
    aws_config::defaults(behavior()).http_client(Pools::open()).retry_config(retries()).timeout_config(timeouts()).load().await
}

/// Connect and read time-out.
type TimeOuts = (Option<Duration>, Option<Duration>);

/// The connections of all clients of a process: one pool for each pair of time-outs. Our clients have one pair, and whoever looks for
/// credentials outside Lambda a second one.
///
/// Left to itself, the SDK makes a pool for each service and parses all root certificates for it, and once before to see whether it can.
#[derive(Debug, Clone)]
struct Pools(Arc<Mutex<HashMap<TimeOuts, SharedHttpConnector>>>);

impl Pools {
    /// With our clients' pool in it: a start has more of a processor than the first request.
    fn open() -> Self {
        let ours = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
        Self(Arc::new(Mutex::new(HashMap::from([(time_outs(&ours), pool(&ours))]))))
    }
}

impl HttpClient for Pools {
    fn http_connector(&self, settings: &HttpConnectorSettings, _components: &RuntimeComponents) -> SharedHttpConnector {
        // Only whole entries are ever put in, so a panic elsewhere leaves nothing half-written.
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pools.entry(time_outs(settings)).or_insert_with(|| pool(settings)).clone()
    }
}

fn time_outs(settings: &HttpConnectorSettings) -> TimeOuts {
    (settings.connect_timeout(), settings.read_timeout())
}

/// What the SDK makes by itself, but for the roots. They are checked: it would panic at one that cannot be read.
fn pool(settings: &HttpConnectorSettings) -> SharedHttpConnector {
    let roots = TrustStore::empty().with_pem_certificate(tls::pem());
    let context = TlsContext::builder().with_trust_store(roots).build().expect("a context of roots alone has nothing to refuse");
    let connector = Connector::builder()
        .connector_settings(settings.clone())
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(context);
    SharedHttpConnector::new(connector.build())
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;

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
        let pools = Pools::open();
        let sdk = SdkConfig::builder()
            .behavior_version(behavior())
            .region(aws_config::Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test")))
            .http_client(pools.clone())
            .timeout_config(timeouts())
            .retry_config(RetryConfig::disabled())
            // Nobody listens there: what counts is which pool was asked to connect.
            .endpoint_url("http://127.0.0.1:1")
            .build();
        assert!(aws_sdk_sqs::Client::new(&sdk).list_queues().send().await.is_err());
        assert!(aws_sdk_secretsmanager::Client::new(&sdk).list_secrets().send().await.is_err());
        assert_eq!(pools.0.lock().unwrap().len(), 1);
        let impatient = TimeoutConfig::builder().connect_timeout(Duration::from_secs(1)).build();
        let sdk = sdk.into_builder().timeout_config(impatient).build();
        assert!(aws_sdk_sqs::Client::new(&sdk).list_queues().send().await.is_err());
        assert_eq!(pools.0.lock().unwrap().len(), 2, "another time-out is kept, and is not ours");
    }
}
