//! The cycle job's Lambda.

use edge::host::Host;
use edge::schedule::run_scheduled;
use quota_reset::Deps;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let host = Host::lambda()?;
    let deps = Deps::new(&host, &cloud::sdk::load().await)?;
    run_scheduled(|| async { quota_reset::run(&deps).await.map(|_| ()) }).await
}
