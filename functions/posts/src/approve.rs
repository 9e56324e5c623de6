//! `POST /api/posts/{id}/approve`: from here on the post will go out.

use axum::extract::State;
use axum::response::Response;
use cloud::timer::is_imminent;
use domain::id::{HistoryId, PostId};
use domain::ledger::Actor;
use domain::post::{Event, Post, Status};
use edge::if_match::IfMatch;
use edge::json::{Empty, NoFields, Path};
use edge::problem::{FieldCode, Problem, ProblemCode};
use edge::session::SignedIn;
use store::{Commit, PostChange, Rounds};

use crate::answer::PostJson;
use crate::read::own;
use crate::{Deps, answer, arm, reserve, trouble};

/// What to do about a post whose time has passed.
const PASSED: &str = "The post's time has passed. Change it to a time to come, then approve the post again.";

/// Approves a post.
///
/// A draft, or a held post whose account and quota slot are there again, before the sweeper comes to it: the post, its quota slot and the
/// history in one transaction, then the wake-up. With `If-Match`, the version that was read is approved and no other. Approving twice is
/// approving once.
#[utoipa::path(post, path = "/api/posts/{id}/approve", operation_id = "approve_post", tag = "posts",
    params(("id" = PostId, Path, description = "Which post."), IfMatch), request_body = Option<NoFields>, security(("session" = [], "csrf" = [])),
    responses(
        (status = 200, description = "Scheduled, or on its way already.", body = PostJson, headers(("ETag" = String))),
        (status = 409, description = "no_active_plan, quota_exhausted, connection_unusable, state_conflict"),
        (status = 412, description = "stale_version"),
    ))]
pub(crate) async fn approve(
    State(deps): State<Deps>,
    signed_in: SignedIn,
    Path(id): Path<PostId>,
    read: IfMatch,
    _: Empty,
) -> Result<Response, Problem> {
    let user = &signed_in.session.user_id;
    let writer = HistoryId::new(deps.clock.now(), deps.random.bytes()).to_string();
    let (post, content) = own(&deps, user, &id).await?;
    read.admit(post.version)?;
    if is_approved(&post) {
        return Ok(answer::tagged(post, content));
    }
    let mut standing = post;
    let mut rounds = Rounds::new("approving a post", &writer);
    loop {
        rounds.next().await.map_err(trouble::store)?;
        let connection = reserve::usable(&deps, &standing).await?;
        let plan = reserve::plan(&deps, user).await?;
        let now = deps.clock.now();
        if now > standing.latest_at {
            return Err(Problem::new(ProblemCode::ValidationFailed).with_error("/scheduled_for", FieldCode::DueInPast, PASSED));
        }
        let ledger = reserve::reserve(&deps, (user, &id), &plan, standing.due_at.max(now)).await;
        let armed = is_imminent(standing.due_at, now);
        let cycle_start = ledger.as_ref().map_or(now, |change| change.cycle.span.start);
        let approved = standing.clone().approve(cycle_start, armed, now).map_err(trouble::refused)?;
        let ledger = ledger?;
        let event =
            Event { at: now, from: Some(standing.status()), to: Status::Scheduled, actor: Actor::User, note: "approved".to_owned() };
        // Of an approval and a disconnect at once, the later one knows of the other.
        let change = PostChange { ledger: &[ledger], usable: Some(&connection), ..PostChange::of(&approved, &writer, &event) };
        match deps.store.commit(&change).await.map_err(trouble::store)? {
            Commit::Done => {
                tracing::info!(post_id = %id, user_id = %user, version = approved.version, due_at = %approved.due_at, "approved");
                arm::arm(&deps, &approved).await;
                return Ok(answer::tagged(approved, content));
            }
            Commit::PostMoved(Some(moved)) if is_approved(&moved) => {
                let (post, content) = own(&deps, user, &id).await?;
                read.admit(post.version)?;
                return Ok(answer::tagged(post, content));
            }
            // Edited at the same moment: nobody has read this version yet.
            Commit::PostMoved(Some(moved)) if moved.version != standing.version => return Err(Problem::new(ProblemCode::StaleVersion)),
            Commit::PostMoved(Some(moved)) => standing = *moved,
            Commit::PostMoved(None) => return Err(Problem::not_found()),
            Commit::CycleMoved | Commit::ConnectionUnusable | Commit::AlreadyBound(_) => {}
        }
    }
}

fn is_approved(post: &Post) -> bool {
    matches!(post.status(), Status::Scheduled | Status::Publishing | Status::Processing | Status::Published)
}
