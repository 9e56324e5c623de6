//! The posts Lambda.

use posts::{Deps, router};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::start::http(async |host| Deps::new(host, &cloud::sdk::on_lambda()).map(router)).await
}
