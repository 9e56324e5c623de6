//! The publisher's Lambda.

use edge::host::Host;
use edge::sqs::run_sqs;
use publisher::Deps;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let host = Host::lambda()?;
    let deps = Deps::new(&host, &cloud::sdk::load().await)?;
    run_sqs(deps.metrics.clone(), host.clock, |wake_up| {
        let deps = deps.clone();
        async move { publisher::handle(&deps, &wake_up).await }
    })
    .await
}
