//! The tokens that a new consent took the place of are ended at their platform: whoever has them, has nothing.

use std::error::Error;
use std::time::Duration;

use domain::connection::Connection;
use edge::problem::chain;
use platforms::{Account, AppCredentials};

use crate::Deps;

/// The browser waits meanwhile, and the new tokens work already.
const RETIRE_MAX: Duration = Duration::from_secs(3);

/// Ends the tokens that were in force under `version`, as far as the platform listens. What is connected stays connected whatever
/// comes of it.
pub(crate) async fn retire(deps: &Deps, connection: &Connection, version: &str) {
    let told = match tokio::time::timeout(RETIRE_MAX, try_to(deps, connection, version)).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => chain(&*error),
        Err(_) => "the platform took too long".to_owned(),
    };
    tracing::warn!(connection_id = %connection.id, error = told, "tokens that were replaced were not ended at their platform");
}

async fn try_to(deps: &Deps, connection: &Connection, version: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    let now = deps.clock.now();
    let tokens = deps.vault.read(&connection.secret_name, version, now).await?;
    let (client_id, client_secret) = deps.vault.app_credentials(&connection.app(), now).await?;
    let app = AppCredentials { client_id, client_secret };
    Ok(deps.platforms.get(connection.platform).revoke(&app, Account::of(connection, &tokens), now).await?)
}
