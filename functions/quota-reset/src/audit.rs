//! The nightly audit: every number of every user, computed anew. It reads alone.

use domain::id::UserId;
use edge::metrics::Unit;
use edge::problem::chain;
use futures::stream::{self, StreamExt};
use jiff::SignedDuration;
use store::StoreError;

use crate::Deps;

/// Users whose books are read at once.
const USERS_AT_ONCE: usize = 10;
/// A run reads no further page of users after so long: the function's time-out in the template is five minutes.
const RUN_MAX: SignedDuration = SignedDuration::from_mins(4);

/// What an audit found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Audited {
    /// Users whose books were read.
    pub users: usize,
    /// Numbers that are not what they should be.
    pub differences: usize,
    /// Users whose books could not be read.
    pub failed: usize,
    /// Whether time ran out before everybody's were read.
    pub unfinished: bool,
}

/// Audits everybody. What differs is told, with everything that finds it again, and left as it is.
pub async fn audit(deps: &Deps) -> Result<Audited, StoreError> {
    let until = deps.clock.now() + RUN_MAX;
    let (mut total, mut place) = (Audited::default(), None);
    loop {
        let (page, next) = deps.store.users(place).await?;
        let mut books = stream::iter(page).map(|user| of_user(deps, user)).buffer_unordered(USERS_AT_ONCE);
        while let Some(outcome) = books.next().await {
            total.users += usize::from(outcome.is_some());
            total.differences += outcome.unwrap_or_default();
            total.failed += usize::from(outcome.is_none());
        }
        place = next;
        if place.is_none() {
            break;
        }
        if deps.clock.now() >= until {
            total.unfinished = true;
            tracing::error!(users = total.users, "time ran out before everybody's books were read");
            break;
        }
    }
    tell(deps, total);
    Ok(total)
}

/// How many numbers differ; `None`: the books could not be read.
async fn of_user(deps: &Deps, user: UserId) -> Option<usize> {
    match deps.store.audit(&user).await {
        Ok(differences) => {
            for difference in &differences {
                let (cycle_start, what) = (difference.cycle_start, difference.what.as_str());
                let (ledger, computed) = (difference.ledger, difference.computed);
                tracing::error!(user_id = %user, %cycle_start, what, ledger, computed, "the ledger does not add up");
            }
            Some(differences.len())
        }
        Err(error) => {
            tracing::error!(user_id = %user, error = chain(&error), "a user's books could not be read");
            None
        }
    }
}

fn tell(deps: &Deps, total: Audited) {
    let Audited { users, differences, failed, unfinished } = total;
    tracing::info!(users, differences, failed, unfinished, "audited");
    let count = |name, value: usize| (name, f64::from(u32::try_from(value).unwrap_or(u32::MAX)), Unit::Count);
    let values = [
        count("users_audited", users),
        count("ledger_differences", differences),
        count("audit_failures", failed),
        count("audit_unfinished", usize::from(unfinished)),
    ];
    deps.metrics.emit(deps.clock.now(), &[], &values, &[]);
}
