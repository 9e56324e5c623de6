//! From a due post to a settled one: claim, tokens, intent, send, settle.

use domain::connection::{Connection, TokenState};
use domain::content::Content;
use domain::failure::FailureCode;
use domain::id::AttemptId;
use domain::post::{Answer, Conclusion, Post};
use domain::token::TokenSet;
use jiff::SignedDuration;
use platforms::Account;
use store::{Commit, PostChange};

use crate::send::{Sent, send};
use crate::step::Progress;
use crate::tokens::{self, Usable};
use crate::{Deps, StepError, settle};

/// How long a post waits for tokens that cannot be had at the moment.
const TOKEN_WAIT: SignedDuration = SignedDuration::from_secs(30);

/// Takes a due post. If its tokens are live, claim and intent are one write; else it is claimed first, and what it lacks is
/// fetched under the claim.
pub(crate) async fn claim(deps: &Deps, post: Post, content: Content) -> Result<Progress, StepError> {
    approved(&post, &content)?;
    let connection = deps.store.connection(&post.user_id, &post.connection_id).await?;
    let live = match &connection {
        Some(connection) if connection.token_state(deps.clock.now()) == TokenState::Live => tokens::live(deps, connection).await?,
        _ => None,
    };
    let now = deps.clock.now();
    let post = post.claim(AttemptId::new(now, deps.random.bytes()), live.is_some(), now)?;
    if !stored(deps, &post).await? {
        return Ok(Progress::Again);
    }
    match (connection, live) {
        (Some(connection), Some(tokens)) => dispatch(deps, post, &content, connection, tokens, false).await,
        (connection, _) => prepare(deps, post, &content, connection, None).await,
    }
}

/// Goes on for a worker that vanished before its intent.
pub(crate) async fn take_over(deps: &Deps, post: Post, content: Content) -> Result<Progress, StepError> {
    approved(&post, &content)?;
    let now = deps.clock.now();
    let transition = post.take_over(AttemptId::new(now, deps.random.bytes()), now)?;
    let writer = writer(&transition.post);
    let change = PostChange { attempt: transition.attempt.as_ref(), ..PostChange::of(&transition.post, &writer) };
    if !matches!(deps.store.commit(&change).await?, Commit::Done) {
        return Ok(Progress::Again);
    }
    let connection = deps.store.connection(&transition.post.user_id, &transition.post.connection_id).await?;
    prepare(deps, transition.post, &content, connection, None).await
}

/// What a claimed post lacks before it can be sent: live tokens. `refused` names a version that the platform did not take.
async fn prepare(
    deps: &Deps,
    post: Post,
    content: &Content,
    connection: Option<Connection>,
    refused: Option<&str>,
) -> Result<Progress, StepError> {
    let Some(connection) = connection else {
        return conclude(deps, post, Conclusion::Failed(FailureCode::ConnectionGone), Answer::default()).await;
    };
    let usable = tokens::usable(deps, connection, refused).await?;
    let now = deps.clock.now();
    let conclusion = match usable {
        Usable::Ready(connection, tokens) => {
            // The lease may have run out meanwhile; then another worker goes on.
            let Ok(post) = post.intend(now) else { return Ok(Progress::Rest) };
            if !stored(deps, &post).await? {
                return Ok(Progress::Again);
            }
            return Box::pin(dispatch(deps, post, content, *connection, tokens, refused.is_some())).await;
        }
        Usable::Later => Conclusion::Deferred { code: FailureCode::TokenUnavailable, until: now + TOKEN_WAIT },
        Usable::Dead => Conclusion::Failed(FailureCode::ReconnectNeeded),
        Usable::Gone => Conclusion::Failed(FailureCode::ConnectionGone),
    };
    conclude(deps, post, conclusion, Answer::default()).await
}

/// Sends a post whose intent is stored, once, and writes down what came of it. A refused token is renewed once: with
/// `renewed`, it was.
async fn dispatch(
    deps: &Deps,
    post: Post,
    content: &Content,
    connection: Connection,
    tokens: TokenSet,
    renewed: bool,
) -> Result<Progress, StepError> {
    let account = Account { id: &connection.platform_user_id, username: &connection.username, tokens: &tokens };
    match send(deps, &post, account, &content.text).await {
        Sent::Concluded(conclusion, answer) => conclude(deps, post, conclusion, answer).await,
        Sent::TokenRefused(answer) if renewed || !connection.refreshable => {
            tokens::mark_dead(deps, &connection).await?;
            conclude(deps, post, Conclusion::Failed(FailureCode::ReconnectNeeded), answer).await
        }
        Sent::TokenRefused(_) => {
            let refused = connection.secret_version.clone();
            let post = post.token_refused(deps.clock.now())?;
            if !stored(deps, &post).await? {
                return Ok(Progress::Again);
            }
            prepare(deps, post, content, Some(connection), Some(&refused)).await
        }
    }
}

async fn conclude(deps: &Deps, post: Post, conclusion: Conclusion, answer: Answer) -> Result<Progress, StepError> {
    let transition = post.clone().conclude(conclusion, answer.clone(), deps.clock.now())?;
    if matches!(settle::store(deps, &transition, None).await?, Commit::AlreadyBound) {
        // The platform's id belongs to another post of ours: only a search can tell which is which.
        let transition = post.conclude(Conclusion::AnswerLost, answer, deps.clock.now())?;
        settle::store(deps, &transition, None).await?;
    } else if transition.post.next_attempt_at().is_some() {
        settle::wake_later(deps, &transition.post).await;
    }
    Ok(Progress::Rest)
}

/// The publisher sends what was approved or nothing.
fn approved(post: &Post, content: &Content) -> Result<(), StepError> {
    if content.hash() == post.content_hash { Ok(()) } else { Err(StepError::ContentChanged) }
}

async fn stored(deps: &Deps, post: &Post) -> Result<bool, StepError> {
    Ok(matches!(deps.store.commit(&PostChange::of(post, &writer(post))).await?, Commit::Done))
}

fn writer(post: &Post) -> String {
    post.attempt().map(|attempt| attempt.id.to_string()).unwrap_or_default()
}
