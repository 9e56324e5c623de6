//! `POST /api/posts/{id}/resolve`: its owner looked at the platform and says whether the post is there.

use axum::extract::State;
use axum::response::Response;
use domain::failure::FailureCode;
use domain::id::{HistoryId, PostId};
use domain::ledger::Actor;
use domain::post::{Event, Learned, Post, Publication};
use edge::if_match::IfMatch;
use edge::json::{Json, Path};
use edge::problem::{FieldCode, FieldError, Problem};
use edge::session::SignedIn;
use serde::Deserialize;
use store::{Rounds, Settled, Settlement};
use url::Url;
use utoipa::ToSchema;

use crate::answer::PostJson;
use crate::read::own;
use crate::{Deps, answer, reserve, trouble};

/// The longest address that is kept.
const URL_BYTES_MAX: usize = 500;

/// What its owner saw.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResolvePost {
    /// What its owner saw on the platform.
    outcome: Seen,
    /// Where the post is, if it is there.
    #[schema(format = "uri", max_length = 500, example = "https://x.com/demo/status/1")]
    url: Option<String>,
}

/// What its owner saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[schema(as = SeenOutcome)]
#[serde(rename_all = "snake_case")]
enum Seen {
    /// It is on the platform.
    Published,
    /// It is not.
    NotPublished,
}

/// Says whether a post in doubt is there.
///
/// It ends the doubt about a post that is `unknown` or `needs_review`: its place is used, or free again. Saying the same twice is saying
/// it once; a search that is under way, or a send that may still be, is waited for with 409 `post_in_flight`. With `If-Match`, what was
/// seen of one version is not said of another: a page that was opened before the post was tried again is refused. Where a worker has
/// learned meanwhile that the post in doubt is there, it is published, whatever was seen; who then says again that it is not is refused.
#[utoipa::path(post, path = "/api/posts/{id}/resolve", operation_id = "resolve_post", tag = "posts",
    params(("id" = PostId, Path, description = "Which post."), IfMatch),
    request_body = ResolvePost, security(("session" = [], "csrf" = [])),
    responses(
        (status = 200, description = "Published, or failed.", body = PostJson, headers(("ETag" = String))),
        (status = 409, description = "post_in_flight, state_conflict"),
        (status = 412, description = "stale_version"),
    ))]
pub(crate) async fn resolve(
    State(deps): State<Deps>,
    signed_in: SignedIn,
    Path(id): Path<PostId>,
    looked_for: IfMatch,
    Json(request): Json<ResolvePost>,
) -> Result<Response, Problem> {
    let user = &signed_in.session.user_id;
    let url = checked_url(&request)?;
    let writer = HistoryId::new(deps.clock.now(), deps.random.bytes()).to_string();
    let mut rounds = Rounds::new("resolving a post", &writer);
    loop {
        rounds.next().await.map_err(trouble::store)?;
        let (post, content) = own(&deps, user, &id).await?;
        looked_for.admit(post.version)?;
        if stands(&post, request.outcome) {
            return Ok(answer::tagged(post, content));
        }
        let now = deps.clock.now();
        let from = post.status();
        let told = told(&deps, &post).await?;
        let (transition, note) = match (told, request.outcome) {
            (Some(told), _) => (post.resolve_published(Some(told), url.clone(), now), "the platform had told, late, that it is there"),
            (None, Seen::Published) => (post.resolve_published(None, url.clone(), now), "its owner found it on the platform"),
            (None, Seen::NotPublished) => (post.resolve_not_published(now), "its owner did not find it on the platform"),
        };
        let transition = transition.map_err(trouble::refused)?;
        let event = Event { at: now, from: Some(from), to: transition.post.status(), actor: Actor::User, note: note.to_owned() };
        let cause = reserve::cause(&deps, now, &id);
        let settlement = Settlement { transition: &transition, writer: &writer, event: &event, cause };
        if matches!(deps.store.settle(&settlement).await.map_err(trouble::store)?, Settled::Done) {
            tracing::info!(post_id = %id, user_id = %user, from = from.as_str(), to = transition.post.status().as_str(), "resolved");
            return Ok(answer::tagged(transition.post, content));
        }
    }
}

/// The publication that a worker learned of when the post had been taken from it.
async fn told(deps: &Deps, post: &Post) -> Result<Option<Publication>, Problem> {
    if post.in_doubt().is_none() {
        return Ok(None);
    }
    let late = deps.store.late_results(post).await.map_err(trouble::store)?;
    let told = late.into_iter().find_map(|late| match late.learned {
        Learned::Published(publication) => Some(publication),
        Learned::NotThere { .. } => None,
    });
    let Some(told) = told else { return Ok(None) };
    // What a search has bound to another post meanwhile, the publisher alone takes back.
    let bound = deps.store.bound(post.platform, std::slice::from_ref(&told.platform_post_id)).await.map_err(trouble::store)?;
    let is_free = bound.values().all(|owner| owner.post_id == post.id);
    Ok(is_free.then_some(told))
}

/// Whether what its owner says is what the post says already.
fn stands(post: &Post, outcome: Seen) -> bool {
    match (&post.state, outcome) {
        (domain::post::State::Published { .. }, Seen::Published) => true,
        (domain::post::State::Failed { code }, Seen::NotPublished) => *code == FailureCode::ReportedMissing,
        _ => false,
    }
}

/// The frontend shows the address as a link: it must be one that leads to a website.
fn checked_url(request: &ResolvePost) -> Result<Option<String>, Problem> {
    let Some(text) = &request.url else { return Ok(None) };
    let refuse = |code, detail| Err(Problem::validation(vec![FieldError::new("/url", code, detail)]));
    if request.outcome == Seen::NotPublished {
        return refuse(FieldCode::UrlUnexpected, "A post that is not published has no address. Leave it out.");
    }
    match Url::parse(text) {
        Ok(url) if is_plain(text, &url) && url.as_str().len() <= URL_BYTES_MAX => Ok(Some(url.into())),
        _ => refuse(FieldCode::UrlMalformed, "Give the post's https address, at most 500 bytes."),
    }
}

/// Whether an address leads where it seems to: browsers repair odd slashes, drop line breaks, and take what stands before an `@` for
/// a name.
fn is_plain(text: &str, url: &Url) -> bool {
    let host_first = text.strip_prefix("https://").is_some_and(|rest| !rest.starts_with('/'));
    let odd = text.contains(|letter: char| letter == '\\' || letter.is_whitespace() || letter.is_control());
    host_first && !odd && url.has_host() && url.username().is_empty() && url.password().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(outcome: Seen, url: &str) -> Option<String> {
        checked_url(&ResolvePost { outcome, url: Some(url.to_owned()) }).ok().flatten()
    }

    #[test]
    fn only_the_address_of_a_website_is_kept() {
        assert_eq!(check(Seen::Published, "https://x.com/ann/status/7").as_deref(), Some("https://x.com/ann/status/7"));
        for bad in ["", "x.com/7", "http://x.com/7", "javascript:alert(1)", "data:text/html,x", "https://", "https://x.com@evil.example/7"]
        {
            assert_eq!(check(Seen::Published, bad), None, "{bad}");
        }
        assert_eq!(check(Seen::Published, &format!("https://x.com/{}", "7".repeat(500))), None);
        assert_eq!(check(Seen::NotPublished, "https://x.com/ann/status/7"), None);
    }
}
