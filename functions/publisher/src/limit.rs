//! Limits of the platforms: who learns of one tells the others, so that they wait without asking.

use domain::connection::{Connection, Health};
use domain::failure::FailureCode;
use domain::id::AttemptId;
use domain::platform::PlatformName;
use domain::post::{Conclusion, Post};
use domain::wait::Wait;
use edge::problem::chain;
use jiff::Timestamp;
use store::{ConnectionWrite, Rounds, StoreError};

use crate::deps::Deps;

/// Whose posts a platform does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whom {
    /// One account's.
    Account,
    /// Everybody's: our app has used up what it may.
    App,
}

/// A platform takes no post before a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) of: Whom,
    pub(crate) wait: Wait,
}

impl Limit {
    /// The limit that is known to stand for `post` at `now`; the one that ends last counts. A guess stands for none at its last try.
    pub(crate) fn standing(connection: Option<&Connection>, pause: Option<Timestamp>, post: &Post, now: Timestamp) -> Option<Self> {
        let account = connection.and_then(|connection| connection.limited_until).map(|wait| Self { of: Whom::Account, wait });
        let app = pause.map(|until| Self { of: Whom::App, wait: Wait::Guessed(until) });
        let stands = |limit: &Self| match limit.wait {
            Wait::Told(until) => until > now,
            Wait::Guessed(until) => until > now && !post.is_at_last_try(now),
        };
        account.into_iter().chain(app).filter(stands).max_by_key(|limit| limit.wait.until())
    }

    pub(crate) fn code(self) -> FailureCode {
        match self.of {
            Whom::Account => FailureCode::RateLimited,
            Whom::App => FailureCode::AppUnavailable,
        }
    }

    /// What it means for the post that met it.
    pub(crate) fn conclusion(self) -> Conclusion {
        Conclusion::Deferred { code: self.code(), wait: self.wait }
    }
}

/// Tells the others. The post that met the limit waits already; if this fails, the next one meets it too.
pub(crate) async fn tell(deps: &Deps, connection: &Connection, limit: Limit) {
    let platform = connection.platform;
    let told = match limit.of {
        Whom::Account => tell_account(deps, connection, limit.wait).await,
        Whom::App => tell_everybody(deps, platform, limit.wait.until()).await,
    };
    if let Err(error) = told {
        tracing::warn!(connection_id = %connection.id, platform = platform.as_str(), error = chain(&error), "a limit was not written down");
    }
}

async fn tell_account(deps: &Deps, connection: &Connection, wait: Wait) -> Result<(), StoreError> {
    let writer = AttemptId::new(deps.clock.now(), deps.random.bytes()).to_string();
    let mut standing = connection.clone();
    let mut rounds = Rounds::new("telling a limit", &writer);
    loop {
        rounds.next().await?;
        match deps.store.update_connection(&standing.limited(wait, deps.clock.now()), &writer).await? {
            ConnectionWrite::Moved(Some(row)) if row.health != Health::Disconnecting => standing = *row,
            ConnectionWrite::Done | ConnectionWrite::Moved(_) => return Ok(()),
        }
    }
}

async fn tell_everybody(deps: &Deps, platform: PlatformName, until: Timestamp) -> Result<(), StoreError> {
    deps.metrics.count(deps.clock.now(), "platform_paused", &[("platform", platform.as_str())]);
    tracing::error!(platform = platform.as_str(), until = %until, "the platform takes nothing from our app; every post to it waits");
    deps.store.pause_platform(platform, until).await
}

#[cfg(test)]
mod tests {
    use domain::content::Content;
    use domain::id::{ConnectionId, GroupId, PostId, UserId};
    use domain::post::Draft;

    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + secs).unwrap()
    }

    /// Due at once, and missed after ten minutes.
    fn post() -> Post {
        let draft = Draft {
            id: PostId::new(at(0), [1; 10]),
            user_id: UserId::new(at(0), [2; 10]),
            group_id: GroupId::new(at(0), [3; 10]),
            connection_id: ConnectionId::new(at(0), [4; 10]),
            platform: PlatformName::X,
            content_hash: Content { text: "hello".into(), ai_recommendation: None }.hash(),
            due_at: at(0),
            latest_at: at(600),
            time_zone: None,
            local_time: None,
            lead: jiff::SignedDuration::ZERO,
        };
        Post::draft(draft, at(0))
    }

    #[test]
    fn the_limit_that_ends_last_counts_and_one_that_is_over_does_not() {
        let standing = |pause| Limit::standing(None, pause, &post(), at(0));
        assert_eq!(standing(None), None);
        assert_eq!(standing(Some(at(0))), None);
        assert_eq!(standing(Some(at(9))), Some(Limit { of: Whom::App, wait: Wait::Guessed(at(9)) }));
    }

    #[test]
    fn a_pause_whose_end_is_a_guess_keeps_no_post_from_its_last_try() {
        let stands = |secs| Limit::standing(None, Some(at(900)), &post(), at(secs)).is_some();
        assert_eq!([0, 500, 567, 568, 570, 600].map(stands), [true, true, true, false, false, false]);
    }
}
