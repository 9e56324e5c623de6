//! The Lambda that keeps connections alive.

use edge::schedule::run_scheduled;
use futures::TryFutureExt;
use renewals::{Deps, StartError};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::start::worker(
        async |host| Ok::<_, StartError>(Deps::new(host, &cloud::sdk::on_lambda())?),
        async |_, deps| run_scheduled(|| renewals::run(&deps).map_ok(drop)).await,
    )
    .await
}
