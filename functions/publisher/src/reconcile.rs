//! Clearing up a lost answer, in the way of the platform's class. By search it reads and binds what it finds, and never sends. Under a key, or
//! a handle that was not published, it sends again what the platform cannot make twice.

use std::cmp::Ordering;
use std::time::Duration;

use connecting::tokens::{self, Usable};
use domain::connection::{Connection, Health};
use domain::content::Content;
use domain::failure::FailureCode;
use domain::id::AttemptId;
use domain::ledger::Actor;
use domain::planted::Bug;
use domain::post::{Answer, Event, Evidence, FUNCTION_TIMEOUT, Intent, LateResult, Learned, PLATFORM_LAG, Post, SETTLE_WAIT, Status};
use domain::timing::LATEST_MAX;
use domain::token::TokenSet;
use edge::deadline::Deadline;
use edge::problem::chain;
use jiff::{SignedDuration, Timestamp};
use platforms::{Account, HandleState, Outcome, OwnPost, ReadError, Reconcile};
use store::{Commit, PostChange};

use crate::step::Progress;
use crate::{Deps, StepError, publish, send, settle};

/// A platform's clock may differ from ours by this much.
const PLATFORM_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// By how much a publication is looked for before and after its own time: the platform's clock, and five minutes by which the clock of the
/// function that sent it may have been wrong.
const LOOKED_AROUND: SignedDuration = SignedDuration::from_mins(6);

/// What must be left of the invocation for a further reading of the account, whose pages may be slow.
const READ_RESERVE: Duration = Duration::from_secs(25);

/// How far apart the clocks of the function that sent first and of this one may be for a key, or for the word that a handle is not published,
/// to be trusted: one that repeats a forgotten key posts twice, so more is allowed for than anywhere else.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(10);

/// One look for the post, in the way of its platform's class.
pub(crate) async fn search(deps: &Deps, deadline: Deadline, post: Post, content: Content) -> Result<Progress, StepError> {
    let now = deps.clock.now();
    let attempt = AttemptId::new(now, deps.random.bytes());
    let begun = post.begin_search(attempt.clone(), now)?;
    let event = Event::of(begun.from, &begun.post, Actor::Publisher, "looking for it on the platform", now);
    let change = PostChange { attempt: begun.attempt.as_ref(), ..PostChange::of(&begun.post, attempt.as_str(), &event) };
    if !matches!(deps.store.commit(&change).await?, Commit::Done) {
        return Ok(Progress::Again);
    }
    let mut post = begun.post;
    // Whatever keeps us from reading leaves the post where it is, for a bounded time: then a person must look.
    let evidence = evidence(deps, deadline, &mut post, &content).await.unwrap_or_else(|error| {
        tracing::error!(post_id = %post.id, error = chain(&error), "the evidence could not be read");
        Evidence::Unreadable
    });
    let transition = post.clone().conclude_search(evidence, Answer::default(), deps.clock.now())?;
    match publish::keep_settling(deps, deadline, &transition).await? {
        Commit::Done => settle::wake_later(deps, &transition.post).await,
        // Somebody bound the same post a moment ago: the sweeper has it looked at again without that one.
        Commit::AlreadyBound => {
            let transition = post.conclude_search(Evidence::Unreadable, Answer::default(), deps.clock.now())?;
            settle::store(deps, &transition, settle::note(&transition)).await?;
        }
        Commit::PostMoved(_) => publish::tell_late(deps, &post, &transition).await?,
        Commit::LedgerMoved => {}
    }
    Ok(Progress::Rest)
}

/// `post` moves on where a new intent is stored.
async fn evidence(deps: &Deps, deadline: Deadline, post: &mut Post, content: &Content) -> Result<Evidence, StepError> {
    if let Some(evidence) = learned_late(deps, post).await? {
        return Ok(evidence);
    }
    let class = deps.platforms.get(post.platform).capabilities().reconcile;
    if class == Reconcile::Person || (class == Reconcile::Handle && post.handle().is_none()) {
        return Ok(Evidence::Unreachable);
    }
    let Some(connection) = deps.store.connection(&post.user_id, &post.connection_id).await? else { return Ok(Evidence::Unreachable) };
    if connection.health == Health::Disconnecting {
        return last_look(deps, deadline, post, content, &connection).await;
    }
    let mut refused = None;
    // A token that looks live may be refused once: then a fresh one is tried.
    for _ in 0..2 {
        let (connection, tokens) = match tokens::usable(&deps.access(), connection.clone(), refused.as_deref()).await? {
            Usable::Ready(connection, tokens) => (connection, tokens),
            Usable::Later => return Ok(Evidence::Unreadable),
            Usable::Dead | Usable::Gone => return Ok(Evidence::Unreachable),
        };
        let looked = match class {
            Reconcile::Key if is_young(deps, post) && !is_too_late(deps, post) => {
                repeated(deps, deadline, post, content, (&connection, &tokens), Repeat::Key).await?
            }
            Reconcile::Handle => by_handle(deps, deadline, post, content, (&connection, &tokens)).await?,
            _ => listed(deps, deadline, post, content, (&connection, &tokens)).await?,
        };
        match looked {
            Some(evidence) => return Ok(evidence),
            None => refused = Some(connection.secret_version.clone()),
        }
    }
    Ok(Evidence::Unreadable)
}

/// Whether the platform surely still knows the key when a repeat of the send arrives, however slow this function and the platform are.
fn is_young(deps: &Deps, post: &Post) -> bool {
    let life = deps.platforms.get(post.platform).key_life();
    Bug::ResendWithAnOldKey.is_planted()
        || post.in_doubt().is_some_and(|intent| deps.clock.now() + FUNCTION_TIMEOUT + PLATFORM_LAG + CLOCKS_APART < intent.first_at + life)
}

/// Whether its owner would rather not see it any more: a repeat may be what publishes it first.
fn is_too_late(deps: &Deps, post: &Post) -> bool {
    deps.clock.now() > post.latest_at
}

/// What a repeat rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// A key, under which the platform makes one post.
    Key,
    /// A handle that the platform says was not published.
    Ready,
}

/// Sends once more what the platform cannot make twice, under an intent of its own. `None`: the token was refused.
async fn repeated(
    deps: &Deps,
    deadline: Deadline,
    post: &mut Post,
    content: &Content,
    (connection, tokens): (&Connection, &TokenSet),
    repeat: Repeat,
) -> Result<Option<Evidence>, StepError> {
    let Ok(again) = post.clone().send_again(deps.clock.now()) else { return Ok(Some(Evidence::Unreadable)) };
    if !publish::can_send(deadline) || content.hash() != post.content_hash {
        return Ok(Some(Evidence::Unreadable));
    }
    if !publish::stored(deps, (Status::Unknown, &again), "about to be sent again, as the same post", Some(connection)).await? {
        return Ok(Some(Evidence::Unreadable));
    }
    *post = again;
    if !publish::can_send(deadline) {
        return Ok(Some(Evidence::Unreadable));
    }
    let account = Account { id: &connection.platform_user_id, username: &connection.username, tokens };
    Ok(Some(match send::once(deps, post, account, &content.text).await {
        Outcome::Accepted { post_id, url, .. } => Evidence::Found { platform_post_id: post_id, url },
        Outcome::Processing { handle, .. } => Evidence::Processing { handle, poll_at: deps.clock.now() + send::FIRST_POLL },
        Outcome::TokenRefused { .. } => return Ok(None),
        Outcome::Limited { until: Some(until), .. } => Evidence::Limited { until },
        Outcome::Limited { until: None, .. } | Outcome::AppLimited { .. } | Outcome::NotSent { .. } => Evidence::Unreadable,
        // The handle was not published, and now it never will be. Of a key's first use a refusal says nothing.
        Outcome::Rejected { code, .. } if repeat == Repeat::Ready => Evidence::NotThere(code),
        Outcome::Rejected { .. } | Outcome::Duplicate { .. } => Evidence::NotFound,
        Outcome::Unknown { .. } => Evidence::SentAgain,
    }))
}

/// Asks the platform what became of the handle, and publishes that very one if it says that it was not. `None`: the token was refused.
async fn by_handle(
    deps: &Deps,
    deadline: Deadline,
    post: &mut Post,
    content: &Content,
    (connection, tokens): (&Connection, &TokenSet),
) -> Result<Option<Evidence>, StepError> {
    match looked_up(deps, post, connection, tokens).await {
        Ok(HandleState::Ready) => not_published(deps, deadline, post, content, (connection, tokens)).await,
        Ok(state) => Ok(Some(said(deps, post, state))),
        Err(ReadError::TokenRefused) => Ok(None),
        Err(error) => Ok(Some(unread(&error))),
    }
}

/// Publishes a handle of which the platform says that it is not, unless it is too late. By a clock that is wrong an earlier send may still be
/// on its way: before that has surely ended, neither our being too late nor a refusal is the last word.
async fn not_published(
    deps: &Deps,
    deadline: Deadline,
    post: &mut Post,
    content: &Content,
    with: (&Connection, &TokenSet),
) -> Result<Option<Evidence>, StepError> {
    let before = post.in_doubt();
    let seen = if is_too_late(deps, post) {
        Some(Evidence::NotThere(FailureCode::TooLate))
    } else {
        repeated(deps, deadline, post, content, with, Repeat::Ready).await?
    };
    let Some((Evidence::NotThere(code), before)) = seen.clone().zip(before) else { return Ok(seen) };
    let until = before.last_at + SETTLE_WAIT + CLOCKS_APART;
    if deps.clock.now() >= until {
        return Ok(Some(Evidence::NotThere(code)));
    }
    *post = post.clone().repeat_refused(before);
    Ok(Some(Evidence::Limited { until }))
}

async fn looked_up(deps: &Deps, post: &Post, connection: &Connection, tokens: &TokenSet) -> Result<HandleState, ReadError> {
    let account = Account { id: &connection.platform_user_id, username: &connection.username, tokens };
    deps.platforms.get(post.platform).look_up(account, post.handle().unwrap_or_default()).await
}

fn said(deps: &Deps, post: &Post, state: HandleState) -> Evidence {
    match state {
        HandleState::Live { post_id, url } => Evidence::Found { platform_post_id: post_id, url },
        HandleState::Gone { code } => Evidence::NotThere(code),
        HandleState::InProgress => {
            Evidence::Processing { handle: post.handle().unwrap_or_default().to_owned(), poll_at: deps.clock.now() + send::FIRST_POLL }
        }
        HandleState::Ready => Evidence::NotFound,
    }
}

/// Looks through the account's own posts. `None`: the token was refused.
async fn listed(
    deps: &Deps,
    deadline: Deadline,
    post: &Post,
    content: &Content,
    (connection, tokens): (&Connection, &TokenSet),
) -> Result<Option<Evidence>, StepError> {
    let windows = windows(post);
    let mut shown = Vec::new();
    for (count, window) in windows.iter().enumerate() {
        if count > 0 && deadline.remaining() < READ_RESERVE {
            return Ok(Some(Evidence::Unreadable));
        }
        match read(deps, post, connection, tokens, *window).await {
            Ok(posts) => shown.extend(posts),
            Err(ReadError::TokenRefused) => return Ok(None),
            Err(error) => return Ok(Some(unread(&error))),
        }
    }
    weigh(deps, post, content, &windows, shown).await.map(Some)
}

/// What workers that sent it, or looked for it, learned after the post had been taken from them. It is proof, so it comes before any search: a publication in
/// any case, and that there is none where only that send is in doubt.
async fn learned_late(deps: &Deps, post: &Post) -> Result<Option<Evidence>, StepError> {
    let only_send = post.in_doubt().filter(|intent| intent.first_at == intent.last_at).map(|intent| intent.last_at);
    let mut proof = None;
    for LateResult { sent_at, learned, .. } in deps.store.late_results(post).await? {
        match learned {
            Learned::Published { platform_post_id, url } => return Ok(Some(Evidence::Found { platform_post_id, url })),
            Learned::NotThere { code } if only_send == Some(sent_at) => proof = Some(Evidence::NotThere(code)),
            Learned::NotThere { .. } => {}
        }
    }
    Ok(proof)
}

fn unread(error: &ReadError) -> Evidence {
    match error {
        ReadError::Limited { until: Some(until) } => Evidence::Limited { until: *until },
        _ => Evidence::Unreadable,
    }
}

/// A disconnect waits for this search: it reads with what there is, renews nothing and sends nothing.
async fn last_look(
    deps: &Deps,
    deadline: Deadline,
    post: &Post,
    content: &Content,
    connection: &Connection,
) -> Result<Evidence, StepError> {
    let Some(tokens) = tokens::live(&deps.access(), connection).await? else { return Ok(Evidence::Unreachable) };
    if post.handle().is_some() {
        return Ok(match looked_up(deps, post, connection, &tokens).await {
            Ok(state) => said(deps, post, state),
            Err(ReadError::TokenRefused) => Evidence::Unreachable,
            Err(error) => unread(&error),
        });
    }
    Ok(listed(deps, deadline, post, content, (connection, &tokens)).await?.unwrap_or(Evidence::Unreachable))
}

async fn read(
    deps: &Deps,
    post: &Post,
    connection: &Connection,
    tokens: &TokenSet,
    (from, to): (Timestamp, Timestamp),
) -> Result<Vec<OwnPost>, ReadError> {
    let account = Account { id: &connection.platform_user_id, username: &connection.username, tokens };
    let now = deps.clock.now();
    // Only an end that lies well behind us is an end that every platform takes.
    let until = Some(to).filter(|to| *to + PLATFORM_SKEW < now);
    deps.platforms.get(post.platform).own_posts(account, from, until, now).await
}

/// The times, by the platform's clock, in which what was sent may show: the send in doubt, and where an owner saw nothing of lost ones and
/// had the post tried again, those too. In order, and apart: what lies between them was never sent by us.
fn windows(post: &Post) -> Vec<(Timestamp, Timestamp)> {
    around(&post.doubts())
}

fn around(sends: &[Intent]) -> Vec<(Timestamp, Timestamp)> {
    let mut windows: Vec<(Timestamp, Timestamp)> = Vec::new();
    let mut sends = sends.to_vec();
    sends.sort_by_key(|intent| intent.first_at);
    for Intent { first_at, last_at } in sends {
        let (from, to) = (first_at - LOOKED_AROUND, last_at + SETTLE_WAIT + LOOKED_AROUND);
        match windows.last_mut() {
            Some(before) if from <= before.1 => before.1 = before.1.max(to),
            _ => windows.push((from, to)),
        }
    }
    windows
}

fn overlap(ours: &[(Timestamp, Timestamp)], theirs: &[(Timestamp, Timestamp)]) -> bool {
    ours.iter().any(|(from, to)| theirs.iter().any(|(other_from, other_to)| other_from <= to && from <= other_to))
}

/// Of what the account shows, what can only be ours: same text, made while we were sending, not bound to another post.
///
/// Another post with the same text may be in the same doubt at the same time. Then what is shown must be enough for all of them: one of two
/// may be either's.
async fn weigh(
    deps: &Deps,
    post: &Post,
    content: &Content,
    windows: &[(Timestamp, Timestamp)],
    shown: Vec<OwnPost>,
) -> Result<Evidence, StepError> {
    let platform = deps.platforms.get(post.platform);
    let ours = platform.comparable(&content.text);
    let is_ours = |own: &OwnPost| {
        windows.iter().any(|(from, to)| own.created_at >= *from && own.created_at <= *to) && platform.comparable(&own.text) == ours
    };
    let matching: Vec<OwnPost> = shown.into_iter().filter(is_ours).collect();
    let ids: Vec<String> = matching.iter().map(|own| own.id.clone()).collect();
    let bound = deps.store.bound(post.platform, &ids).await?;
    let mut free: Vec<OwnPost> = matching.into_iter().filter(|own| !bound.contains(&own.id)).collect();
    if free.is_empty() {
        return Ok(Evidence::NotFound);
    }
    // One that was tried again has a later due time than the send that may show: so up to now. Of too many nobody can tell.
    let dues = (windows[0].0 - LATEST_MAX, deps.clock.now() + LOOKED_AROUND);
    let Some(beside) = deps.store.unbound_beside(post, dues).await? else { return Ok(Evidence::Ambiguous) };
    // To the platform two texts may be the same that are not the same bytes.
    let alike = beside.into_iter().filter(|(_, content)| platform.comparable(&content.text) == ours);
    let twins: Vec<Post> = alike.map(|(twin, _)| twin).collect();
    // Those that their owner found there: each has one of what is shown, and nobody knows which.
    let may_show = |twin: &Post| {
        windows.iter().any(|(from, to)| twin.updated_at >= *from && twin.due_at <= *to) || overlap(windows, &around(&twin.unseen))
    };
    let found = twins.iter().filter(|twin| twin.is_unbound() && may_show(twin)).count();
    let rivals: Vec<&Post> = twins.iter().filter(|twin| overlap(windows, &self::windows(twin))).collect();
    // One that is being sent at this moment learns by itself what became of it.
    if rivals.iter().any(|twin| twin.status() == Status::Publishing) {
        return Ok(Evidence::Unreadable);
    }
    free.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    free.dedup_by(|a, b| a.id == b.id);
    let place = |post: &Post| (post.doubts().iter().map(|intent| intent.first_at).min(), post.id.clone());
    let earlier = rivals.iter().filter(|twin| place(twin) < place(post)).count();
    Ok(match free.len().cmp(&(rivals.len() + found + 1)) {
        Ordering::Less => Evidence::NotFound,
        Ordering::Equal => {
            let own = free.swap_remove(earlier);
            Evidence::Found { platform_post_id: own.id, url: own.url }
        }
        Ordering::Greater => Evidence::Ambiguous,
    })
}

#[cfg(test)]
mod tests {
    use domain::id::{AttemptId, ConnectionId, GroupId, PostId, UserId};
    use domain::platform::PlatformName;
    use domain::post::{Conclusion, Draft};

    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + secs).unwrap()
    }

    /// A post in doubt that was sent at these times, and not found by its owner but for the last.
    fn sent(times: &[i64]) -> Post {
        let content = Content { text: "hello".into(), ai_recommendation: None };
        let draft = Draft {
            id: PostId::new(at(0), [1; 10]),
            user_id: UserId::new(at(0), [2; 10]),
            group_id: GroupId::new(at(0), [3; 10]),
            connection_id: ConnectionId::new(at(0), [4; 10]),
            platform: PlatformName::X,
            content_hash: content.hash(),
            due_at: at(times[0]),
            latest_at: at(times[0]) + LATEST_MAX,
            time_zone: None,
            local_time: None,
        };
        let mut post = Post::draft(draft, at(0)).approve(at(0), true, at(0)).unwrap();
        for (sends, secs) in times.iter().enumerate() {
            let now = at(*secs);
            if sends > 0 {
                let failed = post.resolve_not_published(now).unwrap().post;
                post = failed.retry((now, now + LATEST_MAX), at(0), true, now).unwrap();
            }
            let sending = post.claim(AttemptId::new(now, [5; 10]), true, now).unwrap();
            post = sending.conclude(Conclusion::AnswerLost, Answer::default(), now).unwrap().post;
        }
        post
    }

    #[test]
    fn what_is_looked_for_lies_around_each_send_and_not_between_them() {
        let window = |first: i64, last: i64| (at(first) - LOOKED_AROUND, at(last) + SETTLE_WAIT + LOOKED_AROUND);
        assert_eq!(windows(&sent(&[0])), [window(0, 0)]);
        assert_eq!(windows(&sent(&[0, 300])), [window(0, 300)], "those that touch are one");
        let days = 20 * 86_400;
        assert_eq!(windows(&sent(&[0, 300, days])), [window(0, 300), window(days, days)]);
        assert!(overlap(&windows(&sent(&[0, days])), &windows(&sent(&[days + 60]))));
        assert!(!overlap(&windows(&sent(&[0, days])), &windows(&sent(&[days / 2]))));
    }
}
