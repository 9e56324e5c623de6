//! `GET /oauth/{platform}/callback`: the code becomes accounts, once.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cloud::vault::{ChoiceTokens, VaultError};
use connecting::{ConnectError, Connecting};
use domain::connection::Grant;
use domain::id::{AttemptId, ChoiceId, ConnectionId};
use domain::people::oauth_flow::OAuthFlow;
use domain::platform::PlatformName;
use edge::json::{Path, Query};
use edge::problem::{Problem, ProblemCode, chain};
use http::header::ALLOW;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::SignedDuration;
use platforms::{AppCredentials, CodeExchange, ExchangeError, GrantedAccount};
use secrecy::SecretString;
use serde::Deserialize;
use store::{Choice, ChoiceAccount, StoreError};

use crate::Deps;
use crate::accept::{Accepted, accept};
use crate::redirect::{Ending, redirect};

/// How long several accounts wait for the choice.
const CHOICE_LIFETIME: SignedDuration = SignedDuration::from_mins(15);

/// More accounts than anybody chooses among, and fewer than a secret holds.
const CHOICE_ACCOUNTS_MAX: usize = 50;

/// What platforms send; what else they add is none of our business.
#[derive(Deserialize)]
pub(crate) struct Callback {
    code: Option<SecretString>,
    state: Option<String>,
    error: Option<String>,
}

/// Why a callback could not be worked on.
#[derive(Debug, thiserror::Error)]
enum FinishError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
}

/// Always sends the browser on to the frontend.
pub(crate) async fn callback(
    State(deps): State<Deps>,
    Path(platform): Path<PlatformName>,
    Query(callback): Query<Callback>,
    headers: HeaderMap,
) -> Response {
    // A browser that only fetches ahead must not use up the code.
    if headers.contains_key("sec-purpose") {
        return StatusCode::NO_CONTENT.into_response();
    }
    let flow = match accept(&deps, platform, callback.state.as_deref(), &headers).await {
        Ok(Accepted::Open(flow)) => flow,
        Ok(Accepted::Over(path, ending)) => return redirect(&deps.web.frontend_url, path, &ending),
        Err(error) => return Problem::unavailable_because(&error).into_response(),
    };
    let ending = finish(&deps, &flow, &callback).await.unwrap_or_else(|error| told(&flow, &error));
    redirect(&deps.web.frontend_url, flow.return_to, &ending)
}

/// What is not a GET consumes nothing.
pub(crate) async fn nothing() -> Problem {
    Problem::new(ProblemCode::MethodNotAllowed).with_header(ALLOW, HeaderValue::from_static("GET"))
}

fn told(flow: &OAuthFlow, error: &FinishError) -> Ending {
    tracing::warn!(user_id = %flow.user_id, platform = flow.platform.as_str(), error = chain(error), "a consent did not become a connection");
    match error {
        FinishError::Exchange(ExchangeError::ScopeMissing { .. }) => Ending::ScopeMissing,
        FinishError::Connect(ConnectError::Refused(_)) => Ending::AccountMismatch,
        _ => Ending::ExchangeFailed,
    }
}

/// Takes the flow first: of ten callbacks at once, one exchanges the code.
async fn finish(deps: &Deps, flow: &OAuthFlow, callback: &Callback) -> Result<Ending, FinishError> {
    let now = deps.clock.now();
    let attempt = AttemptId::new(now, deps.random.bytes());
    if !deps.store.consume_flow(&flow.state_hash, attempt.as_str(), now).await? {
        return Ok(Ending::StateInvalid);
    }
    let code = match (&callback.error, &callback.code) {
        (None, Some(code)) => code,
        (Some(_), _) => return Ok(Ending::Denied),
        (None, None) => return Ok(Ending::ExchangeFailed),
    };
    let mut accounts = exchange(deps, flow, code).await?;
    if accounts.iter().all(|account| !account.missing_scopes.is_empty()) {
        return Ok(Ending::ScopeMissing);
    }
    let ending =
        if accounts.len() == 1 { connect(deps, flow, accounts.remove(0), attempt).await? } else { offer(deps, flow, accounts).await? };
    let noted = match &ending {
        Ending::Connected(id) => deps.store.finish_flow(&flow.state_hash, Some(id), None).await,
        Ending::Choose(id) => deps.store.finish_flow(&flow.state_hash, None, Some(id)).await,
        _ => Ok(()),
    };
    // The account is connected all the same; only a repeated callback could not show it.
    if let Err(error) = noted {
        tracing::warn!(user_id = %flow.user_id, error = chain(&error), "what a consent brought was not noted");
    }
    Ok(ending)
}

async fn exchange(deps: &Deps, flow: &OAuthFlow, code: &SecretString) -> Result<Vec<GrantedAccount>, FinishError> {
    let now = deps.clock.now();
    let (client_id, client_secret) = deps.vault.app_credentials(flow.platform, now).await?;
    let app = AppCredentials { client_id, client_secret };
    let redirect_uri = deps.web.callback_url(flow.platform);
    let exchange = CodeExchange { code, code_verifier: &flow.code_verifier, redirect_uri: &redirect_uri };
    Ok(deps.platforms.get(flow.platform).exchange(&app, &exchange, now).await?)
}

async fn connect(deps: &Deps, flow: &OAuthFlow, account: GrantedAccount, attempt: AttemptId) -> Result<Ending, FinishError> {
    let now = deps.clock.now();
    let needed = deps.platforms.get(flow.platform).capabilities().scopes;
    let connecting = Connecting {
        user: &flow.user_id,
        grant: &Grant::new(flow.platform, account.account_id, account.username, &account.tokens, needed),
        tokens: &account.tokens,
        fresh_id: ConnectionId::new(now, deps.random.bytes()),
        attempt,
    };
    let connection = connecting::connect(&deps.store, &deps.vault, &connecting, now).await?;
    Ok(Ending::Connected(connection.id))
}

/// The tokens wait in the vault, the names in the table.
async fn offer(deps: &Deps, flow: &OAuthFlow, mut accounts: Vec<GrantedAccount>) -> Result<Ending, FinishError> {
    let now = deps.clock.now();
    let id = ChoiceId::new(now, deps.random.bytes());
    if accounts.len() > CHOICE_ACCOUNTS_MAX {
        tracing::warn!(user_id = %flow.user_id, granted = accounts.len(), offered = CHOICE_ACCOUNTS_MAX, "a consent brought too many accounts");
        accounts.truncate(CHOICE_ACCOUNTS_MAX);
    }
    let shown = accounts.iter().map(|account| ChoiceAccount {
        account_id: account.account_id.clone(),
        username: account.username.clone(),
        kind: account.kind.as_str().to_owned(),
    });
    let choice = Choice {
        id: id.clone(),
        user_id: flow.user_id.clone(),
        platform: flow.platform,
        accounts: shown.collect(),
        expires_at: now + CHOICE_LIFETIME,
    };
    let tokens: Vec<ChoiceTokens> = accounts
        .into_iter()
        .map(|account| ChoiceTokens {
            account_id: account.account_id,
            username: account.username,
            kind: account.kind.as_str().to_owned(),
            tokens: account.tokens,
        })
        .collect();
    deps.vault.create_choice(&id, &tokens).await?;
    deps.store.offer_choice(&choice).await?;
    tracing::info!(user_id = %flow.user_id, platform = flow.platform.as_str(), accounts = choice.accounts.len(), "accounts wait for a choice");
    Ok(Ending::Choose(id))
}
