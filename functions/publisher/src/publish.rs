//! From a due post to a settled one: claim, tokens, intent, send, settle.

use std::time::Duration;

use connecting::tokens::{self, Usable};
use domain::connection::{Connection, TokenState};
use domain::content::Content;
use domain::failure::FailureCode;
use domain::id::AttemptId;
use domain::ledger::Actor;
use domain::planted::Bug;
use domain::post::{Answer, Conclusion, Event, Learned, Post, SEND_DEADLINE, SETTLE_RESERVE, Status, Transition, backoff};
use domain::token::TokenSet;
use edge::deadline::Deadline;
use edge::problem::chain;
use jiff::{SignedDuration, Timestamp};
use platforms::{Account, PrepareError, Reconcile};
use store::{Commit, PostChange, StoreError};

use crate::limit::{self, Limit};
use crate::send::{self, Sent, send};
use crate::step::Progress;
use crate::{Deps, StepError, settle};

/// How long a post waits for tokens that cannot be had at the moment.
const TOKEN_WAIT: SignedDuration = SignedDuration::from_secs(30);
/// How often a result is stored before we give up: time ends first, but where the tables refuse at once.
const SETTLE_TRIES_MAX: u32 = 30;
/// From this try on, the wait for the next one grows no more: up to 4 s.
const SETTLE_WAITS_GROW: u32 = 4;

/// Takes a due post. If its tokens are live, claim and intent are one write; else it is claimed first, and what it lacks is
/// fetched under the claim.
pub(crate) async fn claim(deps: &Deps, deadline: Deadline, post: Post, content: Content) -> Result<Progress, StepError> {
    approved(&post, &content)?;
    if !can_send(deadline) {
        tracing::warn!(post_id = %post.id, "no time is left to send; another invocation does");
        settle::wake_later(deps, &post).await;
        return Ok(Progress::Rest);
    }
    let (connection, pause) = deps.store.connection_and_pause(&post.user_id, &post.connection_id, post.platform).await?;
    if let Some(limit) = Limit::standing(connection.as_ref(), pause, deps.clock.now()) {
        return limit::put_off(deps, post, limit).await;
    }
    let live = match &connection {
        Some(connection) if connection.token_state(deps.clock.now()) == TokenState::Live => {
            tokens::live(&deps.access(), connection).await?
        }
        _ => None,
    };
    let now = deps.clock.now();
    let from = post.status();
    // Where the platform publishes in two steps, the first one comes before the intent.
    let live = live.filter(|_| !in_two_steps(deps, &post));
    // Its last moment may have passed while the tokens were read.
    let Ok(post) = post.claim(AttemptId::new(now, deps.random.bytes()), live.is_some(), now) else { return Ok(Progress::Again) };
    let sends_with = connection.as_ref().filter(|_| live.is_some());
    let note = if live.is_some() { "taken, and about to be sent" } else { "taken" };
    if !stored(deps, (from, &post), note, sends_with).await? {
        return Ok(Progress::Again);
    }
    match (connection, live) {
        (Some(connection), Some(tokens)) => dispatch(deps, deadline, post, &content, connection, tokens, false).await,
        (connection, _) => prepare(deps, deadline, post, &content, connection, None).await,
    }
}

/// Goes on for a worker that vanished before its intent.
pub(crate) async fn take_over(deps: &Deps, deadline: Deadline, post: Post, content: Content) -> Result<Progress, StepError> {
    approved(&post, &content)?;
    let now = deps.clock.now();
    let transition = post.take_over(AttemptId::new(now, deps.random.bytes()), now)?;
    let writer = writer(&transition.post);
    let event = Event::of(transition.from, &transition.post, Actor::Publisher, "taken over from a worker that vanished", now);
    let change = PostChange { attempt: transition.attempt.as_ref(), ..PostChange::of(&transition.post, &writer, &event) };
    if !matches!(deps.store.commit(&change).await?, Commit::Done) {
        return Ok(Progress::Again);
    }
    let connection = deps.store.connection(&transition.post.user_id, &transition.post.connection_id).await?;
    prepare(deps, deadline, transition.post, &content, connection, None).await
}

fn in_two_steps(deps: &Deps, post: &Post) -> bool {
    deps.platforms.get(post.platform).capabilities().reconcile == Reconcile::Handle
}

/// What a claimed post lacks before it can be sent: live tokens, and a handle where the platform publishes in two steps. `refused` names a
/// version of the tokens that the platform did not take.
async fn prepare(
    deps: &Deps,
    deadline: Deadline,
    post: Post,
    content: &Content,
    connection: Option<Connection>,
    refused: Option<&str>,
) -> Result<Progress, StepError> {
    let Some(connection) = connection else {
        return conclude(deps, deadline, post, Conclusion::Failed(FailureCode::ConnectionGone), Answer::default()).await;
    };
    let usable = tokens::usable(&deps.access(), connection, refused).await?;
    let now = deps.clock.now();
    let conclusion = match usable {
        Usable::Ready(..) if !can_send(deadline) => out_of_time(now),
        Usable::Ready(connection, tokens) => {
            let post = match with_handle(deps, post, content, &connection, &tokens).await? {
                Handle::Stored(post) => *post,
                Handle::Moved => return Ok(Progress::Again),
                Handle::TokenRefused(post, _) if refused.is_none() && connection.refreshable => {
                    let version = connection.secret_version.clone();
                    return Box::pin(prepare(deps, deadline, *post, content, Some(*connection), Some(&version))).await;
                }
                Handle::TokenRefused(post, answer) => {
                    let progress = conclude(deps, deadline, *post, Conclusion::Failed(FailureCode::ReconnectNeeded), answer).await?;
                    tokens::mark_dead(&deps.access(), &connection).await?;
                    return Ok(progress);
                }
                Handle::Concluded(post, conclusion, answer) => return conclude(deps, deadline, *post, conclusion, answer).await,
            };
            let now = deps.clock.now();
            if !can_send(deadline) {
                return conclude(deps, deadline, post, out_of_time(now), Answer::default()).await;
            }
            // The lease, or the post's last moment, may have passed meanwhile: then the next wake-up finds what is to be done.
            let Ok(post) = post.intend(now) else { return Ok(Progress::Rest) };
            if !stored(deps, (Status::Publishing, &post), "about to be sent", Some(&connection)).await? {
                return Ok(Progress::Again);
            }
            return Box::pin(dispatch(deps, deadline, post, content, *connection, tokens, refused.is_some())).await;
        }
        Usable::Later => Conclusion::Deferred { code: FailureCode::TokenUnavailable, until: now + TOKEN_WAIT },
        Usable::Dead => Conclusion::Failed(FailureCode::ReconnectNeeded),
        Usable::Gone => Conclusion::Failed(FailureCode::ConnectionGone),
    };
    conclude(deps, deadline, post, conclusion, Answer::default()).await
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
async fn with_handle(deps: &Deps, post: Post, content: &Content, connection: &Connection, tokens: &TokenSet) -> Result<Handle, StepError> {
    if !in_two_steps(deps, &post) || post.handle().is_some() {
        return Ok(Handle::Stored(Box::new(post)));
    }
    let account = Account { id: &connection.platform_user_id, username: &connection.username, tokens };
    let prepared = deps.platforms.get(post.platform).prepare(account, &content.text, deps.clock.now()).await;
    let now = deps.clock.now();
    let answer = |http_status, detail| Answer { http_status, detail };
    let (conclusion, answer) = match prepared {
        Ok(handle) => {
            // The lease may have run out meanwhile: then it is another worker's.
            let Ok(post) = post.prepared(handle, now) else { return Ok(Handle::Moved) };
            let done = stored(deps, (Status::Publishing, &post), "prepared at the platform", Some(connection)).await?;
            return Ok(if done { Handle::Stored(Box::new(post)) } else { Handle::Moved });
        }
        Err(PrepareError::TokenRefused { http_status }) => {
            return Ok(Handle::TokenRefused(Box::new(post), answer(Some(http_status), None)));
        }
        Err(PrepareError::Rejected { code, http_status, detail }) => (Conclusion::Failed(code), answer(Some(http_status), Some(detail))),
        Err(PrepareError::Limited { until, http_status }) => {
            let until = send::limit_ends(until, now);
            (Conclusion::Deferred { code: FailureCode::RateLimited, until }, answer(Some(http_status), None))
        }
        Err(PrepareError::Unavailable { detail }) => {
            let wait = backoff(send::not_sent(&post), deps.random.bytes());
            (Conclusion::NotSent { retry_at: now + wait }, answer(None, Some(detail)))
        }
    };
    Ok(Handle::Concluded(Box::new(post), conclusion, answer))
}

/// Sends a post whose intent is stored, once, and writes down what came of it. A refused token is renewed once: with
/// `renewed`, it was.
async fn dispatch(
    deps: &Deps,
    deadline: Deadline,
    post: Post,
    content: &Content,
    connection: Connection,
    tokens: TokenSet,
    renewed: bool,
) -> Result<Progress, StepError> {
    match earlier_is_there(deps, &post).await {
        Ok(false) => {}
        // It is not sent: the look for it that follows binds the one that is there.
        Ok(true) => return conclude(deps, deadline, post, Conclusion::AnswerLost, Answer::default()).await,
        Err(error) => {
            tracing::warn!(post_id = %post.id, error = chain(&error), "what became of an earlier send could not be read");
            return conclude(deps, deadline, post, out_of_time(deps.clock.now() + TOKEN_WAIT), Answer::default()).await;
        }
    }
    // All this may have been slow. A send that could outlive this invocation is not begun: it would end when nobody expects it.
    if !can_send(deadline) {
        return conclude(deps, deadline, post, out_of_time(deps.clock.now()), Answer::default()).await;
    }
    let account = Account { id: &connection.platform_user_id, username: &connection.username, tokens: &tokens };
    match send(deps, &post, account, &content.text).await {
        Sent::Concluded(conclusion, answer) => conclude(deps, deadline, post, conclusion, answer).await,
        Sent::Limited(limit, answer) => {
            let progress = conclude(deps, deadline, post, limit.conclusion(), answer).await?;
            limit::tell(deps, &connection, limit).await;
            Ok(progress)
        }
        Sent::TokenRefused(answer) if renewed || !connection.refreshable => {
            let progress = conclude(deps, deadline, post, Conclusion::Failed(FailureCode::ReconnectNeeded), answer).await?;
            tokens::mark_dead(&deps.access(), &connection).await?;
            Ok(progress)
        }
        Sent::TokenRefused(_) => {
            let refused = connection.secret_version.clone();
            let post = post.token_refused(deps.clock.now())?;
            if !stored(deps, (Status::Publishing, &post), "the platform refused the token, and the post with it", None).await? {
                return Ok(Progress::Again);
            }
            prepare(deps, deadline, post, content, Some(connection), Some(&refused)).await
        }
    }
}

/// Whether a send that its owner did not find is there after all, by the late word of the worker that made it.
async fn earlier_is_there(deps: &Deps, post: &Post) -> Result<bool, StoreError> {
    if post.unseen.is_empty() {
        return Ok(false);
    }
    let late = deps.store.late_results(post).await?;
    Ok(late.iter().any(|late| matches!(late.learned, Learned::Published { .. })))
}

/// Writes down what came of the try. What the platform said is known only here: a table that does not answer is asked again until
/// the function's time is nearly up. Our own write is recognised, so asking again does no harm.
async fn conclude(deps: &Deps, deadline: Deadline, post: Post, conclusion: Conclusion, answer: Answer) -> Result<Progress, StepError> {
    let transition = post.clone().conclude(conclusion, answer.clone(), deps.clock.now())?;
    let commit = keep_settling(deps, deadline, &transition).await?;
    match commit {
        // The platform's id belongs to another post of ours: only a search can tell which is which.
        Commit::AlreadyBound => {
            let transition = post.conclude(Conclusion::AnswerLost, answer, deps.clock.now())?;
            settle::store(deps, &transition, settle::note(&transition)).await?;
        }
        Commit::PostMoved(_) => tell_late(deps, &post, &transition).await?,
        Commit::Done | Commit::LedgerMoved => settle::wake_later(deps, &transition.post).await,
    }
    Ok(Progress::Rest)
}

/// Another worker has taken the post: it is its own from here on. What we know goes to the row of our try, where its search finds it.
pub(crate) async fn tell_late(deps: &Deps, post: &Post, transition: &Transition) -> Result<(), StepError> {
    let Some(record) = transition.late(post) else { return Ok(()) };
    let platform_post_id = transition.post.platform_post_id();
    let told = match deps.store.tell_late(post, &record).await {
        Err(_) => deps.store.tell_late(post, &record).await,
        told => told,
    };
    let told = told.inspect_err(|_| {
        tracing::error!(post_id = %post.id, attempt_id = %record.id, platform_post_id, "a late result was not told");
    })?;
    tracing::warn!(post_id = %post.id, attempt_id = %record.id, outcome = ?record.outcome, platform_post_id, told, "a late result");
    Ok(())
}

/// Stores what a try or a search came to, as often as it takes while there is time: only what may go better next time is tried again.
pub(crate) async fn keep_settling(deps: &Deps, deadline: Deadline, transition: &Transition) -> Result<Commit, StepError> {
    for round in 0..SETTLE_TRIES_MAX {
        match settle::store(deps, transition, settle::note(transition)).await {
            Err(error) if may_pass(&error) && round + 1 < SETTLE_TRIES_MAX && deadline.remaining() > SETTLE_RESERVE.unsigned_abs() => {
                tracing::warn!(post_id = %transition.post.id, error = chain(&error), "a result is not stored yet");
                let jitter = u64::from(deps.random.bytes::<1>()[0]);
                tokio::time::sleep(Duration::from_millis(jitter << round.min(SETTLE_WAITS_GROW))).await;
            }
            Err(error) => {
                // The last trace of what the platform said; the search goes by the platform's own evidence.
                let attempt_id = transition.attempt.as_ref().map(|record| record.id.as_str());
                let platform_post_id = transition.post.platform_post_id();
                tracing::error!(post_id = %transition.post.id, attempt_id, became = transition.post.status().as_str(), platform_post_id, "a result was not stored");
                return Err(error);
            }
            stored => return stored,
        }
    }
    Err(StepError::Store(StoreError::Contended { doing: "settling a post" }))
}

fn may_pass(error: &StepError) -> bool {
    matches!(error, StepError::Store(StoreError::Unavailable { .. } | StoreError::Contended { .. }))
}

/// Whether a send that begins now ends, and is written down, before the invocation does.
pub(crate) fn can_send(deadline: Deadline) -> bool {
    deadline.remaining() >= (SEND_DEADLINE + SETTLE_RESERVE).unsigned_abs()
}

fn out_of_time(until: Timestamp) -> Conclusion {
    Conclusion::Deferred { code: FailureCode::OutOfTime, until }
}

/// The publisher sends what was approved or nothing.
fn approved(post: &Post, content: &Content) -> Result<(), StepError> {
    if content.hash() == post.content_hash { Ok(()) } else { Err(StepError::ContentChanged) }
}

/// Stores a claim or an intent, while the connection that it is going to send with can be used.
pub(crate) async fn stored(
    deps: &Deps,
    (from, post): (Status, &Post),
    note: &str,
    sends_with: Option<&Connection>,
) -> Result<bool, StepError> {
    let writer = writer(post);
    let event = Event::of(from, post, Actor::Publisher, note, deps.clock.now());
    let change = PostChange { usable: sends_with, ..PostChange::of(post, &writer, &event) };
    Ok(Bug::NoIntent.is_planted() || matches!(twice_if_need_be(deps, &change).await?, Commit::Done))
}

/// A lost answer is asked for once more: a worker that gives up here leaves a post in doubt that it knows was not sent.
async fn twice_if_need_be(deps: &Deps, change: &PostChange<'_>) -> Result<Commit, StoreError> {
    match deps.store.commit(change).await {
        Err(_) => deps.store.commit(change).await,
        commit => commit,
    }
}

fn writer(post: &Post) -> String {
    post.attempt().map(|attempt| attempt.id.to_string()).unwrap_or_default()
}
