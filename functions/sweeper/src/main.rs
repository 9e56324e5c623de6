//! The sweeper's Lambda.

use edge::schedule::run_scheduled;
use sweeper::Deps;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::start::worker(
        async |host| Deps::new(host, &cloud::sdk::load().await),
        // On the heap: a round in one piece is deeper than the compiler follows.
        async |_, deps| run_scheduled(|| async { Box::pin(sweeper::sweep(&deps)).await.map(|_| ()) }).await,
    )
    .await
}
