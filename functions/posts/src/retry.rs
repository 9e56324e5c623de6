//! `POST /api/posts/{id}/retry`: a post that failed or was missed is tried again.

use axum::extract::State;
use axum::response::Response;
use cloud::timer::is_imminent;
use domain::id::{HistoryId, PostId};
use domain::ledger::Actor;
use domain::post::{Event, Post, Refused, Status};
use edge::if_match::IfMatch;
use edge::json::{Json, Path};
use edge::problem::Problem;
use edge::session::SignedIn;
use jiff::Timestamp;
use serde::Deserialize;
use store::{Commit, PostChange, Rounds};
use utoipa::ToSchema;

use crate::answer::PostJson;
use crate::read::own;
use crate::validate::{self, AskedTime};
use crate::{Deps, answer, arm, reserve, trouble};

/// When to try again; it may be absent.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetryPost {
    /// When to try; at once if absent.
    #[schema(format = DateTime, max_length = 64, example = "2026-12-24T09:00:00+10:00")]
    scheduled_for: Option<String>,
}

/// Tries a post again.
///
/// A failed or missed post is scheduled anew, as it is: a new version with a new quota slot in the cycle that holds its new time, because
/// the old one was given back. What it says or where it goes is changed by `PATCH`, which makes it a draft. It may go out as late after
/// its time as its owner allowed before. One that its owner did not find, and of which a worker has learned since that it is there, is
/// not sent a second time: its new place is used by the one that is there.
#[utoipa::path(post, path = "/api/posts/{id}/retry", operation_id = "retry_post", tag = "posts",
    params(("id" = PostId, Path, description = "Which post."), IfMatch), request_body = Option<RetryPost>, security(("session" = [], "csrf" = [])),
    responses(
        (status = 200, description = "Scheduled.", body = PostJson, headers(("ETag" = String))),
        (status = 409, description = "no_active_plan, quota_exhausted, connection_unusable, post_in_flight, state_conflict"),
        (status = 412, description = "stale_version"),
    ))]
pub(crate) async fn retry(
    State(deps): State<Deps>,
    signed_in: SignedIn,
    Path(id): Path<PostId>,
    read: IfMatch,
    request: Option<Json<RetryPost>>,
) -> Result<Response, Problem> {
    let user = &signed_in.session.user_id;
    let request = request.map(|Json(request)| request).unwrap_or_default();
    let writer = HistoryId::new(deps.clock.now(), deps.random.bytes()).to_string();
    let mut rounds = Rounds::new("retrying a post", &writer);
    loop {
        rounds.next().await.map_err(trouble::store)?;
        let (standing, content) = own(&deps, user, &id).await?;
        read.admit(standing.version)?;
        let times = times(&deps, &request, &standing)?;
        if !standing.is_over() {
            return Err(trouble::refused(Refused::WrongState(standing.status())));
        }
        if let (retried, Commit::Done) = schedule(&deps, &standing, times, &writer).await? {
            tracing::info!(post_id = %id, user_id = %user, version = retried.version, due_at = %retried.due_at, "retried");
            arm::arm(&deps, &retried).await;
            return Ok(answer::tagged(retried, content));
        }
    }
}

/// One try at storing the new version with its quota slot, if the post is still as it was read.
async fn schedule(
    deps: &Deps,
    standing: &Post,
    (due_at, latest_at): (Timestamp, Timestamp),
    writer: &str,
) -> Result<(Post, Commit), Problem> {
    let from = standing.status();
    let connection = reserve::usable(deps, standing).await?;
    let plan = reserve::plan(deps, &standing.user_id).await?;
    let now = deps.clock.now();
    let ledger = reserve::reserve(deps, (&standing.user_id, &standing.id), &plan, due_at.max(now)).await?;
    let times = (due_at, latest_at);
    let retried = standing.clone().retry(times, ledger.cycle.span.start, is_imminent(due_at, now), now).map_err(trouble::refused)?;
    let event = Event { at: now, from: Some(from), to: Status::Scheduled, actor: Actor::User, note: "tried again".to_owned() };
    let change = PostChange { ledger: &[ledger], usable: Some(&connection), ..PostChange::of(&retried, writer, &event) };
    let commit = deps.store.commit(&change).await.map_err(trouble::store)?;
    Ok((retried, commit))
}

/// The new time, or now, and the last moment as far behind it as before.
fn times(deps: &Deps, request: &RetryPost, post: &Post) -> Result<(Timestamp, Timestamp), Problem> {
    let now = deps.clock.now();
    let at_once = now.to_string();
    let asked = AskedTime { scheduled_for: Some(request.scheduled_for.as_deref().unwrap_or(&at_once)), ..AskedTime::default() };
    let mut errors = Vec::new();
    let times = validate::times(&asked, post.latest_at.duration_since(post.due_at), now, &mut errors);
    times.map(|times| (times.due_at, times.latest_at)).ok_or_else(|| Problem::validation(errors))
}
