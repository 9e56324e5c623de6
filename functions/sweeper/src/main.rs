//! The sweeper's Lambda.

use edge::schedule::run_scheduled;
use futures::TryFutureExt;
use sweeper::Deps;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::start::worker(
        async |host| Deps::new(host, &cloud::sdk::on_lambda()),
        async |_, deps| run_scheduled(|| sweeper::sweep(&deps).map_ok(drop)).await,
    )
    .await
}
