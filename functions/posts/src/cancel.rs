//! `POST /api/posts/{id}/cancel`: the post does not go out.

use axum::extract::State;
use axum::response::Response;
use domain::id::{HistoryId, PostId};
use domain::ledger::Actor;
use domain::post::{Event, Status};
use edge::if_match::IfMatch;
use edge::json::{Empty, NoFields, Path};
use edge::problem::Problem;
use edge::session::SignedIn;
use store::{Rounds, Settled, Settlement};

use crate::answer::PostJson;
use crate::read::own;
use crate::{Deps, answer, arm, reserve, trouble};

/// Cancels a post.
///
/// Until the intent to send is stored; the place in the cycle is free again. Cancelling twice is cancelling once.
#[utoipa::path(post, path = "/api/posts/{id}/cancel", operation_id = "cancel_post", tag = "posts",
    params(("id" = PostId, Path, description = "Which post."), IfMatch), request_body = Option<NoFields>, security(("session" = [], "csrf" = [])),
    responses(
        (status = 200, description = "Cancelled.", body = PostJson, headers(("ETag" = String))),
        (status = 409, description = "post_in_flight, state_conflict"),
        (status = 412, description = "stale_version"),
    ))]
pub(crate) async fn cancel(
    State(deps): State<Deps>,
    signed_in: SignedIn,
    Path(id): Path<PostId>,
    read: IfMatch,
    _: Empty,
) -> Result<Response, Problem> {
    let user = &signed_in.session.user_id;
    let writer = HistoryId::new(deps.clock.now(), deps.random.bytes()).to_string();
    let mut rounds = Rounds::new("cancelling a post", &writer);
    loop {
        rounds.next().await.map_err(trouble::store)?;
        let (post, content) = own(&deps, user, &id).await?;
        read.admit(post.version)?;
        if post.status() == Status::Cancelled {
            return Ok(answer::tagged(post, content));
        }
        let now = deps.clock.now();
        let from = post.status();
        let transition = post.clone().cancel(now).map_err(trouble::refused)?;
        let event = Event { at: now, from: Some(from), to: Status::Cancelled, actor: Actor::User, note: "cancelled".to_owned() };
        let cause = reserve::cause(&deps, now, &id);
        let settlement = Settlement { transition: &transition, writer: &writer, event: &event, cause };
        if matches!(deps.store.settle(&settlement).await.map_err(trouble::store)?, Settled::Done) {
            tracing::info!(post_id = %id, user_id = %user, from = from.as_str(), "cancelled");
            if from == Status::Scheduled {
                arm::disarm(&deps, &post).await;
            }
            return Ok(answer::tagged(transition.post, content));
        }
    }
}
