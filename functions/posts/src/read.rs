//! `GET /api/posts/{id}`: a post with its attempts and events.

use axum::extract::State;
use axum::response::Response;
use domain::content::Content;
use domain::id::{PostId, UserId};
use domain::post::Post;
use edge::json::Path;
use edge::problem::Problem;
use edge::session::SignedIn;

use crate::answer::StoryJson;
use crate::{Deps, answer, trouble};

/// A post with its story.
///
/// The post, its attempts and its events, tagged with its version.
#[utoipa::path(get, path = "/api/posts/{id}", operation_id = "read_post", tag = "posts",
    params(("id" = PostId, Path, description = "Which post.")), security(("session" = [])),
    responses((status = 200, description = "The post with its attempts and events.", body = StoryJson, headers(("ETag" = String)))))]
pub(crate) async fn read(State(deps): State<Deps>, signed_in: SignedIn, Path(id): Path<PostId>) -> Result<Response, Problem> {
    let story = deps.store.story(&signed_in.session.user_id, &id).await.map_err(trouble::store)?;
    story.map(answer::told).ok_or_else(Problem::not_found)
}

/// The user's post, or the 404 that says the same of another's post and of none.
pub(crate) async fn own(deps: &Deps, user: &UserId, id: &PostId) -> Result<(Post, Content), Problem> {
    deps.store.post(user, id).await.map_err(trouble::store)?.ok_or_else(Problem::not_found)
}
