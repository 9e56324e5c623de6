//! Who the person is, and which organizations they act for.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::api::act;
use super::shapes::{ROLES_LOST, authorised, failure, forbidden, part};
use super::{LINKEDIN, ORGANIZATIONS, SimulatedLinkedIn, sub};
use crate::World;
use crate::consent::Params;
use crate::faults::{Call, Failed, Operation, guarded};
use crate::token::Token;

type Fields = Vec<(String, String)>;

/// Roles come one at a time, whatever the count, so that clients have to follow the links.
const ROLES_AT_ONCE: usize = 1;

/// `GET /v2/userinfo`, which has no version.
pub(super) async fn userinfo(State(world): State<Arc<World>>, headers: HeaderMap) -> Result<Response, Failed> {
    let token = match authorised(&world, &headers)? {
        Ok(token) => token,
        Err(refusal) => {
            world.storage.count_call(LINKEDIN, Operation::Identity)?;
            return Ok(refusal);
        }
    };
    let call = Call { double: &SimulatedLinkedIn, on: Operation::Identity, account: Some(&token.account) };
    guarded(&world, call, || {
        if !(token.allows("openid") && token.allows("profile")) {
            return Ok(forbidden("userinfo.GET.NO_VERSION"));
        }
        let name = &token.account.name;
        let locale = json!({ "country": "US", "language": "en" });
        let told = json!({ "sub": sub(name), "name": name, "given_name": name, "family_name": "", "locale": locale });
        Ok(Json(told).into_response())
    })
    .await
}

/// `GET /rest/organizationAcls?q=roleAssignee`.
pub(super) async fn roles(State(world): State<Arc<World>>, Query(query): Query<Fields>, headers: HeaderMap) -> Result<Response, Failed> {
    let params = Params(query);
    act(&world, &headers, Operation::Identity, |token| {
        if params.get("q") != Some("roleAssignee") {
            return Ok(failure(StatusCode::BAD_REQUEST, "ILLEGAL_ARGUMENT", "q must be roleAssignee"));
        }
        if !token.allows("r_organization_admin") {
            return Ok(forbidden("organizationAcls.FINDER-roleAssignee"));
        }
        if world.storage.stands(LINKEDIN, ROLES_LOST, &token.account)? {
            return Ok(failure(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR", "Internal server error"));
        }
        let start = params.get("start").and_then(|start| start.parse().ok()).unwrap_or(0);
        Ok(Json(part(held(&world, token)?, start, ROLES_AT_ONCE, "organizationAcls?q=roleAssignee")).into_response())
    })
    .await
}

/// The roles of the person in the organizations that they allowed.
fn held(world: &World, token: &Token) -> Result<Vec<Value>, Failed> {
    let allowed = world.storage.granted_account_ids(token.grant_id)?;
    let role = |(id, _, role): &(&str, &str, &str)| json!({ "organization": id, "role": role, "roleAssignee": token.account.id, "state": "APPROVED" });
    Ok(ORGANIZATIONS.iter().filter(|(id, ..)| allowed.iter().any(|of| of == id)).map(role).collect())
}

/// `GET /rest/organizations?ids=List(…)`.
pub(super) async fn names(State(world): State<Arc<World>>, Query(query): Query<Fields>, headers: HeaderMap) -> Result<Response, Failed> {
    let params = Params(query);
    act(&world, &headers, Operation::Identity, |_| {
        let list = params.get("ids").and_then(|ids| ids.strip_prefix("List(")?.strip_suffix(')')).unwrap_or_default();
        let mut results = json!({});
        for id in list.split(',') {
            if let Some(organization) = super::organization(&format!("urn:li:organization:{id}")) {
                results[id] = json!({ "id": id.parse::<u64>().unwrap_or_default(), "localizedName": organization.name });
            }
        }
        Ok(Json(json!({ "results": results, "statuses": {}, "errors": {} })).into_response())
    })
    .await
}
