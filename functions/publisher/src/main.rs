//! The publisher's Lambda.

use edge::sqs::run_sqs;
use publisher::{Deps, StartError};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::start::worker(
        async |host| {
            let deps = Deps::new(host, &cloud::sdk::load().await)?;
            edge::start::preload(deps.vault.preload(&deps.configured, host.clock.now())).await;
            Ok::<_, StartError>(deps)
        },
        async |host, deps| {
            run_sqs(deps.metrics.clone(), host.clock, publisher::time_out(), |wake_up, deadline| {
                let deps = deps.clone();
                async move { publisher::handle(&deps, &wake_up, deadline).await }
            })
            .await
        },
    )
    .await
}
