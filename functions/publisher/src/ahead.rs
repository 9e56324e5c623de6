//! What can be done for a post before it is due.

use connecting::tokens;
use domain::post::Post;
use edge::problem::chain;

use crate::deps::Deps;
use crate::turns::Batch;

/// Renews tokens that will have ended when the post is due, in the minute that its early wake-up gives: a network whose tokens live for two
/// hours would have each post renew them in the very second in which it is due. What does not come to pass here does when the post is due.
pub(crate) async fn renew(deps: &Deps, batch: &Batch, post: &Post) {
    let connection = match deps.store.connection(&post.user_id, &post.connection_id).await {
        Ok(connection) => connection,
        Err(error) => {
            tracing::warn!(post_id = %post.id, error = chain(&error), "whether tokens end before a post is due could not be read");
            return;
        }
    };
    let Some(connection) = connection else { return };
    // On the heap: most wake-ups renew nothing.
    if let Err(error) = Box::pin(tokens::renew_before(&deps.access(batch.deadline), connection, post.due_at)).await {
        deps.metrics.count(deps.clock.now(), "tokens_unavailable", &[]);
        tracing::error!(post_id = %post.id, connection_id = %post.connection_id, error = chain(&error), "tokens were not renewed before their post is due");
    }
}
