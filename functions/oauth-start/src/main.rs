//! The oauth-start Lambda.

use edge::host::Host;
use edge::http_event::run_http;
use oauth_start::{Deps, router};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let host = Host::lambda()?;
    let deps = Deps::new(&host, &cloud::sdk::load().await)?;
    run_http(router(deps)).await
}
