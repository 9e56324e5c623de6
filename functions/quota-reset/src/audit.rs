//! The nightly audit: every number of every user, computed anew, and every post that waits for an instant which is not what its local
//! time means any more, because its zone has got other rules. It writes nothing but how far it has come.

use domain::id::UserId;
use domain::post::ZoneChange;
use edge::guarded::guarded;
use edge::metrics::Unit;
use edge::problem::chain;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use jiff::{SignedDuration, Timestamp};
use store::{Audit, AuditRound, StoreError};

use crate::Deps;

/// Users whose books are read at once.
const USERS_AT_ONCE: usize = 10;
/// Posts of one user that are told of one by one; all are counted.
const ZONE_CHANGES_TOLD_MAX: usize = 20;
/// A run reads no further page of users after so long: the function's time-out in the template is five minutes.
const RUN_MAX: SignedDuration = SignedDuration::from_mins(4);

/// What an audit found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Audited {
    /// Users whose books were read.
    pub users: usize,
    /// Numbers that are not what they should be.
    pub differences: usize,
    /// Posts still ahead whose local time means another instant by now than the one that is stored.
    pub zone_changes: usize,
    /// Users whose books could not be read.
    pub failed: usize,
    /// Whether time ran out before the end of the table; the next run goes on there.
    pub unfinished: bool,
}

/// Audits users from where the last run stopped to the end of the table, as long as there is time. What differs is told, with
/// everything that finds it again, and left as it is.
pub fn audit(deps: &Deps) -> BoxFuture<'_, Result<Audited, StoreError>> {
    all_users(deps).boxed()
}

async fn all_users(deps: &Deps) -> Result<Audited, StoreError> {
    let began = deps.clock.now();
    let (mut total, mut round) = (Audited::default(), deps.store.audit_round(began).await?);
    loop {
        let (page, next) = deps.store.users(round.place()).await?;
        round = round.after(page.len(), next);
        read_books(deps, page, &mut total).await;
        // Kept after the page was read: whoever is stopped before reads it again.
        if !deps.store.keep_audit_round(&round).await? {
            tracing::warn!("another audit is under way, and further");
            break;
        }
        if round.is_over() {
            break;
        }
        if deps.clock.now() >= began + RUN_MAX {
            total.unfinished = true;
            break;
        }
    }
    tell(deps, total, &round);
    Ok(total)
}

async fn read_books(deps: &Deps, page: Vec<Result<UserId, StoreError>>, total: &mut Audited) {
    let mut books = stream::iter(page).map(|user| of_user(deps, user)).buffer_unordered(USERS_AT_ONCE);
    while let Some(outcome) = books.next().await {
        total.users += usize::from(outcome.is_some());
        total.failed += usize::from(outcome.is_none());
        let found = outcome.unwrap_or_default();
        total.differences += found.differences.len();
        total.zone_changes += found.zone_changes.len();
    }
}

/// What was found, and told; `None`: the books could not be read.
async fn of_user(deps: &Deps, user: Result<UserId, StoreError>) -> Option<Audit> {
    let user = user.map_err(|error| tracing::error!(error = chain(&error), "a user could not be read")).ok()?;
    let audit = guarded(deps.store.audit(&user)).await;
    let audit = audit.map_err(|_| tracing::error!(user_id = %user, "a user's audit panicked")).ok()?;
    let audit = audit.map_err(|error| tracing::error!(user_id = %user, error = chain(&error), "a user's books could not be read"));
    let Audit { differences, mut zone_changes } = audit.ok()?;
    for difference in &differences {
        let (cycle_start, what) = (difference.cycle_start, difference.what.as_str());
        let (ledger, computed) = (difference.ledger, difference.computed);
        tracing::error!(user_id = %user, %cycle_start, what, ledger, computed, "the ledger does not add up");
    }
    let now = deps.clock.now();
    zone_changes.retain(|change| change.due_at > now);
    for ZoneChange { post_id, due_at, local_time, time_zone, now_means } in zone_changes.iter().take(ZONE_CHANGES_TOLD_MAX) {
        let now_means = now_means.map(tracing::field::display);
        tracing::warn!(user_id = %user, %post_id, %due_at, %local_time, time_zone, now_means, "a post's zone has got other rules");
    }
    Some(Audit { differences, zone_changes })
}

/// With how far the round has come: its users so far, and how long it has been under way.
fn tell(deps: &Deps, total: Audited, round: &AuditRound) {
    let Audited { users, differences, zone_changes, failed, unfinished } = total;
    let now: Timestamp = deps.clock.now();
    let (round_users, round_hours) = (round.users, now.duration_since(round.began_at).as_hours());
    tracing::info!(users, differences, zone_changes, failed, unfinished, round_users, round_hours, "audited");
    let count = |name, value: u32| (name, f64::from(value), Unit::Count);
    let values = [
        count("users_audited", bounded(users)),
        count("ledger_differences", bounded(differences)),
        count("zone_changes", bounded(zone_changes)),
        count("audit_failures", bounded(failed)),
        count("audit_unfinished", u32::from(unfinished)),
        count("audit_round_users", bounded(round_users)),
        count("audit_round_hours", bounded(round_hours)),
    ];
    deps.metrics.emit(now, &[], &values, &[]);
}

fn bounded<N: TryInto<u32>>(number: N) -> u32 {
    number.try_into().unwrap_or(u32::MAX)
}
