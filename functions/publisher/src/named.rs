//! A post that the platform names as the one that has the text already, when a post that its owner did not find is tried again.

use domain::connection::Connection;
use domain::content::Content;
use domain::platform::Reconcile;
use domain::post::{Conclusion, Post};
use edge::problem::chain;

use crate::deps::Deps;
use crate::intent::looks;

/// What that means for the post. The name alone does not tell whose send made it, or when. Where the account's posts can be read, a search
/// tells more. Where nothing can be, it is taken for ours, if nothing else may have made it: of several, only a person can tell.
pub(crate) async fn conclusion(
    deps: &Deps,
    post: &Post,
    content: &Content,
    connection: &Connection,
    (platform_post_id, url): (String, Option<String>),
) -> Conclusion {
    if deps.class(connection) != Reconcile::Person {
        return Conclusion::AnswerLost;
    }
    match deps.store.rivals(post, &looks(deps, post.platform, content)).await {
        Ok(Some(rivals)) if rivals.is_empty() => Conclusion::NamedAsThere { platform_post_id, url },
        Ok(_) => Conclusion::AnswerLost,
        Err(error) => {
            tracing::warn!(post_id = %post.id, error = chain(&error), "what else may have made a named post could not be read");
            Conclusion::AnswerLost
        }
    }
}
