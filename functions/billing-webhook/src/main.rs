//! The billing webhook's Lambda.

use billing_webhook::{Deps, StartError, router};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::start::http(async |host| {
        let deps = Deps::new(host, &cloud::sdk::on_lambda())?;
        edge::start::preload(async { deps.vault.billing_keys(deps.clock.now()).await.err().into_iter().collect() }).await;
        Ok::<_, StartError>(router(deps))
    })
    .await
}
