//! `GET /api/posts`: a user's posts by time.

use axum::extract::State;
use domain::id::GroupId;
use domain::platform::PlatformName;
use domain::post::Status;
use edge::contract::{LIMIT_DEFAULT, LIMIT_MAX, ListJson};
use edge::json::{Json, Query};
use edge::problem::{Problem, ProblemCode};
use edge::session::SignedIn;
use jiff::Timestamp;
use serde::Deserialize;
use store::{Cursor, Filter, List};

use crate::answer::PostJson;
use crate::{Deps, trouble};

/// The query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListPosts {
    status: Option<Status>,
    platform: Option<PlatformName>,
    group_id: Option<GroupId>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// One page.
pub(crate) async fn list(
    State(deps): State<Deps>,
    signed_in: SignedIn,
    Query(query): Query<ListPosts>,
) -> Result<Json<ListJson<PostJson>>, Problem> {
    let user = &signed_in.session.user_id;
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::new(ProblemCode::MalformedRequest).with_detail("limit is a number from 1 to 100."));
    }
    if query.from.zip(query.to).is_some_and(|(from, to)| from > to) {
        return Err(Problem::new(ProblemCode::MalformedRequest).with_detail("from must not lie after to."));
    }
    let cursor = query.cursor.as_deref().map(|cursor| Cursor::decode(cursor, user, List::Posts)).transpose();
    let cursor = cursor.map_err(|_| Problem::new(ProblemCode::InvalidCursor))?;
    let filter = Filter { status: query.status, platform: query.platform, group_id: query.group_id, from: query.from, to: query.to };
    let page = deps.store.posts(user, &filter, limit, cursor).await.map_err(trouble::store)?;
    Ok(Json(ListJson { items: page.items.into_iter().map(Into::into).collect(), next_cursor: page.next.map(|cursor| cursor.encode()) }))
}
