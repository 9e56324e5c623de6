//! `GET /api/posts`: a user's posts by time.

use axum::extract::State;
use domain::id::GroupId;
use domain::platform::PlatformName;
use domain::post::Status;
use edge::contract::{ListJson, check_period, checked_limit};
use edge::json::{Json, Query};
use edge::problem::Problem;
use edge::session::SignedIn;
use jiff::Timestamp;
use serde::Deserialize;
use store::{Cursor, Filter, List};
use utoipa::IntoParams;

use crate::answer::PostJson;
use crate::{Deps, trouble};

/// The query.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListPosts {
    /// In this status alone.
    status: Option<Status>,
    /// On this platform alone.
    platform: Option<PlatformName>,
    /// The posts that were made in one request.
    group_id: Option<GroupId>,
    /// Due then or later.
    from: Option<Timestamp>,
    /// Due before then.
    to: Option<Timestamp>,
    /// How many; 50 if absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// The `next_cursor` of the page before; opaque to clients.
    cursor: Option<String>,
}

/// The user's posts.
///
/// By the time that they are due, the earliest first.
#[utoipa::path(get, path = "/api/posts", operation_id = "list_posts", tag = "posts", params(ListPosts), security(("session" = [])),
    responses(
        (status = 200, description = "One page.", body = ListJson<PostJson>, links(
            ("read" = (operation_id = "read_post", parameters(("id" = "$response.body#/items/0/id")))),
            ("next" = (operation_id = "list_posts", parameters(("cursor" = "$response.body#/next_cursor")))),
        )),
        (status = 400, description = "invalid_cursor"),
    ))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    signed_in: SignedIn,
    Query(query): Query<ListPosts>,
) -> Result<Json<ListJson<PostJson>>, Problem> {
    let user = &signed_in.session.user_id;
    let limit = checked_limit(query.limit)?;
    check_period(query.from, query.to)?;
    let cursor = query.cursor.as_deref().map(|cursor| Cursor::decode(cursor, user, List::Posts)).transpose();
    let cursor = cursor.map_err(|_| Problem::invalid_cursor())?;
    let filter = Filter { status: query.status, platform: query.platform, group_id: query.group_id, from: query.from, to: query.to };
    let page = deps.store.posts(user, &filter, limit, cursor).await.map_err(trouble::store)?;
    Ok(Json(ListJson { items: page.items.into_iter().map(Into::into).collect(), next_cursor: page.next.map(|cursor| cursor.encode()) }))
}
