//! What a consent granted is kept: one account as a connection, several as a choice.

use std::time::Duration;

use cloud::vault::{ChoiceTokens, VaultError};
use connecting::{ConnectError, Connected, Connecting};
use domain::choice::{self, Choice, ChoiceAccount};
use domain::connection::{Connection, Grant, GrantLife, Health, ReconnectRefused};
use domain::id::{AttemptId, ChoiceId, ConnectionId};
use domain::people::oauth_flow::OAuthFlow;
use domain::people::{FlowEnd, FlowError};
use edge::problem::chain;
use platforms::GrantedAccount;
use store::{Leftover, StoreError};

use crate::{Deps, retire};

/// The browser waits meanwhile, and what it came for is done.
const BESIDE_MAX: Duration = Duration::from_secs(4);

/// Why nothing was kept. A connection in force is as it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    /// A connection was to be made anew, and the consent is for other accounts.
    #[error("the consent does not hold the account that was to be connected again")]
    OtherAccount,
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("storing a choice of accounts")]
    Store(#[from] StoreError),
    #[error("storing the tokens of a choice of accounts")]
    Vault(#[from] VaultError),
}

impl KeepError {
    pub(crate) fn told(&self) -> FlowError {
        match self {
            Self::OtherAccount => FlowError::AccountMismatch,
            Self::Connect(ConnectError::TooMany) => FlowError::TooManyConnections,
            // What works is not replaced by what would not.
            Self::Connect(ConnectError::Refused(ReconnectRefused::LessThanNow)) => FlowError::ScopeMissing,
            Self::Connect(_) | Self::Store(_) | Self::Vault(_) => FlowError::ExchangeFailed,
        }
    }
}

/// Connects the account that the flow is for, and anew those beside it that the user has connected; or the only one there is. Several are offered
/// for choice.
pub(crate) async fn keep(
    deps: &Deps,
    flow: &OAuthFlow,
    mut accounts: Vec<GrantedAccount>,
    attempt: &AttemptId,
) -> Result<FlowEnd, KeepError> {
    if let Some(wanted) = &flow.account_id {
        let place = accounts.iter().position(|account| account.account_id == *wanted).ok_or(KeepError::OtherAccount)?;
        let end = connect(deps, flow, accounts.swap_remove(place), attempt).await?;
        if tokio::time::timeout(BESIDE_MAX, connect_beside(deps, flow, accounts, attempt)).await.is_err() {
            tracing::warn!(user_id = %flow.user_id, "not all accounts beside the one that was connected again were renewed in time");
        }
        return Ok(end);
    }
    match accounts.len() {
        0 => Err(KeepError::OtherAccount),
        1 => connect(deps, flow, accounts.remove(0), attempt).await,
        _ => offer(deps, flow, accounts).await,
    }
}

/// One consent often brings several accounts, and their owner is asked once for all of them. Those that are connected already live on from now
/// by this consent, too; one that cannot be stored is as it was.
async fn connect_beside(deps: &Deps, flow: &OAuthFlow, accounts: Vec<GrantedAccount>, attempt: &AttemptId) {
    if accounts.is_empty() {
        return;
    }
    let connected = deps.store.connections(&flow.user_id).await.unwrap_or_else(|error| {
        tracing::warn!(user_id = %flow.user_id, error = chain(&error), "which accounts a consent could renew was not read");
        Vec::new()
    });
    let is_connected = |account: &GrantedAccount| {
        let of_it = |connection: &&Connection| connection.platform == flow.platform && connection.platform_user_id == account.account_id;
        connected.iter().find(of_it).is_some_and(|connection| connection.health != Health::Disconnecting)
    };
    for account in accounts.into_iter().filter(is_connected) {
        if let Err(error) = connect(deps, flow, account, attempt).await {
            tracing::warn!(user_id = %flow.user_id, error = chain(&error), "an account beside the one that was connected again was not renewed");
        }
    }
}

async fn connect(deps: &Deps, flow: &OAuthFlow, account: GrantedAccount, attempt: &AttemptId) -> Result<FlowEnd, KeepError> {
    let now = deps.clock.now();
    let descriptor = deps.platforms.get(flow.platform).descriptor();
    let GrantedAccount { account_id, username, kind, server, tokens, grantor, .. } = account;
    let grant = Grant::new(flow.platform, (account_id, username), kind, &tokens, descriptor.scopes.required);
    let connecting = Connecting {
        user: &flow.user_id,
        grant: &grant.given_by(grantor).living_on(server, flow.server.clone()),
        tokens: &tokens,
        life: GrantLife::new(&descriptor.terms(), &tokens, now, deps.random.bytes()),
        fresh_id: ConnectionId::new(now, deps.random.bytes()),
        attempt: attempt.clone(),
    };
    let Connected { connection, replaced } = connecting::connect(&deps.store, &deps.vault, &connecting, now).await?;
    if let Some(version) = replaced {
        retire::retire(deps, &connection, &version).await;
    }
    Ok(FlowEnd::Connected { connection_id: connection.id, missing_scopes: connection.missing_scopes })
}

/// The tokens wait in the vault, the names in the table. The vault's part is noted first: should nobody choose, it is still found.
async fn offer(deps: &Deps, flow: &OAuthFlow, mut accounts: Vec<GrantedAccount>) -> Result<FlowEnd, KeepError> {
    let now = deps.clock.now();
    let id = ChoiceId::new(now, deps.random.bytes());
    if accounts.len() > choice::ACCOUNTS_MAX {
        tracing::warn!(user_id = %flow.user_id, granted = accounts.len(), offered = choice::ACCOUNTS_MAX, "a consent brought too many accounts");
        accounts.truncate(choice::ACCOUNTS_MAX);
    }
    let choice = Choice {
        id: id.clone(),
        user_id: flow.user_id.clone(),
        platform: flow.platform,
        accounts: accounts.iter().map(shown).collect(),
        missing_scopes: accounts.first().map(|account| account.missing_scopes.clone()).unwrap_or_default(),
        grantor: accounts.first().and_then(|account| account.grantor.clone()),
        app_server: flow.server.clone(),
        expires_at: now + choice::LIFETIME,
        claim: None,
    };
    if let Some(grantor) = &choice.grantor {
        deps.store.hold_for_choice(flow.platform, grantor, &id, choice.expires_at).await?;
    }
    let tokens: Vec<ChoiceTokens> = accounts.into_iter().map(sealed).collect();
    deps.store.note_leftover(&Leftover::Choice { choice_id: id.clone(), at: now }).await?;
    deps.vault.create_choice(&id, &tokens).await?;
    deps.store.offer_choice(&choice).await?;
    tracing::info!(user_id = %flow.user_id, platform = flow.platform.as_str(), accounts = choice.accounts.len(), "accounts wait for a choice");
    Ok(FlowEnd::Choose { choice_id: id })
}

fn shown(account: &GrantedAccount) -> ChoiceAccount {
    ChoiceAccount { account_id: account.account_id.clone(), username: account.username.clone(), kind: account.kind }
}

fn sealed(account: GrantedAccount) -> ChoiceTokens {
    let GrantedAccount { account_id, username, kind, server, grantor, tokens, missing_scopes: _ } = account;
    ChoiceTokens { account_id, username, kind, server, grantor, tokens }
}
