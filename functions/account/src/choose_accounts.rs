//! `/api/connections/choices/{id}`: one consent brought several accounts; the user says which.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cloud::vault::{ChoiceTokens, VaultError};
use connecting::Connecting;
use domain::choice::{Choice, ChoiceAccount, Claim, NotChoosable, Pick, Turn};
use domain::connection::{Connection, Grant, GrantLife};
use domain::id::{AttemptId, ChoiceId, ConnectionId, UserId};
use domain::platform::PlatformName;
use edge::contract::{ConnectionJson, ListJson, Time};
use edge::json::{Json, Path};
use edge::problem::{FieldCode, Problem, ProblemCode, chain};
use edge::session::SignedIn;
use http::StatusCode;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Deps, trouble};

/// While another call connects the same accounts, the choice is read this often…
const LOOKS_MAX: usize = 75;
/// …this far apart: together half of what the function may run.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// What one consent brought.
#[derive(Serialize, ToSchema)]
#[schema(as = Choice)]
pub(crate) struct ChoiceJson {
    /// Where the accounts are.
    platform: PlatformName,
    /// What can be chosen.
    accounts: Vec<ChoiceAccount>,
    /// What posting needs and the consent left out: each account would be limited.
    missing_scopes: Vec<String>,
    /// Until when it can be chosen.
    expires_at: Time,
}

/// Which accounts are to be connected.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ChooseAccounts)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chosen {
    /// Of those that were offered, each once.
    #[schema(min_items = 1, max_items = 50)]
    account_ids: Vec<String>,
}

/// The accounts to choose from.
///
/// What one consent brought, where it brought several accounts. The choice lasts until `expires_at`.
#[utoipa::path(get, path = "/api/connections/choices/{id}", operation_id = "read_choice", tag = "connections",
    params(("id" = ChoiceId, Path, description = "Which choice.")), security(("session" = [])),
    responses((status = 200, description = "The accounts on offer.", body = ChoiceJson, links(
        ("choose" = (operation_id = "choose_accounts", parameters(("id" = "$request.path.id")))),
    ))))]
pub(crate) async fn offered(State(deps): State<Deps>, signed_in: SignedIn, Path(id): Path<ChoiceId>) -> Result<Json<ChoiceJson>, Problem> {
    let Choice { platform, accounts, missing_scopes, expires_at, .. } = open_choice(&deps, &signed_in.session.user_id, &id).await?;
    Ok(Json(ChoiceJson { platform, accounts, missing_scopes, expires_at: expires_at.into() }))
}

/// Connects the chosen accounts.
///
/// What was not chosen is forgotten. Of many calls at once one connects, and all answer the same; the same call later answers the same;
/// if one stops half-way, the next finishes it. Other accounts than those that were chosen: 409.
#[utoipa::path(post, path = "/api/connections/choices/{id}", operation_id = "choose_accounts", tag = "connections",
    params(("id" = ChoiceId, Path, description = "Which choice.")), request_body = Chosen, security(("session" = [], "csrf" = [])),
    responses(
        (status = 201, description = "Connected.", body = ListJson<ConnectionJson>, links(
            ("disconnect" = (operation_id = "disconnect", parameters(("id" = "$response.body#/items/0/id")))),
        )),
        (status = 409, description = "state_conflict"),
    ))]
pub(crate) async fn choose(
    State(deps): State<Deps>,
    signed_in: SignedIn,
    Path(id): Path<ChoiceId>,
    Json(Chosen { account_ids }): Json<Chosen>,
) -> Result<Response, Problem> {
    let user = &signed_in.session.user_id;
    let me = attempt(&deps);
    for _ in 0..LOOKS_MAX {
        let choice = open_choice(&deps, user, &id).await?;
        choice.check(&account_ids).map_err(not_choosable)?;
        match choice
            .turn(&account_ids, &me, deps.clock.now(), || (attempt(&deps), ConnectionId::new(deps.clock.now(), deps.random.bytes())))
        {
            Turn::Take(claim) => {
                let before = choice.claim.as_ref().map(|claim| &claim.holder);
                if deps.store.claim_choice(&choice, &claim, before).await.map_err(trouble::store)? {
                    return Ok(created(&work(&deps, &choice, claim).await?));
                }
            }
            Turn::Wait => tokio::time::sleep(LOOK_AGAIN).await,
            Turn::Done(picks) => return Ok(created(&standing(&deps, user, &picks).await?)),
            Turn::Taken => {
                return Err(Problem::new(ProblemCode::StateConflict).with_detail("Other accounts were chosen. Connect again for more."));
            }
        }
    }
    Err(Problem::unavailable(SignedDuration::from_secs(1)))
}

fn attempt(deps: &Deps) -> AttemptId {
    AttemptId::new(deps.clock.now(), deps.random.bytes())
}

fn created(connections: &[Connection]) -> Response {
    (StatusCode::CREATED, Json(ListJson::whole(connections.iter().map(ConnectionJson::from).collect()))).into_response()
}

/// The user's choice while it lasts, or the 404 that says the same of another's.
async fn open_choice(deps: &Deps, user: &UserId, id: &ChoiceId) -> Result<Choice, Problem> {
    let choice = deps.store.choice(user, id).await.map_err(trouble::store)?;
    choice.filter(|choice| choice.is_open(deps.clock.now())).ok_or_else(Problem::not_found)
}

fn not_choosable(why: NotChoosable) -> Problem {
    let problem = Problem::validation(Vec::new());
    match why {
        NotChoosable::Count => {
            problem.with_error("/account_ids", FieldCode::AccountsCount, "Choose at least one of the accounts, each once.")
        }
        NotChoosable::Unknown(at) => problem.with_error(
            format!("/account_ids/{at}"),
            FieldCode::AccountUnknown,
            "This account was not offered. Choose from those that were.",
        ),
    }
}

/// What the earlier call connected, as far as it still is.
async fn standing(deps: &Deps, user: &UserId, picks: &[Pick]) -> Result<Vec<Connection>, Problem> {
    let mut connections = Vec::new();
    for pick in picks {
        connections.extend(deps.store.connection(user, &pick.connection_id).await.map_err(trouble::store)?);
    }
    Ok(connections)
}

/// Connects all picks and says so, or gives the claim back for the next call.
async fn work(deps: &Deps, choice: &Choice, claim: Claim) -> Result<Vec<Connection>, Problem> {
    let connected = connect_all(deps, choice, &claim.picks).await;
    let next = match &connected {
        Ok(connections) => claim.clone().finished(&connections.iter().map(|connection| connection.id.clone()).collect::<Vec<_>>()),
        Err(_) => claim.clone().given_up(deps.clock.now()),
    };
    match deps.store.claim_choice(choice, &next, Some(&claim.holder)).await {
        Ok(_) if next.done => forget_tokens(deps, choice).await,
        Ok(_) => {}
        // The claim ends by itself, and the next call finds everything connected under the same names.
        Err(error) => tracing::warn!(user_id = %choice.user_id, error = chain(&error), "how far a choice came was not noted"),
    }
    connected
}

/// Nobody needs them any more; if they stay, the sweeper finds them by their note.
async fn forget_tokens(deps: &Deps, choice: &Choice) {
    if let Err(error) = deps.vault.delete_choice(&choice.id).await {
        tracing::warn!(user_id = %choice.user_id, error = chain(&error), "the tokens of a choice stay for now");
    }
    // What was chosen stands for itself now.
    if let Some(grantor) = &choice.grantor
        && let Err(error) = deps.store.choice_is_over(choice.platform, grantor, &choice.id).await
    {
        tracing::warn!(user_id = %choice.user_id, error = chain(&error), "a grant is held for a choice until that ends by itself");
    }
}

async fn connect_all(deps: &Deps, choice: &Choice, picks: &[Pick]) -> Result<Vec<Connection>, Problem> {
    let accounts = match deps.vault.read_choice(&choice.id).await {
        // Its time was over a moment ago.
        Err(VaultError::Missing { .. }) => return Err(Problem::not_found()),
        read => read.map_err(trouble::vault)?,
    };
    let mut connections = Vec::new();
    for pick in picks {
        let account = accounts.iter().find(|account| account.account_id == pick.account_id).ok_or_else(Problem::not_found)?;
        connections.push(connect(deps, choice, pick, account).await?);
    }
    Ok(connections)
}

async fn connect(deps: &Deps, choice: &Choice, pick: &Pick, account: &ChoiceTokens) -> Result<Connection, Problem> {
    let (descriptor, now) = (deps.platforms.get(choice.platform).descriptor(), deps.clock.now());
    let ChoiceTokens { account_id, username, kind, server, grantor, tokens } = account;
    let names = (account_id.clone(), username.clone());
    let grant = Grant::new(choice.platform, names, *kind, tokens, descriptor.scopes.required);
    let connecting = Connecting {
        user: &choice.user_id,
        grant: &grant.given_by(grantor.clone()).living_on(server.clone(), choice.app_server.clone()),
        tokens,
        life: GrantLife::new(&descriptor.terms(), tokens, now, deps.random.bytes()),
        fresh_id: pick.connection_id.clone(),
        attempt: pick.attempt.clone(),
    };
    // Several accounts come where a person's grants are one: there is nothing older to end by itself.
    let connected = connecting::connect(&deps.store, &deps.vault, &connecting, now).await;
    connected.map(|connected| connected.connection).map_err(trouble::connect)
}
