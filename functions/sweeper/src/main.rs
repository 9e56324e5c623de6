//! The sweeper's Lambda.

use edge::host::Host;
use edge::schedule::run_scheduled;
use sweeper::Deps;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let host = Host::lambda()?;
    let deps = Deps::new(&host, &cloud::sdk::load().await)?;
    run_scheduled(|| async { sweeper::sweep(&deps).await.map(|_| ()) }).await
}
