//! `/api/connections/choices/{id}`: one consent brought several accounts; the user says which.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cloud::vault::{ChoiceTokens, VaultError};
use connecting::Connecting;
use domain::connection::Grant;
use domain::id::{AttemptId, ChoiceId, ConnectionId, UserId};
use domain::platform::PlatformName;
use edge::contract::{ConnectionJson, ListJson};
use edge::json::{Json, Path};
use edge::problem::Problem;
use edge::session::SignedIn;
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Choice, ChoiceAccount};

use crate::{Deps, trouble};

#[derive(Serialize)]
pub(crate) struct ChoiceJson {
    platform: PlatformName,
    accounts: Vec<ChoiceAccount>,
    expires_at: Timestamp,
}

/// The body.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chosen {
    account_ids: Vec<String>,
}

/// What there is to choose from.
pub(crate) async fn offered(State(deps): State<Deps>, signed_in: SignedIn, Path(id): Path<ChoiceId>) -> Result<Json<ChoiceJson>, Problem> {
    let choice = open_choice(&deps, &signed_in.session.user_id, &id).await?;
    Ok(Json(ChoiceJson { platform: choice.platform, accounts: choice.accounts, expires_at: choice.expires_at }))
}

/// Connects the chosen accounts; what was not chosen is forgotten. If this stops half-way, the same call finishes it.
pub(crate) async fn choose(
    State(deps): State<Deps>,
    signed_in: SignedIn,
    Path(id): Path<ChoiceId>,
    Json(chosen): Json<Chosen>,
) -> Result<Response, Problem> {
    let user = &signed_in.session.user_id;
    let choice = open_choice(&deps, user, &id).await?;
    check(&choice, &chosen.account_ids)?;
    let accounts = match deps.vault.read_choice(&id).await {
        // It was used, and only its row is left.
        Err(VaultError::Missing { .. }) => return Err(Problem::not_found()),
        read => read.map_err(trouble::vault)?,
    };
    let mut items = Vec::new();
    for account in accounts.iter().filter(|account| chosen.account_ids.contains(&account.account_id)) {
        items.push(connect(&deps, user, choice.platform, account).await?);
    }
    deps.vault.delete_choice(&id).await.map_err(trouble::vault)?;
    deps.store.end_choice(user, &id).await.map_err(trouble::store)?;
    Ok((StatusCode::CREATED, Json(ListJson::whole(items))).into_response())
}

/// The user's choice while it lasts, or the 404 that says the same of another's.
async fn open_choice(deps: &Deps, user: &UserId, id: &ChoiceId) -> Result<Choice, Problem> {
    let choice = deps.store.choice(user, id).await.map_err(trouble::store)?;
    choice.filter(|choice| deps.clock.now() < choice.expires_at).ok_or_else(Problem::not_found)
}

fn check(choice: &Choice, asked: &[String]) -> Result<(), Problem> {
    if asked.is_empty() || asked.len() > choice.accounts.len() {
        return Err(Problem::validation(Vec::new()).with_error(
            "/account_ids",
            "accounts_count",
            "Choose at least one of the accounts, each once.",
        ));
    }
    match asked.iter().position(|id| !choice.accounts.iter().any(|account| account.account_id == *id)) {
        None => Ok(()),
        Some(index) => Err(Problem::validation(Vec::new()).with_error(
            format!("/account_ids/{index}"),
            "account_unknown",
            "This account was not offered.",
        )),
    }
}

async fn connect(deps: &Deps, user: &UserId, platform: PlatformName, account: &ChoiceTokens) -> Result<ConnectionJson, Problem> {
    let now = deps.clock.now();
    let needed = deps.platforms.get(platform).capabilities().scopes;
    let connecting = Connecting {
        user,
        grant: &Grant::new(platform, account.account_id.clone(), account.username.clone(), &account.tokens, needed),
        tokens: &account.tokens,
        fresh_id: ConnectionId::new(now, deps.random.bytes()),
        attempt: AttemptId::new(now, deps.random.bytes()),
    };
    let connection = connecting::connect(&deps.store, &deps.vault, &connecting, now).await.map_err(trouble::connect)?;
    Ok(ConnectionJson::from(&connection))
}
