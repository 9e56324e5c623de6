//! The end of a connection that its owner gave up: the grant is taken back at the platform, the tokens go, then the row.

use std::error::Error;
use std::time::Duration;

use cloud::vault::{Vault, VaultError};
use domain::connection::Connection;
use domain::failure::FailureCode;
use domain::id::{AttemptId, UserId};
use domain::ledger::{Actor, Cause};
use domain::plan::CYCLE_MAX;
use domain::planted::Bug;
use domain::post::{Post, Status};
use edge::problem::chain;
use edge::random::Random;
use jiff::{SignedDuration, Timestamp};
use platforms::{Account, AppCredentials, Platforms};
use store::{ConnectionWrite, Filter, Store, StoreError};

/// A post that was due longer ago is at rest: it goes out a day late at most, and is searched for for three hours.
const IN_FLIGHT_SINCE: SignedDuration = SignedDuration::from_hours(48);
/// A post that was approved late, or was put off, may be due up to a day before the cycle that pays for it.
const DUE_BEFORE: SignedDuration = SignedDuration::from_hours(24);
/// How long a platform may take to end a grant: consents at it wait meanwhile, for four seconds at most.
pub const TAKE_BACK_MAX: Duration = Duration::from_secs(3);
/// No index is behind for so long.
const INDEX_BEHIND_MAX: SignedDuration = SignedDuration::from_hours(1);
/// The most that clocks differ, and more.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(10);

/// Where consents are under way, a grant that may be theirs is looked at so often…
const LOOKS_MAX: usize = 10;
/// …this far apart: a disconnect waits some four seconds.
const LOOK_AGAIN: Duration = Duration::from_millis(400);

/// How long posts are held before the account goes: well within the time of a request.
const HOLD_MAX: Duration = Duration::from_secs(8);

/// Where a connection is taken down.
pub struct Ending<'a> {
    /// The row, and the posts that may need it.
    pub store: &'a Store,
    /// The tokens.
    pub vault: &'a Vault,
    /// Where the grant is taken back.
    pub platforms: &'a Platforms,
    /// Ids of history rows.
    pub random: &'a Random,
    /// Who does it; fresh for every try.
    pub attempt: AttemptId,
    /// On whose behalf.
    pub actor: Actor,
}

/// What came of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It is gone.
    Gone,
    /// Somebody still works with it: the same again later.
    NotYet,
}

/// Why a connection was not taken down; the same again finishes it.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// A table did not answer.
    #[error("removing a connection")]
    Store(#[from] StoreError),
    /// The vault did not answer.
    #[error("deleting the tokens of a connection")]
    Vault(#[from] VaultError),
}

/// Takes down a connection that is marked as `disconnecting`, once no work in flight needs it. Its scheduled posts are held from the first
/// try on. The platform is told as far as it listens; the tokens are deleted in any case.
pub async fn end(ending: &Ending<'_>, connection: Connection, now: Timestamp) -> Result<Ended, EndError> {
    let Ending { store, platforms, random, actor, .. } = ending;
    let cause = || Cause { entropy: random.bytes(), at: now, actor: *actor, post_id: None };
    // Whatever becomes of this, the account goes: what is left, the sweeper holds.
    match tokio::time::timeout(HOLD_MAX, store.hold_of(&connection, FailureCode::ConnectionGone, cause)).await {
        Ok(Ok(0)) => {}
        Ok(Ok(held)) => {
            tracing::info!(user_id = %connection.user_id, connection_id = %connection.id, held, "posts have lost their account");
        }
        Ok(Err(error)) => {
            tracing::error!(connection_id = %connection.id, error = chain(&error), "posts that have lost their account wait for the sweeper");
        }
        Err(_) => tracing::info!(connection_id = %connection.id, "more posts have lost their account than are held at once"),
    }
    let refreshing = connection.lease.as_ref().is_some_and(|lease| lease.until > now);
    if refreshing || (!Bug::DisconnectDoesNotWait.is_planted() && in_flight(store, &connection, now).await?) {
        return Ok(Ended::NotYet);
    }
    if platforms.get(connection.platform).descriptor().grants_are_one {
        return alone(ending, connection, now).await;
    }
    remove(ending, connection, now, Revoke::Yes).await
}

/// The same where the grant may be somebody else's too: not while a consent is under way whose tokens would end with it.
async fn alone(ending: &Ending<'_>, connection: Connection, now: Timestamp) -> Result<Ended, EndError> {
    let Ending { store, attempt, .. } = ending;
    let platform = connection.platform;
    for look in 0..LOOKS_MAX {
        if look > 0 {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        // Noted first and looked then, as a consent does it: of two at once, at least one sees the other.
        store.begin_ending(platform, attempt, now).await?;
        let is_free = !store.is_consent_under_way(platform, now).await?;
        let ended = if is_free { Some(remove(ending, connection.clone(), now, Revoke::Yes).await) } else { None };
        if let Err(error) = store.ending_is_over(platform, attempt).await {
            // Until it ends by itself, consents at the platform wait.
            tracing::warn!(platform = platform.as_str(), error = chain(&error), "a note about a grant stays");
        }
        if let Some(ended) = ended {
            return ended;
        }
    }
    if ending.actor == Actor::Sweeper {
        // An hour after its owner left, its tokens go in any case. That ends nobody's grant.
        tracing::warn!(connection_id = %connection.id, "consents are under way; a grant is left to the platform");
        return remove(ending, connection, now, Revoke::No).await;
    }
    tracing::info!(connection_id = %connection.id, "consents are under way; the grant is taken back later");
    Ok(Ended::NotYet)
}

/// Whether the platform is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Revoke {
    Yes,
    No,
}

async fn remove(ending: &Ending<'_>, connection: Connection, now: Timestamp, revoke: Revoke) -> Result<Ended, EndError> {
    let Ending { store, vault, attempt, .. } = ending;
    // Under a lease of our own: a reconnect at this moment is refused instead of losing its tokens to us.
    let connection = connection.leased(attempt.clone(), now);
    if matches!(store.update_connection(&connection, attempt.as_str()).await?, ConnectionWrite::Moved(_)) {
        return Ok(Ended::NotYet);
    }
    let taking_back = async {
        match revoke {
            Revoke::Yes => take_back(ending, &connection, now).await,
            Revoke::No => Ok(ending.store.leave_grant(&connection).await?),
        }
    };
    match tokio::time::timeout(TAKE_BACK_MAX, taking_back).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(connection_id = %connection.id, error = chain(&*error), "a grant was not taken back at its platform");
        }
        Err(_) => tracing::warn!(connection_id = %connection.id, "a grant was not taken back: the platform did not answer in time"),
    }
    vault.delete(&connection.secret_name).await?;
    if !store.delete_connection(&connection).await? {
        return Ok(Ended::NotYet);
    }
    let (user_id, connection_id, platform) = (&connection.user_id, &connection.id, connection.platform.as_str());
    tracing::info!(%user_id, %connection_id, platform, "disconnected");
    Ok(Ended::Gone)
}

/// Whether a worker may still need the tokens: to send, or to find what it sent.
///
/// Posts are found by an index, which may be behind; the ledger never is.
async fn in_flight(store: &Store, connection: &Connection, now: Timestamp) -> Result<bool, StoreError> {
    let user = &connection.user_id;
    // A disconnect waits no longer for an index, a ledger that is wrong, or a post that cannot be read: no worker can read it either.
    let posts = if now < connection.updated_at + INDEX_BEHIND_MAX {
        let Some(posts) = holders(store, user, now - IN_FLIGHT_SINCE).await? else { return Ok(true) };
        posts
    } else {
        let filter = Filter { from: Some(now - IN_FLIGHT_SINCE), to: Some(now + CLOCKS_APART), ..Filter::default() };
        let shown = store.readable(store.each_post_where(user, &filter, |_| true).await?)?;
        store.posts_now(&shown).await?
    };
    let needs = |post: &Post| matches!(post.status(), Status::Publishing | Status::Processing | Status::Unknown);
    Ok(posts.iter().any(|post| post.connection_id == connection.id && needs(post)))
}

/// The posts that hold a place in a cycle that had not ended at `since`, as each that is under way does. `None`: the index shows fewer or more
/// of them that can be read than the ledger has places set aside, or that has changed meanwhile, or cannot be read.
async fn holders(store: &Store, user: &UserId, since: Timestamp) -> Result<Option<Vec<Post>>, StoreError> {
    let cycles = match store.cycles_from(user, since - CYCLE_MAX).await {
        Ok(cycles) => cycles,
        Err(error @ StoreError::Corrupt { .. }) => {
            tracing::error!(user_id = %user, error = chain(&error), "a ledger cannot be read; a disconnect waits for an hour");
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let places: usize = cycles.iter().filter_map(|cycle| usize::try_from(cycle.reserved).ok()).sum();
    if places == 0 {
        return Ok(Some(Vec::new()));
    }
    let from = cycles.iter().map(|cycle| cycle.span.start - DUE_BEFORE).min();
    let holds = |post: &Post| post.holds_reservation() && cycles.iter().any(|cycle| Some(cycle.span.start) == post.cycle_start);
    let shown = store.readable(store.each_post_where(user, &Filter { from, ..Filter::default() }, holds).await?)?;
    let posts: Vec<_> = store.posts_now(&shown).await?.into_iter().filter(holds).collect();
    let is_whole = posts.len() == places && store.cycles_from(user, since - CYCLE_MAX).await? == cycles;
    Ok(is_whole.then_some(posts))
}

/// Where a person's grants are one, taking it back ends all of that person's accounts, also another customer's: it stays while
/// anybody's is connected, or waits to be chosen.
async fn take_back(ending: &Ending<'_>, connection: &Connection, now: Timestamp) -> Result<(), Box<dyn Error + Send + Sync>> {
    let Ending { store, vault, platforms, .. } = ending;
    if let Some(grantor) = &connection.grantor {
        // Leaves first and looks then: of several that leave at once, at least the last one sees that nobody is left.
        store.leave_grant(connection).await?;
        if store.is_grant_held(connection.platform, grantor, now).await? {
            return Ok(());
        }
    }
    let tokens = vault.read(&connection.secret_name, &connection.secret_version, now).await?;
    let (client_id, client_secret) = vault.app_credentials(&connection.app(), now).await?;
    let app = AppCredentials { client_id, client_secret };
    Ok(platforms.get(connection.platform).revoke(&app, Account::of(connection, &tokens), now).await?)
}
