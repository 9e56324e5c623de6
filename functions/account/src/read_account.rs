//! `/api/user`, `/api/user/status`: the account, and how far its owner has come.

use axum::extract::State;
use domain::connection::Connection;
use domain::id::UserId;
use domain::ledger::Cycle;
use domain::post::Status;
use domain::user::User;
use edge::contract::{ConnectionJson, QuotaJson, UserJson};
use edge::json::Json;
use edge::problem::{Problem, ProblemCode};
use edge::session::SignedIn;
use serde::Serialize;
use store::{Counted, UserWithConnections};
use utoipa::ToSchema;

use crate::{Deps, trouble};

/// What needs its owner.
const TELLING: [Status; 5] = [Status::NeedsReview, Status::Unknown, Status::Held, Status::Failed, Status::Missed];
/// Posts that are looked at for it: more than two years of the largest plan, and four reads.
const COUNTED_MAX: usize = 2_000;

/// Everything that a first page shows.
#[derive(Serialize, ToSchema)]
#[schema(as = UserStatus)]
pub(crate) struct StatusJson {
    /// The account.
    user: UserJson,
    /// The running cycle; `null`: none runs.
    quota: Option<QuotaJson>,
    /// The connected accounts.
    connections: Vec<ConnectionJson>,
    /// How far its owner has come.
    onboarding: OnboardingJson,
    /// What its owner should know, and what to do.
    notices: Vec<NoticeJson>,
    /// How much needs its owner.
    attention: AttentionJson,
}

/// How much needs its owner.
#[derive(Serialize, ToSchema)]
#[schema(as = Attention)]
struct AttentionJson {
    /// Posts of which a person has to say whether they are there.
    needs_review: usize,
    /// Posts of which nobody knows yet whether they are there.
    unknown: usize,
    /// Posts that wait for an account or a quota slot.
    held: usize,
    /// Posts that are not there.
    failed: usize,
    /// Posts whose last moment has passed.
    missed: usize,
    /// Accounts that are to be connected again, now or soon.
    reconnect: usize,
    /// There are more posts than were looked at: those that are due last were.
    partial: bool,
}

impl AttentionJson {
    fn new(posts: &Counted, connections: &[Connection]) -> Self {
        Self {
            needs_review: posts.of(Status::NeedsReview),
            unknown: posts.of(Status::Unknown),
            held: posts.of(Status::Held),
            failed: posts.of(Status::Failed),
            missed: posts.of(Status::Missed),
            reconnect: connections.iter().filter(|connection| connection.wants_reconnect()).count(),
            partial: posts.partial,
        }
    }
}

/// Something that an account's owner should know.
#[derive(Serialize, ToSchema)]
#[schema(as = Notice)]
struct NoticeJson {
    /// What it is about.
    code: NoticeCode,
    /// What it says, and what to do.
    message: &'static str,
}

/// What a notice is about.
#[derive(Serialize, ToSchema)]
#[schema(as = NoticeCode)]
#[serde(rename_all = "snake_case")]
enum NoticeCode {
    /// Two subscriptions are paid for at once.
    PaidTwice,
}

impl NoticeJson {
    fn of(user: &User) -> Vec<Self> {
        let paid_twice = Self {
            code: NoticeCode::PaidTwice,
            message: "You pay for two subscriptions, and one plan runs. End one in the billing portal, and ask us for its money back.",
        };
        user.paid.giving().and(user.paid.beside()).map(|_| paid_twice).into_iter().collect()
    }
}

/// How far the owner of an account has come.
#[derive(Serialize, ToSchema)]
#[schema(as = Onboarding)]
#[expect(clippy::struct_excessive_bools, reason = "the contract's own shape")]
struct OnboardingJson {
    /// Whether the phone is proven.
    phone_verified: bool,
    /// Whether a plan runs.
    plan_active: bool,
    /// Whether an account can be posted to.
    platform_connected: bool,
    /// Whether a post was ever approved.
    post_scheduled: bool,
}

/// The account.
///
/// Whose phone it is, its plan, and what the running cycle has left.
#[utoipa::path(get, path = "/api/user", operation_id = "user", tag = "account", security(("session" = [])),
    responses((status = 200, description = "Its owner's view.", body = UserJson)))]
pub(crate) async fn user(State(deps): State<Deps>, signed_in: SignedIn) -> Result<Json<UserJson>, Problem> {
    let (user, running) = account(&deps, &signed_in.session.user_id).await?;
    Ok(Json(UserJson::new(&user, running.as_ref(), deps.clock.now())))
}

/// Everything that a first page shows.
///
/// The account, its quota and connections, and how far its owner has come.
#[utoipa::path(get, path = "/api/user/status", operation_id = "user_status", tag = "account", security(("session" = [])),
    responses((status = 200, description = "The account, and how far its owner has come.", body = StatusJson)))]
pub(crate) async fn status(State(deps): State<Deps>, signed_in: SignedIn) -> Result<Json<StatusJson>, Problem> {
    let id = &signed_in.session.user_id;
    let posts = deps.store.count_posts(id, &TELLING, COUNTED_MAX);
    let read = tokio::try_join!(deps.store.user_with_connections(id), deps.store.latest_cycles(id), posts);
    let (profile, cycles, posts) = read.map_err(trouble::store)?;
    let UserWithConnections { user, connections, .. } = profile.ok_or_else(gone)?;
    let (now, stored) = (deps.clock.now(), cycles.len());
    let connections = deps.store.readable(connections).map_err(trouble::store)?;
    let cycles = deps.store.readable(cycles).map_err(trouble::store)?;
    // What is not stored is a fresh cycle, so where one was left out the running one is asked for by itself.
    let running = if cycles.len() == stored {
        user.running_cycle(&cycles, now)
    } else {
        deps.store.running_cycle(&user, now).await.map_err(trouble::store)?
    };
    let onboarding = OnboardingJson {
        phone_verified: true,
        plan_active: running.is_some(),
        platform_connected: connections.iter().any(Connection::is_usable),
        // Whatever became of it: who has once approved a post knows how.
        post_scheduled: cycles.iter().any(|cycle| cycle.reservations > 0),
    };
    Ok(Json(StatusJson {
        user: UserJson::new(&user, running.as_ref(), now),
        quota: running.as_ref().map(QuotaJson::from),
        connections: connections.iter().map(ConnectionJson::from).collect(),
        onboarding,
        notices: NoticeJson::of(&user),
        attention: AttentionJson::new(&posts, &connections),
    }))
}

/// The user and the cycle that holds the present time.
pub(crate) async fn account(deps: &Deps, id: &UserId) -> Result<(User, Option<Cycle>), Problem> {
    let user = deps.store.user(id).await.map_err(trouble::store)?.ok_or_else(gone)?;
    let running = deps.store.running_cycle(&user, deps.clock.now()).await.map_err(trouble::store)?;
    Ok((user, running))
}

/// The session outlived its user.
fn gone() -> Problem {
    Problem::new(ProblemCode::SessionExpired)
}
