//! The Lambda that reads what platforms tell of published posts.

use analytics_sync::{Deps, StartError};
use edge::schedule::run_scheduled;
use futures::TryFutureExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::start::worker(
        async |host| Ok::<_, StartError>(Deps::new(host, &cloud::sdk::on_lambda())?),
        async |_, deps| run_scheduled(|| analytics_sync::run(&deps).map_ok(drop)).await,
    )
    .await
}
