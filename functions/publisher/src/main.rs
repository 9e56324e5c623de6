//! The publisher's Lambda.

use edge::sqs::run_sqs;
use publisher::{Batch, Deps, StartError};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::start::worker(
        async |host| {
            let deps = Deps::new(host, &cloud::sdk::on_lambda())?;
            edge::start::preload(deps.vault.preload(&deps.configured, host.clock.now())).await;
            Ok::<_, StartError>(deps)
        },
        async |host, deps| {
            run_sqs(deps.metrics.clone(), host.clock, publisher::time_out(), Batch::of, |batch, wake_up| {
                let deps = deps.clone();
                async move { publisher::handle(&deps, &batch, &wake_up).await }
            })
            .await
        },
    )
    .await
}
