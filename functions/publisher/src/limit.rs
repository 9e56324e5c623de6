//! Limits of the platforms: who learns of one tells the others, so that they wait without asking.

use domain::connection::{Connection, Health};
use domain::failure::FailureCode;
use domain::id::AttemptId;
use domain::platform::PlatformName;
use domain::post::Conclusion;
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
    pub(crate) until: Timestamp,
}

impl Limit {
    /// The limit that is known to stand at `now`; the one that ends last counts.
    pub(crate) fn standing(connection: Option<&Connection>, pause: Option<Timestamp>, now: Timestamp) -> Option<Self> {
        let account = connection.and_then(|connection| connection.limited_until).map(|until| Self { of: Whom::Account, until });
        let app = pause.map(|until| Self { of: Whom::App, until });
        account.into_iter().chain(app).filter(|limit| limit.until > now).max_by_key(|limit| limit.until)
    }

    pub(crate) fn code(self) -> FailureCode {
        match self.of {
            Whom::Account => FailureCode::RateLimited,
            Whom::App => FailureCode::AppUnavailable,
        }
    }

    /// What it means for the post that met it.
    pub(crate) fn conclusion(self) -> Conclusion {
        Conclusion::Deferred { code: self.code(), until: self.until }
    }
}

/// Tells the others. The post that met the limit waits already; if this fails, the next one meets it too.
pub(crate) async fn tell(deps: &Deps, connection: &Connection, limit: Limit) {
    let platform = connection.platform;
    let told = match limit.of {
        Whom::Account => tell_account(deps, connection, limit.until).await,
        Whom::App => tell_everybody(deps, platform, limit.until).await,
    };
    if let Err(error) = told {
        tracing::warn!(connection_id = %connection.id, platform = platform.as_str(), error = chain(&error), "a limit was not written down");
    }
}

async fn tell_account(deps: &Deps, connection: &Connection, until: Timestamp) -> Result<(), StoreError> {
    let writer = AttemptId::new(deps.clock.now(), deps.random.bytes()).to_string();
    let mut standing = connection.clone();
    let mut rounds = Rounds::new("telling a limit", &writer);
    loop {
        rounds.next().await?;
        match deps.store.update_connection(&standing.limited(until, deps.clock.now()), &writer).await? {
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
    use super::*;

    #[test]
    fn the_limit_that_ends_last_counts_and_one_that_is_over_does_not() {
        let at = |secs: i64| Timestamp::from_second(1_800_000_000 + secs).unwrap();
        assert_eq!(Limit::standing(None, None, at(0)), None);
        assert_eq!(Limit::standing(None, Some(at(0)), at(0)), None);
        assert_eq!(Limit::standing(None, Some(at(9)), at(0)), Some(Limit { of: Whom::App, until: at(9) }));
    }
}
