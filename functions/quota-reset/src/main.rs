//! The cycle job's Lambda.

use edge::schedule::run_scheduled;
use quota_reset::Deps;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::start::worker(
        async |host| Deps::new(host, &cloud::sdk::load().await),
        async |_, deps| run_scheduled(|| async { quota_reset::run(&deps).await.map(|_| ()) }).await,
    )
    .await
}
