//! The oauth-start Lambda.

use oauth_start::{Deps, StartError, router};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::start::http(async |host| {
        let deps = Deps::new(host, &cloud::sdk::on_lambda())?;
        edge::start::preload(deps.vault.preload(&deps.configured, host.clock.now())).await;
        Ok::<_, StartError>(router(deps))
    })
    .await
}
