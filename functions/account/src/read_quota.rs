//! `/api/quota`, `/api/quota/history`: the numbers of the running cycle, and the rows that explain them.

use axum::extract::State;
use domain::id::{HistoryId, PostId};
use domain::ledger::{Actor, ChangeReason, HistoryEntry};
use domain::order::Order;
use edge::contract::{ListJson, ListQuery, QuotaJson, Time};
use edge::json::{Json, Query};
use edge::problem::{Problem, ProblemCode};
use edge::session::SignedIn;
use serde::Serialize;
use store::{Cursor, List, Start};
use utoipa::ToSchema;

use crate::{Deps, read_account, trouble};

/// One row of the history.
#[derive(Serialize, ToSchema)]
#[schema(as = QuotaChange)]
pub(crate) struct HistoryJson {
    /// Names the row.
    id: HistoryId,
    /// When it changed.
    at: Time,
    /// Why it changed.
    change_reason: ChangeReason,
    /// The start of the cycle whose numbers they are: each cycle's rows follow one another, and come to what it holds.
    cycle_start: Time,
    /// The post that it changed for; `null`: for none.
    post_id: Option<PostId>,
    /// Who changed it.
    actor: Actor,
    /// How many posts the cycle held before.
    previous_total: u32,
    /// How many it held after.
    new_total: u32,
    /// How many were left before.
    previous_remaining: u32,
    /// How many were left after.
    new_remaining: u32,
    /// An operator's words; null where no operator changed something.
    note: Option<String>,
}

impl From<HistoryEntry> for HistoryJson {
    fn from(entry: HistoryEntry) -> Self {
        let HistoryEntry { id, at, reason: change_reason, cycle_start, post_id, actor, previous_total, new_total, .. } = entry;
        let HistoryEntry { previous_remaining, new_remaining, note, .. } = entry;
        let (at, cycle_start) = (at.into(), cycle_start.into());
        Self { id, at, change_reason, cycle_start, post_id, actor, previous_total, new_total, previous_remaining, new_remaining, note }
    }
}

/// The running cycle's numbers.
///
/// Of the cycle that holds the present time. Without a plan that runs there is none: 409.
#[utoipa::path(get, path = "/api/quota", operation_id = "quota", tag = "account", security(("session" = [])),
    responses(
        (status = 200, description = "The cycle that holds the present time.", body = QuotaJson),
        (status = 409, description = "no_active_plan"),
    ))]
pub(crate) async fn quota(State(deps): State<Deps>, signed_in: SignedIn) -> Result<Json<QuotaJson>, Problem> {
    let (_, running) = read_account::account(&deps, &signed_in.session.user_id).await?;
    running.as_ref().map(|cycle| Json(QuotaJson::from(cycle))).ok_or_else(|| Problem::new(ProblemCode::NoActivePlan))
}

/// The rows that explain the numbers.
///
/// Newest first unless another order is asked for. Each row says what changed a cycle's numbers, and from what to what.
#[utoipa::path(get, path = "/api/quota/history", operation_id = "quota_history", tag = "account", params(ListQuery),
    security(("session" = [])),
    responses(
        (status = 200, description = "One page.", body = ListJson<HistoryJson>),
        (status = 400, description = "invalid_cursor"),
    ))]
pub(crate) async fn history(
    State(deps): State<Deps>,
    signed_in: SignedIn,
    Query(query): Query<ListQuery>,
) -> Result<Json<ListJson<HistoryJson>>, Problem> {
    let user = &signed_in.session.user_id;
    let limit = query.limit()?;
    let start = Start::asked(query.cursor.as_deref(), query.order, Order::Desc, (user, List::History));
    let start = start.map_err(|_| Problem::invalid_cursor())?;
    let page = deps.store.history(user, limit, start).await.map_err(trouble::store)?;
    let next = page.next.clone();
    Ok(Json(ListJson::of_rows(page.into_rows().map(|(row, place)| (HistoryJson::from(row), place)), next.as_ref(), Cursor::encode)))
}
