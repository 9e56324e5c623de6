//! One try at a claimed post: tokens, handle, intent, and the send.

use connecting::tokens::{self, AccessError, Usable};
use domain::connection::Connection;
use domain::content::Content;
use domain::failure::FailureCode;
use domain::platform::Reconcile;
use domain::post::{Answer, Conclusion, Learned, Post, Status, backoff};
use domain::token::TokenSet;
use domain::wait::Wait;
use edge::problem::chain;
use jiff::{SignedDuration, Timestamp};
use platforms::{Account, Advance, Call, PrepareError, Prepared};
use store::StoreError;

use crate::deps::Deps;
use crate::intent::{before_send, can_send, intended, stored};
use crate::limit;
use crate::named;
use crate::progress::{Progress, StepError};
use crate::send::{self, Sent, send};
use crate::settle::conclude;
use crate::turns::Batch;

/// How long a post waits for tokens that cannot be had at the moment: at first, and at most.
const TOKEN_WAIT: SignedDuration = SignedDuration::from_secs(30);
const TOKEN_WAIT_MAX: SignedDuration = SignedDuration::from_mins(5);
/// More steps than any network's preparation has.
const STEPS_MAX: usize = 20;

/// What a claimed post lacks before it can be sent: live tokens, and a handle where the platform publishes in two steps. `refused` names a
/// version of the tokens that the platform did not take.
pub(crate) async fn prepare(
    deps: &Deps,
    batch: &Batch,
    post: Post,
    content: &Content,
    connection: Option<Connection>,
    refused: Option<&str>,
) -> Result<Progress, StepError> {
    let Some(connection) = connection else {
        return conclude(deps, batch, post, Conclusion::AccountLost(FailureCode::ConnectionGone), Answer::default()).await;
    };
    let usable = tokens::usable(&deps.access(batch.deadline), connection, refused).await.unwrap_or_else(|error| {
        tokens_missing(deps, &post, &error);
        Usable::Later
    });
    let now = deps.clock.now();
    let conclusion = match usable {
        Usable::Ready(..) if !can_send(batch.deadline) => out_of_time(now),
        Usable::Ready(connection, tokens) => {
            let post = match with_handle(deps, batch, post, content, (&connection, &tokens)).await? {
                Handle::Stored(post) => *post,
                Handle::Moved => return Ok(Progress::Again),
                Handle::TokenRefused(post, _) if refused.is_none() && connection.refreshable => {
                    let version = connection.secret_version.clone();
                    return Box::pin(prepare(deps, batch, *post, content, Some(*connection), Some(&version))).await;
                }
                Handle::TokenRefused(post, answer) => {
                    let progress = conclude(deps, batch, *post, Conclusion::AccountLost(FailureCode::ReconnectNeeded), answer).await?;
                    tokens::mark_dead(&deps.access(batch.deadline), &connection).await?;
                    return Ok(progress);
                }
                Handle::Concluded(post, conclusion, answer) => return conclude(deps, batch, *post, conclusion, answer).await,
            };
            let now = deps.clock.now();
            if !can_send(batch.deadline) {
                return conclude(deps, batch, post, out_of_time(now), Answer::default()).await;
            }
            // The lease, or the post's last moment, may have passed meanwhile: then the next wake-up finds what is to be done.
            let Ok(post) = post.intend(&connection.platform_user_id, now) else { return Ok(Progress::Rest) };
            if !intended(deps, (Status::Publishing, &post), "about to be sent", &connection, content).await? {
                return Ok(Progress::Again);
            }
            return Box::pin(dispatch(deps, batch, post, content, *connection, tokens, refused.is_some())).await;
        }
        Usable::Later => Conclusion::Deferred { code: FailureCode::TokenUnavailable, wait: tokens_again(&post, now) },
        Usable::Dead => Conclusion::AccountLost(FailureCode::ReconnectNeeded),
        Usable::Gone => Conclusion::AccountLost(FailureCode::ConnectionGone),
    };
    conclude(deps, batch, post, conclusion, Answer::default()).await
}

/// Tells operators that the vault or a table did not give a post's tokens. When they are asked for again.
pub(crate) fn tokens_missing(deps: &Deps, post: &Post, error: &AccessError) -> Wait {
    let (now, platform) = (deps.clock.now(), post.platform.as_str());
    deps.metrics.count(now, "tokens_unavailable", &[]);
    tracing::error!(post_id = %post.id, connection_id = %post.connection_id, platform, error = chain(error), "a post waits for its tokens");
    tokens_again(post, now)
}

/// The longer a post has waited the longer it waits again, so that a long outage does not fill its story.
fn tokens_again(post: &Post, now: Timestamp) -> Wait {
    Wait::Guessed(now + (now.duration_since(post.due_at) / 2).clamp(TOKEN_WAIT, TOKEN_WAIT_MAX))
}

/// What came of the step before the send.
enum Handle {
    /// The post can be intended: its handle is stored, or it needs none.
    Stored(Box<Post>),
    /// Somebody else's change came first.
    Moved,
    /// The platform did not take our token.
    TokenRefused(Box<Post>, Answer),
    /// There is no handle to be had, and nothing is visible.
    Concluded(Box<Post>, Conclusion, Answer),
}

/// Uploads and containers, where the platform works with them: once, whoever takes over goes on with the stored handle.
async fn with_handle(
    deps: &Deps,
    batch: &Batch,
    post: Post,
    content: &Content,
    (connection, tokens): (&Connection, &TokenSet),
) -> Result<Handle, StepError> {
    if !in_two_steps(deps, connection) || post.handle().is_some() {
        return Ok(Handle::Stored(Box::new(post)));
    }
    let advanced = advanced(deps, batch, &post, content, Account::of(connection, tokens)).await;
    let now = deps.clock.now();
    let answer = |http_status, detail| Answer { http_status, detail };
    let (conclusion, answer) = match advanced {
        Ok(Advance::Ready(Prepared { handle: Some(handle), .. })) => {
            // The lease may have run out meanwhile: then it is another worker's.
            let Ok(post) = post.prepared(handle, now) else { return Ok(Handle::Moved) };
            let done = stored(deps, (Status::Publishing, &post), "prepared at the platform", Some(connection)).await?;
            return Ok(if done { Handle::Stored(Box::new(post)) } else { Handle::Moved });
        }
        Ok(Advance::Ready(Prepared { handle: None, .. })) => return Ok(Handle::Stored(Box::new(post))),
        Ok(Advance::Made(_)) => (out_of_time(now), answer(None, None)),
        Ok(Advance::Wait(_, until)) => (out_of_time(until), answer(None, None)),
        Err(PrepareError::TokenRefused { http_status }) => {
            return Ok(Handle::TokenRefused(Box::new(post), answer(Some(http_status), None)));
        }
        // Our own standing with the platform may be mended while the post waits.
        Err(PrepareError::Rejected { code: code @ FailureCode::AppUnavailable, http_status, detail }) => {
            (Conclusion::Deferred { code, wait: send::limit_ends(None, now) }, answer(Some(http_status), Some(detail)))
        }
        Err(PrepareError::Rejected { code, http_status, detail }) => (Conclusion::Failed(code), answer(Some(http_status), Some(detail))),
        Err(PrepareError::Limited { until, http_status }) => {
            let wait = send::limit_ends(until, now);
            (Conclusion::Deferred { code: FailureCode::RateLimited, wait }, answer(Some(http_status), None))
        }
        Err(PrepareError::Unavailable { detail }) => {
            let wait = backoff(send::not_sent(&post), deps.random.bytes());
            (Conclusion::NotSent { retry_at: now + wait }, answer(None, Some(detail)))
        }
    };
    Ok(Handle::Concluded(Box::new(post), conclusion, answer))
}

/// The steps of the preparation, one after another, while a send has time after them. What is made on the way is kept here alone: whoever
/// begins anew makes it again, and nothing of it shows.
async fn advanced(deps: &Deps, batch: &Batch, post: &Post, content: &Content, account: Account<'_>) -> Result<Advance, PrepareError> {
    let (platform, key) = (deps.platforms.get(post.platform), send::key(post));
    let mut so_far = None;
    for _ in 0..STEPS_MAX {
        let call = Call { account, content, key: &key, time_left: before_send(batch.deadline), now: deps.clock.now() };
        match platform.prepare(&call, so_far).await? {
            Advance::Made(made) if can_send(batch.deadline) => so_far = Some(made),
            reached => return Ok(reached),
        }
    }
    Err(PrepareError::Unavailable { detail: "the preparation does not end".to_owned() })
}

/// Sends a post whose intent is stored, once, and writes down what came of it. A refused token is renewed once: with
/// `renewed`, it was.
pub(crate) async fn dispatch(
    deps: &Deps,
    batch: &Batch,
    post: Post,
    content: &Content,
    connection: Connection,
    tokens: TokenSet,
    renewed: bool,
) -> Result<Progress, StepError> {
    match earlier_is_there(deps, &post).await {
        Ok(false) => {}
        // It is not sent: the look for it that follows binds the one that is there.
        Ok(true) => return conclude(deps, batch, post, Conclusion::AnswerLost, Answer::default()).await,
        Err(error) => {
            tracing::warn!(post_id = %post.id, error = chain(&error), "what became of an earlier send could not be read");
            return conclude(deps, batch, post, out_of_time(deps.clock.now() + TOKEN_WAIT), Answer::default()).await;
        }
    }
    // All this may have been slow. A send that could outlive this invocation is not begun: it would end when nobody expects it.
    if !can_send(batch.deadline) {
        return conclude(deps, batch, post, out_of_time(deps.clock.now()), Answer::default()).await;
    }
    let account = Account::of(&connection, &tokens);
    match send(deps, &post, account, content).await {
        Sent::Concluded(conclusion, answer) => conclude(deps, batch, post, conclusion, answer).await,
        Sent::Named(named, answer) => {
            let conclusion = named::conclusion(deps, &post, content, &connection, named).await;
            conclude(deps, batch, post, conclusion, answer).await
        }
        Sent::Limited(limit, answer) => {
            let progress = conclude(deps, batch, post, limit.conclusion(), answer).await?;
            limit::tell(deps, &connection, limit).await;
            Ok(progress)
        }
        Sent::TokenRefused(answer) if renewed || !connection.refreshable => {
            let progress = conclude(deps, batch, post, Conclusion::AccountLost(FailureCode::ReconnectNeeded), answer).await?;
            tokens::mark_dead(&deps.access(batch.deadline), &connection).await?;
            Ok(progress)
        }
        Sent::TokenRefused(_) => {
            let refused = connection.secret_version.clone();
            let post = post.token_refused(deps.clock.now())?;
            if !stored(deps, (Status::Publishing, &post), "the platform refused the token, and the post with it", None).await? {
                return Ok(Progress::Again);
            }
            Box::pin(prepare(deps, batch, post, content, Some(connection), Some(&refused))).await
        }
    }
}

/// Whether a send that its owner did not find is there after all, by the late word of the worker that made it.
async fn earlier_is_there(deps: &Deps, post: &Post) -> Result<bool, StoreError> {
    if post.unseen.is_empty() {
        return Ok(false);
    }
    let late = deps.store.late_results(post).await?;
    Ok(late.iter().any(|late| matches!(late.learned, Learned::Published(_))))
}

/// Whether the platform is given the content first, and told to show it then.
pub(crate) fn in_two_steps(deps: &Deps, connection: &Connection) -> bool {
    deps.class(connection) == Reconcile::Handle
}

fn out_of_time(until: Timestamp) -> Conclusion {
    Conclusion::Deferred { code: FailureCode::OutOfTime, wait: Wait::Guessed(until) }
}
