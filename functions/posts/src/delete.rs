//! `DELETE /api/posts/{id}`: a post that is at rest and not on a platform is removed.

use axum::extract::State;
use domain::id::PostId;
use edge::if_match::IfMatch;
use edge::json::Path;
use edge::problem::Problem;
use edge::session::SignedIn;
use http::StatusCode;
use store::{Commit, Rounds};

use crate::read::own;
use crate::{Deps, trouble};

/// Removes a post.
///
/// A draft, cancelled, failed or missed one goes with its story. The ledger's history keeps its rows.
#[utoipa::path(delete, path = "/api/posts/{id}", operation_id = "delete_post", tag = "posts",
    params(("id" = PostId, Path, description = "Which post."), IfMatch), security(("session" = [], "csrf" = [])),
    responses(
        (status = 204, description = "Removed."),
        (status = 409, description = "post_in_flight, state_conflict"),
        (status = 412, description = "stale_version"),
    ))]
pub(crate) async fn delete(
    State(deps): State<Deps>,
    signed_in: SignedIn,
    Path(id): Path<PostId>,
    read: IfMatch,
) -> Result<StatusCode, Problem> {
    let mut rounds = Rounds::new("deleting a post", id.as_str());
    loop {
        rounds.next().await.map_err(trouble::store)?;
        let (post, _) = own(&deps, &signed_in.session.user_id, &id).await?;
        read.admit(post.version)?;
        post.deletable().map_err(trouble::refused)?;
        match deps.store.delete_post(&post).await.map_err(trouble::store)? {
            Commit::Done | Commit::PostMoved(None) => return Ok(StatusCode::NO_CONTENT),
            Commit::PostMoved(Some(_)) | Commit::CycleMoved | Commit::ConnectionUnusable | Commit::AlreadyBound(_) => {}
        }
    }
}
