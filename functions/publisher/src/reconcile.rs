//! Looking for a post whose answer was lost. It reads, and binds what it finds; it never sends.

use domain::connection::{Connection, Health};
use domain::content::Content;
use domain::id::AttemptId;
use domain::post::{Answer, Evidence, Intent, Post, SETTLE_WAIT, State};
use domain::token::TokenSet;
use edge::problem::chain;
use jiff::SignedDuration;
use platforms::{Account, OwnPost, ReadError};
use store::{Commit, PostChange};

use crate::step::Progress;
use crate::tokens::{self, Usable};
use crate::{Deps, StepError, settle};

/// A platform's clock may differ from ours by this much.
const PLATFORM_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// One search on the account's own posts.
pub(crate) async fn search(deps: &Deps, post: Post, content: Content) -> Result<Progress, StepError> {
    let State::Unknown { intent, .. } = post.state else { return Ok(Progress::Again) };
    let now = deps.clock.now();
    let attempt = AttemptId::new(now, deps.random.bytes());
    let post = post.begin_search(attempt.clone(), now)?;
    if !matches!(deps.store.commit(&PostChange::of(&post, attempt.as_str())).await?, Commit::Done) {
        return Ok(Progress::Again);
    }
    // Whatever keeps us from reading leaves the post where it is, for a bounded time: then a person must look.
    let evidence = evidence(deps, &post, &content, intent).await.unwrap_or_else(|error| {
        tracing::error!(post_id = %post.id, error = chain(&error), "the evidence could not be read");
        Evidence::Unreadable
    });
    let transition = post.clone().conclude_search(evidence, Answer::default(), deps.clock.now())?;
    let transition = match settle::store(deps, &transition, None).await? {
        // Somebody bound the same post a moment ago: look again without it.
        Commit::AlreadyBound => {
            let transition = post.conclude_search(Evidence::Unreadable, Answer::default(), deps.clock.now())?;
            settle::store(deps, &transition, None).await?;
            transition
        }
        _ => transition,
    };
    settle::wake_later(deps, &transition.post).await;
    Ok(Progress::Rest)
}

async fn evidence(deps: &Deps, post: &Post, content: &Content, intent: Intent) -> Result<Evidence, StepError> {
    let Some(connection) = deps.store.connection(&post.user_id, &post.connection_id).await? else { return Ok(Evidence::Unreachable) };
    if connection.health == Health::Disconnecting {
        return last_look(deps, post, content, intent, &connection).await;
    }
    let mut refused = None;
    // A token that looks live may be refused once: then a fresh one is tried.
    for _ in 0..2 {
        let (connection, tokens) = match tokens::usable(deps, connection.clone(), refused.as_deref()).await? {
            Usable::Ready(connection, tokens) => (connection, tokens),
            Usable::Later => return Ok(Evidence::Unreadable),
            Usable::Dead | Usable::Gone => return Ok(Evidence::Unreachable),
        };
        match read(deps, post, &connection, &tokens, intent).await {
            Ok(posts) => return weigh(deps, post, content, intent, posts).await,
            Err(ReadError::TokenRefused) => refused = Some(connection.secret_version.clone()),
            Err(error) => return Ok(unread(&error)),
        }
    }
    Ok(Evidence::Unreadable)
}

fn unread(error: &ReadError) -> Evidence {
    match error {
        ReadError::Limited { until: Some(until) } => Evidence::Limited { until: *until },
        _ => Evidence::Unreadable,
    }
}

/// A disconnect waits for this search: it reads with what there is, and renews nothing.
async fn last_look(deps: &Deps, post: &Post, content: &Content, intent: Intent, connection: &Connection) -> Result<Evidence, StepError> {
    let Some(tokens) = tokens::live(deps, connection).await? else { return Ok(Evidence::Unreachable) };
    match read(deps, post, connection, &tokens, intent).await {
        Ok(posts) => weigh(deps, post, content, intent, posts).await,
        Err(ReadError::TokenRefused) => Ok(Evidence::Unreachable),
        Err(error) => Ok(unread(&error)),
    }
}

async fn read(deps: &Deps, post: &Post, connection: &Connection, tokens: &TokenSet, intent: Intent) -> Result<Vec<OwnPost>, ReadError> {
    let account = Account { id: &connection.platform_user_id, username: &connection.username, tokens };
    deps.platforms.get(post.platform).own_posts(account, intent.first_at - PLATFORM_SKEW).await
}

/// Of what the account shows, what can only be ours: same text, made while we were sending, not bound to another post.
async fn weigh(deps: &Deps, post: &Post, content: &Content, intent: Intent, shown: Vec<OwnPost>) -> Result<Evidence, StepError> {
    let platform = deps.platforms.get(post.platform);
    let ours = platform.comparable(&content.text);
    let (from, to) = (intent.first_at - PLATFORM_SKEW, intent.last_at + SETTLE_WAIT + PLATFORM_SKEW);
    let matching: Vec<OwnPost> =
        shown.into_iter().filter(|own| own.created_at >= from && own.created_at <= to && platform.comparable(&own.text) == ours).collect();
    let ids: Vec<String> = matching.iter().map(|own| own.id.clone()).collect();
    let bound = deps.store.bound(post.platform, &ids).await?;
    let mut free = matching.into_iter().filter(|own| !bound.contains(&own.id));
    Ok(match (free.next(), free.next()) {
        (Some(own), None) => Evidence::Found { platform_post_id: own.id, url: own.url },
        (None, _) => Evidence::NotFound,
        (Some(_), Some(_)) => Evidence::Ambiguous,
    })
}
