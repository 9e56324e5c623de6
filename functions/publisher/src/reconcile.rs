//! Looking for a post whose answer was lost. It reads, and binds what it finds; it never sends.

use std::cmp::Ordering;

use domain::connection::{Connection, Health};
use domain::content::Content;
use domain::id::AttemptId;
use domain::ledger::Actor;
use domain::post::{Answer, Event, Evidence, Intent, Learned, Post, SETTLE_WAIT, State, Status};
use domain::timing::LATEST_MAX;
use domain::token::TokenSet;
use edge::problem::chain;
use jiff::{SignedDuration, Timestamp};
use platforms::{Account, OwnPost, ReadError, Reconcile};
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
    let begun = post.begin_search(attempt.clone(), now)?;
    let event = Event::of(begun.from, &begun.post, Actor::Publisher, "looking for it on the platform", now);
    let change = PostChange { attempt: begun.attempt.as_ref(), ..PostChange::of(&begun.post, attempt.as_str(), &event) };
    if !matches!(deps.store.commit(&change).await?, Commit::Done) {
        return Ok(Progress::Again);
    }
    let post = begun.post;
    // Whatever keeps us from reading leaves the post where it is, for a bounded time: then a person must look.
    let evidence = evidence(deps, &post, &content, intent).await.unwrap_or_else(|error| {
        tracing::error!(post_id = %post.id, error = chain(&error), "the evidence could not be read");
        Evidence::Unreadable
    });
    let transition = post.clone().conclude_search(evidence, Answer::default(), deps.clock.now())?;
    let transition = match settle::store(deps, &transition, settle::note(&transition)).await? {
        // Somebody bound the same post a moment ago: look again without it.
        Commit::AlreadyBound => {
            let transition = post.conclude_search(Evidence::Unreadable, Answer::default(), deps.clock.now())?;
            settle::store(deps, &transition, settle::note(&transition)).await?;
            transition
        }
        _ => transition,
    };
    settle::wake_later(deps, &transition.post).await;
    Ok(Progress::Rest)
}

async fn evidence(deps: &Deps, post: &Post, content: &Content, intent: Intent) -> Result<Evidence, StepError> {
    if let Some(evidence) = learned_late(deps, post).await? {
        return Ok(evidence);
    }
    if deps.platforms.get(post.platform).capabilities().reconcile == Reconcile::Person {
        return Ok(Evidence::Unreachable);
    }
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

/// What the worker that sent it learned after the post had been taken from it. It is proof, so it comes before any search.
async fn learned_late(deps: &Deps, post: &Post) -> Result<Option<Evidence>, StepError> {
    let late = deps.store.attempts(post).await?.into_iter().filter_map(|record| record.late).find(|late| late.version == post.version);
    match late.map(|late| late.learned) {
        Some(Learned::Published { platform_post_id, url }) => {
            let bound = deps.store.bound(post.platform, std::slice::from_ref(&platform_post_id)).await?;
            Ok(bound.is_empty().then_some(Evidence::Found { platform_post_id, url }))
        }
        Some(Learned::NotThere { code }) => Ok(Some(Evidence::NotThere(code))),
        None => Ok(None),
    }
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

/// The time in which what was sent under an intent shows, by the platform's clock.
fn window(intent: Intent) -> (Timestamp, Timestamp) {
    (intent.first_at - PLATFORM_SKEW, intent.last_at + SETTLE_WAIT + PLATFORM_SKEW)
}

/// Of what the account shows, what can only be ours: same text, made while we were sending, not bound to another post.
///
/// Another post with the same text may be in the same doubt at the same time. Then what is shown must be enough for all of them: one of two
/// may be either's.
async fn weigh(deps: &Deps, post: &Post, content: &Content, intent: Intent, shown: Vec<OwnPost>) -> Result<Evidence, StepError> {
    let platform = deps.platforms.get(post.platform);
    let ours = platform.comparable(&content.text);
    let (from, to) = window(intent);
    let matching: Vec<OwnPost> =
        shown.into_iter().filter(|own| own.created_at >= from && own.created_at <= to && platform.comparable(&own.text) == ours).collect();
    let ids: Vec<String> = matching.iter().map(|own| own.id.clone()).collect();
    let bound = deps.store.bound(post.platform, &ids).await?;
    let mut free: Vec<OwnPost> = matching.into_iter().filter(|own| !bound.contains(&own.id)).collect();
    if free.is_empty() {
        return Ok(Evidence::NotFound);
    }
    let twins = deps.store.twins_in_doubt(post, (from - LATEST_MAX, to)).await?;
    let twins: Vec<_> = twins.into_iter().filter_map(|twin| Some((twin.in_doubt()?, twin))).collect();
    let overlap = |other: Intent| window(other).0 <= to && from <= window(other).1;
    let rivals: Vec<_> = twins.into_iter().filter(|(other, _)| overlap(*other)).collect();
    // One that is being sent at this moment learns by itself what became of it.
    if rivals.iter().any(|(_, twin)| twin.status() == Status::Publishing) {
        return Ok(Evidence::Unreadable);
    }
    free.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    let earlier = rivals.iter().filter(|(other, twin)| (other.first_at, &twin.id) < (intent.first_at, &post.id)).count();
    Ok(match free.len().cmp(&(rivals.len() + 1)) {
        Ordering::Less => Evidence::NotFound,
        Ordering::Equal => {
            let own = free.swap_remove(earlier);
            Evidence::Found { platform_post_id: own.id, url: own.url }
        }
        Ordering::Greater => Evidence::Ambiguous,
    })
}
