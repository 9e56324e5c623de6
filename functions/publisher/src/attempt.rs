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
use crate::limit::{self, Limit, Whom};
use crate::named;
use crate::progress::{Progress, StepError};
use crate::send::{self, Sent, send};
use crate::settle::conclude;
use crate::turns::Batch;

/// How long a post waits for tokens that cannot be had at the moment: at first, and at most.
const TOKEN_WAIT: SignedDuration = SignedDuration::from_secs(30);
const TOKEN_WAIT_MAX: SignedDuration = SignedDuration::from_mins(5);
/// The longest that a platform is left alone that is at work on a post.
const PREPARING_WAIT_MAX: SignedDuration = SignedDuration::from_mins(10);
/// How long a platform is left alone after it has forgotten one handle and made another.
const REPLACED_WAIT: SignedDuration = SignedDuration::from_secs(30);
/// More steps than any network's preparation has.
const STEPS_MAX: usize = 20;

/// What a claimed post lacks before it can be sent: live tokens, and a handle where the platform publishes in two steps. One whose time has not
/// come waits for that then. `refused_version` names a version of the tokens that the platform did not take.
pub(crate) async fn prepare(
    deps: &Deps,
    batch: &Batch,
    post: Post,
    content: &Content,
    connection: Option<Connection>,
    refused_version: Option<&str>,
) -> Result<Progress, StepError> {
    let Some(connection) = connection else {
        return conclude(deps, batch, post, Conclusion::AccountLost(FailureCode::ConnectionGone), Answer::default()).await;
    };
    let usable = tokens::usable(&deps.access(batch.deadline), connection, refused_version).await.unwrap_or_else(|error| {
        tokens_missing(deps, &post, &error);
        Usable::Later
    });
    let now = deps.clock.now();
    let conclusion = match usable {
        Usable::Ready(..) if !can_send(batch.deadline) => out_of_time(now),
        Usable::Ready(connection, tokens) => {
            let post = match prepared(deps, batch, post, content, (&connection, &tokens)).await? {
                Ahead::Ready(post) => *post,
                Ahead::Waits(post, until) => {
                    let conclusion = goes_on(&post, until, deps.clock.now());
                    return conclude(deps, batch, *post, conclusion, Answer::default()).await;
                }
                Ahead::Moved => return Ok(Progress::Again),
                Ahead::TokenRefused(post, _) if refused_version.is_none() && connection.refreshable => {
                    let version = connection.secret_version.clone();
                    return Box::pin(prepare(deps, batch, *post, content, Some(*connection), Some(&version))).await;
                }
                Ahead::TokenRefused(post, answer) => {
                    let progress = conclude(deps, batch, *post, Conclusion::AccountLost(FailureCode::ReconnectNeeded), answer).await?;
                    tokens::mark_dead(&deps.access(batch.deadline), &connection).await?;
                    return Ok(progress);
                }
                Ahead::Limited(post, limit, answer) => {
                    let progress = conclude(deps, batch, *post, limit.conclusion(), answer).await?;
                    limit::tell(deps, &connection, limit).await;
                    return Ok(progress);
                }
                Ahead::Concluded(post, conclusion, answer) => return conclude(deps, batch, *post, conclusion, answer).await,
            };
            let now = deps.clock.now();
            if post.is_early(now) {
                return conclude(deps, batch, post, Conclusion::Prepared { again_at: None }, Answer::default()).await;
            }
            if !can_send(batch.deadline) {
                return conclude(deps, batch, post, out_of_time(now), Answer::default()).await;
            }
            // The lease, or the post's last moment, may have passed meanwhile: then the next wake-up finds what is to be done.
            let Ok(post) = post.intend(&connection.platform_user_id, now) else { return Ok(Progress::Rest) };
            if !intended(deps, (Status::Publishing, &post), "about to be sent", &connection, content).await? {
                return Ok(Progress::Again);
            }
            return Box::pin(dispatch(deps, batch, post, content, *connection, tokens, refused_version.is_some())).await;
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

/// What came of the steps before the send.
enum Ahead {
    /// The post can be intended: its handle is in it, or it needs none.
    Ready(Box<Post>),
    /// The platform is at work until then.
    Waits(Box<Post>, Timestamp),
    /// Somebody else's change came first.
    Moved,
    /// The platform did not take our token.
    TokenRefused(Box<Post>, Answer),
    /// The platform takes nothing at present: not of this account, or of nobody.
    Limited(Box<Post>, Limit, Answer),
    /// There is nothing to be had at present, and nothing is visible.
    Concluded(Box<Post>, Conclusion, Answer),
}

/// Uploads and containers, where the platform works with them. Whatever it makes is stored before anything else is done: whoever goes on with the
/// post goes on with that.
async fn prepared(
    deps: &Deps,
    batch: &Batch,
    mut post: Post,
    content: &Content,
    (connection, tokens): (&Connection, &TokenSet),
) -> Result<Ahead, StepError> {
    if !in_two_steps(deps, connection) {
        return Ok(Ahead::Ready(Box::new(post)));
    }
    let (platform, key) = (deps.platforms.get(post.platform), send::key(&post));
    for _ in 0..STEPS_MAX {
        let now = deps.clock.now();
        if post.is_prepared(now) {
            return Ok(Ahead::Ready(Box::new(post)));
        }
        let so_far = post.prepared_so_far(now).map(so_far);
        let account = Account::of(connection, tokens);
        let call = Call { account, content, key: &key, time_left: before_send(batch.deadline), now };
        let advance = match platform.prepare(&call, so_far.clone()).await {
            Ok(advance) => advance,
            Err(error) => return Ok(refused(deps, post, error)),
        };
        let (made, waits) = match advance {
            Advance::Made(made) => (Prepared { ready: false, ..made }, None),
            Advance::Wait(made, until) => (Prepared { ready: false, ..made }, Some(until)),
            Advance::Ready(made) => (Prepared { ready: true, ..made }, None),
        };
        let Some(handle) = made.handle else {
            let post = Box::new(post);
            return Ok(waits.map_or_else(|| Ahead::Ready(post.clone()), |until| Ahead::Waits(post.clone(), until)));
        };
        let is_anew = so_far.is_some();
        let is_another = so_far.is_none_or(|so_far| so_far.handle.as_deref() != Some(handle.as_str()));
        let now = deps.clock.now();
        let Some(further) = post.clone().with_prepared(handle, made.ready, made.expires_at, now) else { return Ok(forgotten(post)) };
        post = further;
        if is_another {
            // The lease may have run out meanwhile: then it is another worker's.
            let Ok(kept) = post.keep_prepared(now) else { return Ok(Ahead::Moved) };
            if !stored(deps, (Status::Publishing, &kept), "prepared at the platform", Some(connection)).await? {
                return Ok(Ahead::Moved);
            }
            post = kept;
        }
        // One that took the place of another is not looked at at once: the platform may not know yet what it has made.
        let replaced = (is_another && is_anew).then(|| now + REPLACED_WAIT);
        if let Some(until) = waits.max(replaced) {
            return Ok(Ahead::Waits(Box::new(post), until));
        }
        if !can_send(batch.deadline) && !post.is_prepared(now) {
            return Ok(Ahead::Concluded(Box::new(post), out_of_time(now), Answer::default()));
        }
    }
    let detail = "the preparation does not end".to_owned();
    Ok(refused(deps, post, PrepareError::Unavailable { detail }))
}

fn so_far(prepared: &domain::post::Prepared) -> Prepared {
    Prepared { handle: Some(prepared.handle.clone()), ready: prepared.ready, expires_at: prepared.expires_at }
}

/// The platform has forgotten one handle after the other: what it makes of this post, it does not keep.
fn forgotten(post: Post) -> Ahead {
    let answer = Answer { http_status: None, detail: Some("the platform forgot every handle of the post".to_owned()) };
    Ahead::Concluded(Box::new(post), Conclusion::Failed(FailureCode::PlatformDown), answer)
}

fn refused(deps: &Deps, post: Post, error: PrepareError) -> Ahead {
    let now = deps.clock.now();
    let answer = |http_status, detail| Answer { http_status, detail };
    let (conclusion, answer) = match error {
        PrepareError::TokenRefused { http_status } => return Ahead::TokenRefused(Box::new(post), answer(Some(http_status), None)),
        // Our own standing with the platform may be mended while the post waits.
        PrepareError::Rejected { code: FailureCode::AppUnavailable, http_status, detail } => {
            let limit = Limit { of: Whom::App, wait: send::limit_ends(None, now) };
            return Ahead::Limited(Box::new(post), limit, answer(Some(http_status), Some(detail)));
        }
        PrepareError::Rejected { code, http_status, detail } => (Conclusion::Failed(code), answer(Some(http_status), Some(detail))),
        PrepareError::Limited { until, http_status } => {
            let limit = Limit { of: Whom::Account, wait: send::limit_ends(until, now) };
            return Ahead::Limited(Box::new(post), limit, answer(Some(http_status), None));
        }
        PrepareError::Unavailable { detail } => {
            let wait = backoff(send::not_sent(&post), deps.random.bytes());
            (Conclusion::NotSent { retry_at: now + wait }, answer(None, Some(detail)))
        }
    };
    Ahead::Concluded(Box::new(post), conclusion, answer)
}

/// When to go on with a preparation that the platform is at work on: the longer it takes, the longer we wait.
fn goes_on(post: &Post, until: Timestamp, now: Timestamp) -> Conclusion {
    let taken = post.prepared.as_ref().map_or(SignedDuration::ZERO, |prepared| now.duration_since(prepared.made_at));
    let wait = (taken / 4).clamp(SignedDuration::ZERO, PREPARING_WAIT_MAX);
    Conclusion::Prepared { again_at: Some(until.max(now + wait)) }
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
