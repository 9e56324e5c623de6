//! `POST /api/posts`: drafts, one for each target.
//!
//! Under an idempotency key the ids are the same in every run, so that a run whose answer was lost is found and not repeated.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::connection::Connection;
use domain::content::Content;
use domain::id::{ConnectionId, GroupId, PostId, UserId};
use domain::idempotency::Seed;
use domain::ledger::Actor;
use domain::post::{Draft, Event, LATEST_DEFAULT, Post};
use edge::contract::json_bytes;
use edge::idempotency::Run;
use edge::json::{Json, Object};
use edge::problem::{FieldCode, FieldError, Problem, ProblemCode};
use edge::session::SignedIn;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answer::PostJson;
use crate::validate::{self, AskedTime, Times};
use crate::{Deps, trouble};

/// More accounts than one announcement goes to; three rows each fit into one transaction.
const TARGETS_MAX: usize = 20;
/// What the drafts of one request come to, as they are answered: they are stored in one transaction, of 4 MB at most, and told in one answer.
const CREATED_BYTES_MAX: usize = 3_000_000;

/// What is to be posted, where and when.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({
    "content": "Fresh bread from seven tomorrow.",
    "targets": [{ "connection_id": "01JCZ0V6M8D3W5T2Q9R7N4K1HB" }],
    "scheduled_local": "2026-12-24T07:00:00",
    "time_zone": "Australia/Brisbane",
}))]
#[serde(deny_unknown_fields)]
pub(crate) struct CreatePosts {
    /// For every target without a text of its own. How much each platform takes is told by `GET /api/platforms`.
    #[schema(max_length = 63_206)]
    content: String,
    /// The accounts that it goes to, each once.
    #[schema(value_type = Vec<Target>, min_items = 1, max_items = 20)]
    targets: Vec<Object<Target>>,
    /// An instant with its offset; either this or `scheduled_local`.
    #[schema(format = DateTime, max_length = 64)]
    scheduled_for: Option<String>,
    /// A local time in `time_zone`.
    #[schema(max_length = 64)]
    scheduled_local: Option<String>,
    /// An IANA name.
    #[schema(max_length = 64)]
    time_zone: Option<String>,
    /// The last moment, at most a day after the time.
    #[schema(format = DateTime, max_length = 64)]
    latest_at: Option<String>,
    /// No medium is taken: leave it out, or empty.
    #[serde(default)]
    #[schema(max_items = 0)]
    media: Vec<String>,
    /// Kept beside the text; never sent.
    #[schema(max_length = 8_000)]
    ai_recommendation: Option<String>,
}

/// One account that a post goes to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Target {
    /// Which connection.
    #[schema(value_type = ConnectionId)]
    connection_id: String,
    /// A text for this account alone, in place of the shared one.
    #[schema(max_length = 63_206)]
    content: Option<String>,
}

/// The drafts that were made.
#[derive(Serialize, ToSchema)]
#[schema(as = CreatedPosts)]
pub(crate) struct Created {
    /// One for each target, in the same order.
    items: Vec<PostJson>,
}

/// Writes drafts.
///
/// One for each target, all or none. Every field at fault is named.
#[utoipa::path(post, path = "/api/posts", operation_id = "create_posts", tag = "posts", request_body = CreatePosts,
    security(("session" = [], "csrf" = [])),
    responses((status = 409, description = "state_conflict"), (status = 201, description = "One draft for each target.", body = Created, links(
        ("read" = (operation_id = "read_post", parameters(("id" = "$response.body#/items/0/id")))),
        ("edit" = (operation_id = "edit_post", parameters(("id" = "$response.body#/items/0/id")))),
        ("approve" = (operation_id = "approve_post", parameters(("id" = "$response.body#/items/0/id")))),
        ("cancel" = (operation_id = "cancel_post", parameters(("id" = "$response.body#/items/0/id")))),
        ("retry" = (operation_id = "retry_post", parameters(("id" = "$response.body#/items/0/id")))),
        ("resolve" = (operation_id = "resolve_post", parameters(("id" = "$response.body#/items/0/id")))),
        ("delete" = (operation_id = "delete_post", parameters(("id" = "$response.body#/items/0/id")))),
    ))))]
pub(crate) async fn create(
    State(deps): State<Deps>,
    signed_in: SignedIn,
    Run(seed): Run,
    Json(request): Json<CreatePosts>,
) -> Result<Response, Problem> {
    let user = &signed_in.session.user_id;
    if let Some(seed) = seed.as_ref().filter(|seed| seed.is_repeat()) {
        let made = made_before(&deps, user, seed, request.targets.len()).await?;
        if !made.is_empty() {
            return Ok((StatusCode::CREATED, Json(Created { items: made })).into_response());
        }
    }
    let now = deps.clock.now();
    let named: Vec<_> =
        request.targets.iter().take(TARGETS_MAX).filter_map(|Object(target)| ConnectionId::parse(&target.connection_id).ok()).collect();
    let connections = deps.store.connections_named(user, &named).await.map_err(trouble::store)?;
    let mut errors = Vec::new();
    let asked = AskedTime {
        standing: None,
        scheduled_for: request.scheduled_for.as_deref(),
        scheduled_local: request.scheduled_local.as_deref(),
        time_zone: request.time_zone.as_deref(),
        latest_at: request.latest_at.as_deref(),
    };
    let times = validate::times(&asked, LATEST_DEFAULT, now, &mut errors);
    validate::extras(&request.media, request.ai_recommendation.as_deref(), &mut errors);
    let targets = targets(&request, &connections, &mut errors);
    let Some(times) = times.filter(|_| errors.is_empty()) else { return Err(Problem::validation(errors)) };

    let group_id = match &seed {
        Some(seed) => GroupId::new(seed.first_at(), seed.entropy("group", 0)),
        None => GroupId::new(now, deps.random.bytes()),
    };
    let posts: Vec<(Post, Content, Event)> = targets
        .into_iter()
        .enumerate()
        .map(|(index, (connection, text))| {
            let content = Content { text: text.to_owned(), ai_recommendation: request.ai_recommendation.clone() };
            let id = seed.as_ref().map_or_else(|| PostId::new(now, deps.random.bytes()), |seed| id_from(seed, index));
            let post = Post::draft(draft(id, connection, &group_id, &content, &times), now);
            let event = Event { at: now, from: None, to: post.status(), actor: Actor::User, note: "written".to_owned() };
            (post, content, event)
        })
        .collect();
    let told = |(post, content, _): &(Post, Content, Event)| PostJson::from((post.clone(), content.clone())).adjusted(times.adjusted);
    let created = Created { items: posts.iter().map(told).collect() };
    // Before anything is made: one text for many targets may come to more than an answer, and a transaction, holds.
    if json_bytes(&created) > CREATED_BYTES_MAX {
        let detail = "The texts of all targets together come to more than 3 MB. Name fewer targets at once.";
        return Err(Problem::new(ProblemCode::PayloadTooLarge).with_detail(detail));
    }
    if !deps.store.create_posts(&posts, group_id.as_str()).await.map_err(trouble::store)? {
        return Err(trouble::too_many_drafts());
    }
    Ok((StatusCode::CREATED, Json(created)).into_response())
}

/// The id of the post for target number `index`.
fn id_from(seed: &Seed, index: usize) -> PostId {
    PostId::new(seed.first_at(), seed.entropy("post", index))
}

/// What an earlier run of the same request has made, less what its owner has deleted since.
async fn made_before(deps: &Deps, user: &UserId, seed: &Seed, targets: usize) -> Result<Vec<PostJson>, Problem> {
    let mut made = Vec::new();
    for index in 0..targets.min(TARGETS_MAX) {
        let post = deps.store.post(user, &id_from(seed, index)).await.map_err(trouble::store)?;
        made.extend(post.map(PostJson::from));
    }
    Ok(made)
}

fn draft(id: PostId, connection: &Connection, group_id: &GroupId, content: &Content, times: &Times) -> Draft {
    Draft {
        id,
        user_id: connection.user_id.clone(),
        group_id: group_id.clone(),
        connection_id: connection.id.clone(),
        platform: connection.platform,
        content_hash: content.hash(),
        due_at: times.due_at,
        latest_at: times.latest_at,
        time_zone: times.time_zone.clone(),
        local_time: times.local_time,
        lead: connection.platform.descriptor().lead,
    }
}

/// Each target's connection and text; faults are added to `errors`.
fn targets<'a>(request: &'a CreatePosts, connections: &'a [Connection], errors: &mut Vec<FieldError>) -> Vec<(&'a Connection, &'a str)> {
    if request.targets.is_empty() || request.targets.len() > TARGETS_MAX {
        errors.push(FieldError::new("/targets", FieldCode::TargetsCount, "Name one to twenty connections."));
        validate::content(None, &request.content, "/content", errors);
        return Vec::new();
    }
    let mut chosen: Vec<(&Connection, &str)> = Vec::new();
    for (index, Object(target)) in request.targets.iter().enumerate() {
        let id = ConnectionId::parse(&target.connection_id).ok();
        let connection = connections.iter().find(|connection| Some(&connection.id) == id.as_ref());
        let refused = match connection {
            None => Some((FieldCode::ConnectionUnknown, "You have no such connection. Give one of `GET /api/connections`.")),
            Some(connection) if chosen.iter().any(|(other, _)| other.id == connection.id) => {
                Some((FieldCode::ConnectionRepeated, "This connection is named twice. Leave one out."))
            }
            Some(_) => None,
        };
        if let Some((code, detail)) = refused {
            errors.push(FieldError::new(format!("/targets/{index}/connection_id"), code, detail));
        }
        let (text, pointer) = match &target.content {
            Some(own) => (own.as_str(), format!("/targets/{index}/content")),
            None => (request.content.as_str(), "/content".to_owned()),
        };
        validate::content(connection.map(|connection| (connection.platform, connection.facts())), text, &pointer, errors);
        chosen.extend(connection.filter(|_| refused.is_none()).map(|connection| (connection, text)));
    }
    chosen
}
