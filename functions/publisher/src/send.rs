//! The one call that makes a post visible, and what its outcome means for the post.

use domain::content::Content;
use domain::failure::FailureCode;
use domain::planted::Bug;
use domain::post::{Answer, Conclusion, Post, SEND_DEADLINE, State, backoff};
use domain::wait::Wait;
use jiff::{SignedDuration, Timestamp};
use platforms::{Account, Call, Outcome, Prepared};

use crate::deps::Deps;
use crate::limit::{Limit, Whom};

/// The shortest wait after a limit, whatever the platform says.
const LIMIT_WAIT_MIN: SignedDuration = SignedDuration::from_secs(30);
/// The wait after a limit that does not say when it ends.
const LIMIT_WAIT_DEFAULT: SignedDuration = SignedDuration::from_mins(15);
/// The longest wait that a platform's word is taken for.
const LIMIT_WAIT_MAX: SignedDuration = SignedDuration::from_hours(24);

/// When a post that the platform has accepted is asked after for the first time.
pub(crate) const FIRST_POLL: SignedDuration = SignedDuration::from_mins(1);

/// What one send came to.
pub(crate) enum Sent {
    /// The post can be settled.
    Concluded(Conclusion, Answer),
    /// Surely not accepted, and neither is any other post of whom it limits.
    Limited(Limit, Answer),
    /// The platform did not take our token; it did not look at the post.
    TokenRefused(Answer),
    /// The platform has the text already, as the post that it names by id and address; an earlier send may have made it.
    Named((String, Option<String>), Answer),
}

/// Sends the content once, and says what that means for a post that was not sent before.
pub(crate) async fn send(deps: &Deps, post: &Post, account: Account<'_>, content: &Content) -> Sent {
    meaning(deps, post, once(deps, post, account, content).await)
}

/// Sends the content once. The future is awaited to its end or to the deadline, never spawned and never repeated.
pub(crate) async fn once(deps: &Deps, post: &Post, account: Account<'_>, content: &Content) -> Outcome {
    let (key, time_left) = (key(post), SEND_DEADLINE.unsigned_abs());
    let call = Call { account, content, key: &key, time_left, now: deps.clock.now() };
    let prepared = post.handle().map(|handle| Prepared::ready(handle.to_owned())).unwrap_or_default();
    tokio::time::timeout(time_left, deps.platforms.get(post.platform).commit(&call, &prepared))
        .await
        .unwrap_or(Outcome::Unknown { http_status: None, detail: "no answer before the deadline".to_owned() })
}

/// Names the post at its platform. The version is part of it: what a person sends anew is another post.
pub(crate) fn key(post: &Post) -> String {
    format!("{}-{}", post.id, post.version)
}

fn meaning(deps: &Deps, post: &Post, outcome: Outcome) -> Sent {
    let now = deps.clock.now();
    let answer = |http_status, detail| Answer { http_status, detail };
    let (conclusion, answer) = match outcome {
        Outcome::Unknown { .. } if Bug::TimeoutTakenAsNotSent.is_planted() => (Conclusion::NotSent { retry_at: now }, answer(None, None)),
        Outcome::Accepted { post_id, url, http_status } => {
            (Conclusion::Published { platform_post_id: post_id, url }, answer(Some(http_status), None))
        }
        Outcome::Processing { handle, http_status } => {
            (Conclusion::Processing { handle, poll_at: now + FIRST_POLL }, answer(Some(http_status), None))
        }
        Outcome::NotSent { detail } => {
            let wait = backoff(not_sent(post), deps.random.bytes());
            (Conclusion::NotSent { retry_at: now + wait }, answer(None, Some(detail)))
        }
        Outcome::Limited { until, http_status } => {
            return Sent::Limited(Limit { of: Whom::Account, wait: limit_ends(until, now) }, answer(Some(http_status), None));
        }
        Outcome::AppLimited { until, http_status, detail } => {
            return Sent::Limited(Limit { of: Whom::App, wait: limit_ends(until, now) }, answer(Some(http_status), Some(detail)));
        }
        // Our own standing with the platform is everybody's, and may be mended while their posts wait.
        Outcome::Rejected { code: FailureCode::AppUnavailable, http_status, detail } => {
            return Sent::Limited(Limit { of: Whom::App, wait: limit_ends(None, now) }, answer(Some(http_status), Some(detail)));
        }
        // After a send that its owner did not find, the platform's word that the text is there is evidence, not a rejection; and X says no more
        // than *Forbidden* of much, which may be that.
        Outcome::Rejected { code: FailureCode::AccountRestricted, http_status, detail } if !post.unseen.is_empty() => {
            (Conclusion::AnswerLost, answer(Some(http_status), Some(detail)))
        }
        Outcome::Rejected { code, http_status, detail } => (Conclusion::Failed(code), answer(Some(http_status), Some(detail))),
        Outcome::TokenRefused { http_status } => return Sent::TokenRefused(answer(Some(http_status), None)),
        Outcome::Duplicate { post_id: Some(id), url, http_status } if !post.unseen.is_empty() => {
            return Sent::Named((id, url), answer(Some(http_status), None));
        }
        Outcome::Duplicate { http_status, .. } if !post.unseen.is_empty() => (Conclusion::AnswerLost, answer(Some(http_status), None)),
        Outcome::Duplicate { http_status, .. } => (Conclusion::Failed(FailureCode::DuplicateContent), answer(Some(http_status), None)),
        Outcome::Unknown { http_status, detail } => (Conclusion::AnswerLost, answer(http_status, Some(detail))),
    };
    Sent::Concluded(conclusion, answer)
}

pub(crate) fn not_sent(post: &Post) -> u32 {
    match post.state {
        State::Publishing { not_sent, .. } => not_sent,
        _ => 0,
    }
}

/// How long a limit is waited for. A time that the platform names, and that has all but passed, says nothing of the next try.
pub(crate) fn limit_ends(until: Option<Timestamp>, now: Timestamp) -> Wait {
    match until {
        Some(until) if until >= now + LIMIT_WAIT_MIN => Wait::Told(until.min(now + LIMIT_WAIT_MAX)),
        Some(_) => Wait::Guessed(now + LIMIT_WAIT_MIN),
        None => Wait::Guessed(now + LIMIT_WAIT_DEFAULT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_waited_out_by_the_platforms_own_time_within_bounds() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let cases = [
            (None, Wait::Guessed(now + LIMIT_WAIT_DEFAULT)),
            (Some(now - SignedDuration::from_hours(1)), Wait::Guessed(now + LIMIT_WAIT_MIN)),
            (Some(now + SignedDuration::from_mins(5)), Wait::Told(now + SignedDuration::from_mins(5))),
            (Some(now + SignedDuration::from_hours(1_000)), Wait::Told(now + LIMIT_WAIT_MAX)),
        ];
        for (until, wait) in cases {
            assert_eq!(limit_ends(until, now), wait);
        }
    }
}
