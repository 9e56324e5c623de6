//! The app of ours that a consent is asked for: the platform's, or one of our own at the server that the user named.

use cloud::vault::VaultError;
use domain::id::{AttemptId, UserId};
use domain::people::limit::{Bucket, Subject};
use domain::people::oauth_flow::SERVERS_OF_USER;
use domain::platform::{App, ServerName};
use platforms::{AppCredentials, AuthorizeError};
use store::{Leftover, StoreError};

use crate::Deps;

/// Why there is no app to ask with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppError {
    /// Its credentials are being removed at this moment.
    #[error("the app at the server is being removed")]
    Leaving,
    /// The user has named as many new servers as one may.
    #[error("a limit was reached")]
    TooMany(Bucket),
    #[error(transparent)]
    Register(#[from] AuthorizeError),
    #[error("keeping an app at a server")]
    Store(#[from] StoreError),
    #[error("reading or keeping the credentials of an app")]
    Vault(#[from] VaultError),
}

/// The credentials of `app`. At a server that nobody has named before, our app is registered.
pub(crate) async fn credentials(deps: &Deps, user: &UserId, app: &App) -> Result<AppCredentials, AppError> {
    let now = deps.clock.now();
    let Some(server) = &app.server else { return Ok(of(deps.vault.app_credentials(app, now).await?)) };
    if !deps.store.need_server(app.platform, server, now).await? {
        return Err(AppError::Leaving);
    }
    // As they are at this moment: what this process remembers may be removed.
    match deps.vault.find_app(app, now).await? {
        Some(known) => Ok(of(known)),
        None => register(deps, user, app, server).await,
    }
}

/// Noted first: should nobody be connected by it, it is still found. Of two at once, the second takes the first one's.
///
/// A name that leads nowhere costs the user none of their new servers: people mistype.
async fn register(deps: &Deps, user: &UserId, app: &App, server: &ServerName) -> Result<AppCredentials, AppError> {
    let now = deps.clock.now();
    let bucket = SERVERS_OF_USER.bucket(Subject::User(user), now);
    if deps.store.counted(&bucket).await? >= bucket.max {
        return Err(AppError::TooMany(bucket));
    }
    deps.store.note_leftover(&Leftover::App { platform: app.platform, server: server.clone(), at: now }).await?;
    let made = deps.platforms.get(app.platform).register(server, &deps.web.callback_url(app.platform)).await?;
    if !deps.store.count(&bucket).await? {
        return Err(AppError::TooMany(bucket));
    }
    let attempt = AttemptId::new(now, deps.random.bytes());
    match deps.vault.create_app(app, (&made.client_id, &made.client_secret), &attempt).await {
        Ok(()) => {
            tracing::info!(user_id = %user, platform = app.platform.as_str(), %server, "our app was registered at a server");
            Ok(made)
        }
        Err(VaultError::Exists { .. }) => Ok(of(deps.vault.app_credentials(app, deps.clock.now()).await?)),
        Err(error) => Err(error.into()),
    }
}

fn of((client_id, client_secret): (String, secrecy::SecretString)) -> AppCredentials {
    AppCredentials { client_id, client_secret }
}
