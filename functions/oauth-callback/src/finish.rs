//! `GET /oauth/{platform}/callback`: the code becomes accounts, once.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use domain::id::AttemptId;
use domain::people::oauth_flow::OAuthFlow;
use domain::people::{FlowEnd, FlowError, ReturnPath};
use domain::platform::PlatformName;
use edge::frontend::{count_led_back, is_navigation};
use edge::json::{Path, Query};
use edge::prefetch;
use edge::problem::{Problem, chain};
use http::HeaderMap;
use platforms::{AppCredentials, ExchangeError, GrantedAccount, NoCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Deps;
use crate::accept::{Accepted, accept, end_of};
use crate::grants;
use crate::keep::{self, KeepError};
use crate::redirect::{lead_back, redirect};

/// How long a platform may take for the exchange with all its calls: what is left of the function's time is for keeping what came.
const EXCHANGE_MAX: Duration = Duration::from_secs(20);

/// What platforms send; what else they add is none of our business.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Callback {
    /// The authorization code.
    #[param(value_type = Option<String>)]
    code: Option<SecretString>,
    /// What the flow was begun with; works once.
    state: Option<String>,
    /// Why there is no code.
    #[param(example = "access_denied")]
    error: Option<String>,
    /// The same as a number, which Facebook sends alone where a person closes its dialog.
    #[param(example = "4201")]
    error_code: Option<String>,
    /// Who answers (RFC 9207).
    iss: Option<String>,
}

/// Why a flow that was taken brought nothing.
#[derive(Debug, thiserror::Error)]
enum FinishError {
    #[error("the platform took too long")]
    TooLong,
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    #[error(transparent)]
    Keep(#[from] KeepError),
}

impl FinishError {
    fn told(&self) -> FlowError {
        match self {
            Self::Exchange(ExchangeError::ScopeMissing { .. }) => FlowError::ScopeMissing,
            Self::Exchange(ExchangeError::NoAccounts) => FlowError::NoAccounts,
            Self::Keep(error) => error.told(),
            Self::TooLong | Self::Exchange(_) => FlowError::ExchangeFailed,
        }
    }
}

/// Comes back from the platform's consent page.
///
/// It sends the browser on to the frontend. Only a program is told 503, where the same call may later succeed, or show what was connected.
#[utoipa::path(get, path = "/oauth/{platform}/callback", operation_id = "finish_consent", tag = "oauth",
    params(("platform" = PlatformName, Path, description = "Which platform."), Callback),
    responses(
        (status = 303, description = "To the frontend, with `connected=<connection id>` (and `missing=`, the scopes that posting needs and \
            that were not granted, separated by spaces), `choose=<choice id>` or `error=` and one of `denied`, `state_invalid`, `session_mismatch`, \
            `scope_missing`, `no_accounts`, `too_many_connections`, `account_mismatch`, `exchange_failed`, `unavailable`. \
            `no_accounts`: all that is needed was allowed, and the consent holds no Page where the person may create content. Trying the \
            same again helps nobody: the person needs such a role on a Page, and to tick the Page in the platform's dialog, together with \
            the business that owns it. `unavailable`: something is out of reach at this moment, and connecting in a minute may succeed.",
            headers(("Location" = String, description = "A page of the frontend."))),
        (status = 503, description = "unavailable"),
    ))]
pub(crate) async fn callback(
    State(deps): State<Deps>,
    Path(platform): Path<PlatformName>,
    query: Result<Query<Callback>, Problem>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    prefetch::refuse(&headers)?;
    // A parameter that comes twice (RFC 6749 §3.1): nobody can say which one is meant.
    let Ok(Query(callback)) = query else {
        return Ok(redirect(&deps.web.frontend_url, ReturnPath::default(), &FlowError::StateInvalid.into()));
    };
    let named = (callback.state.as_deref(), callback.iss.as_deref());
    let (path, end) = match accept(&deps, platform, named, &headers).await {
        Ok(Accepted::Open(flow)) => (flow.return_to, take(&deps, &flow, &callback).await),
        Ok(Accepted::Over(path, end)) => (path, Ok(end)),
        Err(error) => (ReturnPath::default(), Err(Problem::unavailable_because(&error))),
    };
    match end {
        Ok(end) => Ok(redirect(&deps.web.frontend_url, path, &end)),
        Err(problem) if is_navigation(&headers) => {
            count_led_back(&deps.metrics, deps.clock.now(), problem.code());
            Ok(lead_back(&deps.web.frontend_url, path, &problem))
        }
        Err(problem) => Err(problem),
    }
}

/// Takes the flow before anything else is done with the answer: of ten callbacks at once, one exchanges the code, and the others see what
/// it brought.
async fn take(deps: &Deps, flow: &OAuthFlow, callback: &Callback) -> Result<FlowEnd, Problem> {
    let now = deps.clock.now();
    // First, because without it the flow would be taken in vain.
    let app = deps.vault.app_credentials(&flow.app(), now).await.map_err(|error| Problem::unavailable_because(&error))?;
    let attempt = AttemptId::new(now, deps.random.bytes());
    // So is this: whoever takes a grant back meanwhile could end what the code is about to bring.
    let held = match callback.code {
        Some(_) => grants::hold(deps, flow.platform, &attempt).await?,
        None => grants::nothing_to_hold(deps),
    };
    let taken = deps.store.consume_flow(&flow.state_hash, &attempt, now).await;
    let end = match &taken {
        Ok(true) => Some(finish(deps, flow, callback, app, &attempt).await),
        Ok(false) | Err(_) => None,
    };
    held.let_go().await;
    taken.map_err(|error| Problem::unavailable_because(&error))?;
    let Some(end) = end else {
        return end_of(deps, &flow.state_hash).await.map_err(|error| Problem::unavailable_because(&error));
    };
    // What is connected stays connected; only a repeated callback could not show it.
    if let Err(error) = deps.store.end_flow(&flow.state_hash, &attempt, &end).await {
        tracing::warn!(user_id = %flow.user_id, error = chain(&error), "what a consent brought was not noted");
    }
    Ok(end)
}

async fn finish(
    deps: &Deps,
    flow: &OAuthFlow,
    callback: &Callback,
    (client_id, client_secret): (String, SecretString),
    attempt: &AttemptId,
) -> FlowEnd {
    let code = match (&callback.error, &callback.code) {
        (None, Some(code)) if !code.expose_secret().is_empty() => code,
        _ => {
            let instead = NoCode { error: callback.error.as_deref(), error_code: callback.error_code.as_deref() };
            let denied = deps.platforms.get(flow.platform).is_denial(instead);
            let told = if denied { FlowError::Denied } else { FlowError::ExchangeFailed };
            tracing::info!(user_id = %flow.user_id, platform = flow.platform.as_str(), told = told.as_str(), "a consent brought no code");
            return told.into();
        }
    };
    let app = AppCredentials { client_id, client_secret };
    match granted(deps, flow, &app, code, attempt).await {
        Ok(end) => end,
        Err(error) => {
            let (user_id, platform, told) = (&flow.user_id, flow.platform.as_str(), error.told());
            tracing::warn!(%user_id, platform, told = told.as_str(), error = chain(&error), "a consent did not become a connection");
            told.into()
        }
    }
}

async fn granted(
    deps: &Deps,
    flow: &OAuthFlow,
    app: &AppCredentials,
    code: &SecretString,
    attempt: &AttemptId,
) -> Result<FlowEnd, FinishError> {
    let accounts = tokio::time::timeout(EXCHANGE_MAX, exchange(deps, flow, app, code)).await.map_err(|_| FinishError::TooLong)??;
    Ok(keep::keep(deps, flow, accounts, attempt).await?)
}

async fn exchange(deps: &Deps, flow: &OAuthFlow, app: &AppCredentials, code: &SecretString) -> Result<Vec<GrantedAccount>, ExchangeError> {
    let redirect_uri = deps.web.callback_url(flow.platform);
    let OAuthFlow { code_verifier, server, carried, .. } = flow;
    let (server, carried) = (server.as_ref(), carried.as_ref());
    let back = platforms::Callback { code, code_verifier, redirect_uri: &redirect_uri, server, carried };
    deps.platforms.get(flow.platform).exchange(app, &back, deps.clock.now()).await
}
