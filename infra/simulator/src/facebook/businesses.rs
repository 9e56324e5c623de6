//! The businesses of a person, and the Pages that they own or look after: one at a time, so that clients have to follow the links.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde_json::{Value, json};

use super::api::{act, page_token, unknown_page};
use super::shapes::{BUSINESSES_LOST, DIALECT, forbidden};
use super::{BUSINESS_PAGES, FACEBOOK, PAGES, USER_TOKENS, page};
use crate::World;
use crate::consent::Params;
use crate::faults::{Failed, Operation};
use crate::token::Token;

/// A business: its id and name, the Pages that it owns, those of its clients. The first Page is the person's own, too.
type Business = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

const BUSINESSES: [Business; 2] = [
    ("300000000000001", "Demo Holding", &[PAGES[0].0, BUSINESS_PAGES[0].0], &[]),
    ("300000000000002", "Demo Agency", &[], &[BUSINESS_PAGES[1].0]),
];

type Fields = Vec<(String, String)>;

/// A call as it came.
struct Asked {
    version: String,
    params: Params,
    headers: HeaderMap,
}

/// `GET /me/businesses`: those of which the consent holds a Page that no other list shows.
pub(super) async fn businesses(
    State(world): State<Arc<World>>,
    Path(version): Path<String>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let asked = Asked { version, params: Params(query), headers };
    act(&world, &asked.headers, &asked.params, (Operation::Identity, &USER_TOKENS), |token| {
        if !token.allows("business_management") {
            return Ok(forbidden("business_management"));
        }
        if world.storage.stands(FACEBOOK, BUSINESSES_LOST, &token.account)? {
            return Ok((DIALECT.server_error)());
        }
        let granted = world.storage.granted_account_ids(token.grant_id)?;
        let is_seen =
            |business: &&Business| business.2.iter().chain(business.3).any(|id| !super::is_own(id) && granted.iter().any(|of| of == id));
        let seen: Vec<_> = BUSINESSES.iter().filter(is_seen).collect();
        let mut shown = Vec::new();
        for (id, name, owned, clients) in &seen {
            let mut business = json!({ "id": id, "name": name });
            for (edge, pages) in [("owned_pages", owned), ("client_pages", clients)] {
                let is_asked = asked.params.get("fields").is_some_and(|fields| fields.contains(edge));
                if is_asked && !pages.is_empty() {
                    business[edge] = pages_of(&world, &asked, token, (id, edge, pages))?;
                }
            }
            shown.push(business);
        }
        Ok(Json(list(&world, &asked, token, "me/businesses", shown)).into_response())
    })
    .await
}

/// `GET /{business}/owned_pages`.
pub(super) async fn owned(
    State(world): State<Arc<World>>,
    Path(path): Path<(String, String)>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    edge(&world, path, "owned_pages", |business| business.2, Params(query), headers).await
}

/// `GET /{business}/client_pages`.
pub(super) async fn clients(
    State(world): State<Arc<World>>,
    Path(path): Path<(String, String)>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    edge(&world, path, "client_pages", |business| business.3, Params(query), headers).await
}

async fn edge(
    world: &World,
    (version, business): (String, String),
    edge: &str,
    pages: fn(&Business) -> &'static [&'static str],
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let asked = Asked { version, params, headers };
    act(world, &asked.headers, &asked.params, (Operation::Identity, &USER_TOKENS), |token| {
        let Some(business) = BUSINESSES.iter().find(|of| of.0 == business) else { return Ok(unknown_page()) };
        if !token.allows("business_management") {
            return Ok(forbidden("business_management"));
        }
        Ok(Json(pages_of(world, &asked, token, (business.0, edge, pages(business)))?).into_response())
    })
    .await
}

/// The Pages of one kind, of those that the consent holds. There are no tasks: a token says that the person may act.
fn pages_of(world: &World, asked: &Asked, token: &Token, (business, edge, ids): (&str, &str, &[&str])) -> Result<Value, Failed> {
    let granted = world.storage.granted_account_ids(token.grant_id)?;
    let mut pages = Vec::new();
    for page in ids.iter().filter(|id| granted.iter().any(|of| of == *id)).filter_map(|id| page(id)) {
        pages.push(json!({ "id": page.id, "name": page.name, "access_token": page_token(world, token, &page)? }));
    }
    // The place in this list is told by its own links alone.
    let at_start = asked.params.get("fields").is_some_and(|fields| fields.contains(edge));
    let from = Asked { version: asked.version.clone(), params: Params(Vec::new()), headers: HeaderMap::new() };
    Ok(list(world, if at_start { &from } else { asked }, token, &format!("{business}/{edge}"), pages))
}

/// One item, and the link to the next, with the token and its proof in it as Graph writes them.
fn list(world: &World, asked: &Asked, token: &Token, path: &str, items: Vec<Value>) -> Value {
    let at = asked.params.get("after").and_then(|after| after.parse::<usize>().ok()).unwrap_or(0);
    let more = items.len() > at + 1;
    let data: Vec<_> = items.into_iter().skip(at).take(1).collect();
    let mut answer = json!({ "data": data, "paging": { "cursors": { "after": (at + 1).to_string() } } });
    if more {
        let fields = asked.params.get("fields").unwrap_or("id,name,access_token");
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("access_token", &token.value).append_pair("fields", fields).append_pair("limit", "1");
        let query = query.append_pair("after", &(at + 1).to_string()).finish();
        answer["paging"]["next"] = json!(format!("{}/_sim/facebook/{}/{path}?{query}", world.base, asked.version));
    }
    answer
}
