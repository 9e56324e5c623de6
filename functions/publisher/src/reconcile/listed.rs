//! Looks for a post among what its account shows.

use std::time::Duration;

use domain::connection::Connection;
use domain::content::Content;
use domain::post::{Evidence, Intent, Known, Post, Publication, SETTLE_WAIT, Status};
use domain::token::TokenSet;
use jiff::{SignedDuration, Timestamp};
use platforms::{Account, OwnPost, ReadError};

use super::unread;
use crate::deps::Deps;
use crate::intent::looks;
use crate::limit::{self, Limit, Whom};
use crate::progress::StepError;
use crate::send::limit_ends;
use crate::turns::Batch;

/// A platform's clock may differ from ours by this much.
const PLATFORM_SKEW: SignedDuration = SignedDuration::from_secs(60);
/// From when to when, by the platform's clock.
type Window = (Timestamp, Timestamp);

/// By how much a publication is looked for before and after its own time: the platform's clock, and five minutes by which the clock of the
/// function that sent it may have been wrong.
const LOOKED_AROUND: SignedDuration = SignedDuration::from_mins(6);
/// What must be left of the invocation for a further reading of the account, whose pages may be slow.
const READ_RESERVE: Duration = Duration::from_secs(25);

/// Looks through the account's own posts. `None`: the token was refused.
pub(super) async fn listed(
    deps: &Deps,
    batch: &Batch,
    post: &Post,
    content: &Content,
    (connection, tokens): (&Connection, &TokenSet),
) -> Result<Option<Evidence>, StepError> {
    let windows = windows(post);
    let mut shown = Vec::new();
    for (count, window) in windows.iter().enumerate() {
        if count > 0 && batch.deadline.remaining() < READ_RESERVE {
            return Ok(Some(Evidence::Unreadable));
        }
        match read(deps, post, connection, tokens, *window).await {
            Ok(posts) => shown.extend(posts),
            Err(ReadError::TokenRefused) => return Ok(None),
            Err(error) => {
                if let ReadError::AppLimited { .. } = error {
                    // It is what the platform says of all that our app does: posts would be refused, too.
                    let wait = limit_ends(None, deps.clock.now());
                    limit::tell(deps, connection, Limit { of: Whom::App, wait }).await;
                }
                return Ok(Some(unread(&error)));
            }
        }
    }
    weigh(deps, post, content, &windows, shown).await.map(Some)
}

async fn read(deps: &Deps, post: &Post, connection: &Connection, tokens: &TokenSet, (from, to): Window) -> Result<Vec<OwnPost>, ReadError> {
    let account = Account::of(connection, tokens);
    let now = deps.clock.now();
    // Only an end that lies well behind us is an end that every platform takes.
    let until = Some(to).filter(|to| *to + PLATFORM_SKEW < now);
    deps.platforms.get(post.platform).own_posts(account, from, until, now).await
}

/// The times, by the platform's clock, in which what was sent may show: the send in doubt, and where an owner saw nothing of lost ones and
/// had the post tried again, those too. In order, and apart: what lies between them was never sent by us.
fn windows(post: &Post) -> Vec<Window> {
    around(&post.doubts())
}

/// The times in which a rival may have made what is shown. One that its owner found was sent before they said so.
fn may_have_made(rival: &Post) -> Vec<Window> {
    let found = rival.is_unbound().then_some(Intent { first_at: rival.due_at, last_at: rival.updated_at });
    let sends: Vec<Intent> = rival.unseen.iter().copied().chain(rival.in_doubt()).chain(found).collect();
    around(&sends)
}

fn around(sends: &[Intent]) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
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

fn overlap(ours: &[Window], theirs: &[Window]) -> bool {
    ours.iter().any(|(from, to)| theirs.iter().any(|(other_from, other_to)| other_from <= to && from <= other_to))
}

/// Of what the account shows, the one that can only be ours: the same text, made while we were sending, and not bound to another post.
///
/// Another post may show there that looks the same: in doubt too, or found by its owner without an id, whoever's it is. Which of the two is
/// shown, nobody can tell but a person.
async fn weigh(deps: &Deps, post: &Post, content: &Content, windows: &[Window], shown: Vec<OwnPost>) -> Result<Evidence, StepError> {
    let platform = deps.platforms.get(post.platform);
    let ours = platform.comparable(&content.text);
    let is_ours = |own: &OwnPost| {
        windows.iter().any(|(from, to)| own.created_at >= *from && own.created_at <= *to) && platform.comparable(&own.text) == ours
    };
    let mut matching: Vec<OwnPost> = shown.into_iter().filter(is_ours).collect();
    matching.sort_by(|a, b| a.id.cmp(&b.id));
    matching.dedup_by(|a, b| a.id == b.id);
    if matching.is_empty() {
        return Ok(Evidence::NotFound);
    }
    // Rivals before bindings: one that is settled in between is found by its binding.
    let rivals = deps.store.rivals(post, &looks(deps, post.platform, content)).await?;
    let ids: Vec<String> = matching.iter().map(|own| own.id.clone()).collect();
    let bound = deps.store.bound(post.platform, &ids).await?;
    let is_own = |own: &&OwnPost| bound.get(&own.id).is_some_and(|owner| owner.post_id == post.id);
    // It was handed over to this post by the platform's own word, and whoever did so has vanished since.
    if let Some(own) = matching.iter().find(is_own) {
        return Ok(Evidence::Found(found(own.clone(), Known::ByAnswer)));
    }
    let mut free = matching.into_iter().filter(|own| !bound.contains_key(&own.id));
    let Some(own) = free.next() else { return Ok(Evidence::NotFound) };
    let Some(rivals) = rivals else { return Ok(Evidence::Ambiguous) };
    let mut rivals = rivals.iter().filter(|rival| overlap(windows, &may_have_made(rival))).peekable();
    // One that is being sent at this moment learns by itself what became of it.
    if rivals.clone().any(|rival| rival.status() == Status::Publishing) {
        return Ok(Evidence::Unreadable);
    }
    if rivals.peek().is_some() || free.next().is_some() {
        return Ok(Evidence::Ambiguous);
    }
    Ok(Evidence::Found(found(own, Known::BySearch)))
}

fn found(own: OwnPost, known: Known) -> Publication {
    Publication { platform_post_id: own.id, url: own.url, made_at: Some(own.created_at), known }
}

#[cfg(test)]
mod tests {
    use domain::id::{AttemptId, ConnectionId, GroupId, PostId, UserId};
    use domain::platform::PlatformName;
    use domain::post::{Answer, Conclusion, Draft};
    use domain::timing::LATEST_MAX;

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
            lead: jiff::SignedDuration::ZERO,
        };
        let mut post = Post::draft(draft, at(0)).approve(at(0), true, at(0)).unwrap();
        for (sends, secs) in times.iter().enumerate() {
            let now = at(*secs);
            if sends > 0 {
                let failed = post.resolve_not_published(now).unwrap().post;
                post = failed.retry((now, now + LATEST_MAX), at(0), true, now).unwrap();
            }
            let sending = post.claim(AttemptId::new(now, [5; 10]), Some("7"), now).unwrap();
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
