//! Clearing up a lost answer, in the way of the platform's class. By search it reads and binds what it finds, and never sends. Under a key, or
//! a handle that was not published, it sends again what the platform cannot make twice.

mod listed;
mod repeat;

use connecting::tokens::{self, Usable};
use domain::connection::{Connection, Health};
use domain::content::Content;
use domain::id::AttemptId;
use domain::platform::Reconcile;
use domain::post::{Answer, Evidence, LateResult, Learned, Post};
use edge::problem::chain;
use platforms::ReadError;
use store::Settled;

use crate::deps::Deps;
use crate::intent::taken;
use crate::progress::{Progress, StepError};
use crate::settle;
use crate::turns::Batch;
use listed::listed;
use repeat::{Repeat, by_handle, is_too_late, is_young, looked_up, repeated, said};

/// One look for the post, in the way of its platform's class.
pub(crate) async fn search(deps: &Deps, batch: &Batch, post: Post, content: Content) -> Result<Progress, StepError> {
    let now = deps.clock.now();
    let begun = post.begin_search(AttemptId::new(now, deps.random.bytes()), now)?;
    if !taken(deps, &begun, "looking for it on the platform").await? {
        return Ok(Progress::Again);
    }
    let mut post = begun.post;
    // Whatever keeps us from reading leaves the post where it is, for a bounded time: then a person must look.
    let evidence = evidence(deps, batch, &mut post, &content).await.unwrap_or_else(|error| {
        tracing::error!(post_id = %post.id, error = chain(&error), "the evidence could not be read");
        Evidence::Unreadable
    });
    let transition = post.clone().conclude_search(evidence, Answer::default(), deps.clock.now())?;
    match settle::until_stored(deps, batch, &post, &transition, settle::note(&transition)).await? {
        Settled::Done => settle::wake_later(deps, &transition.post).await,
        // Somebody bound the same post a moment ago: the sweeper has it looked at again without that one.
        Settled::AlreadyBound(_) => {
            let transition = post.conclude_search(Evidence::Unreadable, Answer::default(), deps.clock.now())?;
            settle::store(deps, &transition, settle::note(&transition)).await?;
        }
        Settled::PostMoved(_) => settle::tell_late(deps, &post, &transition).await?,
    }
    Ok(Progress::Rest)
}

/// `post` moves on where a new intent is stored.
async fn evidence(deps: &Deps, batch: &Batch, post: &mut Post, content: &Content) -> Result<Evidence, StepError> {
    if let Some(evidence) = learned_late(deps, post).await? {
        return Ok(evidence);
    }
    let Some(connection) = deps.store.connection(&post.user_id, &post.connection_id).await? else { return Ok(Evidence::Unreachable) };
    let class = deps.class(&connection);
    if class == Reconcile::Person || (class == Reconcile::Handle && post.handle().is_none()) {
        return Ok(Evidence::Unreachable);
    }
    if connection.health == Health::Disconnecting {
        return last_look(deps, batch, post, content, &connection).await;
    }
    let mut refused = None;
    // A token that looks live may be refused once: then a fresh one is tried.
    for _ in 0..2 {
        let (connection, tokens) = match tokens::usable(&deps.access(batch.deadline), connection.clone(), refused.as_deref()).await? {
            Usable::Ready(connection, tokens) => (connection, tokens),
            Usable::Later => return Ok(Evidence::Unreadable),
            Usable::Dead | Usable::Gone => return Ok(Evidence::Unreachable),
        };
        let looked = match class {
            Reconcile::Key { life } if is_young(deps, post, life) && !is_too_late(deps, post) => {
                repeated(deps, batch, post, content, (&connection, &tokens), Repeat::Key).await?
            }
            Reconcile::Handle => by_handle(deps, batch, post, content, (&connection, &tokens)).await?,
            _ => listed(deps, batch, post, content, (&connection, &tokens)).await?,
        };
        match looked {
            Some(evidence) => return Ok(evidence),
            None => refused = Some(connection.secret_version.clone()),
        }
    }
    Ok(Evidence::Unreadable)
}

/// What workers that sent it, or looked for it, learned after the post had been taken from them. It is proof, so it comes before any search: a publication in
/// any case, and that there is none where only that send is in doubt.
async fn learned_late(deps: &Deps, post: &Post) -> Result<Option<Evidence>, StepError> {
    let only_send = post.in_doubt().filter(|intent| intent.first_at == intent.last_at).map(|intent| intent.last_at);
    let mut proof = None;
    for LateResult { sent_at, learned, .. } in deps.store.late_results(post).await? {
        match learned {
            Learned::Published(publication) => return Ok(Some(Evidence::Found(publication))),
            Learned::NotThere { code } if only_send == Some(sent_at) => proof = Some(Evidence::NotThere(code)),
            Learned::NotThere { .. } => {}
        }
    }
    Ok(proof)
}

/// A disconnect waits for this search: it reads with what there is, renews nothing and sends nothing.
async fn last_look(deps: &Deps, batch: &Batch, post: &Post, content: &Content, connection: &Connection) -> Result<Evidence, StepError> {
    let Some(tokens) = tokens::live(&deps.access(batch.deadline), connection).await? else { return Ok(Evidence::Unreachable) };
    if post.handle().is_some() {
        return Ok(match looked_up(deps, post, connection, &tokens).await {
            Ok(state) => said(deps, post, state),
            Err(ReadError::TokenRefused) => Evidence::Unreachable,
            Err(error) => unread(&error),
        });
    }
    Ok(listed(deps, batch, post, content, (connection, &tokens)).await?.unwrap_or(Evidence::Unreachable))
}

/// A platform that could not be read proves nothing.
fn unread(error: &ReadError) -> Evidence {
    match error {
        ReadError::Limited { until: Some(until) } => Evidence::Limited { until: *until },
        _ => Evidence::Unreadable,
    }
}
