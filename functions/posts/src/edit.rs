//! `PATCH /api/posts/{id}`: another text, time or account, until a worker has the post, and after it has failed or was missed.

use axum::extract::State;
use axum::response::Response;
use cloud::timer::is_imminent;
use domain::connection::Connection;
use domain::content::Content;
use domain::id::{ConnectionId, HistoryId, PostId};
use domain::ledger::{Actor, LedgerChange};
use domain::planted::Bug;
use domain::post::{DRAFTS_MAX, Edit, Event, NewTime, Post, Status};
use domain::timing::Adjusted;
use edge::if_match::{IfMatch, RequiredIfMatch};
use edge::json::{Json, Path};
use edge::problem::{FieldCode, FieldError, Problem, ProblemCode};
use edge::session::SignedIn;
use serde::Deserialize;
use store::{Commit, PostChange, Rounds};
use utoipa::ToSchema;

use crate::answer::PostJson;
use crate::read::own;
use crate::validate::{self, AskedTime, Times};
use crate::{Deps, answer, arm, reserve, trouble};

/// What is to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({ "content": "Fresh bread from eight tomorrow.", "scheduled_for": "2026-12-24T08:00:00+10:00" }))]
#[serde(deny_unknown_fields)]
pub(crate) struct EditPost {
    /// Another text.
    #[schema(max_length = 63_206)]
    content: Option<String>,
    /// Another connection of the same platform.
    #[schema(value_type = Option<ConnectionId>)]
    connection_id: Option<String>,
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
}

/// Changes a post.
///
/// A draft, a scheduled or a held post changes under a new version. A scheduled one stays scheduled; if its new time lies in another
/// cycle, its quota slot moves there in the same transaction. A held one stays held, and the sweeper looks within a minute whether it may
/// go on by what was changed. One that failed or was missed becomes a draft, with its attempts and events, and is to be approved anew.
#[utoipa::path(patch, path = "/api/posts/{id}", operation_id = "edit_post", tag = "posts",
    params(("id" = PostId, Path, description = "Which post."), RequiredIfMatch),
    request_body = EditPost, security(("session" = [], "csrf" = [])),
    responses(
        (status = 200, description = "The new version.", body = PostJson, headers(("ETag" = String))),
        (status = 409, description = "post_in_flight, state_conflict, no_active_plan, quota_exhausted, connection_unusable"),
        (status = 412, description = "stale_version"),
        (status = 428, description = "precondition_required"),
    ))]
pub(crate) async fn edit(
    State(deps): State<Deps>,
    signed_in: SignedIn,
    Path(id): Path<PostId>,
    read: IfMatch,
    Json(request): Json<EditPost>,
) -> Result<Response, Problem> {
    let user = &signed_in.session.user_id;
    let read = read.required()?;
    let writer = HistoryId::new(deps.clock.now(), deps.random.bytes()).to_string();
    let mut rounds = Rounds::new("changing a post", &writer);
    loop {
        rounds.next().await.map_err(trouble::store)?;
        let (post, content) = own(&deps, user, &id).await?;
        if !Bug::StaleVersionAccepted.is_planted() {
            read.admit(post.version)?;
        }
        let other = other_connection(&deps, &request, &post).await?;
        let account = account(&deps, &post, other.as_ref()).await?;
        let Asked { edit, content, adjusted } = asked(&deps, &request, &post, content, (other.as_ref(), account.as_ref()))?;
        if changes_nothing(&edit, &post) {
            return Ok(answer::tagged(post, content));
        }
        let Some((edit, ledger)) = moved_place(&deps, &post, edit).await? else { continue };
        let now = deps.clock.now();
        let from = post.status();
        let edited = post.clone().edit(edit, now).map_err(trouble::refused)?;
        // The write is conditional on the same; this tells why.
        let is_new_draft = edited.status() == Status::Draft && from != Status::Draft;
        if is_new_draft && deps.store.drafts(user).await.map_err(trouble::store)? >= DRAFTS_MAX {
            return Err(trouble::too_many_drafts());
        }
        let event = Event { at: now, from: Some(from), to: edited.status(), actor: Actor::User, note: "edited".to_owned() };
        let base = PostChange::of(&edited, &writer, &event);
        let look_through = edited.is_held();
        let change = PostChange { content: Some(&content), ledger: &ledger, usable: other.as_ref(), look_through, ..base };
        if matches!(deps.store.commit(&change).await.map_err(trouble::store)?, Commit::Done) {
            if from == Status::Scheduled {
                arm::arm(&deps, &edited).await;
                arm::disarm(&deps, &post).await;
            }
            return Ok(answer::edited(edited, content, adjusted));
        }
    }
}

/// An edit that changes nothing is none, but of a post that is over: that goes on as a draft.
fn changes_nothing(edit: &Edit, post: &Post) -> bool {
    let same_text = edit.content_hash.as_ref() == Some(&post.content_hash);
    same_text && edit.time.is_none() && edit.connection_id.is_none() && !post.is_over()
}

/// The connection that the request names, where the post goes to another one so far. Another user's and one that is not there are told in
/// the same words; one that cannot be posted to is 409 `connection_unusable`, and the write is conditional on its being usable.
async fn other_connection(deps: &Deps, request: &EditPost, post: &Post) -> Result<Option<Connection>, Problem> {
    let Some(named) = &request.connection_id else { return Ok(None) };
    let connection = match ConnectionId::parse(named) {
        Ok(id) if id == post.connection_id => return Ok(None),
        Ok(id) => deps.store.connection(&post.user_id, &id).await.map_err(trouble::store)?,
        Err(_) => None,
    };
    let refuse = |code, detail| Err(Problem::validation(vec![FieldError::new("/connection_id", code, detail)]));
    match connection {
        None => refuse(FieldCode::ConnectionUnknown, "You have no such connection. Give one of `GET /api/connections`."),
        Some(connection) if connection.platform != post.platform => {
            refuse(FieldCode::ConnectionOfOtherPlatform, "A post stays on its platform. Choose another account there.")
        }
        Some(connection) if !connection.is_usable() => Err(Problem::new(ProblemCode::ConnectionUnusable)),
        connection => Ok(connection),
    }
}

/// The connection whose account says how long a text may be, where accounts differ in that. One that is gone says nothing.
async fn account(deps: &Deps, post: &Post, other: Option<&Connection>) -> Result<Option<Connection>, Problem> {
    match other {
        Some(other) => Ok(Some(other.clone())),
        None if post.platform.descriptor().text_of.is_none() => Ok(None),
        None => deps.store.connection(&post.user_id, &post.connection_id).await.map_err(trouble::store),
    }
}

/// What the request changes, checked.
struct Asked {
    edit: Edit,
    content: Content,
    adjusted: Option<Adjusted>,
}

/// A last moment that the request does not name stays as far behind the due time as it was.
fn asked(
    deps: &Deps,
    request: &EditPost,
    post: &Post,
    content: Content,
    (other, account): (Option<&Connection>, Option<&Connection>),
) -> Result<Asked, Problem> {
    let mut errors: Vec<FieldError> = Vec::new();
    let content = Content { text: request.content.clone().unwrap_or(content.text), ..content };
    let facts = account.map_or_else(|| post.platform.descriptor().usual_facts(), Connection::facts);
    validate::content(Some((post.platform, facts)), &content.text, "/content", &mut errors);
    validate::extras(&request.media, None, &mut errors);
    let names_time = request.scheduled_for.is_some() || request.scheduled_local.is_some();
    let time = (names_time || request.time_zone.is_some() || request.latest_at.is_some()).then(|| {
        let asked = AskedTime {
            standing: Some(post.due_at),
            scheduled_for: request.scheduled_for.as_deref(),
            scheduled_local: request.scheduled_local.as_deref(),
            time_zone: request.time_zone.as_deref().or(if names_time { None } else { post.time_zone.as_deref() }),
            latest_at: request.latest_at.as_deref(),
        };
        validate::times(&asked, post.latest_at.duration_since(post.due_at), deps.clock.now(), &mut errors)
    });
    if !errors.is_empty() {
        return Err(Problem::validation(errors));
    }
    let times = time.flatten();
    let adjusted = times.as_ref().and_then(|times| times.adjusted);
    let time = times.map(|times| new_time(times, post, names_time));
    let edit =
        Edit { content_hash: Some(content.hash()), connection_id: other.map(|connection| connection.id.clone()), time, ..Edit::default() };
    Ok(Asked { edit, content, adjusted })
}

/// The local time of before stands beside the instant and the zone of before, if the request names no other time.
fn new_time(times: Times, post: &Post, names_time: bool) -> NewTime {
    let Times { due_at, latest_at, time_zone, local_time, adjusted: _ } = times;
    let stands = !names_time && due_at == post.due_at && time_zone == post.time_zone;
    NewTime { due_at, latest_at, time_zone, local_time: if stands { post.local_time } else { local_time } }
}

/// For a scheduled post: whether it is imminent, and the place in the cycle that its time now lies in. `None`: its place was given
/// back meanwhile, so the post has changed too.
async fn moved_place(deps: &Deps, post: &Post, edit: Edit) -> Result<Option<(Edit, Vec<LedgerChange>)>, Problem> {
    let (Status::Scheduled, Some(held)) = (post.status(), post.cycle_start) else { return Ok(Some((edit, Vec::new()))) };
    let now = deps.clock.now();
    let due_at = edit.time.as_ref().map_or(post.due_at, |time| time.due_at);
    let edit = Edit { armed: is_imminent(due_at, now), ..edit };
    if due_at == post.due_at {
        return Ok(Some((edit, Vec::new())));
    }
    let held = deps.store.cycle(&post.user_id, held).await.map_err(trouble::store)?;
    // Within its own cycle it asks for no plan: its quota slot is there.
    if held.as_ref().is_some_and(|held| held.span.start <= due_at && due_at < held.span.end) {
        return Ok(Some((edit, Vec::new())));
    }
    let plan = reserve::plan(deps, &post.user_id).await?;
    let wanted = reserve::cycle_start(&plan, due_at)?;
    if held.as_ref().is_some_and(|held| held.span.start == wanted) {
        return Ok(Some((edit, Vec::new())));
    }
    let taken = reserve::reserve(deps, (&post.user_id, &post.id), &plan, due_at).await?;
    let released = held.and_then(|held| held.release(reserve::cause(deps, now, &post.id)).ok());
    Ok(released.map(|released| (Edit { cycle_start: Some(wanted), ..edit }, vec![released, taken])))
}
