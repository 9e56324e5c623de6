//! Posting, and reading back what an organization has posted.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::shapes::{VERSION_ENDED, authorised, bad_input, duplicate_of, failure, forbidden, objection, part};
use super::{LINKEDIN, SimulatedLinkedIn, little, organization};
use crate::World;
use crate::consent::Params;
use crate::faults::{Call, Failed, Operation, guarded};
use crate::storage::StoredPost;
use crate::token::{Account, Token};

/// The longest commentary.
const LETTERS_MAX: usize = 3_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewPost {
    author: String,
    commentary: String,
    visibility: String,
    lifecycle_state: String,
    distribution: Value,
}

/// `POST /rest/posts`: 201 without a body, the id in a header.
pub(super) async fn create(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Result<Response, Failed> {
    let post = serde_json::from_slice::<NewPost>(&body).ok();
    let author = post.as_ref().map(|post| post.author.as_str());
    acting_as(&world, &headers, Operation::Publish, author, |token, account| {
        let Some(post) = post.as_ref().filter(|post| post.lifecycle_state == "PUBLISHED" && post.distribution.is_object()) else {
            return Ok(failure(
                StatusCode::UNPROCESSABLE_ENTITY,
                "",
                "ERROR :: /author :: field is required but not found and has no default value\n",
            ));
        };
        let scope = if organization(&account.id).is_some() { "w_organization_social" } else { "w_member_social" };
        if !token.allows(scope) {
            return Ok(forbidden("posts.CREATE"));
        }
        let text = little::seen(&post.commentary);
        if text.chars().count() > LETTERS_MAX {
            return Ok(bad_input(StatusCode::BAD_REQUEST, "FIELD_LENGTH_TOO_LONG", "Field /commentary is too long"));
        }
        if text.trim().is_empty() || post.visibility != "PUBLIC" {
            return Ok(bad_input(StatusCode::BAD_REQUEST, "INVALID_VALUE_FOR_FIELD", "Invalid value for field"));
        }
        let now = world.clock.now();
        if let Some(before) = world.storage.duplicate_of(LINKEDIN, account, &text, now)? {
            return Ok(duplicate_of(&before));
        }
        let Some(post) = world.storage.create_post(LINKEDIN, account, &text, now, super::post_id)? else { return Ok(duplicate_of("")) };
        let mut created = StatusCode::CREATED.into_response();
        created.headers_mut().insert("x-restli-id", HeaderValue::from_str(&post.id)?);
        Ok(created)
    })
    .await
}

/// `GET /rest/posts?q=author`: of organizations alone. What a member has posted nobody may read.
pub(super) async fn list(
    State(world): State<Arc<World>>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let params = Params(query);
    acting_as(&world, &headers, Operation::List, params.get("author"), |token, account| {
        let is_finder = params.get("q") == Some("author") && headers.get("x-restli-method").is_some_and(|method| method == "FINDER");
        if !is_finder {
            return Ok(failure(StatusCode::BAD_REQUEST, "ILLEGAL_ARGUMENT", "No such finder"));
        }
        if organization(&account.id).is_none() || !token.allows("r_organization_social") {
            return Ok(forbidden("partnerApiPostsExternal.FINDER-author"));
        }
        let number = |name: &str| params.get(name).and_then(|number| number.parse().ok());
        let lag = SignedDuration::from_secs(world.storage.list_lag_secs(LINKEDIN, account)?);
        let posts = world.storage.posts(LINKEDIN, Some(&account.id), Timestamp::UNIX_EPOCH, world.clock.now() - lag)?;
        let (start, count) = (number("start").unwrap_or(0), number("count").unwrap_or(10).clamp(1, 100));
        Ok(Json(part(posts.iter().map(shown).collect(), start, count, "posts?q=author")).into_response())
    })
    .await
}

fn shown(post: &StoredPost) -> Value {
    let made = post.created_at.as_millisecond();
    json!({
        "id": post.id, "author": post.account.id, "commentary": little::told(&post.text), "visibility": "PUBLIC", "lifecycleState": "PUBLISHED",
        "createdAt": made, "publishedAt": made, "lastModifiedAt": made, "isReshareDisabledByAuthor": false,
        "distribution": { "feedDistribution": "MAIN_FEED", "thirdPartyDistributionChannels": [] },
    })
}

/// Runs `effect` for the person of a live token.
pub(super) async fn act(
    world: &World,
    headers: &HeaderMap,
    on: Operation,
    effect: impl FnOnce(&Token) -> Result<Response, Failed> + Send,
) -> Result<Response, Failed> {
    acting_as(world, headers, on, None, |token, _| effect(token)).await
}

/// Runs `effect` for an account of the consent, or for the person.
pub(super) async fn acting_as(
    world: &World,
    headers: &HeaderMap,
    on: Operation,
    account: Option<&str>,
    effect: impl FnOnce(&Token, &Account) -> Result<Response, Failed> + Send,
) -> Result<Response, Failed> {
    let token = match authorised(world, headers)? {
        Ok(token) => token,
        Err(refusal) => {
            world.storage.count_call(LINKEDIN, on)?;
            return Ok(refusal);
        }
    };
    let account = match account {
        Some(id) if id != token.account.id => granted(world, &token, id)?,
        _ => Some(token.account.clone()),
    };
    let ended = world.storage.stands(LINKEDIN, VERSION_ENDED, &token.account)?;
    let call = Call { double: &SimulatedLinkedIn, on, account: account.as_ref() };
    guarded(world, call, || match (objection(headers, ended), &account) {
        (Some(objection), _) => Ok(objection),
        (None, Some(account)) => effect(&token, account),
        (None, None) => Ok(forbidden("posts")),
    })
    .await
}

/// An organization of the consent.
fn granted(world: &World, token: &Token, id: &str) -> Result<Option<Account>, Failed> {
    let is_granted = world.storage.granted_account_ids(token.grant_id)?.iter().any(|of| of == id);
    Ok(organization(id).filter(|_| is_granted))
}
